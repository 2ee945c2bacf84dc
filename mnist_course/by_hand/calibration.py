"""Do probabilities keep their word? Compare them with how often they come true, and mend them.

The measure is that of Naeini et al. (2015), the cure that of Guo et al. (2017): one number, the
temperature, divides all logits.

Raises ValueError if scores are no finite float matrix, or the labels do not fit it.
"""

import numpy as np

from mnist_course.by_hand.guards import guarded
from mnist_course.by_hand.losses import cross_entropy


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature, 0.2 to 5 in steps of 1 %, for which the loss of these logits is least.

    Shown in: chapter 11. ``logits`` ``(N, K)`` of examples that the model was not trained on, and
    their ``labels`` ``(N,)``. Below 1: the probabilities were too modest; above: too sure.
    """
    candidates = np.geomspace(0.2, 5, 324)
    losses = [cross_entropy(logits / T, labels) for T in candidates]
    return float(candidates[np.argmin(losses)])


@guarded(probs="N K scores", labels="N labels")
def reliability(
    probs: np.ndarray, labels: np.ndarray, num_bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort answers ``(N, K)`` into bins by their probability, and see how many of each are right.

    Shown in: chapter 11. Of each bin ``(num_bins,)``: the mean of the largest probability, the
    share of right answers (both 0 without answers), and the number of answers.
    """
    largest, right = probs.max(axis=1), probs.argmax(axis=1) == labels  # (N,)
    bins = np.minimum((largest * num_bins).astype(int), num_bins - 1)  # (N,)
    counts = np.bincount(bins, minlength=num_bins)  # (num_bins,)
    sums = [np.bincount(bins, what, num_bins) for what in (largest, right)]
    confidence, accuracy = sums / np.maximum(counts, 1)  # (num_bins,) each
    return confidence, accuracy, counts


def calibration_error(probs: np.ndarray, labels: np.ndarray, num_bins: int = 10) -> float:
    """Return the expected calibration error: how far, on average, confidence is from accuracy.

    Shown in: chapter 11. ``probs`` ``(N, K)``, ``labels`` ``(N,)``. It is 0 if in every bin as
    many answers are right as their probabilities promise.
    """
    confidence, accuracy, counts = reliability(probs, labels, num_bins)
    return float(np.abs(confidence - accuracy) @ counts / counts.sum())
