"""Chapters run in order, once for each state of the course, and a failure is told and survived."""

import dataclasses
import json
import os
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from mnist_course import plots
from mnist_course.chapters import (
    ChapterError,
    chapter_environment,
    derive_notebook,
    execute_notebooks,
    find_chapters,
    format_table,
    notebooks,
    places,
    run_chapters,
    same_cells,
    scripts,
)
from tests.conftest import names_in

ONE = """
print("begin")
print("Headline: an early result")
print("Headline: 1 of 1")
"""
FAILS = """
print("Headline: never reached the end")
raise RuntimeError("the second chapter is broken")
"""
THREE = """
import pathlib
with open("count.txt", "a") as file:
    file.write("x")
print("Headline: drei · 3")
"""


@pytest.fixture
def course(tmp_path, monkeypatch, digits):
    """A project folder with three tiny chapters, the second of which fails."""
    for name, text in {
        "notebooks/01_one.py": ONE,
        "notebooks/02_fails.py": FAILS,
        "notebooks/10_three.py": THREE,
        "notebooks/ruff.toml": "",
        "notebooks/draft.py": "raise SystemExit(9)",
        "mnist_course/idx.py": "",
        "requirements.txt": "numpy\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for room in (places, scripts, notebooks):
        monkeypatch.setattr(room, "ROOT", tmp_path, raising=False)
        monkeypatch.setattr(room, "NOTEBOOKS", tmp_path / "notebooks", raising=False)
        monkeypatch.setattr(room, "RUNS", tmp_path / "_build" / "run", raising=False)
        monkeypatch.setattr(room, "load_data", lambda: digits, raising=False)
    monkeypatch.delenv("MNIST_COURSE_DEVICE", raising=False)
    return tmp_path


def times_run(course):
    path = course / "count.txt"
    return len(path.read_text()) if path.exists() else 0


# Which chapters ---------------------------------------------------------------------------------


def test_chapters_are_found_in_order_and_drafts_are_not(course):
    assert [path.name for path in find_chapters()] == ["01_one.py", "02_fails.py", "10_three.py"]


@pytest.mark.parametrize(
    "name", ["10", "10_three", "10_three.py", "notebooks/10_three.py", "notebooks/10_three.ipynb"]
)
def test_a_chapter_is_found_by_each_of_its_names(course, name):
    assert find_chapters([name]) == [course / "notebooks" / "10_three.py"]


def test_numbers_may_lack_the_zero_and_the_order_is_the_readers(course):
    assert [path.stem for path in find_chapters(["2", "1", "01"])] == [
        "02_fails",
        "01_one",
        "01_one",
    ]


@pytest.mark.parametrize("name", ["3", "one", "01_on", "draft", "", "²", "-1"])
def test_an_unknown_chapter_is_refused_with_those_that_there_are(course, name):
    with pytest.raises(ChapterError, match="there are 01_one, 02_fails, 10_three"):
        find_chapters([name])


def test_a_folder_without_chapters_says_how_to_get_them(course, monkeypatch):
    monkeypatch.setattr(places, "NOTEBOOKS", course / "empty")
    with pytest.raises(ChapterError, match="Clone it"):
        find_chapters()


# Running them -----------------------------------------------------------------------------------


def test_a_failing_chapter_is_reported_and_the_rest_still_runs(course, capsys):
    runs = run_chapters()
    assert [run.chapter for run in runs] == ["01_one", "02_fails", "10_three"]
    assert [run.ok for run in runs] == [True, False, True]
    assert [run.headline for run in runs][::2] == ["1 of 1", "drei · 3"]
    assert all(run.seconds > 0 for run in runs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "FAILED after" in lines[1]
    assert lines[1].endswith("RuntimeError: the second chapter is broken")
    log = (course / "_build" / "run" / "02_fails.log").read_text()
    assert log.startswith("Headline: never reached the end\nTraceback")

    table = format_table(runs).splitlines()
    assert len(table) == 2 + 3
    assert table[2].split() == ["01_one", f"{runs[0].seconds:.1f}", "1", "of", "1"]
    assert table[3].endswith(f"FAILED, see {Path('_build', 'run', '02_fails.log')}")
    assert "never reached" not in table[3]


def test_what_has_not_changed_is_not_run_again(course, capsys):
    first = run_chapters(["10"])
    again = run_chapters(["10"])
    assert times_run(course) == 1
    assert again == first
    assert "unchanged" in capsys.readouterr().out.splitlines()[1]
    assert "drei · 3" in format_table(again)


def edit_the_chapter(course, monkeypatch):
    path = course / "notebooks" / "10_three.py"
    path.write_text(path.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")


def edit_the_package(course, monkeypatch):
    (course / "mnist_course" / "idx.py").write_text("x = 1\n")


def add_to_the_package(course, monkeypatch):
    (course / "mnist_course" / "by_hand").mkdir()
    (course / "mnist_course" / "by_hand" / "losses.py").write_text("")


def edit_the_requirements(course, monkeypatch):
    (course / "requirements.txt").write_text("numpy==2\n")


def choose_a_device(course, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "cpu")


def find_other_data(course, monkeypatch):
    digits = scripts.load_data()
    source = "practice set" if digits.is_mnist else "MNIST"
    monkeypatch.setattr(scripts, "load_data", lambda: dataclasses.replace(digits, source=source))


def lose_the_record(course, monkeypatch):
    (course / "_build" / "run" / "10_three.json").unlink()


def cut_the_record(course, monkeypatch):
    path = course / "_build" / "run" / "10_three.json"
    path.write_text(path.read_text()[:30])


def garble_the_record(course, monkeypatch):
    (course / "_build" / "run" / "10_three.json").write_text('["another", "form"]')


@pytest.mark.parametrize(
    "change",
    [
        edit_the_chapter,
        edit_the_package,
        add_to_the_package,
        edit_the_requirements,
        choose_a_device,
        find_other_data,
        lose_the_record,
        cut_the_record,
        garble_the_record,
    ],
)
def test_what_has_changed_is_run_again(course, monkeypatch, change):
    run_chapters(["10"])
    change(course, monkeypatch)
    run_chapters(["10"])
    assert times_run(course) == 2
    run_chapters(["10"])
    assert times_run(course) == 2


def test_a_change_in_another_chapter_does_not_matter(course):
    run_chapters(["10"])
    (course / "notebooks" / "01_one.py").write_text("print(2)")
    run_chapters(["10"])
    assert times_run(course) == 1


def test_force_runs_what_has_not_changed(course):
    run_chapters(["10"])
    run_chapters(["10"], force=True)
    assert times_run(course) == 2


def test_a_chapter_that_failed_is_run_again(course):
    (course / "notebooks" / "10_three.py").write_text(f"{THREE}\nraise SystemExit(1)")
    for count in (1, 2):
        assert [run.ok for run in run_chapters(["10"])] == [False]
        assert times_run(course) == count


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("import os\nos._exit(3)", "no output"),
        ("import os\nprint('so far', flush=True)\nos.kill(os.getpid(), 9)", "so far"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("print('in Latin-1: \\u00e9'.encode('latin-1'))\nassert False, 'é ●'", "é ●"),
    ],
)
def test_every_way_to_fail_is_reported(course, capsys, text, last):
    (course / "notebooks" / "01_one.py").write_text(text, encoding="utf-8")
    (run,) = run_chapters(["1"])
    assert not run.ok
    assert last in capsys.readouterr().out


def test_wrong_data_stops_everything_before_it_begins(course, monkeypatch):
    def wrong():
        raise ValueError("no data")

    monkeypatch.setattr(scripts, "load_data", wrong)
    with pytest.raises(ValueError, match="no data"):
        run_chapters()
    assert not (course / "_build").exists()


# The environment of a chapter -------------------------------------------------------------------

TELL = """
import json, os, sys
from mnist_course.data import load_data
names = ["MNIST_COURSE_DATA", "MNIST_COURSE_FIGURES", "MNIST_COURSE_PROGRESS", "MPLBACKEND",
         "OMP_WAIT_POLICY", "PYTHONHASHSEED"]
told = {name: os.environ.get(name) for name in names}
told["cwd"], told["source"] = os.getcwd(), load_data().source
print("Headline:", json.dumps(told))
"""


def test_a_chapter_gets_the_data_that_was_found_and_repeatable_settings(
    course, monkeypatch, digits
):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("MNIST_COURSE_DATA", "/nowhere")
    (course / "notebooks" / "01_one.py").write_text(TELL)
    (run,) = run_chapters(["1"])
    assert run.ok
    assert json.loads(run.headline) == {
        "MNIST_COURSE_DATA": str(digits.folder) if digits.is_mnist else "practice",
        "MNIST_COURSE_FIGURES": str(course / "_build" / "run" / "figures"),
        "MNIST_COURSE_PROGRESS": "lines",
        "MPLBACKEND": None,
        "OMP_WAIT_POLICY": os.environ["OMP_WAIT_POLICY"],
        "PYTHONHASHSEED": "0",
        "cwd": str(course),
        "source": digits.source,
    }
    log = (course / "_build" / "run" / "01_one.log").read_text()
    assert "Practice set" not in log, "announced in every chapter"


def test_the_readers_own_environment_is_left_alone(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    before = dict(os.environ)
    environment = chapter_environment("practice")
    assert dict(os.environ) == before
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE", "who chose another policy keeps it"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert chapter_environment("practice")["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_figure_of_a_script_becomes_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_COURSE_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setattr("sys.argv", ["notebooks/04_softmax.py"])
    monkeypatch.setattr(plt, "switch_backend", plt.switch_backend)
    figure = plt.figure()
    plots.show(figure, "Loss & accuracy, ×2")
    path = tmp_path / "figures" / "04_softmax-loss-accuracy-2.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"[figure] {path}\n"
    assert not plt.fignum_exists(figure.number)


# Notebooks --------------------------------------------------------------------------------------

SOURCE = textwrap.dedent(
    """
    # ---
    # jupyter:
    #   kernelspec:
    #     display_name: Python 3
    #     language: python
    #     name: python3
    # ---

    # %% [markdown]
    # # A chapter
    #
    # With *text*.

    # %%
    x = 6 * 7
    x

    # %% tags=["remove-cell"]
    assert x == 42
    print("to the end")
    """
).lstrip()


@pytest.fixture
def script(course):
    path = course / "notebooks" / "01_one.py"
    path.write_text(SOURCE)
    return path


def test_a_notebook_has_the_cells_of_its_script_and_no_outputs(script):
    notebook = derive_notebook(script)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# A chapter\n\nWith *text*."),
        ("code", "x = 6 * 7\nx"),
        ("code", 'assert x == 42\nprint("to the end")'),
    ]
    assert notebook.cells[2].metadata == {"tags": ["remove-cell"]}
    assert all(cell.outputs == [] for cell in notebook.cells[1:])
    assert notebook.metadata.kernelspec.name == "python3"


def test_cell_ids_are_unique_and_outlast_edits(script):
    ids = [cell.id for cell in derive_notebook(script).cells]
    assert len(set(ids)) == 3
    assert [cell.id for cell in derive_notebook(script).cells] == ids
    script.write_text(SOURCE.replace("6 * 7", "7 * 6"))
    assert [cell.id for cell in derive_notebook(script).cells] == ids
    other = script.with_name("02_other.py")
    other.write_text(SOURCE)
    assert not {cell.id for cell in derive_notebook(other).cells} & set(ids)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("", "", True),
        ("6 * 7", "6 * 8", False),
        ("*text*", "*texts*", False),
        ("remove-cell", "hide-cell", False),
        ("# %% [markdown]", "# %%", False),
    ],
)
def test_cells_are_compared_by_kind_text_and_tags(script, old, new, same):
    before = derive_notebook(script)
    script.write_text(SOURCE.replace(old, new))
    after = derive_notebook(script)
    assert same_cells(before, after) is same
    before.cells[1].outputs = [nbformat.v4.new_output("stream", text="other outputs")]
    before.cells[1].execution_count = 7
    assert same_cells(before, after) is same


@pytest.fixture
def real(course, monkeypatch, digits):
    """Pretend that the digits are MNIST's: the tiny chapters look at none."""
    pretended = dataclasses.replace(digits, source="MNIST")
    monkeypatch.setattr(notebooks, "load_data", lambda: pretended)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_notebooks_are_executed_once_and_give_the_same_file_twice(script, real, capsys):
    assert execute_notebooks(["1"]) == [script.with_suffix(".ipynb")]
    path = script.with_suffix(".ipynb")
    content = path.read_bytes()
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert notebook.cells[1].outputs[0].data["text/plain"] == "42"
    assert notebook.cells[2].outputs[0].text == "to the end\n"
    assert execute_notebooks(["1"]) == []
    assert "unchanged" in capsys.readouterr().out
    assert execute_notebooks(["1"], force=True) == [path]
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "reason"),
    [("1 / 0", "ZeroDivisionError"), ("import os; os._exit(1)", "Kernel died|kernel died")],
)
def test_a_cell_that_fails_keeps_the_old_notebook(script, real, line, reason):
    path = script.with_suffix(".ipynb")
    path.write_bytes(nbformat.writes(derive_notebook(script)).encode())
    before = path.read_bytes()
    script.write_text(f"{SOURCE}\n# %%\n{line}\n")
    with pytest.raises(ChapterError, match=reason) as caught:
        execute_notebooks(["1"])
    assert str(caught.value).startswith("01_one.py: ")
    assert "\x1b" not in str(caught.value)
    assert path.read_bytes() == before
    assert not [name for name in names_in(path.parent) if name.endswith(".part")]


def test_a_warning_is_not_published(script, real):
    script.write_text(f"{SOURCE}\n# %%\nimport sys\nprint('beware', file=sys.stderr)\n")
    with pytest.raises(ChapterError, match=r"01_one\.py warns: beware"):
        execute_notebooks(["1"])
    assert not script.with_suffix(".ipynb").exists()


def test_without_mnist_no_notebook_is_written(script, monkeypatch, digits):
    practice = dataclasses.replace(digits, source="practice set")
    monkeypatch.setattr(notebooks, "load_data", lambda: practice)
    with pytest.raises(ChapterError, match=r"real MNIST.*Set MNIST_COURSE_DATA"):
        execute_notebooks(["1"])
    assert not script.with_suffix(".ipynb").exists()
