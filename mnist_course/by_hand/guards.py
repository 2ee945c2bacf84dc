"""The guards of the hand-written mathematics: what is refused before a function runs.

``@guarded(logits="B K scores", labels="B labels")`` has a rule for every argument, followed in
this order. The last word of a rule stands in `RULES`; the letters before it are the axes, and a
letter has one length in all rules of a function. A name that is no argument is an attribute of
``self``. What is refused is a ValueError that says what came, what was expected, and the usual
cause (`words`); the way back before the way forward is a RuntimeError.
"""

import functools
import inspect
import numbers
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NoReturn, TypeVar, cast

import numpy as np

from mnist_course.by_hand.words import NAMES, say

Function = TypeVar("Function", bound=Callable[..., Any])
TRUTH, LISTS = (bool, np.bool_), (list, tuple)
DOT = getattr(np.vdot, "__wrapped__", np.vdot)  # does not ask first whose arrays these are


def guarded(**rules: str) -> Callable[[Function], Function]:
    """Return a decorator that makes a function follow ``rules``, one for each argument."""
    split = {name: text.split() for name, text in rules.items()}

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters
        places = dict(zip(parameters, range(len(parameters)), strict=True))
        defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
        plan = [
            (places.get(name), NAMES.get(rule, name), rule, RULES[rule], axes)
            for name, (*axes, rule) in split.items()
        ]

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            values: Sequence[Any] = args
            if kwargs or len(args) != len(places):
                given = {**defaults, **dict(zip(places, args, strict=False)), **kwargs}
                if given.keys() != places.keys():
                    return function(*args, **kwargs)  # Python itself says what is missing
                values = [given[name] for name in places]
            known: dict[str, Any] = {}
            for place, name, rule, fault, axes in plan:
                value = getattr(values[0], name, None) if place is None else values[place]
                if found := fault(value, axes, known):
                    _refuse(rule if found is True else found, value, name, axes, known)
            return function(*args, **kwargs)

        return cast(Function, checked)

    return decorate


def _refuse(word: str, value: Any, name: str, axes: Any, known: Any) -> NoReturn:
    raise (RuntimeError if word == "kept" else ValueError)(say(word, value, name, axes, known))


# A rule returns what is wrong: nothing (False), its own word (True), or another word.


def _array(value: Any, axes: Any, known: dict[str, Any]) -> str | bool:
    if not isinstance(value, np.ndarray):
        return "type"
    if value.dtype.kind != "f":
        return "dtype"
    if not value.size:
        return "empty"
    flat = value.ravel("K")  # as it lies in memory: nothing is copied
    if not isfinite(DOT(flat, flat)) and not np.isfinite(value).all():
        return "finite"  # squares are quick, but those of large numbers overflow
    return bool(axes) and _misfit(value.shape, axes, known)


def _misfit(shape: tuple[int, ...], axes: Any, known: dict[str, Any]) -> bool:
    """Return whether an axis is not as long as in the rules before; if all are, note the new."""
    before = len(known)
    if len(shape) == len(axes) and tuple(map(known.setdefault, axes, shape)) == shape:
        return False
    for axis in list(known)[before:]:
        del known[axis]
    return True


def _labels(value: Any, axes: Any, known: dict[str, Any]) -> str | bool:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return "whole"
    if _misfit(value.shape, axes, known):
        return True
    unsigned = value.astype(np.uint64)  # in which negative numbers are the largest of all
    return "classes" if unsigned[unsigned.argmax()] >= known["K"] else False


def _params(value: Any, *_: Any) -> bool:
    if not isinstance(value, LISTS) or not value:
        return True
    for number, w in enumerate(value):
        found = _array(w, (), {}) or (not w.flags.writeable and "writable")
        if found or any(w is other for other in value[:number]):
            _refuse(str(found or "once"), w, f"params[{number}]", (), {})
    return False


def _grads(value: Any, axes: Any, known: dict[str, Any]) -> str | bool:
    params = known["params"]
    if not isinstance(value, LISTS):
        return True
    if len(value) != len(params):
        return "count"
    for number, (dw, w) in enumerate(zip(value, params, strict=True)):
        if found := _array(dw, (), known) or (dw.shape != w.shape and "alike"):
            _refuse(str(found), dw, f"grads[{number}]", (), {"param": w})
    return False


def _real(value: Any) -> bool:
    """Return whether ``value`` is a finite number (True and False are none)."""
    number = isinstance(value, (float, numbers.Real)) and not isinstance(value, TRUTH)
    return number and isfinite(value)


def _share(value: Any) -> bool:
    return _real(value) and 0 <= value < 1


RULES: dict[str, Callable[[Any, Any, dict[str, Any]], Any]] = {
    **dict.fromkeys(("floats", "scores", "images", "filters", "biases"), _array),
    **dict.fromkeys(("inputs", "gradient"), _array),
    "float64": lambda v, *at: _array(v, *at) or v.dtype != np.float64,
    "labels": _labels,
    "kept": lambda v, axes, known: v is None or (_misfit(v.shape, axes, known) and False),
    "noted": lambda v, names, known: known.update({names[0]: v}),
    "amount": lambda v, *_: not isinstance(v, numbers.Real) or not 0 <= float(v) < np.inf,
    "length": lambda v, *_: not isinstance(v, (int, np.integer)) or not _real(v) or v < 1,
    "window": lambda v, _, known: known["stride"] < 1 or not 1 <= v <= min(known["H"], known["W"]),
    "padding": lambda v, *_: v < 0,
    "params": _params,
    "grads": _grads,
    "rate": lambda v, *_: not _real(v) or v <= 0,
    "decay": lambda v, *_: not _real(v) or v < 0,
    "momentum": lambda v, _, known: known.update(momentum=v) or not _share(v),
    "nesterov": lambda v, _, known: not isinstance(v, TRUTH) or (v and known["momentum"] == 0),
    "betas": lambda v, *_: not isinstance(v, LISTS) or list(map(_share, v)) != [True, True],
}
