"""Softmax and the losses of the course, written out in numpy, with their gradients.

Names and argument order are those of `torch.nn.functional`; every loss is a mean over the batch.
"""

from __future__ import annotations

import numpy as np

from mnist_course.by_hand.inputs import (
    check_floats,
    check_labels,
    check_not_negative,
    check_scores,
)


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


def hinge_loss(scores: np.ndarray, labels: np.ndarray, margin: float = 1.0) -> float:
    """Return the mean of what the wrong classes cost that come too close to the right one.

    This is the sum form of Weston and Watkins (1999): the sum over the wrong classes ``j`` of
    ``max(0, z_j - z_y + margin)``. `torch.nn.functional.multi_margin_loss` divides it by K.

    Shown in: chapter 3.

    Parameters
    ----------
    scores : np.ndarray
        ``(B, K)`` floats.
    labels : np.ndarray
        ``(B,)`` class indices 0..K-1.
    margin : float
        By how much the right class shall lead every other one; not negative.

    Returns
    -------
    float
        0 if every right class leads by ``margin``, ``(K - 1) * margin`` for equal scores.

    Raises
    ------
    ValueError
        If a shape, a type or a label is not as described.
    """
    check_scores(scores, "scores")
    check_labels(labels, *scores.shape)
    check_not_negative(margin, "margin")
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + margin  # (B, K)
    terms = np.maximum(0, gaps)  # (B, K)
    terms[rows, labels] = 0  # the right class is not compared with itself
    return terms.sum(axis=1).mean()


def hinge_loss_gradient(scores: np.ndarray, labels: np.ndarray, margin: float = 1.0) -> np.ndarray:
    """Return the gradient of `hinge_loss` with respect to the scores: counting, divided by B.

    Where a right class leads by exactly ``margin`` the loss has a bend and no slope. The slope of
    the flat side, 0, is taken there, as `torch.nn.functional.multi_margin_loss` does.

    Shown in: chapter 3.

    Parameters
    ----------
    scores : np.ndarray
        ``(B, K)`` floats.
    labels : np.ndarray
        ``(B,)`` class indices 0..K-1.
    margin : float
        By how much the right class shall lead every other one; not negative.

    Returns
    -------
    np.ndarray
        ``(B, K)``; every row sums to 0.

    Raises
    ------
    ValueError
        If a shape, a type or a label is not as described.
    """
    check_scores(scores, "scores")
    check_labels(labels, *scores.shape)
    check_not_negative(margin, "margin")
    rows = np.arange(len(labels))
    too_close = scores - scores[rows, labels][:, None] + margin > 0  # (B, K)
    too_close[rows, labels] = False
    dscores = too_close.astype(scores.dtype)  # (B, K), +1 for each
    dscores[rows, labels] = -too_close.sum(axis=1)  # minus their number
    return dscores / len(labels)  # (B, K), because the loss is a mean


def l2_penalty(W: np.ndarray, weight_decay: float) -> float:
    """Return what large weights cost; its gradient is ``weight_decay * W``.

    The half makes ``weight_decay`` the number of that name in `torch.optim`. Biases are not
    penalized, so leave them out.

    Shown in: chapter 3.

    Parameters
    ----------
    W : np.ndarray
        ``(K, D)`` floats, or weights of any other shape.
    weight_decay : float
        Strength of the penalty; not negative.

    Returns
    -------
    float
        Half the sum of the squared weights, times ``weight_decay``.

    Raises
    ------
    ValueError
        If ``W`` is not an array of finite floats, or ``weight_decay`` is negative.
    """
    check_floats(W, "W")
    check_not_negative(weight_decay, "weight_decay")
    return 0.5 * weight_decay * (W**2).sum()
