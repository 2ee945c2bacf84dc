"""What the learner's code may do when it is called, and how to say so."""

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from mnist_course.doctor.finding import WORDS, problem
from mnist_course.errors import CourseError
from mnist_course.time_limit import TooLong, call_within

LONGEST_CALL = 30.0  # seconds that one call of the learner's code may take

T = TypeVar("T")


class Trouble(CourseError):  # noqa: N818 - a finding on its way up
    """The program under examination did something that no program should do.

    Parameters
    ----------
    key, seen, **fields
        As in `finding.problem`.
    """

    def __init__(self, key: str, seen: str, **fields: object) -> None:
        self.finding = problem(key, seen, **fields)
        super().__init__(self.finding.title)


def call_theirs(
    what: str,
    function: Callable[..., T],
    *args: Any,
    trouble: str = "raises",
    scale: float = 1.0,
    **fields: object,
) -> T:
    """Call something of the learner's; what goes wrong in it becomes a `Trouble`.

    Parameters
    ----------
    what : str
        What is called, for the title: ``"your step"``.
    function : callable
        It may raise, end the program, or not come back.
    *args
        Its arguments.
    trouble : str
        The words for an exception.
    scale : float
        How many times longer than `LONGEST_CALL` it may take.
    **fields
        For the words.

    Returns
    -------
    object
        What it returned.

    Raises
    ------
    Trouble
        If it did not return.
    """
    try:
        return call_within(scale * LONGEST_CALL, function, *args)
    except Trouble:
        raise
    except TooLong as error:
        raise Trouble("endless", f"{error}{place_of(error)}", what=what) from None
    except SystemExit as error:
        raise Trouble("exits", f"SystemExit{place_of(error)}", what=what) from None
    except Exception as error:
        said = describe_error(error)
        raise Trouble(trouble, said, what=what, hint=hint(error), **fields) from None


def describe_error(error: BaseException) -> str:
    """Return an exception as one line: its type, its message, and where it was raised.

    Parameters
    ----------
    error : BaseException
        What was caught.

    Returns
    -------
    str
        For example ``"NameError: name 'init' is not defined (program.py, line 12)"``.
    """
    message = next((line for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, AttributeError) and getattr(error, "obj", None) is not None:
        known = difflib.get_close_matches(str(error.name), dir(error.obj), 1, 0.6)
        exact = [name for name in dir(error.obj) if name.lower() == str(error.name).lower()]
        if exact or known:
            message += f". Did you mean {(exact or known)[0]!r}?"
    return f"{type(error).__name__}: {message}{place_of(error)}"


def place_of(error: BaseException) -> str:
    """Return the line of the learner's code in which an exception was raised, if there is one.

    Parameters
    ----------
    error : BaseException
        What was caught.
    """
    strange = ("site-packages", "mnist_course/doctor/", "mnist_course/time_limit", "<frozen",
               "importlib")  # fmt: skip
    place, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        if not any(part in name for part in strange):
            place = f" ({name.rsplit('/', 1)[-1]}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def hint(error: Exception) -> str:
    """Return what the usual messages of PyTorch mean, or an empty string.

    Parameters
    ----------
    error : Exception
        What PyTorch raised.
    """
    text = str(error).lower()
    for piece, meaning in WORDS["hints"].items():
        if piece in text:
            return meaning.replace("\n", " ")
    return ""
