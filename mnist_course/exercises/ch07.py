"""What the checks of chapter 7, "Layers that bend", accept."""

from typing import Any

import numpy as np

from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("07.parameters", "07.start", "07.zeros")


def _two_layers(answer: Any) -> list[np.ndarray]:
    """Return the learner's W1 ``(2, 2)``, b1 ``(2,)``, W2 ``(1, 2)`` and b2 ``(1,)``."""
    if not isinstance(answer, (list, tuple)) or len(answer) != 4:
        raise Wrong("hand in four things in a list: W1 (2, 2), b1 (2,), W2 (1, 2), b2 (1,)")
    shapes = {"W1": (2, 2), "b1": (2,), "W2": (1, 2), "b2": (1,)}
    parts = []
    for (name, shape), part in zip(shapes.items(), answer, strict=True):
        array = as_array(part).astype(float)
        if array.size != np.prod(shape) or (name == "W1" and array.shape != shape):
            raise Wrong(f"{name} should have the shape {shape}, yours has {array.shape}")
        if not np.isfinite(array).all():
            raise Wrong(f"{name} holds NaN or infinity")
        parts.append(array.reshape(shape))
    return parts


@exercise("07.either")
def either(answer: Any) -> None:
    W1, b1, W2, b2 = _two_layers(answer)
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    outputs = (np.maximum(0, X @ W1.T + b1) @ W2.T + b2)[:, 0]
    if np.allclose(outputs, [0, 1, 1, 0], atol=1e-3):
        return
    transposed = (np.maximum(0, X @ W1 + b1) @ W2.T + b2)[:, 0]
    without = ((X @ W1.T + b1) @ W2.T + b2)[:, 0]
    if np.allclose(transposed, [0, 1, 1, 0], atol=1e-3):
        raise Wrong("it works with W1 transposed: one row per hidden unit")
    if np.allclose(outputs, [0, 1, 1, 1], atol=1e-3):
        raise Wrong("with both inks it says 1: that is one or both")
    if np.allclose(outputs, [0, 0, 0, 1], atol=1e-3):
        raise Wrong("it says 1 only for both inks together")
    if np.allclose(outputs, without, atol=1e-6) or np.allclose(
        outputs[3] - outputs[2] - outputs[1] + outputs[0], 0, atol=1e-6
    ):
        raise Wrong(
            f"for (0,0), (0,1), (1,0), (1,1) it says {_list(outputs)}: no unit bends in between; "
            "let one of them wake up only when both inks are there"
        )
    raise Wrong(f"for (0,0), (0,1), (1,0), (1,1) it says {_list(outputs)}, expected 0, 1, 1, 0")


def _list(numbers: np.ndarray) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)


@exercise("07.confusion")
def confusion(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for size, largest in ((300, 10), (7, 6)):
        labels = rng.integers(0, largest, size)
        others = rng.integers(0, largest - 1, size)
        predictions = np.where(rng.random(size) < 0.6, labels, others)
        counts = np.zeros((10, 10))
        np.add.at(counts, (labels, predictions), 1)
        once = np.zeros((10, 10))
        once[labels, predictions] += 1
        sums = counts.sum(axis=1, keepdims=True)
        expect_array(
            call(answer, labels, predictions),
            counts,
            slips=[
                (counts.T, "rows and columns are exchanged: a row is what it is"),
                (
                    once,
                    "counts[labels, predictions] += 1 counts each pair once, however often it "
                    "comes; use a loop or np.add.at",
                ),
                (np.diag(np.diag(counts)), "the mistakes are missing"),
                (counts - np.diag(np.diag(counts)), "the right answers are missing"),
                (counts / np.where(sums == 0, 1, sums), "counts are asked, not shares"),
                (counts / np.maximum(counts.sum(axis=0), 1), "counts are asked, not shares"),
                (counts / size, "counts are asked, not shares"),
            ],
        )


@exercise("07.leaky")
def leaky(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for slope, shape in ((0.01, (4, 6)), (0.2, (3, 1)), (0.0, (2, 5))):
        h, da = rng.normal(size=shape) * 3, rng.normal(size=shape)
        factor = np.where(h > 0, 1.0, slope)
        expect_array(
            call(answer, h, da, slope),
            da * factor,
            slips=[
                (da * (h > 0), "that is the plain ReLU: below zero the slope is missing"),
                (factor, "that is the derivative; multiply by what comes from above, da"),
                (da * np.where(h > 0, slope, 1.0), "the two sides are exchanged"),
                (
                    da * np.where(h > 0, h, slope * h),
                    "that multiplies by the value; take its slope",
                ),
                (np.where(h > 0, h, slope * h), "that is the way forward; the gradient is asked"),
                (da * np.where(da > 0, 1.0, slope), "the sign of h decides, not that of da"),
                (da * np.where(h > 0, 1.0, -slope), "the slope below zero is positive: it rises"),
            ],
        )


@exercise("07.silent")
def silent(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for units, features, size in ((13, 5, 40), (7, 3, 200)):
        X, W = rng.random((size, features)), rng.normal(size=(units, features))
        X[:3] = 0  # empty pictures, which wake no unit
        W[2] = -np.abs(W[2])  # silent with and without its bias
        W[4] = 0  # a unit whose h is 0 for every picture is silent, too
        b = np.where(np.arange(units) % 3 == 0, -30.0, -0.1)
        b[4] = 0
        h = X @ W.T + b
        expect_number(
            call(answer, W, b, X),
            int((h <= 0).all(axis=0).sum()),
            rtol=1e-9,
            slips=[
                (int((h == 0).all(axis=0).sum()), "before the ReLU few are exactly 0: ask h <= 0"),
                (
                    int((h < 0).all(axis=0).sum()),
                    "where h is 0 the ReLU gives 0 as well: ask h <= 0",
                ),
                (int((h > 0).any(axis=0).sum()), "these are the units that do answer to something"),
                (int((h <= 0).any(axis=0).sum()), "these are silent for some picture, not for all"),
                (int((h <= 0).sum()), "that counts every zero; count units, one per column of h"),
                (int((h <= 0).all(axis=1).sum()), "that counts pictures; the other axis has units"),
                (float((h <= 0).all(axis=0).mean()), "that is a share; their number is asked"),
                (int((X @ W.T <= 0).all(axis=0).sum()), "the bias is missing"),
            ],
        )
