"""The command line says in one line what is wrong, and tells scripts by its exit status."""

import importlib.metadata
import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from mnist_course import chapters, cli
from mnist_course.chapters import Run
from tests.conftest import ROOT


def command(*arguments):
    return CliRunner().invoke(cli.main, arguments)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], *([name, "-h"] for name in cli.main.commands)]
)
def test_help_is_there_for_every_command(arguments):
    done = command(*arguments)
    assert done.exit_code == 0
    assert done.output.startswith("Usage: ")
    if len(arguments) == 1:
        assert all(name in done.output for name in ("data", "run", "notebooks"))


@pytest.mark.parametrize("arguments", [["nonsense"], ["data", "nonsense"], ["run", "--nonsense"]])
def test_a_wrong_command_is_a_usage_error(arguments):
    done = command(*arguments)
    assert done.exit_code == 2
    assert "Error: " in done.output


def test_data_reports_the_verified_files(mnist_folder):
    done = command("data")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert f"MNIST in {mnist_folder}" in lines
    assert "  train_images  (60000, 28, 28)" in lines
    assert "  test_labels   (10000,)" in lines
    assert lines[-1] == "SHA-256 of all four files verified."


def test_data_reports_the_practice_set_with_status_3(monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
    monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "1")
    done = command("data")
    assert done.exit_code == 3
    assert "practice set in " in done.output
    assert "(1400, 28, 28)" in done.output
    assert "connect to the network" in done.output
    assert "verified" not in done.output


@pytest.mark.parametrize("name", ["data", "run", "notebooks"])
def test_wrong_data_is_one_line_and_status_1(monkeypatch, tmp_path, name):
    monkeypatch.setenv("MNIST_COURSE_DATA", str(tmp_path / "nowhere"))
    done = command(name)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), "a traceback"
    errors = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert str(tmp_path / "nowhere") in errors[0]
    assert "Set MNIST_COURSE_DATA to" in errors[0]


def test_the_same_holds_in_a_shell(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mnist_course", "data"],
        cwd=ROOT,
        env={**os.environ, "MNIST_COURSE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == f"MNIST_COURSE_DATA is {tmp_path}\n"
    assert done.stderr.startswith(f"Error: {tmp_path} lacks train-images-idx3-ubyte, train-labels")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("oks", "status"), [([True, True], 0), ([True, False], 1), ([False], 1)])
def test_run_passes_on_its_arguments_and_prints_the_table(monkeypatch, oks, status):
    asked = []

    def run_chapters(names, force):
        asked.append((names, force))
        return [Run(f"0{n}_chapter", "key", ok, 1.5, f"result {n}") for n, ok in enumerate(oks)]

    monkeypatch.setattr(chapters, "run_chapters", run_chapters)
    done = command("run", "--force", "4", "07_mlp")
    assert asked == [(("4", "07_mlp"), True)]
    assert done.exit_code == status
    assert done.output.count("result") - 1 == sum(oks)
    assert done.output.count("FAILED, see _build/run/") == len(oks) - sum(oks)
    asked.clear()
    command("run")
    assert asked == [((), False)]


@pytest.mark.parametrize("name", ["run", "notebooks"])
def test_an_unknown_chapter_is_one_line_and_status_1(name):
    done = command(name, "99")
    assert done.exit_code == 1
    assert done.output.startswith("Error: there is no chapter '99'; there are 00_")
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "passed"), [([], (False, False)), (["--force", "--replace"], (True, True))]
)
def test_notebooks_pass_on_their_arguments(monkeypatch, options, passed):
    asked = []
    monkeypatch.setattr(chapters, "execute_notebooks", lambda *given: asked.append(given))
    assert command("notebooks", "4", *options).exit_code == 0
    assert asked == [(("4",), *passed)]


def test_notebooks_are_refused_without_real_mnist(monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
    monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "1")
    done = command("notebooks", "1")
    assert done.exit_code == 1
    assert "Error: the outputs that the book shows come from real MNIST" in done.output


def test_the_help_says_the_exit_statuses_and_names_the_settings():
    text = command("--help").output
    for status, words in enumerate(("it worked", "it did not work", "wrong use", "practice set")):
        assert re.search(rf"^ +{status}  .*{words}", text, re.MULTILINE)
    assert all(name in text for name in cli.VARIABLES)


def test_every_setting_is_told_wherever_settings_are_told():
    inner = {"MNIST_COURSE_ANNOUNCED"}  # what one process of the course tells another
    used = set()
    for path in (ROOT / "mnist_course").rglob("*.py"):
        used |= set(re.findall(r'"(MNIST_COURSE_[A-Z]+)"', path.read_text("utf-8")))
    page = (ROOT / "book" / "setup.md").read_text("utf-8")
    assert used - inner == set(cli.VARIABLES)
    assert set(re.findall(r"^\| `(MNIST_COURSE_[A-Z]+)`", page, re.MULTILINE)) == used - inner


def test_the_readme_lists_every_command():
    page = (ROOT / "README.md").read_text("utf-8")
    told = re.findall(r"^python -m mnist_course (\w+) .*  \w", page, re.MULTILINE)
    assert sorted(told) == sorted(cli.main.commands)


def test_config_shows_places_versions_and_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_COURSE_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "cpu")
    monkeypatch.delenv("MNIST_COURSE_FIGURES", raising=False)
    monkeypatch.setattr("mnist_course.data.cache_dir", lambda: tmp_path / "cache")
    done = command("config")
    assert done.exit_code == 0
    shown = dict(line.split(maxsplit=1) for line in done.output.splitlines())
    assert shown["data"] == shown["MNIST_COURSE_DATA"] == str(tmp_path / "mine")
    assert shown["cache"] == str(tmp_path / "cache")
    assert shown["figures"] == os.path.join("_build", "figures")  # noqa: PTH118
    assert shown["device"].startswith("cpu (")
    assert shown["numpy"] == importlib.metadata.version("numpy")
    assert shown["MNIST_COURSE_FIGURES"] == "not set"
    monkeypatch.delenv("MNIST_COURSE_DATA")
    assert f"data                   {tmp_path / 'cache' / 'mnist'}\n" in command("config").output


def test_the_shell_completes_the_names_of_models():
    done = subprocess.run(
        [sys.executable, "-c", "from mnist_course.cli import main; main(prog_name='mnist-course')"],
        cwd=ROOT,
        env={
            **os.environ,
            "_MNIST_COURSE_COMPLETE": "bash_complete",
            "COMP_WORDS": "mnist-course train --model c",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["plain,cnn-quick", "plain,cnn"], done.stderr


def test_the_version_is_that_of_the_package():
    import mnist_course

    assert mnist_course.__version__ in command("--version").output
