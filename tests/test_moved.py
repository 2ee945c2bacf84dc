"""An old name of a module is answered with its new place, and there it is."""

import importlib
import importlib.util
import re

import pytest

from mnist_course.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
@pytest.mark.parametrize("from_package", [False, True])
def test_every_old_name_is_answered_with_a_place_that_imports(old, from_package):
    name, names = ("mnist_course", [old]) if from_package else (f"mnist_course.{old}", [])
    with pytest.raises(ModuleNotFoundError) as caught:
        __import__(name, fromlist=names)
    new = re.fullmatch(rf"mnist_course\.{old} has moved: import (\S+) instead\.", str(caught.value))
    assert importlib.import_module(new[1]).__name__ == new[1]


@pytest.mark.parametrize("old", MOVED)
def test_nothing_stands_at_an_old_name(old):
    """Else the finder, which is asked last, would never be heard."""
    with pytest.raises(ModuleNotFoundError, match="has moved"):
        importlib.util.find_spec(f"mnist_course.{old}")


@pytest.mark.parametrize("name", ["mnist_course.nonsense", "mnist_course.data.idxx", "idx_of_ours"])
def test_other_names_are_missed_as_usual(name):
    with pytest.raises(ModuleNotFoundError, match=rf"^No module named '{name}'$"):
        importlib.import_module(name)
