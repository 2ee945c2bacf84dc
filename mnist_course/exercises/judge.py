"""Check the learner's answers: open, right, or what is probably wrong.

Chapters call ``check("04.shift", answer)``. What is right, and what the likely slips are, stands in
``mnist_course/exercises/``, one file per chapter: a function decorated with `exercise`, which
raises `Wrong` with a helpful sentence or returns quietly.

The judgment compares type, shape, finiteness and value, never with ``==`` on an object that the
learner made, and never executes text.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import numbers
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_course.errors import CourseError
from mnist_course.progress import say

OPEN, RIGHT, WRONG = "open", "right", "wrong"
MARKS = {OPEN: "○", RIGHT: "●", WRONG: "✗"}
SOLUTION = "the solution passes the same check"
SECONDS = 10.0  # how long a learner's function may run

Judge = Callable[[Any], None]
_registry: dict[str, Judge] = {}
_results: dict[str, str] = {}  # of this process: exercise -> OPEN, RIGHT or WRONG
_isfinite, _abs = np.isfinite, np.abs  # as they were at import


class Wrong(CourseError):  # noqa: N818 - raise Wrong("...") reads as it should
    """An answer is not right; the message says what was expected and names the likely slip."""


class _Open(Exception):  # noqa: N818
    """The learner's function still returns ``...``."""


class _TooLong(BaseException):
    """Time is up. Not an Exception, because the learner's function may catch those."""


@dataclass(frozen=True)
class Verdict:
    """What `judge` found: ``status`` is ``open``, ``right`` or ``wrong``, ``reply`` says why."""

    status: str
    reply: str


def exercise(name: str) -> Callable[[Judge], Judge]:
    """Register the decorated function as the judge of the exercise ``name``.

    Parameters
    ----------
    name : str
        Chapter and exercise, as in ``"04.shift"``.
    """

    def register(function: Judge) -> Judge:
        if name in _registry and _registry[name].__module__ != function.__module__:
            raise ValueError(f"two exercises are called {name}")
        _registry[name] = function
        return function

    return register


def exercise_names() -> list[str]:
    """Return the names of all exercises of the course that have a check, in order."""
    from mnist_course import exercises

    for module in pkgutil.iter_modules(exercises.__path__):
        importlib.import_module(f"{exercises.__name__}.{module.name}")
    return sorted(_registry, key=_chapter_of)  # within a chapter in the order of the page


def _chapter_of(name: str) -> str:
    """Return the chapter of an exercise, ``"04"`` of ``"04.shift"``."""
    return name.split(".")[0]


def judge(name: str, answer: Any) -> Verdict:
    """Judge an answer without printing anything.

    Parameters
    ----------
    name : str
        The exercise.
    answer : object
        Whatever the learner made: a number, an array, a function; ``...`` means "not yet".

    Returns
    -------
    Verdict
        Open, right or wrong, with a reply to show.

    Raises
    ------
    KeyError
        If there is no exercise of that name.
    """
    if name not in _registry:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"mnist_course.exercises.ch{_chapter_of(name)}")
    if name not in _registry:
        raise KeyError(f"there is no exercise {name!r}; see judge.exercise_names()")
    try:
        if answer is ...:
            raise _Open
        _registry[name](answer)
    except _Open:
        return Verdict(OPEN, "open; replace the ... and run this cell again")
    except Wrong as wrong:
        return Verdict(WRONG, str(wrong))
    except (Exception, SystemExit) as error:  # whatever the learner's object does when it is used
        kind = type(error)
        origin = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        return Verdict(WRONG, f"your answer raised {origin}{kind.__qualname__}: {error}")
    return Verdict(RIGHT, "right")


def check(name: str, answer: Any) -> None:
    """Judge the learner's answer and print one line; `summary` counts them.

    Parameters
    ----------
    name : str
        The exercise, as in ``"04.shift"``.
    answer : object
        What the learner put in the place of ``...``.
    """
    verdict = judge(name, answer)
    _results[name] = verdict.status
    say(f"{MARKS[verdict.status]} {name}: {verdict.reply}")


def check_solution(name: str, answer: Any) -> None:
    """Prove that the solution printed in the book is right, by the same check.

    Parameters
    ----------
    name : str
        The exercise.
    answer : object
        The book's answer.

    Raises
    ------
    Wrong
        If it is not: then the book is wrong, and the chapter must not pass.
    """
    verdict = judge(name, answer)
    if verdict.status != RIGHT:
        raise Wrong(f"the solution of {name} is {verdict.status}: {verdict.reply}")
    say(f"{MARKS[RIGHT]} {name}: {SOLUTION}")


def summary() -> None:
    """Print how many of the exercises checked in this process are solved, and which are not."""
    left = [name for name, status in _results.items() if status != RIGHT]
    line = f"{len(_results) - len(left)} of {len(_results)} exercises solved"
    say(f"{line}; to do: {', '.join(left)}" if left else line)


# What judges are made of ------------------------------------------------------------------------


def as_array(answer: Any) -> np.ndarray:
    """Return numbers in any usual form (list, numpy, torch on any device) as a numpy array.

    Raises
    ------
    Wrong
        If ``answer`` is something else.
    """
    if "torch" in sys.modules and isinstance(answer, sys.modules["torch"].Tensor):
        answer = answer.detach().cpu().numpy()
    if isinstance(answer, np.memmap):
        answer = np.array(answer)
    if isinstance(answer, (bool, numbers.Number, np.generic, list, tuple)):
        try:
            answer = np.array(answer)
        except ValueError:
            raise Wrong("the rows of your list have different lengths") from None
    if type(answer) is not np.ndarray or answer.dtype.kind not in "biuf":
        raise Wrong(f"expected numbers, got {_describe(answer)}")
    return answer


def expect_number(
    answer: Any,
    expected: float,
    *,
    rtol: float = 1e-4,
    slips: Sequence[tuple[float, str]] = (),
    unit: str = "",
) -> None:
    """Accept one number close to ``expected``; reply to known slips by name.

    Parameters
    ----------
    answer : object
        A Python number, or a numpy or torch array of one element.
    expected : float
        The right value.
    rtol : float
        Relative tolerance (absolute where ``expected`` is 0).
    slips : sequence of (value, reply)
        Wrong values that learners come to, and what to tell them.
    unit : str
        For the message.
    """
    value = as_array(answer)
    if value.size != 1:
        raise Wrong(f"expected one number, got {value.size} (shape {value.shape})")
    if value.dtype.kind == "b":
        raise Wrong("expected a number, got True or False")
    number = float(value.reshape(())[()])
    if not math.isfinite(number):
        raise Wrong(f"expected a finite number, got {number}")
    if not _close(number, expected, rtol):
        for slip, reply in slips:
            if _close(number, slip, rtol):
                raise Wrong(f"{number:,.10g}{unit} is not it: {reply}")
        side = "large" if number > expected else "small"
        raise Wrong(f"{number:,.10g}{unit} is too {side}")


def expect_array(
    answer: Any,
    expected: Any,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    slips: Sequence[tuple[Any, str]] = (),
) -> None:
    """Accept an array of the right shape, finite, and close to ``expected`` everywhere.

    Parameters
    ----------
    answer : object
        A list, a numpy array or a torch tensor of numbers.
    expected : array_like
        The right values; the shapes must be equal, nothing is broadcast.
    rtol, atol : float
        Tolerances: an element may differ by ``atol + rtol * |expected|``.
    slips : sequence of (array_like, reply)
        Wrong answers that learners come to, and what to tell them.
    """
    value, target = as_array(answer), np.asarray(expected)
    for slip, reply in slips:
        if _all_close(value, np.asarray(slip), rtol, atol) and not _all_close(
            value, target, rtol, atol
        ):
            raise Wrong(reply)
    if value.shape != target.shape:
        raise Wrong(f"expected the shape {target.shape}, got {value.shape}")
    if not _isfinite(value).all():
        raise Wrong(f"{int((~_isfinite(value)).sum())} of your numbers are NaN or infinite")
    if not _all_close(value, target, rtol, atol):
        gap = _abs(value.astype(float) - target.astype(float))
        place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        raise Wrong(
            f"the shape is right, but values differ by up to {gap.max():.3g}"
            + (f" (largest at index {place})" if place else "")
        )


def expect_choice(answer: Any, expected: str, replies: dict[str, str]) -> None:
    """Accept one of several words or letters; reply to each wrong one.

    Parameters
    ----------
    answer : object
        A string; case, surrounding blanks, brackets and quotes do not matter.
    expected : str
        The right one.
    replies : dict of str to str
        Every wrong choice, and what to tell who takes it.
    """
    known = {key.lower(): reply for key, reply in replies.items()}
    options = sorted([*known, expected.lower()])
    if type(answer) is not str:
        hint = f"put one of these words in quotation marks: {', '.join(options)}"
        if len(expected) == 1:
            hint = f'put the letter in quotation marks, such as "{options[0]}"'
        raise Wrong(f"{hint} (got {_describe(answer)})")
    choice = answer.strip(" \t\n()[]{}'\"`.:").lower()
    if choice != expected.lower():
        raise Wrong(known.get(choice, f"choose one of {', '.join(options)}"))


def call(function: Any, *args: Any, seconds: float = SECONDS) -> Any:
    """Call the learner's function, and stop it if it does not come back.

    Parameters
    ----------
    function : object
        What should be a function.
    *args
        Its arguments. Arrays are passed as copies, so that the learner may change them.
    seconds : float
        How long it may run.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    Wrong
        If it is not callable, takes too long, or returns None.
    """
    if not callable(function):
        raise Wrong(f"expected a function, got {_describe(function)}")
    copies = [a.copy() if isinstance(a, np.ndarray) else _clone(a) for a in args]
    try:
        with _time_limit(seconds):
            result = function(*copies)
    except _TooLong:
        raise Wrong(
            f"your function did not come back within {seconds:g} s: an endless loop?"
        ) from None
    if result is None:
        raise Wrong("your function returned None: did you forget the return?")
    if result is ...:
        raise _Open
    return result


def _clone(value: Any) -> Any:
    """Return a copy of a torch tensor, and anything else as it is."""
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `_TooLong` in the block after ``seconds``, where the system can (not on Windows)."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _close(value: float, expected: float, rtol: float) -> bool:
    return abs(value - expected) <= rtol * (abs(expected) or 1.0)


def _all_close(value: np.ndarray, target: np.ndarray, rtol: float, atol: float) -> bool:
    if value.shape != target.shape or not _isfinite(value).all():
        return False
    gap = _abs(value.astype(float) - target.astype(float))
    return bool((gap <= atol + rtol * _abs(target.astype(float))).all())


def _describe(answer: Any) -> str:
    """Return what kind of thing the learner handed in."""
    if answer is None:
        return "None (did the function forget to return?)"
    if isinstance(answer, np.ndarray):
        return f"an array of {answer.dtype}"
    if callable(answer):
        return "a function: call it and hand in what it returns"
    return f"an object of type {type(answer).__name__}"
