"""Softmax and the losses of the course, written out in numpy, with their gradients.

Names and argument order are those of `torch.nn.functional`; every loss is a mean over the batch.

Raises ValueError if an argument has not the shape, the type or the range that is said (`guards`).
"""

import numpy as np

from mnist_course.by_hand.guards import guarded


@guarded(logits="B K scores")
def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn each row of scores ``(B, K)`` into probabilities ``(B, K)``, whose sum is 1.

    Shown in: chapter 4. Floats of any size: the largest of a row is subtracted first.
    """
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))  # (B, K), largest is 1
    return exp / exp.sum(axis=1, keepdims=True)  # (B, K)


@guarded(logits="B K scores")
def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax of ``(B, K)`` without computing the softmax.

    Shown in: chapter 4. It is finite where `softmax` would have rounded to 0.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)  # (B, K), largest is 0
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))  # (B, K)


@guarded(logits="B K scores", labels="B labels")
def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of ``-log(probability of the right class)``; no softmax goes before it.

    Shown in: chapter 4. ``logits`` ``(B, K)`` floats, ``labels`` ``(B,)`` from 0 to K - 1.
    It is 0 for certainty in the right classes, and ``log(K)`` for equal logits.
    """
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


@guarded(logits="B K scores", labels="B labels")
def cross_entropy_gradient(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the gradient of `cross_entropy` with respect to the logits: (p - y) / B.

    Shown in: chapter 4. ``(B, K)``; every row sums to 0.
    """
    dlogits = softmax(logits)  # (B, K)
    dlogits[np.arange(len(labels)), labels] -= 1  # p - y, where y is one-hot
    return dlogits / len(labels)  # (B, K), because the loss is a mean


@guarded(scores="B K scores", labels="B labels", margin="amount")
def hinge_loss(scores: np.ndarray, labels: np.ndarray, margin: float = 1.0) -> float:
    """Return the mean of what the wrong classes cost that come too close to the right one.

    Shown in: chapter 3. ``scores`` ``(B, K)`` floats, ``labels`` ``(B,)``. The sum form of Weston
    and Watkins (1999): the sum over the wrong classes ``j`` of ``max(0, z_j - z_y + margin)``.
    `torch.nn.functional.multi_margin_loss` divides it by K.
    """
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + margin  # (B, K)
    terms = np.maximum(0, gaps)  # (B, K)
    terms[rows, labels] = 0  # the right class is not compared with itself
    return terms.sum(axis=1).mean()


@guarded(scores="B K scores", labels="B labels", margin="amount")
def hinge_loss_gradient(scores: np.ndarray, labels: np.ndarray, margin: float = 1.0) -> np.ndarray:
    """Return the gradient of `hinge_loss` with respect to the scores: counting, divided by B.

    Shown in: chapter 3. ``(B, K)``; every row sums to 0. Where a lead is exactly ``margin`` the
    loss has a bend: the slope of the flat side, 0, is taken, as PyTorch does.
    """
    rows = np.arange(len(labels))
    too_close = scores - scores[rows, labels][:, None] + margin > 0  # (B, K)
    too_close[rows, labels] = False
    dscores = too_close.astype(scores.dtype)  # (B, K), +1 for each
    dscores[rows, labels] = -too_close.sum(axis=1)  # minus their number
    return dscores / len(labels)  # (B, K), because the loss is a mean


@guarded(W="floats", weight_decay="amount")
def l2_penalty(W: np.ndarray, weight_decay: float) -> float:
    """Return what large weights cost; its gradient is ``weight_decay * W``.

    Shown in: chapter 3. ``W`` ``(K, D)`` or any other shape, without the biases. The half makes
    ``weight_decay`` the number of that name in `torch.optim`.
    """
    return 0.5 * weight_decay * (W**2).sum()
