"""What the checks of chapter 11, "Your own digit", accept."""

from typing import Any

import numpy as np

from mnist_course.by_hand.losses import softmax
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


@exercise("11.row")
def row(answer: Any) -> None:
    random = np.random.default_rng(0)
    for shape in ((20, 11), (28, 28), (7, 20)):
        ink = random.random(shape) ** 3 * np.linspace(0, 1, shape[0])[:, None]
        rows = np.arange(shape[0])
        weight = ink.sum(axis=1)
        mean = float(rows @ weight / weight.sum())
        across = np.arange(shape[1]) @ ink.sum(axis=0) / ink.sum()
        expect_number(
            call(answer, ink),
            mean,
            rtol=1e-6,
            slips=[
                (float(across), "that is the column; add up along axis 1 to get rows"),
                (mean + 1, "rows count from 0"),
                (float(rows.mean()), "that is the middle of the picture; weigh rows by their ink"),
                (float(rows @ weight), "divide by all the ink"),
                (float(rows @ weight / len(rows)), "divide by all the ink, not by the rows"),
                (float(rows @ weight / ink.size), "divide by all the ink, not by the pixels"),
            ],
        )


@exercise("11.error")
def error(answer: Any) -> None:
    confidence = np.array([0.0, 0.35, 0.55, 0.75, 0.97])
    accuracy = np.array([0.0, 0.5, 0.4, 0.6, 0.96])
    counts = np.array([0, 2, 5, 13, 180])
    gap = np.abs(confidence - accuracy)
    signed = (confidence - accuracy) @ counts / counts.sum()
    expect_number(
        call(answer, confidence, accuracy, counts),
        float(gap @ counts / counts.sum()),
        rtol=1e-6,
        slips=[
            (float(gap.mean()), "each bin counts as often as it has answers"),
            (float(gap[1:].mean()), "each bin counts as often as it has answers"),
            (float(signed), "distances: too sure and too modest must not cancel"),
            (float(-signed), "distances: too sure and too modest must not cancel"),
            (float(gap @ counts), "divide by the number of all answers"),
            (float(gap @ counts / 5), "divide by the number of answers, not of bins"),
            (float(gap.max()), "that is the largest distance; the mean is asked"),
            (float(np.sqrt(gap**2 @ counts / counts.sum())), "the mean distance, without squares"),
        ],
    )


in_data("11.mass", "11.box", "11.temperature")


@exercise("11.shift")
def shift(answer: Any) -> None:
    random = np.random.default_rng(0)
    for right, down in ((3, 0), (0, 4), (-2, 0), (0, -5), (6, -3), (0, 0), (28, 0), (-40, 2)):
        image = random.integers(1, 256, (28, 28)).astype(np.uint8)
        rolled = np.roll(image, (down, right), axis=(0, 1))
        expected = _moved(image, right, down)
        white = np.where(_moved(np.ones_like(image), right, down) == 1, expected, 255)
        asked = f"shifted(image, {right}, {down})"
        try:
            got = as_array(call(answer, image, right, down))
        except (ValueError, IndexError) as error:
            raise Wrong(f"{asked} raised {type(error).__name__}: {error}") from None
        if got.shape != image.shape:
            raise Wrong(f"{asked} has the shape {got.shape}, expected (28, 28)")
        expect_array(
            got,
            expected,
            slips=[
                (white, "paper is 0 in MNIST's images: they are white on black"),
                (rolled, "what leaves on one side must not come back on the other (np.roll)"),
                (_moved(image, down, right), "right is along the columns, the second axis"),
                (_moved(image, -right, -down), "that is the opposite direction"),
                (_moved(image, right, -down), "down means larger row numbers"),
                (_moved(image, -right, down), "right means larger column numbers"),
            ],
        )


def _moved(image: np.ndarray, right: int, down: int) -> np.ndarray:
    """Return a shifted copy; what moves in is paper."""
    far = 60  # more than any shift of the judge
    padded = np.pad(image, far)
    return padded[far - down : far - down + 28, far - right : far - right + 28]


@exercise("11.threshold")
def threshold(answer: Any) -> None:
    random = np.random.default_rng(0)
    for limit in (0.0, 0.5, 0.9, 0.35):
        probs = softmax(3 * random.normal(size=(200, 10)))
        labels = random.integers(0, 10, 200)
        labels[:150] = probs[:150].argmax(axis=1)
        taken = probs.max(axis=1) >= limit
        wrong = probs.argmax(axis=1) != labels
        pair = as_array(call(answer, probs, labels, limit))
        answered, errors = taken.mean(), wrong[taken].mean()
        expect_array(
            pair,
            [answered, errors],
            slips=[
                ([1 - answered, errors], "the first number is the share that is answered"),
                ([answered, (wrong & taken).mean()], "count errors among the answered, not all"),
                ([answered, 1 - errors], "the second number is the share of wrong answers"),
                ([errors, answered], "the share that is answered comes first"),
                ([100 * answered, 100 * errors], "shares from 0 to 1 are asked for, not percent"),
                ([taken.sum(), (wrong & taken).sum()], "shares are asked for, not numbers"),
                ([answered, wrong[~taken].mean() if (~taken).any() else 0.0],
                 "these are the errors among those that are not answered"),
            ],
        )  # fmt: skip
    equal = np.array([[0.5, 0.25, 0.25], [0.75, 0.125, 0.125]])
    expect_array(
        as_array(call(answer, equal, np.array([0, 0]), 0.5)),
        [1, 0],
        slips=[([0.5, 0], "a confidence equal to the threshold is not below it: use >=")],
    )
    probs = np.full((5, 10), 0.1)
    nobody = as_array(call(answer, probs, np.zeros(5, int), 0.5))
    if nobody.shape != (2,) or not np.isfinite(nobody).all():
        raise Wrong("if nothing is answered, return 0 and 0: a mean over nothing is NaN")
    expect_array(nobody, [0, 0])


in_data("11.letters")


@exercise("11.ink")
def ink(answer: Any) -> None:
    random = np.random.default_rng(0)
    noise = np.abs(random.normal(0, 0.06, (120, 160))).clip(0, 0.25)
    dust, stroke, faint, dark = (noise.copy() for _ in range(4))
    dust[60, 80:85] = 0.9
    stroke[30:90, 70:76] = 0.7
    faint[40:80, 80:83] = 0.45
    dark[20:100, 40:120] = 1.0
    cases = (
        (noise, False, "a sheet with nothing but noise has no ink: its darkest place is 0.25"),
        (dust, False, "five dark pixels are dust"),
        (stroke, True, "a stroke of 0.7 is ink"),
        (faint, True, "a pencil's stroke of 0.45 is ink"),
        (dark, True, "a broad black pen is ink, even if it covers a third of the sheet"),
    )
    for darker, expected, reply in cases:
        got = as_array(call(answer, darker))
        if got.size != 1 or got.reshape(())[()] not in (0, 1):
            raise Wrong(f"True or False is asked for, got an array of shape {got.shape}")
        if bool(got.reshape(())[()]) is not expected:
            raise Wrong(reply)
