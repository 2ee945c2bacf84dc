"""The progress command reads what the checks printed into the learner's notebooks."""

import json
import re

import pytest
from click.testing import CliRunner

from mnist_course import cli
from mnist_course.chapters import NOTEBOOKS
from mnist_course.exercises import judge as checks
from mnist_course.exercises.solved import format_solved, solved_exercises


def _notebook(path, *texts):
    """Write a notebook with one cell per text, which that cell has printed."""
    cells = [
        {"cell_type": "code", "outputs": [{"name": "stdout", "text": text.splitlines(True)}]}
        for text in texts
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown"}, *cells]}))


@pytest.fixture
def printed(capsys):
    """Return a function that calls a check and gives back what it printed."""

    def call(function, name, answer):
        function(name, answer)
        return capsys.readouterr().out

    return call


def test_right_wrong_and_open_are_told_apart(tmp_path, printed):
    right = printed(checks.check, "01.size", 307_220)
    if "●" not in right:
        pytest.fail(f"this test needs the answer of 01.size: {right}")
    wrong = printed(checks.check, "01.ink", -1)
    _notebook(tmp_path / "01_idx_data.ipynb", right, "something else\n" + wrong)
    found = solved_exercises(tmp_path)
    assert found["01.size"] == "right"
    assert found["01.ink"] == "wrong"
    assert set(found) == set(checks.exercise_names())
    assert {s for n, s in found.items() if n not in ("01.size", "01.ink")} == {"open"}


def test_the_books_own_solution_does_not_count(tmp_path, printed):
    _notebook(tmp_path / "01_idx_data.ipynb", printed(checks.check_solution, "01.size", 307_220))
    assert solved_exercises(tmp_path)["01.size"] == "open"


@pytest.mark.parametrize("copy", ["yours", "yours-2", "nbconvert"])
def test_copies_beside_a_notebook_do_not_count(tmp_path, printed, copy):
    _notebook(tmp_path / "01_idx_data.ipynb", printed(checks.check, "01.size", -1))
    right = printed(checks.check, "01.size", 307_220)
    _notebook(tmp_path / f"01_idx_data.{copy}.ipynb", right)
    assert solved_exercises(tmp_path)["01.size"] == "wrong"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"cells": [3]}', "\x00"])
def test_an_unreadable_notebook_counts_as_open(tmp_path, content):
    (tmp_path / "01_idx_data.ipynb").write_text(content)
    assert set(solved_exercises(tmp_path).values()) == {"open"}


def test_the_notebooks_of_the_repository_leave_every_exercise_to_the_learner():
    assert set(solved_exercises(NOTEBOOKS).values()) == {"open"}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_the_names_stand_in_the_order_of_the_page(path):
    asked = re.findall(r"^check\(\s*\"([\d\w.-]+)\"", path.read_text(), re.MULTILINE)
    assert [name for name in checks.exercise_names() if name[:2] == path.name[:2]] == asked


def test_the_table_counts_by_chapter():
    text = format_solved({"01.a": "right", "01.b": "open", "02.c": "right", "02.d": "right"})
    assert text.splitlines() == [
        "chapter  1  ●○            1 of  2   to do: b",
        "chapter  2  ●●            2 of  2   all solved",
        "",
        "3 of 4 exercises with a check solved",
    ]


def test_the_command_prints_the_table():
    done = CliRunner().invoke(cli.main, ["exercises"])
    assert done.exit_code == 0
    assert done.output == format_solved(solved_exercises(NOTEBOOKS)) + "\n"
