"""Whatever a user can cause, a command answers in one line, and its exit status says what."""

import errno
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import mnist_course
from mnist_course import cli
from mnist_course.errors import CourseError, UsageError, as_course_error
from mnist_course.files import SaveError
from mnist_course.training.checkpoint import save_checkpoint
from tests.conftest import ROOT

# For every command: how it is called, and the first thing of the course that it calls.
HEARTS = {
    "data": (["data"], "mnist_course.data.load_data"),
    "run": (["run", "1"], "mnist_course.chapters.run_chapters"),
    "notebooks": (["notebooks", "1"], "mnist_course.chapters.execute_notebooks"),
    "train": (["train", "--model", "s4"], "mnist_course.training.recipes.train"),
    "results": (["results"], "mnist_course.results.load_results"),
    "exercises": (["exercises"], "mnist_course.exercises.solved.solved_exercises"),
    "predict": (["predict", "x.png"], "mnist_course.recognizer.Recognizer"),
    "weights": (["weights", "x.pt"], "mnist_course.recognizer.find_weights"),
    "doctor": (["doctor", "a:b"], "mnist_course.doctor.load_program"),
    "config": (["config"], "mnist_course.data.cache_dir"),
}
TROUBLES = {
    "full": OSError(errno.ENOSPC, "No space left on device", "/place"),
    "quota": OSError(errno.EDQUOT, "Disk quota exceeded", "/place"),
    "forbidden": PermissionError(errno.EACCES, "Permission denied", "/place"),
    "read-only": OSError(errno.EROFS, "Read-only file system", "/place"),
    "file for folder": FileExistsError(errno.EEXIST, "File exists", "/place"),
    "no folder": NotADirectoryError(errno.ENOTDIR, "Not a directory", "/place"),
    "folder for file": IsADirectoryError(errno.EISDIR, "Is a directory", "/place"),
    "missing": FileNotFoundError(errno.ENOENT, "No such file or directory", "/place"),
    "bare": OSError("something about /place\nand more"),
    "memory": MemoryError("Unable to allocate 7 GiB for /place"),
    "bare memory": MemoryError(),
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore\nlines"),
    "cpu": RuntimeError("[enforce fail at alloc] DefaultCPUAllocator: can't allocate memory"),
    "windows": RuntimeError("[enforce fail at alloc] DefaultCPUAllocator: not enough memory"),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 7 GB)"),
    "ours": CourseError("in our words: /place"),
    "saving": SaveError("in our words: /place"),
}  # fmt: skip


def command(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def is_one_line(done, status):
    """Make sure that the command ended with one line about an error; return it."""
    assert isinstance(done.exception, SystemExit), f"a traceback: {done.exception!r}"
    assert done.exit_code == status, done.output
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("Error: ")]
    assert len(errors) == 1, done.output
    assert lines[-1] == errors[0]
    return errors[0]


@pytest.fixture
def trouble_in(monkeypatch):
    """Return a function that calls a command, in which something is raised."""

    def call(name, error):
        monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
        monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "1")
        arguments, heart = HEARTS[name]

        def fail(*args, **options):
            raise error

        monkeypatch.setattr(heart, fail)
        return command(*arguments)

    return call


def test_no_command_is_left_out():
    assert set(HEARTS) == set(cli.main.commands)


@pytest.mark.parametrize("name", HEARTS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_in_each_command_is_one_line(trouble_in, name, trouble):
    line = is_one_line(trouble_in(name, TROUBLES[trouble]), 1)
    assert "/place" in line or "memory" in line, "it does not say what"
    assert trouble in ("ours", "saving") or "then try again." in line, "it gives no next step"


@pytest.mark.parametrize("name", HEARTS)
def test_wrong_use_has_the_status_of_wrong_use(trouble_in, name):
    done = trouble_in(name, UsageError("no such thing"))
    if name == "config":  # what is wrong with the device is a line among the others
        done = command("config", "more")
    assert done.exit_code == 2


@pytest.mark.parametrize("name", HEARTS)
def test_a_fault_of_ours_is_not_hidden(trouble_in, name):
    bug = KeyError("a fault")
    assert trouble_in(name, bug).exception is bug


@pytest.mark.parametrize("name", [name for name in HEARTS if name != "train"])
def test_ctrl_c_is_no_error(trouble_in, name):
    done = trouble_in(name, KeyboardInterrupt())
    assert (done.exit_code, done.stderr.strip()) == (1, "Aborted!")


def test_every_error_of_the_course_is_of_the_family():
    classes = set()
    for module in pkgutil.walk_packages(mnist_course.__path__, "mnist_course."):
        if not module.name.endswith("__main__"):
            found = vars(importlib.import_module(module.name)).values()
            classes |= {c for c in found if isinstance(c, type) and issubclass(c, Exception)}
    ours = {c for c in classes if c.__module__.startswith("mnist_course")}
    assert len(ours) > 10
    assert [c for c in ours if not issubclass(c, CourseError)] == []


def test_what_the_machine_lacks_is_told_and_a_closed_pipe_is_not():
    assert as_course_error(BrokenPipeError(errno.EPIPE, "Broken pipe")) is None
    assert as_course_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert as_course_error(ValueError("a fault")) is None
    own = SaveError("our words")
    assert as_course_error(own) is own


# The real thing ----------------------------------------------------------------------------------


@pytest.fixture
def practice(monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
    monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "1")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a file"
    path.write_text("where a folder is expected")
    return path


TRAIN = ("train", "--model", "s4", "--epochs", "1")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((*TRAIN, "--checkpoint", "FILE/run.pt"), 1, "FILE/run.pt was not written: "),
        ((*TRAIN, "--checkpoint", "FOLDER"), 2, "FOLDER"),
        ((*TRAIN, "--checkpoint", "FILE", "--resume"), 2, "FILE is not a checkpoint"),
        (("predict", "SEVEN", "--stages", "FILE/x.png"), 1, "FILE/x.png was not written: "),
        (("predict", "SEVEN", "--weights", "FOLDER"), 2, "FOLDER"),
        (("predict", "SEVEN", "--weights", "FILE"), 2, "FILE is not a weights file"),
        (("weights", "--page", "FILE/x.js"), 1, "FILE/x.js was not written: "),
        (("weights", "--to", "FOLDER"), 1, "FOLDER was not written: "),
        (("weights", "FOLDER"), 2, "FOLDER cannot be read"),
        (("weights", "FILE"), 2, "FILE is not a checkpoint"),
        (("doctor", "FOLDER:factory"), 2, "FOLDER"),
        (("doctor", "FILE:factory"), 2, "FILE"),
        (("run", "FOLDER"), 1, "there is no chapter"),
    ],
)
def test_a_file_for_a_folder_and_a_folder_for_a_file(
    practice, tmp_path, file, arguments, status, words
):
    from PIL import Image, ImageDraw

    places = {"FILE": str(file), "FOLDER": str(tmp_path), "SEVEN": str(tmp_path / "seven.png")}
    image = Image.new("L", (220, 260), 245)
    ImageDraw.Draw(image).line([(50, 60), (160, 60), (95, 210)], fill=25, width=16)
    image.save(places["SEVEN"])
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
        words = words.replace(name, place)
    assert words in is_one_line(command(*arguments), status)


@pytest.mark.parametrize("what", ["a file", "nowhere", "empty"])
@pytest.mark.parametrize("name", ["data", "run", "notebooks", "train", "weights"])
def test_a_wrong_folder_of_data_is_one_line(monkeypatch, tmp_path, file, name, what):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("MNIST_COURSE_DATA", str(tmp_path / what))
    about = {"recipe": "s4", "num_epochs": 0, "data": "MNIST"}
    save_checkpoint(tmp_path / "run.pt", {"about": about, "run": {"history": []}})
    arguments = {"train": TRAIN, "weights": ("weights", tmp_path / "run.pt")}.get(name, [name])
    line = is_one_line(command(*arguments), 1)
    assert str(tmp_path / what) in line
    assert "MNIST_COURSE_DATA" in line


def test_a_wrong_device_is_one_line_and_the_settings_show_it(practice, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "warp")
    assert "MNIST_COURSE_DEVICE=warp does not work here" in is_one_line(command(*TRAIN), 2)
    shown = command("config")
    assert shown.exit_code == 0
    assert "MNIST_COURSE_DEVICE=warp does not work here" in shown.stdout


@pytest.mark.parametrize("arguments", [("run", "1"), TRAIN])
def test_a_progress_that_is_not_known_is_one_line(practice, monkeypatch, arguments):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", "off")
    line = is_one_line(command(*arguments), 2)
    assert "MNIST_COURSE_PROGRESS=off: expected bar or lines" in line


@pytest.fixture
def clone(tmp_path):
    """A clone with one small chapter; return a function that runs a command in it."""
    shutil.copytree(ROOT / "mnist_course", tmp_path / "mnist_course")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_one.py").write_text("print('one')\n")

    def call(*arguments, **options):
        environment = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "MNIST_COURSE_DATA": "practice",
            "MNIST_COURSE_ANNOUNCED": "1",
            **options.pop("env", {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "mnist_course", *arguments],
            cwd=tmp_path,
            env=environment,
            text=True,
            encoding="utf-8",
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    call.folder = tmp_path
    return call


@pytest.mark.parametrize("place", ["_build", "_build/run"])
def test_a_file_in_the_place_of_the_runs_is_one_line(clone, place):
    assert clone("run").returncode == 0
    shutil.rmtree(clone.folder / "_build")
    (clone.folder / place).parent.mkdir(exist_ok=True)
    (clone.folder / place).write_text("in the way")
    done = clone("run")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert str(clone.folder / place) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["run", "notebooks", "exercises"])
@pytest.mark.parametrize("left", ["nothing", "a file"])
def test_outside_a_clone_the_chapters_are_missed(clone, name, left):
    shutil.rmtree(clone.folder / "notebooks")
    if left == "a file":
        (clone.folder / "notebooks").write_text("in the way")
    done = clone(name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: there are no chapters in ")
    assert "the course runs from a clone" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's disk that is full")
@pytest.mark.parametrize("name", ["data", "config", "results", "exercises", "run", "-h"])
def test_output_that_finds_no_place_is_one_line(clone, name):
    with open("/dev/full", "w") as full:
        done = clone(name, stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device. The disk is full: free some")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits")
@pytest.mark.parametrize(
    "arguments",
    [["data"], [*TRAIN, "--checkpoint", "run.pt"], ["weights", "--page", "x.js"], ["run"]],
)
def test_files_that_find_no_place_are_one_line(clone, arguments):
    import resource

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # bytes of a file

    places = {name: str(clone.folder / "cache") for name in ("XDG_CACHE_HOME", "TMPDIR")}
    (clone.folder / "cache").mkdir()
    done = clone(*arguments, preexec_fn=fill, env=places if arguments == ["data"] else {})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "was not written: File too large" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["results", "exercises"])
def test_a_reader_that_goes_away_is_no_error(clone, name):
    reader, writer = os.pipe()
    os.close(reader)
    done = clone(name, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
