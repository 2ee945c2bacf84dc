"""What the checks of chapter 3, "Scores, and how wrong they are", accept."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_course.by_hand.losses import hinge_loss, hinge_loss_gradient
from mnist_course.exercises._digits import digits
from mnist_course.exercises.expect import as_array, call, expect_array
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("03.four", "03.frog", "03.hand", "03.zeros", "03.decay", "03.ten")


@functools.cache
def _pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return digits and, as they could be separable, noise under every label."""
    X = digits().train_images[:1000].reshape(-1, 784) / 255
    noise = np.repeat(np.random.default_rng(0).random((1, 784)), 10, axis=0)
    labels = np.concatenate([digits().train_labels[:1000].astype(int), np.arange(10)])
    return np.vstack([X, noise]), labels


@exercise("03.break")
def break_it(answer: Any) -> None:
    if type(answer) not in (tuple, list) or len(answer) != 2:
        raise Wrong("hand in a pair: (W, b)")
    W, b = (as_array(part).astype(float) for part in answer)
    if W.shape != (10, 784) or b.shape != (10,):
        hint = "; W has one row per class" if W.shape == (784, 10) else ""
        raise Wrong(f"expected the shapes (10, 784) and (10,), got {W.shape} and {b.shape}{hint}")
    if not (np.isfinite(W).all() and np.isfinite(b).all()):
        raise Wrong("some of your numbers are NaN or infinite")
    X, labels = _pictures()
    loss = hinge_loss(X @ W.T + b, labels, margin=0.0)
    # Ten equal templates give ten equal scores only up to the rounding of the sums.
    if loss > 1e-9 * float(np.abs(W).max() + np.abs(b).max()):
        raise Wrong(f"with margin 0 the loss of your W and b is {loss:.3g}, not 0")


def _cases() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return scores and labels: random ones, a row that is content, a batch of one."""
    rng = np.random.default_rng(0)
    scores, labels = 2 * rng.normal(size=(6, 5)), rng.integers(0, 5, 6)
    scores[2, labels[2]] += 20
    one = np.array([[0.25, 2.0, -1.5]])
    return [(scores, labels), (one, np.array([2])), (scores[:, :2], labels % 2)]


def _judge_gradient(
    answer: Any,
    right: Callable[[np.ndarray, np.ndarray], np.ndarray],
    slips: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]],
) -> None:
    for scores, labels in _cases():
        expected = right(scores, labels)
        wrong = [(slip(scores, labels), reply) for reply, slip in slips.items()]
        wrong += [
            (expected * len(labels), "divide by the batch size: the loss is a mean"),
            (-expected, "the sign is turned around: wrong classes get a plus, the right one minus"),
            (expected / scores.shape[1], "divide by the batch size only, not by the classes"),
        ]
        expect_array(call(answer, scores, labels), expected, slips=wrong)


def _gaps(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return what every wrong class costs, ``(B, K)``, and 0 for the right one."""
    rows = np.arange(len(labels))
    terms = np.maximum(0, scores - scores[rows, labels][:, None] + 1)
    terms[rows, labels] = 0
    return terms


def _with_right_class(dscores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give the right class minus the sum of the others, and divide by the batch size."""
    rows = np.arange(len(labels))
    dscores[rows, labels] = 0
    dscores[rows, labels] = -dscores.sum(axis=1)
    return dscores / len(labels)


def _squared(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _with_right_class(2 * _gaps(scores, labels), labels)


def _worst_only(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    terms = _gaps(scores, labels)
    worst = (terms == terms.max(axis=1, keepdims=True)) & (terms > 0)
    return _with_right_class(worst.astype(float), labels)


def _squared_without_max(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the slip of squaring negative gaps, too."""
    right = scores[np.arange(len(labels)), labels][:, None]
    return _with_right_class(2 * (scores - right + 1), labels)


def _squared_with_itself(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the slip of leaving the right class, whose gap is 1, in its own sum."""
    wrong = _squared(scores, labels)
    wrong[np.arange(len(labels)), labels] -= 2 / len(labels)
    return wrong


def _squared_with_count(scores: np.ndarray, labels: np.ndarray, each: float) -> np.ndarray:
    """Return the slip of giving the right class minus the number of the others."""
    wrong = _squared(scores, labels)
    num_too_close = (_gaps(scores, labels) > 0).sum(axis=1)
    wrong[np.arange(len(labels)), labels] = -each * num_too_close / len(labels)
    return wrong


@exercise("03.squared")
def squared(answer: Any) -> None:
    _judge_gradient(
        answer,
        _squared,
        {
            "the 2 of the derivative of a square is missing": lambda z, y: _squared(z, y) / 2,
            "this is the gradient of the plain hinge loss": hinge_loss_gradient,
            "that is twice the plain gradient; a square keeps its gap as a factor": (
                lambda z, y: 2 * hinge_loss_gradient(z, y)
            ),
            "the max is missing: a gap below 0 costs nothing": _squared_without_max,
            "the right class has a gradient as well: minus the sum of the others": lambda z, y: (
                2 * _gaps(z, y) / len(y)
            ),
            "the right class was compared with itself, so its margin of 1 is in the sum as well": (
                _squared_with_itself
            ),
            "the right class gets minus the sum of the others, no longer minus their number": (
                lambda z, y: _squared_with_count(z, y, 1)
            ),
            "the right class gets minus the sum of the others, not minus twice their number": (
                lambda z, y: _squared_with_count(z, y, 2)
            ),
        },
    )


def _one_up_one_down(
    scores: np.ndarray, labels: np.ndarray, down: np.ndarray, cancels: bool = True
) -> np.ndarray:
    """Give +1 to the class ``down`` of each row and -1 to the right one, whatever the gaps are."""
    rows = np.arange(len(labels))
    dscores = np.zeros_like(scores)
    dscores[rows, down] = 1
    dscores[rows, labels] = dscores[rows, labels] - 1 if cancels else -1
    return dscores / len(labels)


def _always_worst(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    others = scores.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return _one_up_one_down(scores, labels, others.argmax(axis=1))


def _first_of_zeros(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _one_up_one_down(scores, labels, _gaps(scores, labels).argmax(axis=1))


@exercise("03.max")
def worst_class(answer: Any) -> None:
    _judge_gradient(
        answer,
        _worst_only,
        {
            "this is the gradient of the sum; only the worst class pays here": hinge_loss_gradient,
            "the right class has a gradient as well": lambda z, y: np.maximum(0, _worst_only(z, y)),
            "a picture whose right class leads by 1 has the gradient 0": _always_worst,
            "where no class is too close all terms are 0, argmax takes the first of them, and a "
            "picture that should have the gradient 0 gets one": _first_of_zeros,
            # A gap of 1 to itself, or the largest score: the same class either way.
            "the worst *wrong* class is asked for; where the right class has the largest score, it "
            "was picked itself (its gap to itself is 1)": lambda z, y: _one_up_one_down(
                z, y, z.argmax(axis=1)
            ),
            "the worst *wrong* class is asked for; the right class was compared with itself, and "
            "its 1 wins the argmax where the others have less": lambda z, y: _one_up_one_down(
                z, y, z.argmax(axis=1), cancels=False
            ),
        },
    )
