"""Refuse wrong inputs to the hand-written mathematics: what came, what was expected, the cause."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


def check_scores(scores: Any, name: str = "logits") -> None:
    """Make sure that ``scores`` is a finite float matrix with one row per example.

    Parameters
    ----------
    scores : object
        What should be ``(B, K)`` floats.
    name : str
        What the error message calls it.

    Raises
    ------
    ValueError
        Naming the shape, type or value that came, what was expected, and the usual cause.
    """
    check_floats(scores, name)
    if scores.ndim != 2:
        raise ValueError(
            f"{name} has the shape {scores.shape}, expected (B, K): one row per example. "
            "For a single example, add the batch axis: [None]."
        )


def check_floats(array: Any, name: str) -> None:
    """Make sure that ``array`` is a non-empty numpy array of finite floats.

    Parameters
    ----------
    array : object
        What should be floats, of any shape.
    name : str
        What the error message calls it.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"{name} is of type {type(array).__name__}, expected a numpy array. "
            "A torch tensor becomes one by .detach().cpu().numpy()."
        )
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name} holds {array.dtype} elements, expected floats. "
            "Raw pixels have to be scaled first: images / 255."
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): did a slice select nothing?")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds NaN or infinity. Usually the learning rate is too high, or something "
            "was divided by zero."
        )


def check_labels(labels: Any, num_examples: int, num_classes: int) -> None:
    """Make sure that ``labels`` holds one class index per example.

    Parameters
    ----------
    labels : object
        What should be ``(B,)`` whole numbers from 0 to K - 1.
    num_examples, num_classes : int
        B and K.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        got = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
        raise ValueError(
            f"labels are {got}, expected a numpy array of whole numbers: the index of the class, "
            "not a probability."
        )
    if labels.shape != (num_examples,):
        raise ValueError(
            f"labels have the shape {labels.shape}, expected ({num_examples},): one class index "
            "per example, not one-hot rows."
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, but there are {num_classes} "
            f"classes: 0 to {num_classes - 1}."
        )


def check_not_negative(number: float, name: str) -> None:
    """Make sure that ``number`` is one finite number and not below 0.

    Parameters
    ----------
    number : object
        What should be such a number.
    name : str
        What the error message calls it.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    if not (isinstance(number, numbers.Real) and 0 <= number < np.inf):
        raise ValueError(
            f"{name} is {number!r}, expected one finite number, 0 or larger. "
            "Usually the arguments are in another order than the function has them."
        )
