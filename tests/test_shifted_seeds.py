"""The runner that shifts every seed runs each cell, whatever fell before it."""

import sys

import pytest

from tests.soak.shifted_seeds import run_cells

CHAPTER = """\
# %%
import inspect


def one():
    return 1


# %%
assert one() == 2

# %%
print(inspect.getsource(one))
"""


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    path = tmp_path / "12_small.py"
    path.write_text(CHAPTER)
    return path


def test_one_cell_falls_and_the_next_still_finds_the_source_of_a_function(chapter, capsys):
    assert run_cells(chapter) == 1
    printed = capsys.readouterr().out
    assert "FELL 12_small code cell 2: AssertionError" in printed
    assert "  assert one() == 2\n" in printed
    assert "def one():\n    return 1" in printed
