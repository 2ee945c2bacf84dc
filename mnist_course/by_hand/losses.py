"""Softmax and the losses of the course, written out in numpy, with their gradients.

Names and argument order are those of `torch.nn.functional`; every loss is a mean over the batch.
"""

from __future__ import annotations

import numpy as np

from mnist_course.by_hand.inputs import check_labels, check_scores


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn each row of scores into probabilities.

    Shown in: chapter 4.

    Parameters
    ----------
    logits : np.ndarray
        ``(B, K)`` floats, of any size: the largest of a row is subtracted first.

    Returns
    -------
    np.ndarray
        ``(B, K)``, every element in 0..1, every row with the sum 1.

    Raises
    ------
    ValueError
        If ``logits`` is not a finite float matrix.
    """
    check_scores(logits)
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))  # (B, K), largest is 1
    return exp / exp.sum(axis=1, keepdims=True)  # (B, K)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax without computing the softmax.

    Shown in: chapter 4.

    Parameters
    ----------
    logits : np.ndarray
        ``(B, K)`` floats.

    Returns
    -------
    np.ndarray
        ``(B, K)``, no element above 0; finite where `softmax` would have rounded to 0.

    Raises
    ------
    ValueError
        If ``logits`` is not a finite float matrix.
    """
    check_scores(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, K), largest is 0
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (B, K)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of ``-log(probability of the right class)``.

    Shown in: chapter 4.

    Parameters
    ----------
    logits : np.ndarray
        ``(B, K)`` floats; no softmax is to be applied before.
    labels : np.ndarray
        ``(B,)`` class indices 0..K-1.

    Returns
    -------
    float
        0 for certainty in the right classes, ``log(K)`` for equal logits.

    Raises
    ------
    ValueError
        If a shape, a type or a label is not as described.
    """
    check_scores(logits)
    check_labels(labels, *logits.shape)
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


def cross_entropy_gradient(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the gradient of `cross_entropy` with respect to the logits: (p - y) / B.

    Shown in: chapter 4.

    Parameters
    ----------
    logits : np.ndarray
        ``(B, K)`` floats.
    labels : np.ndarray
        ``(B,)`` class indices 0..K-1.

    Returns
    -------
    np.ndarray
        ``(B, K)``; every row sums to 0.

    Raises
    ------
    ValueError
        If a shape, a type or a label is not as described.
    """
    check_scores(logits)
    check_labels(labels, *logits.shape)
    dlogits = softmax(logits)  # (B, K)
    dlogits[np.arange(len(labels)), labels] -= 1  # p - y, where y is one-hot
    return dlogits / len(labels)  # (B, K), because the loss is a mean
