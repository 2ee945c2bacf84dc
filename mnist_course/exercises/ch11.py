"""What the checks of chapter 11, "Your own digit", accept."""

from typing import Any

import numpy as np

from mnist_course.by_hand.losses import softmax
from mnist_course.exercises.expect import as_array, call, expect_array
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

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
