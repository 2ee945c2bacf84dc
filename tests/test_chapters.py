"""Chapters run in order, once for each state of the course, and a failure is told and survived."""

import dataclasses
import json
import os
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch

from mnist_course import plots
from mnist_course.chapters import (
    ROOT,
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
from mnist_course.device import pick_device
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


def change_the_weights(course, monkeypatch):
    (course / "mnist_course" / "weights").mkdir(exist_ok=True)
    (course / "mnist_course" / "weights" / "recognizer.npz").write_bytes(b"\0\1")


def change_the_results(course, monkeypatch):
    (course / "mnist_course" / "results.json").write_text("{}")


def change_the_style(course, monkeypatch):
    (course / "mnist_course" / "course.mplstyle").write_text("figure.dpi: 80")


def rename_in_the_package(course, monkeypatch):
    (course / "mnist_course" / "idx.py").rename(course / "mnist_course" / "xdi.py")


def get_a_gpu(course, monkeypatch):
    monkeypatch.setattr(scripts, "_describe_device", lambda: "cuda (a GPU), torch 2.14.1")


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
        change_the_weights,
        change_the_results,
        change_the_style,
        rename_in_the_package,
        get_a_gpu,
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


def test_compiled_files_and_a_device_named_that_is_chosen_anyway_do_not_matter(course, monkeypatch):
    run_chapters(["10"])
    (course / "mnist_course" / "__pycache__").mkdir()
    (course / "mnist_course" / "__pycache__" / "idx.cpython-311.pyc").write_bytes(b"\0")
    monkeypatch.setenv("MNIST_COURSE_DEVICE", str(pick_device()))
    run_chapters(["10"])
    assert times_run(course) == 1


def test_a_device_that_is_not_there_stops_everything_before_it_begins(course, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "cuda:77")
    with pytest.raises(ChapterError, match="MNIST_COURSE_DEVICE=cuda:77 does not work here"):
        run_chapters()
    assert not (course / "_build").exists()


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
        ("code", '# The numbers of the text, checked\nassert x == 42\nprint("to the end")'),
    ]
    folded = {"source_hidden": True}
    assert notebook.cells[2].metadata == {"tags": ["remove-cell"], "jupyter": folded}
    assert all(cell.outputs == [] for cell in notebook.cells[1:])
    assert notebook.metadata.kernelspec.name == "python3"


def ids_of(path):
    return [cell.id for cell in derive_notebook(path).cells]


def test_cell_ids_are_unique_and_depend_on_the_cell_alone(script):
    ids = ids_of(script)
    assert len(set(ids)) == 3
    assert ids_of(script) == ids
    script.write_text(SOURCE.replace("6 * 7", "7 * 6"))
    edited = ids_of(script)
    assert [edited[0], edited[2]] == [ids[0], ids[2]]
    assert edited[1] != ids[1]
    other = script.with_name("02_other.py")
    other.write_text(SOURCE)
    assert not set(ids_of(other)) & set(ids)


@pytest.mark.parametrize(
    ("new", "others"),
    [("# %%\ny = 1", 0), ("# %% [markdown]\n# Hm.", 0), ("# %%\nx = 6 * 7\nx", 1)],
)
def test_a_cell_put_in_at_the_top_changes_no_other_id_but_that_of_an_equal_cell(
    script, new, others
):
    before = ids_of(script)
    first = SOURCE.index("# %%")
    script.write_text(f"{SOURCE[:first]}{new}\n\n{SOURCE[first:]}")
    after = ids_of(script)
    assert len(after) == len(set(after)) == len(before) + 1
    assert sum(old != now for old, now in zip(before, after[1:], strict=True)) == others


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


# What somebody wrote into a notebook ------------------------------------------------------------


@pytest.fixture
def notebook(script, real, monkeypatch):
    """The notebook of a tiny chapter, as it was derived; its cells need not run here."""
    monkeypatch.setattr(notebooks, "_execute", lambda path, notebook: None)
    (path,) = execute_notebooks(["1"])
    return path


def answer(notebook):
    """Write an answer into the notebook's last cell, as any editor would."""
    content = json.loads(notebook.read_text())
    content["cells"][-1]["source"] = "my_answer = 42"
    notebook.write_text(json.dumps(content))


def delete_a_cell(notebook):
    content = json.loads(notebook.read_text())
    del content["cells"][1]
    notebook.write_text(json.dumps(content))


def tag_a_cell(notebook):
    content = json.loads(notebook.read_text())
    content["cells"][1]["metadata"]["tags"] = ["hide-input"]
    notebook.write_text(json.dumps(content))


def answer_and_drop_the_metadata(notebook):
    """Write an answer in an editor that keeps neither metadata nor the cells' ids."""
    content = json.loads(notebook.read_text())
    content["metadata"] = {}
    content.update(nbformat_minor=4)
    for cell in content["cells"]:
        del cell["id"]
        cell["metadata"] = {}
    content["cells"][0]["source"] += " And a note."
    notebook.write_text(json.dumps(content))


def conflict(notebook):
    """Leave the marks of a merge in it."""
    text = notebook.read_text()
    notebook.write_text(text.replace('"cells": [', '<<<<<<< HEAD\n "cells": ['))


def empty(notebook):
    notebook.write_text("[]")


EDITS = [answer, delete_a_cell, tag_a_cell, answer_and_drop_the_metadata, conflict, empty]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_what_was_written_into_a_notebook_is_not_overwritten(notebook, edit, force, monkeypatch):
    edit(notebook)
    before = notebook.read_bytes()
    ran = []
    monkeypatch.setattr(notebooks, "_execute", lambda path, notebook: ran.append(path))
    with pytest.raises(ChapterError, match=r"01_one\.ipynb holds cells .* --replace") as caught:
        execute_notebooks(["10", "1"], force)
    assert "\n" not in str(caught.value)
    assert notebook.read_bytes() == before
    assert ran == []


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_written_is_kept_beside_the_notebook_that_replaces_it(notebook, edit, capsys):
    derived = notebook.read_bytes()
    for name in ("01_one.yours.ipynb", "01_one.yours-2.ipynb", "01_one.yours-3.ipynb"):
        edit(notebook)
        written = notebook.read_bytes() + b"\n" * len(name)
        notebook.write_bytes(written)
        earlier = {path: path.read_bytes() for path in notebook.parent.glob("*.yours*")}
        capsys.readouterr()
        assert execute_notebooks(["1"], replace=True) == [notebook]
        assert f"kept as {name}" in capsys.readouterr().out
        assert notebook.with_name(name).read_bytes() == written
        assert notebook.read_bytes() == derived
        assert all(path.read_bytes() == content for path, content in earlier.items())
    assert execute_notebooks(["1"], force=True, replace=True) == [notebook]
    assert len(list(notebook.parent.glob("*.yours*"))) == 3, "nothing was written, nothing is kept"


def test_what_is_written_while_the_cells_run_is_kept_too(notebook, script, monkeypatch):
    script.write_text(SOURCE.replace("6 * 7", "7 * 6"))
    execute = notebooks._execute

    def execute_while_somebody_writes(path, derived):
        execute(path, derived)
        answer(notebook)

    monkeypatch.setattr(notebooks, "_execute", execute_while_somebody_writes)
    with pytest.raises(ChapterError, match="by hand"):
        execute_notebooks(["1"])
    assert "my_answer" in notebook.read_text()


def test_a_copy_that_cannot_be_written_leaves_the_notebook(notebook, monkeypatch):
    answer(notebook)
    before = notebook.read_bytes()
    real_open = Path.open

    def full(path, *args, **options):
        if ".yours" in path.name:
            raise OSError(28, "No space left on device")
        return real_open(path, *args, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(ChapterError, match=r"01_one\.ipynb could not be kept .*No space"):
        execute_notebooks(["1"], replace=True)
    assert notebook.read_bytes() == before


def run_in_an_editor(notebook):
    """Run and save without writing anything: outputs, ids, an empty cell, the editor's marks."""
    content = json.loads(notebook.read_text())
    for number, cell in enumerate(content["cells"]):
        cell["id"] = f"new-{number}"
        cell["metadata"]["vscode"] = {"languageId": "python"}
    content["cells"][1]["outputs"] = []
    content["cells"].append(
        {"cell_type": "code", "source": [], "metadata": {}, "id": "empty", "outputs": [],
         "execution_count": None}
    )  # fmt: skip
    content["metadata"]["language_info"]["version"] = "3.12.1"
    notebook.write_text(json.dumps(content))


@pytest.mark.parametrize("before", [lambda notebook: None, run_in_an_editor])
def test_an_author_who_edits_the_script_only_is_asked_nothing(notebook, script, before):
    before(notebook)
    script.write_text(SOURCE.replace("6 * 7", "7 * 6").replace("*text*", "*more text*"))
    assert execute_notebooks(["1"]) == [notebook]
    assert same_cells(derive_notebook(script), nbformat.read(notebook, 4))
    assert not list(notebook.parent.glob("*.yours*"))


def test_a_notebook_without_metadata_whose_cells_are_the_scripts_may_be_written(notebook):
    content = json.loads(notebook.read_text())
    content["metadata"] = {}
    notebook.write_text(json.dumps(content))
    assert execute_notebooks(["1"], force=True) == [notebook]


def test_copies_are_neither_chapters_nor_progress_nor_for_git(notebook, course):
    for name in ("01_one.yours.py", "01_one.yours-2.py"):
        (course / "notebooks" / name).write_text("raise SystemExit(9)")
    assert [path.name for path in find_chapters(["1"])] == ["01_one.py"]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "*.yours*.ipynb" in ignored


# On what it was executed ------------------------------------------------------------------------


def test_a_notebook_says_on_what_it_was_executed(script, real):
    (notebook,) = execute_notebooks(["1"])
    told = nbformat.read(notebook, 4).metadata["mnist_course"]["executed_on"]
    assert told == notebooks.executed_on()
    assert told["cpu"] == torch.backends.cpu.get_cpu_capability()
    assert told["threads"] == torch.get_num_threads()
    assert told["torch"] == torch.__version__.split("+")[0]


def test_a_processor_with_fewer_instructions_is_another_kind(run_python):
    code = (
        "import json, mnist_course.chapters.notebooks as n\n"
        "print(json.dumps(n.executed_on(), sort_keys=True))"
    )
    lesser = {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Nehalem"}
    here, again = (json.loads(run_python(code).stdout) for _ in range(2))
    there = json.loads(run_python(code, **lesser).stdout)
    assert here == again
    assert there != here
    assert there["cpu"] == "DEFAULT"
