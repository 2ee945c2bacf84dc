"""What a learner wrote into a notebook is there the next day, whatever opened and saved it."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from tests.jupyter import copy_course, serve

ANSWER = "my_answer = 6 * 7"
INSIDE = "01_idx_data.ipynb"
FROM_ROOT = f"notebooks/{INSIDE}"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, and servers on its root and on its notebooks."""
    folder = tmp_path_factory.mktemp("course")
    script, notebook = copy_course(folder)
    homes = [tmp_path_factory.mktemp("home") for _ in range(2)]
    # Somebody who pairs all her notebooks with scripts: the course's are not hers to pair.
    for home in homes:
        own = home / "XDG_CONFIG_HOME" / "jupytext"
        own.mkdir(parents=True)
        (own / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    with serve(folder, homes[0]) as root, serve(folder / "notebooks", homes[1]) as inside:
        yield script, notebook, root, inside


@pytest.fixture
def fresh(course):
    """The same, with script and notebook as they were delivered."""
    script, notebook, root, inside = course
    before = script.read_bytes(), notebook.read_bytes()
    yield script, notebook, root, inside
    script.write_bytes(before[0])
    notebook.write_bytes(before[1])


def answered(content):
    """Return a notebook's content with an answer in its last code cell."""
    cell = [cell for cell in content["cells"] if cell["cell_type"] == "code"][-1]
    cell["source"] = ANSWER
    return content


def has_answer(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return any("".join(cell["source"]) == ANSWER for cell in cells)


def write_plainly(content, notebook):
    notebook.write_text(json.dumps(content), encoding="utf-8")


def by_vs_code(notebook, inside):
    """VS Code adds its own metadata to cells and keeps ours."""
    content = answered(json.loads(notebook.read_text()))
    for cell in content["cells"]:
        cell["metadata"]["vscode"] = {"languageId": "python"}
    content["metadata"]["language_info"]["version"] = "3.12.1"
    write_plainly(content, notebook)


def by_colab(notebook, inside):
    """Colab drops all metadata but its own, moves the cells' ids, and writes format 4.0."""
    content = answered(json.loads(notebook.read_text()))
    for cell in content["cells"]:
        cell["metadata"] = {"id": cell.pop("id")}
    content["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}
    content.update(nbformat=4, nbformat_minor=0)
    write_plainly(content, notebook)


def by_pycharm(notebook, inside):
    """PyCharm keeps format and metadata but drops the cells' ids."""
    content = answered(json.loads(notebook.read_text()))
    for cell in content["cells"]:
        del cell["id"]
        cell["metadata"].setdefault("collapsed", False)
    write_plainly(content, notebook)


def by_nbconvert(notebook, inside):
    """A tiny notebook is executed in its place, after the answer was typed into it."""
    tiny = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ANSWER)])
    tiny.metadata = nbformat.read(notebook, 4).metadata
    nbformat.write(tiny, notebook)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    subprocess.run([*command, str(notebook)], check=True, capture_output=True, timeout=200)
    assert nbformat.read(notebook, 4).cells[0].execution_count == 1


def by_lab_in_notebooks(notebook, inside):
    """`jupyter lab notebooks`, the documented way."""
    inside.save(INSIDE, answered(inside.open(INSIDE)))


WRITERS = [by_vs_code, by_colab, by_pycharm, by_nbconvert, by_lab_in_notebooks]


@pytest.mark.parametrize("newer", ["script", "notebook"])
@pytest.mark.parametrize("write", WRITERS)
def test_an_answer_outlasts_jupyterlab_in_the_repositorys_root(fresh, write, newer):
    script, notebook, root, inside = fresh
    source = script.read_bytes()
    write(notebook, inside)
    now = notebook.stat().st_mtime
    os.utime(script, (now + 3600, now + 3600) if newer == "script" else (now - 3600, now - 3600))
    opened = root.open(FROM_ROOT)
    assert any(cell["source"] == ANSWER for cell in opened["cells"])
    for _ in range(2):  # an autosave, and the next
        root.save(FROM_ROOT, opened)
        assert has_answer(notebook)
        assert script.read_bytes() == source
    again = inside.open(INSIDE)
    inside.save(INSIDE, again)
    assert has_answer(notebook)
    assert script.read_bytes() == source


@pytest.mark.parametrize("front", ["root", "inside"])
def test_a_script_opened_as_a_notebook_leaves_the_notebook_alone(fresh, front):
    script, notebook, root, inside = fresh
    by_vs_code(notebook, inside)
    before = notebook.read_bytes()
    source = script.read_text(encoding="utf-8")
    server, path = (root, "notebooks/01_idx_data.py") if front == "root" else (inside, script.name)
    opened = server.open(path)
    assert not any(cell["source"] == ANSWER for cell in opened["cells"])
    server.save(path, opened)
    assert script.read_text(encoding="utf-8") == source, "opening and saving changes no byte"
    server.save(path, answered(opened))
    assert ANSWER in script.read_text(encoding="utf-8")
    assert notebook.read_bytes() == before
