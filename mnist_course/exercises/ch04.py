"""What the checks of chapter 4, "Scores become probabilities", accept."""

from typing import Any

import numpy as np

from mnist_course.by_hand.losses import log_softmax, softmax
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("04.bits")


@exercise("04.pick")
def pick(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for B, K in ((4, 3), (3, 5), (1, 4)):
        probs, labels = rng.random((B, K)), rng.integers(0, K, B)
        right = probs[np.arange(B), labels]
        expect_array(
            call(answer, probs, labels),
            right,
            slips=[
                (
                    probs[:, labels],
                    "that takes the columns for every row; rows and columns in step",
                ),
                (probs.max(axis=1), "that is the largest; the right class is asked"),
                (np.log(right), "the probabilities themselves, no logarithm yet"),
                (-np.log(right), "the probabilities themselves, no logarithm yet"),
                (right.mean(), "one number per picture, no mean yet"),
            ],
        )


in_data("04.first", "04.guess", "04.double", "04.gradient")


@exercise("04.temperature")
def temperature(answer: Any) -> None:
    random = np.random.default_rng(0)
    for T in (1.0, 0.5, 3.0):
        logits = random.normal(size=(4, 10)) * 3
        expect_array(
            call(answer, logits, T),
            softmax(logits / T),
            slips=[
                (softmax(logits * T), "you multiply by T; divide, so that a high T is soft"),
                (logits / T, "these are the softened logits; now apply softmax"),
                (softmax(logits) / T, "divide the logits, not the probabilities"),
                (softmax(logits.T / T).T, "each row sums to 1, not each column: axis=1"),
            ],
        )
    huge = np.array([[1000.0, -1000.0, 999.0], [-1000.0, -999.0, -998.0]])
    with np.errstate(all="ignore"):
        result = as_array(call(answer, huge, 0.5))
    if not np.isfinite(result).all():
        raise Wrong("logits of ±1000 give NaN: subtract the largest of each row first")
    expect_array(result, softmax(huge / 0.5))


@exercise("04.smoothing")
def smoothing(answer: Any) -> None:
    random = np.random.default_rng(0)
    for epsilon in (0.0, 0.1, 0.3):
        logits, labels = random.normal(size=(6, 10)), random.integers(0, 10, 6)
        log_probs = log_softmax(logits)
        target = (1 - epsilon) * np.eye(10)[labels] + epsilon / 10
        right = float(-(target * log_probs).sum(axis=1).mean())
        one_hot = np.eye(10)[labels]
        others = (1 - epsilon) * one_hot + epsilon * (1 - one_hot) / 9
        lost = (1 - epsilon) * one_hot + epsilon * (1 - one_hot) / 10
        plain = float(-(one_hot * log_probs).sum(axis=1).mean())
        outside = float(-np.log((target * np.exp(log_probs)).sum(axis=1)).mean())
        only = float(-(target * one_hot * log_probs).sum(axis=1).mean())
        expect_number(
            call(answer, logits, labels, epsilon),
            right,
            slips=[
                (right * 6, "average over the batch, do not add up"),
                (right / 10, "you averaged over the classes; sum them, and average over the batch"),
                (
                    float(-(lost * log_probs).sum(axis=1).mean()),
                    "the right class gets 1 - epsilon + epsilon / K; your targets sum to less",
                ),
                (plain, "epsilon changes nothing in your loss"),
                (outside, "take the logarithm of each probability first, then the weighted sum"),
                (only, "the other classes have their share of the target as well"),
                (-right, "the loss is minus the mean of the logarithms"),
                (
                    float(-(others * log_probs).sum(axis=1).mean()),
                    "the right class gets its share of epsilon too: 1 - epsilon + epsilon / K",
                ),
            ],
        )


in_data("04.break")
