"""What the checks of chapter 4, "Scores become probabilities", accept."""

import math
from typing import Any

import numpy as np

from mnist_course.by_hand.losses import log_softmax, softmax
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.judge import Wrong, exercise


@exercise("04.first")
def first(answer: Any) -> None:
    expect_array(
        answer,
        [1 / 6, 2 / 6, 3 / 6],
        rtol=0,
        atol=4e-3,
        slips=[
            ([0, 0.4, 0.6], "e to the power 0 is 1, not 0"),
            ([100 / 6, 200 / 6, 50], "hand in shares of 1, not percent"),
            ([1, 2, 3], "these are the exponentials; divide by their sum"),
            ([0, math.log(2) / math.log(6), math.log(3) / math.log(6)], "exponentiate first"),
            ([1 / 3, 1 / 3, 1 / 3], "the logits differ, so do the probabilities"),
        ],
    )


@exercise("04.guess")
def guess(answer: Any) -> None:
    expect_number(
        answer,
        math.log(26),
        rtol=2e-3,
        slips=[
            (1 / 26, "that is the probability; the loss is minus its logarithm"),
            (math.log2(26), "the loss uses the natural logarithm, not the one of base 2"),
            (math.log10(26), "the loss uses the natural logarithm, not the one of base 10"),
            (-math.log(26), "minus the logarithm of a probability is positive"),
            (math.log(10), "there are 26 classes here"),
            (0, "a loss of 0 means certainty in the right classes"),
            (-math.log(0.25), "how often e and t occur is unknown to this network"),
            (
                0.5 * math.log(4) + 0.5 * math.log(26),
                "how often e and t occur is unknown to this network",
            ),
            (
                -0.5 * math.log(0.25) - 0.5 * math.log(0.5 / 24),
                "that network knows the frequencies; this one gives every letter 1/26",
            ),
        ],
    )


@exercise("04.double")
def double(answer: Any) -> None:
    expect_number(
        answer,
        math.log(math.e + 9) - 1,
        rtol=1e-2,
        slips=[
            (0, "that is what most people say; softmax turns the outputs (1, 0, …, 0) into what?"),
            (1, "minus the logarithm of which probability?"),
            (math.log(10), "that is the loss of a model that knows nothing"),
            (math.e / (math.e + 9), "that is the probability; take minus its logarithm"),
            (0.23, "that is the probability; take minus its logarithm"),
            (math.log(1 + 1 / math.e), "ten classes: nine others, each with e to the power 0"),
            (math.log(9), "the right class is in the sum as well"),
            (math.log(math.e + 9), "subtract the logit of the right class"),
        ],
    )


@exercise("04.gradient")
def gradient(answer: Any) -> None:
    expect_array(
        answer,
        [0.5, -0.75, 0.25],
        rtol=1e-3,
        slips=[
            ([-0.5, 0.75, -0.25], "the signs are turned around: p - y, not y - p"),
            ([0.5, 0.25, 0.25], "these are the probabilities; subtract the one-hot label"),
            ([-0.5, 0.25, 0.25], "classes count from 0: class 1 is the second one"),
            ([0.5, -0.25, 0.25], "subtract 1 from the probability of the right class"),
            ([0, -0.75, 0], "the wrong classes have gradients too: their probabilities"),
            ([math.log(2), -1, 0], "these are the logits minus the label; apply softmax first"),
            ([0.5 / 3, -0.75 / 3, 0.25 / 3], "you averaged over the classes; average over B"),
        ],
    )


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
