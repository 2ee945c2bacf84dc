"""Every exercise accepts every right form of its answer and refuses what learners get wrong."""

import ast
import importlib
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from mnist_course.exercises import in_data
from mnist_course.exercises import judge as checks
from mnist_course.training.augment import PAPER

FOLDER = Path(checks.__file__).parent


class EqualsEverything:
    """An object that would fool any check that compares with ==."""

    def __eq__(self, other):
        return True

    __hash__ = None

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("a check asked a stranger for its numbers")


CHEATS = [EqualsEverything(), float("nan"), np.array([]), None, object(), lambda *args: ...]


def _bank(kind):
    cases = []
    for name in checks.exercise_names():
        answers = importlib.import_module(f"tests.answers.ch{name[:2]}")
        for number, answer in enumerate(getattr(answers, kind).get(name, [])):
            cases.append(pytest.param(name, answer, id=f"{name}-{number}"))
    return cases


@pytest.mark.parametrize(("name", "answer"), _bank("RIGHT"))
def test_right_answers_are_accepted(name, answer):
    assert checks.judge(name, answer) == checks.Verdict(checks.RIGHT, "right")


@pytest.mark.parametrize(("name", "answer"), _bank("WRONG"))
def test_wrong_answers_are_refused_with_a_reply(name, answer):
    verdict = checks.judge(name, answer)
    assert verdict.status == checks.WRONG
    assert len(verdict.reply) > 10


@pytest.mark.parametrize("name", checks.exercise_names())
def test_bank_is_large_enough(name):
    answers = importlib.import_module(f"tests.answers.ch{name[:2]}")
    assert len(answers.RIGHT[name]) >= 2, "several right forms"
    assert len(answers.WRONG[name]) >= 5, "at least five plausible slips"


@pytest.mark.parametrize("name", checks.exercise_names())
def test_cheats_do_not_pass_and_open_stays_open(name):
    assert checks.judge(name, ...).status == checks.OPEN
    for cheat in CHEATS:
        assert checks.judge(name, cheat).status != checks.RIGHT


# Exercises that are data -------------------------------------------------------------------------

DATA = sorted(FOLDER.glob("ch*.yaml"))
ENTRIES = [(path, name, entry) for path in DATA
           for name, entry in yaml.safe_load(path.read_text("utf-8")).items()]  # fmt: skip


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_every_entry_is_registered_once_by_the_functions_beside_it(path):
    written = re.findall(r"^(\d\d\.[\w-]+):$", path.read_text("utf-8"), re.MULTILINE)
    registered = [
        argument.value
        for node in ast.walk(ast.parse(path.with_suffix(".py").read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "in_data"
        for argument in node.args
    ]
    assert written == registered
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_a_number_is_the_value_of_the_formula_behind_it(path):
    names = {"math": math, "np": np, "PAPER": PAPER}
    for value, formula in re.findall(r": (\S.*?)  # (.*)$", path.read_text("utf-8"), re.MULTILINE):
        expected = eval(formula, names)
        np.testing.assert_allclose(yaml.safe_load(value), expected, rtol=1e-12, err_msg=formula)


@pytest.mark.parametrize(("path", "name", "entry"), ENTRIES, ids=[name for _, name, _ in ENTRIES])
def test_an_entry_says_what_is_right_and_what_slips_are_told(path, name, entry):
    assert name[:2] == path.stem[2:]
    (kind,) = {"number", "array", "choice"} & set(entry)
    assert set(entry) <= {kind, "rtol", "atol", "unit", "slips", "replies", "single", "model"}
    if kind == "choice":
        assert entry["choice"] not in entry["replies"]
        return
    for value in [entry[kind], *(slip["got"] for slip in entry["slips"])]:
        assert np.asarray(value).dtype.kind in "iuf", f"{name}: {value!r} is no number"
    replies = [slip["reply"] for slip in entry["slips"]]
    assert all(isinstance(reply, str) and len(reply) > 10 for reply in replies)


# Slips -------------------------------------------------------------------------------------------


def _asleep(calls):
    """Return every two of right answer and slips that no case of the judge tells apart."""
    seen, apart = set(), set()
    for expected, slips, rtol, atol in calls:
        known = [("right", expected), *((reply, slip) for slip, reply in slips)]
        known = [(reply, np.asarray(value, float)) for reply, value in known]
        for (one, value), (other, again) in itertools.combinations(known, 2):
            if one != other:
                seen.add((one, other))
                if value.shape != again.shape or not np.allclose(value, again, rtol, atol):
                    apart.add((one, other))
    return sorted(seen - apart)


@pytest.mark.parametrize("name", checks.exercise_names())
def test_no_slip_sleeps(name, monkeypatch):
    """A slip that equals the right answer, or another slip, would be told the wrong reason."""
    calls = []
    for module in (importlib.import_module(f"mnist_course.exercises.ch{name[:2]}"), in_data):
        for kind, atol in (("expect_number", 0.0), ("expect_array", 1e-6)):
            expect = getattr(module, kind, None)
            if expect is None:
                continue

            def noted(answer, expected, *, slips=(), expect=expect, atol=atol, **near):
                calls.append((expected, slips, near.get("rtol", 1e-4), near.get("atol", atol)))
                expect(answer, expected, slips=slips, **near)

            monkeypatch.setattr(module, kind, noted)
    answers = importlib.import_module(f"tests.answers.ch{name[:2]}")
    verdict = checks.judge(name, answers.RIGHT[name][0])
    assert not calls or verdict.status == checks.RIGHT  # else some cases were not looked at
    assert _asleep(calls) == []


def test_a_sleeping_slip_is_found():
    two = [(1.0, [(2.0, "twice")], 1e-4, 0), (3.0, [(6.0, "twice"), (3.00001, "near")], 1e-4, 0)]
    assert _asleep(two) == [("right", "near")]
