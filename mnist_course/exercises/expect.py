"""What judges are made of: the learner's number, array, choice or function, looked at with care.

Type, shape, finiteness and value are compared, never with ``==`` on an object that the learner
made, and a function is called with copies, and under a time limit.
"""

import math
import numbers
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_course.exercises.judge import NotYet, Wrong
from mnist_course.time_limit import TooLong, call_within

SECONDS = 10.0  # how long a learner's function may run
FEW = 6  # so many numbers are told apart one by one

_isfinite, _abs = np.isfinite, np.abs  # as they were at import


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
        if expected != int(expected) and _close(number, expected, 0.05):
            raise Wrong(f"{number:,.10g}{unit} is close; give three digits or more")
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
    _refuse_other_shape(value, target)
    if not _isfinite(value).all():
        raise Wrong(f"{int((~_isfinite(value)).sum())} of your numbers are NaN or infinite")
    gap = _abs(value.astype(float) - target.astype(float))
    near = gap <= atol + rtol * _abs(target.astype(float))
    if not near.all():
        raise Wrong(_what_differs(value, gap, near))


def _refuse_other_shape(value: np.ndarray, target: np.ndarray) -> None:
    if value.shape != target.shape:
        if value.size == 1 and target.ndim == 1:
            raise Wrong(f"{target.size} numbers are asked for, in a list; got one")
        raise Wrong(f"expected the shape {target.shape}, got {value.shape}")


def _what_differs(value: np.ndarray, gap: np.ndarray, near: np.ndarray) -> str:
    """Return which numbers are wrong if there are few, else where the largest difference is."""
    if value.ndim == 1 and value.size <= FEW and near.any():
        others = ", ".join(f"{number:.6g}" for number in value[~near])
        return f"{near.sum()} of {near.size} numbers are right; look again at {others}"
    place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    where = f" (largest at index {place})" if place else ""
    return f"the shape is right, but values differ by up to {gap.max():.3g}{where}"


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
        result = call_within(seconds, function, *copies)
    except TooLong as late:
        raise Wrong(
            f"your function did not come back within {seconds:g} s: an endless loop?"
        ) from late
    if result is None:
        raise Wrong("your function returned None: did you forget the return?")
    if result is ...:
        raise NotYet
    return result


def _clone(value: Any) -> Any:
    """Return a copy of a torch tensor, and anything else as it is."""
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


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
