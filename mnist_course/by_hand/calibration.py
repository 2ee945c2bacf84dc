"""Do probabilities keep their word? Compare them with how often they come true, and mend them.

The measure is that of Naeini et al. (2015), the cure that of Guo et al. (2017): one number, the
temperature, divides all logits.
"""

from __future__ import annotations

import numpy as np

from mnist_course.by_hand.inputs import check_labels, check_scores
from mnist_course.by_hand.losses import cross_entropy


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature with which the softmax of these logits has the smallest loss.

    Shown in: chapter 10.

    Parameters
    ----------
    logits : np.ndarray
        ``(N, K)`` floats, computed for examples that the model was not trained on.
    labels : np.ndarray
        ``(N,)`` whole numbers.

    Returns
    -------
    float
        From 0.2 (probabilities far too modest) to 5 (far too sure), in steps of 1 %.

    Raises
    ------
    ValueError
        If ``logits`` is not a finite float matrix, or ``labels`` do not fit it.
    """
    candidates = np.geomspace(0.2, 5, 324)
    losses = [cross_entropy(logits / T, labels) for T in candidates]
    return float(candidates[np.argmin(losses)])


def reliability(
    probs: np.ndarray, labels: np.ndarray, num_bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort answers into bins by their probability, and see how many of each bin are right.

    Shown in: chapter 10.

    Parameters
    ----------
    probs : np.ndarray
        ``(N, K)`` probabilities.
    labels : np.ndarray
        ``(N,)`` whole numbers.
    num_bins : int
        Bins of equal width between 0 and 1.

    Returns
    -------
    confidence, accuracy : np.ndarray
        ``(num_bins,)``: the mean of the largest probability, and the share of right answers;
        0 in a bin without answers.
    counts : np.ndarray
        ``(num_bins,)``: how many answers fell into each bin.

    Raises
    ------
    ValueError
        If ``probs`` is not a finite float matrix, or ``labels`` do not fit it.
    """
    check_scores(probs, "probs")
    check_labels(labels, *probs.shape)
    largest, right = probs.max(axis=1), probs.argmax(axis=1) == labels  # (N,)
    bins = np.minimum((largest * num_bins).astype(int), num_bins - 1)  # (N,)
    counts = np.bincount(bins, minlength=num_bins)  # (num_bins,)
    sums = [np.bincount(bins, what, num_bins) for what in (largest, right)]
    confidence, accuracy = sums / np.maximum(counts, 1)  # (num_bins,) each
    return confidence, accuracy, counts


def calibration_error(probs: np.ndarray, labels: np.ndarray, num_bins: int = 10) -> float:
    """Return the expected calibration error: how far, on average, confidence is from accuracy.

    Shown in: chapter 10.

    Parameters
    ----------
    probs : np.ndarray
        ``(N, K)`` probabilities.
    labels : np.ndarray
        ``(N,)`` whole numbers.
    num_bins : int
        Bins of equal width between 0 and 1.

    Returns
    -------
    float
        0 if in every bin as many answers are right as their probabilities promise.
    """
    confidence, accuracy, counts = reliability(probs, labels, num_bins)
    return float(np.abs(confidence - accuracy) @ counts / counts.sum())
