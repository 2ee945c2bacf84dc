"""Check the learner's answers: open, right, or what is probably wrong.

Chapters call ``check("04.shift", answer)``. What is right, and what the likely slips are, stands in
``mnist_course/exercises/``, one file per chapter: a function decorated with `exercise`, which
raises `Wrong` with a helpful sentence or returns quietly. What they are made of is in `expect`.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnist_course.errors import CourseError
from mnist_course.progress import say

OPEN, RIGHT, WRONG = "open", "right", "wrong"
MARKS = {OPEN: "○", RIGHT: "●", WRONG: "✗"}
SOLUTION = "the solution passes the same check"

Judge = Callable[[Any], None]
_registry: dict[str, Judge] = {}
_results: dict[str, str] = {}  # of this process: exercise -> OPEN, RIGHT or WRONG


class Wrong(CourseError):  # noqa: N818 - raise Wrong("...") reads as it should
    """An answer is not right; the message says what was expected and names the likely slip."""


class NotYet(CourseError):  # noqa: N818
    """The learner's function still returns ``...``."""


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

    Raises
    ------
    ValueError
        If another exercise has this name, in the same file or elsewhere.
    """

    def register(function: Judge) -> Judge:
        known = _registry.setdefault(name, function)
        if _origin(known) != _origin(function):
            raise ValueError(f"two exercises are called {name}")
        _registry[name] = function  # the same one, when its file is loaded again
        return function

    return register


def _origin(function: Judge) -> tuple[str, object]:
    return function.__module__, getattr(function, "__code__", None)


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
            raise NotYet
        _registry[name](answer)
    except NotYet:
        return Verdict(OPEN, "open; replace the ... and run this cell again")
    except Wrong as wrong:
        return Verdict(WRONG, str(wrong))
    except SystemExit:
        return Verdict(
            WRONG,
            "your answer raised SystemExit: exit() and sys.exit() end the whole program; to end a "
            "function, return",
        )
    except Exception as error:  # whatever the learner's object does when it is used
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
