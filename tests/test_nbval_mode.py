"""The comparison of stored outputs: strict where it can be, near where it must be, never blind."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

from mnist_course.chapters import ROOT
from tests.nbval_mode import agree, tolerances


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("accuracy 82.0 %", "accuracy 82.1 %"),  # one unit of the last digit
        ("accuracy 97.0%", "accuracy 97.9%"),  # less than 1 %
        ("loss 9.9 | 0.5", "loss 10.0 | 0.5"),  # a digit longer
        ("[[ 0.31 -0.2 ]]", "[[0.31 -0.21]]"),  # numpy pads to the longest
        ("[0.98 0.97\n 0.5 ]", "[0.98 0.97 0.51]"),  # and breaks the line elsewhere
        ("[0.  0.3 1. ]", "[0.1 0.3 0.9]"),  # and drops zeros at the end
        ("error 1e-05", "error 2e-05"),  # one unit again
        ("error 1.60e-05", "error 1.61e-05"),
        ("loss -0.00", "loss 0.00"),
        ("slope −0.25", "slope −0.26"),
        ("12,345.6 steps a second", "12,346.1 steps a second"),
        ("nan of 10,000, [86. 75.]", "nan of 10,000, [86. 75.]"),
        ("", ""),
    ],
)
def test_another_kind_of_processor_may_change_last_digits(stored, new):
    assert agree(stored, new)
    assert agree(new, stored)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("accuracy 82.0 %", "accuracy 84.0 %"),
        ("accuracy 82.0 %", "error 82.0 %"),  # a word
        ("accuracy 82.0 %", "accuracy 82.0"),
        ("best: ReLU, 0.5", "best: tanh, 0.5"),
        ("9,712 of 10,000", "9,713 of 10,000"),  # a count
        ("9,712 of 10,000.", "9,713 of 10,000."),
        ("shape (60, 28)", "shape (61, 28)"),
        ("digit -3", "digit 3"),
        ("[86. 86.]", "[86. 87.]"),
        ("[[-1.  1.  0.]]", "[[ 0.  1.  0.]]"),
        ("3 layers", "3.0 layers"),
        ("1000 steps", "1,000 steps"),
        ("loss 0.50", "loss nan"),
        ("loss nan", "loss 0.50"),
        ("loss inf", "loss -inf"),
        ("loss -0.5", "loss 0.5"),
        ("error 1e-05", "error 3e-05"),
        ("error 1.6e-05", "error 2.1e-05"),
        ("error 1e-05", "error 1e-04"),
        ("1.5 2.5", "1.5 2.5 3.5"),  # a number more
        ("1.5 2.5", "1.5"),
        ("conv1 0.5", "conv2 0.5"),
        ("fc1.weight", "fc2.weight"),
        ("28x28", "28x29"),
        ("version 2.14.1", "version 2.15.1"),
        ("a line", ""),
    ],
)
def test_a_changed_result_is_seen_on_every_processor(stored, new):
    assert not agree(stored, new)
    assert not agree(new, stored)


@pytest.mark.parametrize(
    ("tags", "new", "same"),
    [
        (["nbval-within-0.5"], "run 82.4 of 100", True),
        (["nbval-within-0.5"], "run 82.6 of 100", False),
        (["nbval-within-0.5"], "run 82.0 of 101", False),
        (["nbval-within-2"], "run 84.0 of 98", True),
        (["nbval-within-20%"], "run 98.4 of 80", True),
        (["nbval-within-20%"], "run 98.5 of 100", False),
        (["nbval-within-20%"], "run 82.0 of 79", False),
        (["nbval-within-1e-3"], "run 82.1 of 100", False),  # it may be stricter, too
        (["nbval-within-1%", "remove-cell", "nbval-within-3"], "run 85.0 of 103", True),
        (["nbval-within-20%"], "ran 82.0 of 100", False),
        (["nbval-within-20%"], "run nan of 100", False),
        (["remove-cell"], "run 84.0 of 100", False),
    ],
)
def test_a_cell_can_say_how_much_its_numbers_may_differ(tags, new, same):
    assert agree("run 82.0 of 100", new, tags) is same


@pytest.mark.parametrize("end", ["", "a lot", "5 %", "-1", "0.5.1", "%"])
def test_a_tag_without_a_number_is_refused(end):
    with pytest.raises(ValueError, match="must end in a number"):
        tolerances([f"nbval-within-{end}"])


# From end to end ---------------------------------------------------------------------------------

PRETEND = """
import dataclasses
from tests import nbval_mode
digits = nbval_mode.load_data()
nbval_mode.load_data = lambda: dataclasses.replace(digits, source="MNIST")
"""
HERE = """
import json
from mnist_course.chapters.notebooks import executed_on
print(json.dumps(executed_on()))
"""


@pytest.fixture(scope="module")
def here():
    """What a fresh process says of this machine; another test may have set the threads of this."""
    command = [sys.executable, "-c", HERE]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def other(here):
    return here | {"cpu": "of another kind"}


@pytest.fixture
def compare(tmp_path):
    """Return a function that runs nbval on cells with stored outputs; real MNIST is pretended.

    It takes on what they were executed, and ``(stored, source, tags)`` for each cell, and gives
    back the marks of the cells (``.`` and ``F``), the status, and all that was printed.
    """

    def run(kind, *cells, more=""):
        notebook = nbformat.v4.new_notebook()
        for stored, source, *tags in cells:
            outputs = [nbformat.v4.new_output("stream", text=f"{stored}\n")]
            cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=outputs)
            cell.metadata["tags"] = tags
            notebook.cells.append(cell)
        if kind is not None:
            notebook.metadata["mnist_course"] = {"executed_on": kind}
        nbformat.write(notebook, tmp_path / "01_tiny.ipynb")
        (tmp_path / "pretend.py").write_text(PRETEND + more)
        path = os.pathsep.join([str(ROOT), str(tmp_path)])
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pretend",
             "-p", "tests.nbval_mode", "--nbval", "--nbval-current-env", "-W", "default",
             "--nbval-sanitize-with", str(ROOT / "tests" / "nbval.cfg"), str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "MNIST_COURSE_DEVICE": "cpu"},
            capture_output=True,
            text=True,
            timeout=400,
        )  # fmt: skip
        marks = done.stdout.split(" ")[0]
        return marks, done.returncode, done.stdout + done.stderr

    return run


CELLS = [
    # stored, what runs now, its mark on the same kind and on another, tags
    ("accuracy 82.0 % in 3 s", "print('accuracy 82.0 % in 5 s')", "..", []),
    ("accuracy 82.0 %", "print('accuracy 82.1 %')", "F.", []),
    ("accuracy 82.0 %", "print('accuracy 84.0 %')", "FF", []),
    ("accuracy 82.0 %", "print('accuracy 82 %')", "FF", []),
    ("accuracy 82.0 %", "print()", "FF", []),
    ("accuracy 82 %", "print('accuracy 83 %')", "FF", []),
    ("accuracy 82 %", "print('accuracy 75 %')", "F.", ["nbval-within-10%"]),
    ("0.5", "import sys; print('a bar', file=sys.stderr); print(0.5)", "..", []),
    ("0.5", "print(0.5); 0.25", "FF", []),
    ("0.5", "print(0.9)", "..", ["nbval-ignore-output"]),
]


def test_last_digits_may_differ_on_another_kind_of_processor_and_results_on_none(
    compare, here, other
):
    cells = [(stored, source, *tags) for stored, source, _, tags in CELLS]
    for number, kind in enumerate([here, other, None]):
        marks, status, printed = compare(kind, *cells)
        assert marks == "".join(cell[2][min(number, 1)] for cell in CELLS), printed
        assert status == 1
        said = [line for line in printed.splitlines() if line.startswith("notebooks on MNIST, cpu")]
        assert len(said) == 1
        reason = "words strictly and decimals within 1 % (1 of 1 were executed on another kind"
        assert (reason in said[0]) is (number > 0)
        assert ("strictly, all outputs (1 of 1" in said[0]) is (number == 0)


def test_a_wrong_tag_is_refused_before_anything_runs(compare, other):
    _, status, printed = compare(other, ("82", "print(82)", "nbval-within-much"))
    assert status == 4
    assert "01_tiny.ipynb::Cell 0: the tag nbval-within-much must end in a number" in printed


def test_copies_are_not_compared_and_an_endless_cell_is_stopped(compare, here, tmp_path):
    (tmp_path / "01_tiny.yours.ipynb").write_text("what a learner keeps")
    limit = "nbval_mode.CELL_SECONDS = 1\n"
    marks, status, printed = compare(here, ("0.5", "while True: pass"), more=limit)
    assert (marks, status) == ("F", 1)
    assert "Timeout of 1 seconds exceeded" in printed
