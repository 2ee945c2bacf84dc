"""Every exercise accepts every right form of its answer and refuses what learners get wrong."""

import importlib

import numpy as np
import pytest

from mnist_course.exercises import judge as checks


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
