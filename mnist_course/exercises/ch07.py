"""What the checks of chapter 7, "Layers that bend", accept."""

from typing import Any

import numpy as np

from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


@exercise("07.collapse")
def collapse(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for features, units, classes in ((4, 4, 4), (7, 5, 3)):
        W1, b1 = rng.normal(size=(units, features)), rng.normal(size=units)
        W2, b2 = rng.normal(size=(classes, units)), rng.normal(size=classes)
        merged = call(answer, W1, b1, W2, b2)
        if not isinstance(merged, (list, tuple)) or len(merged) != 2:
            raise Wrong("return two things: the weights (K, D) and the biases (K,)")
        flipped = (W2 @ W1).T, "a layer stores one row per output: W2 @ W1, of the shape (K, D)"
        turned = W1 @ W2 if units == classes == features else flipped[0]
        expect_array(
            merged[0],
            W2 @ W1,
            slips=[flipped, (turned, "the order matters: what comes last stands on the left")],
        )
        expect_array(
            merged[1],
            W2 @ b1 + b2,
            slips=[
                (b2, "b1 is missing: it goes through the second layer as well"),
                (W2 @ b1, "b2 is missing"),
                (b1 + b2 if units == classes else b2, "b1 goes through the second layer, too"),
                ((W2 @ b1 + b2)[:, None], "the biases are (K,), a row without a second axis"),
            ],
        )


@exercise("07.between")
def between(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for size, units in ((2000, 6), (1500, 2)):
        h = torch.randn(size, units, generator=generator) * (1 + torch.arange(units))
        h = (h + 20 * torch.arange(1, units + 1)).float()  # the same for every picture
        right = float(h.std(dim=0).mean())
        expect_number(
            call(answer, h),
            right,
            rtol=1e-3,  # with N or N - 1 in the denominator
            slips=[
                (float(h.std()), "over all numbers at once the biases count, too: go down, dim=0"),
                (float(h.std(dim=1).mean()), "that is between units: go down the pictures, dim=0"),
                (float(h.var(dim=0).mean()), "that is the variance; take its root, unit by unit"),
                (float(h.var(dim=0).mean().sqrt()), "first the root of each unit, then the mean"),
                (float(h.mean(dim=0).std()), "that is the spread of the means of the units"),
                (float(h.std(dim=0).sum()), "that is the sum over the units; their mean is asked"),
                (float(h.square().mean().sqrt()), "that is the size"),
            ],
        )


@exercise("07.awake")
def awake(answer: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for size in (400, 90):
        y = torch.arange(size) % 10
        y[: size // 4] = 3  # not all digits are equally frequent
        scores = torch.randn(size, 10, generator=generator) + torch.linspace(-1, 1, 10)
        scores[::7] = scores[::7].relu()  # some are exactly 0
        scores[:, 5] = -1.0
        own, above = torch.eye(10)[y].bool().numpy(), (scores > 0).numpy()
        largest = torch.eye(10)[scores.argmax(dim=1)].bool().numpy()
        many = own.sum(axis=0)
        right = (above & own).sum(axis=0) / many
        result = call(answer, scores, y)
        if isinstance(result, (list, tuple)):
            result = [float(share) for share in result]
        not_below = (scores >= 0).numpy() & own
        slips = {
            "these are percent; shares from 0 to 1 are asked": 100 * right,
            "these are counts; divide by the number of own pictures": right * many,
            "divide by the number of the digit's own pictures, not of all": right * many / size,
            "of each digit only its own pictures count": above.mean(axis=0),
            "a score of exactly 0 is silent: above zero is > 0": not_below.sum(axis=0) / many,
            "these are the silent shares; the others are asked": 1 - right,
            "that asks which score is largest; here: which is above zero": (
                (largest & own).sum(axis=0) / many
            ),
        }
        expect_array(result, right, slips=[(slip, reply) for reply, slip in slips.items()])


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
                (da * np.where(h > 0, 1.0, 0.01), "0.01 is written in: use the argument slope"),
            ],
        )


@exercise("07.silent")
def silent(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for units, features, size in ((20, 5, 40), (26, 3, 200)):  # here all slips differ
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


in_data("07.report", "07.frequency")
