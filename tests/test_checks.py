"""The exercise checks accept what is right, refuse what only looks right, and always come back."""

import ast
import contextlib
import importlib
import math
import re
import signal
import sys
import time

import numpy as np
import pytest
import torch

from mnist_course.exercises import judge as checks
from mnist_course.exercises.expect import as_array, call, expect_array, expect_choice, expect_number
from mnist_course.exercises.judge import (
    OPEN,
    RIGHT,
    WRONG,
    Wrong,
    check,
    check_solution,
    exercise,
    judge,
    summary,
)
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def four_exercises(monkeypatch):
    """Replace the exercises of the course by four of this file's own."""
    monkeypatch.setattr(checks, "_registry", {})
    monkeypatch.setattr(checks, "_results", {})

    @exercise("99.number")
    def number(answer):
        expect_number(answer, 0.25, slips=[(0.5, "you forgot to square it")], unit=" m")

    @exercise("99.array")
    def array(answer):
        expect_array(answer, [[1.0, 2.0, 3.0]], slips=[([[3.0, 2.0, 1.0]], "it is reversed")])

    @exercise("99.choice")
    def choice(answer):
        expect_choice(answer, "B", {"a": "that is the mean", "c": "that is the median"})

    @exercise("99.function")
    def function(answer):
        given = np.array([1.0, 2.0, 3.0])
        expect_array(call(answer, given, seconds=0.3), [2.0, 4.0, 6.0])


class EqualsEverything:
    """Passes every check of the form ``answer == expected``, in any shape and form."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None
    __lt__ = __le__ = __gt__ = __ge__ = __eq__

    def __float__(self):
        return 0.25

    def __len__(self):
        return 3

    def __iter__(self):
        return iter([1.0, 2.0, 3.0])

    def __bool__(self):
        return True

    def __array__(self, dtype=None, copy=None):
        return np.array([[1.0, 2.0, 3.0]])

    def lower(self):
        return "b"

    strip = lower


class PretendsToBeFloat(EqualsEverything):
    @property
    def __class__(self):
        return float


class PretendsToBeTensor(EqualsEverything):
    @property
    def __class__(self):
        return torch.Tensor

    def detach(self):
        return self

    cpu = numpy = detach


class Flattering(np.ndarray):
    """An array that answers every comparison with True."""

    def __array_ufunc__(self, *args, **options):
        return True


class YesString(str):
    def __eq__(self, other):
        return True

    __hash__ = None


flattering = np.zeros((1, 3)).view(Flattering)
nan = float("nan")

# Right and wrong answers ------------------------------------------------------------------------

ACCEPTED = {
    "99.number": [
        0.25,
        0.25000001,
        np.float32(0.25),
        np.array(0.25),
        np.array([[0.25]]),
        torch.tensor(0.25),
        torch.tensor([0.25], requires_grad=True),
        [0.25],
    ],
    "99.array": [
        [[1, 2, 3]],
        ((1.0, 2.0, 3.0),),
        np.array([[1, 2, 3]]),
        np.array([[1.0, 2.0, 3.0]], np.float32),
        np.asfortranarray([[1.0, 2.0, 3.0]]),
        torch.tensor([[1, 2, 3]]),
        torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True),
        np.array([[1.0, 2.0, 3.00001]]),
    ],
    "99.choice": ["B", "b", " b ", "B\n"],
    "99.function": [
        lambda x: 2 * x,
        lambda x: [2.0, 4.0, 6.0],
        lambda x: torch.tensor(x) * 2,
        np.add(np.eye(3), np.eye(3)).dot,
    ],
}

REFUSED = {
    "99.number": [
        (0.5, "0.5 m is not it: you forgot to square it"),
        (0.26, "close; give three digits"),
        (0.3, "too large"),
        (-0.25, "too small"),
        (nan, "finite"),
        (math.inf, "finite"),
        (np.array(nan), "finite"),
        (np.array([]), "one number, got 0"),
        ([0.25, 0.25], "one number, got 2"),
        (True, "True or False"),
        (np.bool_(True), "True or False"),
        (torch.tensor(True), "True or False"),
        ("0.25", "expected numbers, got an object of type str"),
        (None, "forget to return"),
        (lambda: 0.25, "call it"),
        (0.25 + 0j, "expected numbers"),
        ([[0.25], [0.25, 1]], "different lengths"),
        ({"a": 0.25}, "type dict"),
        (10**400, "expected numbers"),
        (EqualsEverything(), "expected numbers"),
        (PretendsToBeFloat(), "expected one number, got 3"),
        (PretendsToBeTensor(), "expected numbers"),
    ],
    "99.array": [
        ([[3, 2, 1]], "it is reversed"),
        ([1, 2, 3], r"expected the shape \(1, 3\), got \(3,\)"),
        ([[1], [2], [3]], r"got \(3, 1\)"),
        ([[[1, 2, 3]]], r"got \(1, 1, 3\)"),
        (2.0, r"got \(\)"),
        (np.array(2.0), r"got \(\)"),
        (np.zeros((0, 3)), r"got \(0, 3\)"),
        (np.ones((4, 3)) * [1, 2, 3], r"got \(4, 3\)"),
        ([[1, 2, nan]], "1 of your numbers are NaN"),
        ([[nan, nan, nan]], "3 of your numbers are NaN"),
        ([[1, 2, math.inf]], "NaN or infinite"),
        ([[1, 2, 3.1]], r"differ by up to 0.1 \(largest at index \(0, 2\)\)"),
        ([[1, 2, "3"]], "expected numbers"),
        ([[1, 2, None]], "expected numbers"),
        ([[True, True, True]], "differ by up to 2"),
        (np.array([[1, 2, 3]], object), "an array of object"),
        (np.array([["1", "2", "3"]]), "an array of <U1"),
        (np.ma.masked_array([[1.0, 2.0, 9.0]], [[0, 0, 1]]), "expected numbers"),
        (EqualsEverything(), "expected numbers"),
        ([[EqualsEverything()] * 3], ""),
        (PretendsToBeTensor(), "expected numbers"),
        (flattering, "expected numbers"),
    ],
    "99.choice": [
        ("a", "that is the mean"),
        ("C", "that is the median"),
        ("(c)", "that is the median"),
        ("d", "choose one of a, b, c"),
        ("", "choose one of"),
        (1, "put the letter in quotation marks"),
        (None, "put the letter in quotation marks"),
        (["B"], "put the letter in quotation marks"),
        (YesString("x"), "put the letter in quotation marks"),
        (EqualsEverything(), "put the letter in quotation marks"),
    ],
    "99.function": [
        (lambda x: x, "differ"),
        (lambda x: None, "forget the return"),
        (lambda x: x[:2], "shape"),
        (lambda x: x.undefined, "AttributeError"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda: 1, "TypeError"),
        (lambda x: [*x, ...], ""),
        (3, "expected a function"),
        (None, "expected a function, got None"),
        (EqualsEverything(), "expected a function"),
        (lambda x: EqualsEverything(), "expected numbers"),
        (lambda x: flattering, "expected numbers"),
        (lambda x: exit(), "SystemExit"),
        (lambda x: (_ for _ in ()).throw(AssertionError), "AssertionError"),
    ],
}


def cases(bank):
    return [
        pytest.param(name, case, id=f"{name}-{number}")
        for name, answers in bank.items()
        for number, case in enumerate(answers)
    ]


@pytest.mark.parametrize(("name", "answer"), cases(ACCEPTED))
def test_every_usual_form_of_the_right_answer_is_accepted(name, answer):
    assert judge(name, answer) == checks.Verdict(RIGHT, "right")


@pytest.mark.parametrize(("name", "case"), cases(REFUSED))
def test_what_only_looks_right_is_refused_with_a_reason(name, case):
    answer, reason = case
    verdict = judge(name, answer)
    assert verdict.status == WRONG
    assert re.search(reason, verdict.reply), verdict.reply
    assert len(verdict.reply) > 10


def test_patching_numpy_does_not_help(monkeypatch):
    for name in ("allclose", "array_equal", "isfinite", "abs", "all", "isclose"):
        monkeypatch.setattr(np, name, lambda *args, **options: np.True_)
    assert judge("99.number", 9.0).status == WRONG
    assert judge("99.number", nan).status == WRONG
    assert judge("99.array", [[1, 2, 9]]).status == WRONG
    assert judge("99.array", [[1, 2, nan]]).status == WRONG


def test_an_expected_zero_is_compared_absolutely():
    expect_number(1e-5, 0.0, rtol=1e-4)
    with pytest.raises(Wrong, match="too large"):
        expect_number(1e-3, 0.0, rtol=1e-4)


def test_an_exact_number_must_be_exact():
    expect_number(7, 7, rtol=0)
    with pytest.raises(Wrong, match="too small"):
        expect_number(6.999999, 7, rtol=0)


def test_a_slip_that_is_as_good_as_the_right_answer_is_not_scolded():
    expect_array([1.0], [1.0], slips=[([1.0], "never said")])
    expect_number(1.0, 1.0, slips=[(1.0, "never said")])


def test_a_slip_of_another_shape_is_not_stretched_to_fit():
    with pytest.raises(Wrong, match="the shape is right"):
        expect_array([3.0, 3.0], [1.0, 2.0], slips=[(3.0, "never said"), ([3.0] * 5, "never")])


def test_tensors_become_arrays_with_their_values():
    found = as_array(torch.arange(3.0, requires_grad=True))
    assert type(found) is np.ndarray
    assert found.tolist() == [0.0, 1.0, 2.0]


# Open answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["99.number", "99.array", "99.choice", "99.function"])
def test_an_ellipsis_is_an_open_answer(name):
    assert judge(name, ...).status == OPEN


def test_a_function_that_returns_an_ellipsis_is_open():
    assert judge("99.function", lambda x: ...).status == OPEN


# Functions --------------------------------------------------------------------------------------


def loop():
    while True:
        pass


def loop_that_catches():
    begun = time.perf_counter()
    while time.perf_counter() - begun < 20:
        with contextlib.suppress(Exception):
            sum(range(1000))


def recurse():
    return recurse()


def loop_that_catches_all():
    begun = time.perf_counter()
    while time.perf_counter() - begun < 20:
        try:  # noqa: SIM105 - what beginners write
            sum(range(1000))
        except:  # noqa: E722
            pass


@pytest.mark.parametrize(
    "endless", [loop, loop_that_catches, loop_that_catches_all, lambda: time.sleep(60)]
)
def test_an_endless_function_is_stopped(endless):
    begun = time.perf_counter()
    verdict = judge("99.function", lambda x: endless())
    assert time.perf_counter() - begun < 5
    assert verdict.status == WRONG
    assert "did not come back within 0.3 s" in verdict.reply


def test_without_a_timer_as_on_windows_an_endless_function_is_stopped_too(monkeypatch):
    monkeypatch.delattr(signal, "setitimer")
    for endless in (loop, loop_that_catches_all):
        begun = time.perf_counter()
        verdict = judge("99.function", lambda x, endless=endless: endless())
        assert time.perf_counter() - begun < 5
        assert "did not come back within 0.3 s" in verdict.reply


@pytest.mark.parametrize("leave", [exit, sys.exit, lambda: sys.exit(0)])
def test_who_ends_the_program_is_told_to_return(leave):
    verdict = judge("99.function", lambda x: leave())
    assert verdict.status == WRONG
    assert verdict.reply.startswith("your answer raised SystemExit: exit() and sys.exit() end the")


def test_endless_recursion_is_an_answer_like_others():
    assert judge("99.function", lambda x: recurse()).reply.startswith(
        "your answer raised Recursion"
    )


def test_the_alarm_is_off_after_a_call():
    call(lambda: 1, seconds=0.1)
    time.sleep(0.2)


def test_the_learners_function_gets_copies():
    array, tensor = np.ones(3), torch.ones(3, requires_grad=True)

    def spoil(x, t):
        x += 1
        with torch.no_grad():
            t += 1
        return t.requires_grad

    assert call(spoil, array, tensor) is True
    assert array.tolist() == tensor.tolist() == [1, 1, 1]


def test_calling_works_in_a_thread_too():
    import threading

    found = []
    thread = threading.Thread(target=lambda: found.append(judge("99.function", lambda x: 2 * x)))
    thread.start()
    thread.join()
    assert found[0].status == RIGHT


def test_an_interrupt_by_the_reader_gets_through():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge("99.function", interrupted)


# Replies and counting ---------------------------------------------------------------------------


def test_check_prints_one_line_and_summary_counts(capsys):
    check("99.number", 0.25)
    check("99.array", ...)
    check("99.choice", "a")
    summary()
    assert capsys.readouterr().out.splitlines() == [
        "● 99.number: right",
        "○ 99.array: open; replace the ... and run this cell again",
        "✗ 99.choice: that is the mean",
        "1 of 3 exercises solved; to do: 99.array, 99.choice",
    ]
    check("99.array", [[1, 2, 3]])
    check("99.choice", "b")
    summary()
    assert capsys.readouterr().out.endswith("3 of 3 exercises solved\n")
    check("99.number", 7)
    summary()
    assert capsys.readouterr().out.endswith("2 of 3 exercises solved; to do: 99.number\n")


def test_a_wrong_solution_in_the_book_fails_the_chapter(capsys):
    check_solution("99.number", 0.25)
    assert capsys.readouterr().out == "● 99.number: the solution passes the same check\n"
    for answer in (0.5, ...):
        with pytest.raises(Wrong, match=r"the solution of 99\.number is"):
            check_solution("99.number", answer)


def test_an_unknown_exercise_is_a_key_error():
    for name in ("99.missing", "no.such", "nothing"):
        with pytest.raises(KeyError, match="there is no exercise"):
            judge(name, 1)


def test_two_exercises_of_one_name_are_refused():
    def other(answer):
        pass

    other.__module__ = "somewhere.else"
    with pytest.raises(ValueError, match=r"two exercises are called 99\.number"):
        exercise("99.number")(other)


def test_two_exercises_of_one_name_in_one_file_are_refused():
    first = checks._registry["99.number"]

    def number(answer):
        expect_number(answer, 7.0)

    with pytest.raises(ValueError, match=r"two exercises are called 99\.number"):
        exercise("99.number")(number)
    assert checks._registry["99.number"] is first


def test_a_file_of_exercises_may_be_loaded_again():
    from mnist_course.exercises import ch05

    for _ in range(2):
        importlib.reload(ch05)
    assert "05.tanh" in checks._registry


# Switched-off asserts ---------------------------------------------------------------------------


def test_checks_hold_when_python_runs_without_asserts(run_python):
    done = run_python(
        "from mnist_course.exercises.expect import expect_array, expect_number\n"
        "from mnist_course.exercises.judge import exercise, judge\n"
        "assert False, 'asserts are on'\n"
        "exercise('99.a')(lambda answer: expect_number(answer, 1.0))\n"
        "exercise('99.b')(lambda answer: expect_array(answer, [1.0, 2.0]))\n"
        "wrong = [('99.a', 2.0), ('99.a', float('nan')), ('99.b', [1.0, 3.0]), ('99.b', 1.0)]\n"
        "print([judge(*case).status for case in wrong], judge('99.a', 1).status)\n",
        "-O",
    )
    assert done.stdout == f"{['wrong'] * 4} right\n", done.stderr


@pytest.mark.parametrize(
    "path", sorted((ROOT / "mnist_course").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_package_validates_nothing_by_assert(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert lines == []
