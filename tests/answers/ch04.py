"""Chapter 4: answers that must be accepted, and slips that must not."""

import math

import numpy as np
import torch
import torch.nn.functional as F


def _naive(logits, T):
    exp = np.exp(np.asarray(logits) / T)
    return exp / exp.sum(axis=1, keepdims=True)


def _smoothed(reduction="mean", sign=1, smooth=None):
    def loss(logits, labels, epsilon):
        value = F.cross_entropy(
            torch.tensor(logits),
            torch.tensor(labels),
            label_smoothing=epsilon if smooth is None else smooth,
            reduction=reduction,
        )
        return sign * value

    return loss


RIGHT = {
    "04.bits": [[3, 2.079], (3, np.log(8)), torch.tensor([3, 2.0794])],
    "04.pick": [
        lambda probs, labels: probs[np.arange(len(labels)), labels],
        lambda probs, labels: [row[k] for row, k in zip(probs, labels, strict=True)],
        lambda probs, labels: (probs * np.eye(probs.shape[1])[labels]).sum(axis=1),
        lambda probs, labels: torch.tensor(probs).gather(1, torch.tensor(labels)[:, None])[:, 0],
    ],
    "04.break": [1e-4, 0.0001, np.float64(1e-4)],
    "04.first": [
        [1 / 6, 1 / 3, 1 / 2],
        np.array([1, 2, 3]) / 6,
        torch.tensor([1.0, 2.0, 3.0]) / 6,
        np.float32([0.16667, 0.33333, 0.5]),
        (0.17, 0.33, 0.5),
        [[1 / 6, 2 / 6, 3 / 6]],
    ],
    "04.guess": [math.log(26), 3.258, np.float32(3.2581), torch.tensor(26.0).log()],
    "04.double": [1.4612, 1.46, np.array(1.4611502), torch.tensor([1.46115])],
    "04.gradient": [[0.5, -0.75, 0.25], np.float32([0.5, -0.75, 0.25])],
    "04.temperature": [
        lambda logits, T: torch.softmax(torch.tensor(logits) / T, dim=1),
        lambda logits, T: torch.softmax(torch.tensor(logits) / T, dim=1).numpy(),
        lambda logits, T: torch.softmax(torch.tensor(logits) / T, dim=1).float().tolist(),
    ],
    "04.smoothing": [
        _smoothed(),
        lambda *args: _smoothed()(*args).item(),
        lambda *args: np.float32(_smoothed()(*args)),
    ],
}

WRONG = {
    "04.bits": [[2.079, 3], [-3, -2.079], [3, 0.903], [8, 2.079], [4, 2.079], [0.125, 0.125], 3],
    "04.pick": [
        lambda probs, labels: probs[:, labels],
        lambda probs, labels: probs.max(axis=1),
        lambda probs, labels: np.log(probs[np.arange(len(labels)), labels]),
        lambda probs, labels: -np.log(probs[np.arange(len(labels)), labels]),
        lambda probs, labels: probs[np.arange(len(labels)), labels].mean(),
        lambda probs, labels: labels,
    ],
    "04.break": [1e-5, 1e-3, 0.05, 0.01, 1e-6, -4, "1e-4"],
    "04.first": [
        [1, 2, 3],
        [1 / 3] * 3,
        [0, 0.387, 0.613],
        0.5,
        [float("nan")] * 3,
        [0.5, 1 / 3, 1 / 6],
    ],
    "04.guess": [1 / 26, math.log2(26), math.log10(26), math.log(10), 0, 2.629, -math.log(26), 26],
    "04.double": [0, 1, math.log(10), 0.232, math.log(9), 2.4612, float("inf")],
    "04.gradient": [
        [-0.5, 0.75, -0.25],
        [0.5, 0.25, 0.25],
        [-0.5, 0.25, 0.25],
        [0.5, -0.25, 0.25],
        [1 / 6, -0.25, 1 / 12],
        0,
        [0.5, -0.75],
    ],
    "04.temperature": [
        _naive,
        lambda logits, T: _naive(logits - logits.max(), T),  # the largest of the whole batch
        lambda logits, T: torch.softmax(torch.tensor(logits) * T, dim=1),
        lambda logits, T: torch.softmax(torch.tensor(logits), dim=1) / T,
        lambda logits, T: torch.softmax(torch.tensor(logits) / T, dim=0),
        lambda logits, T: torch.softmax(torch.tensor(logits), dim=1),
        lambda logits, T: logits / T,
        lambda logits, T: None,
        lambda logits, T: np.full_like(logits, np.nan),
    ],
    "04.smoothing": [
        _smoothed(reduction="sum"),
        _smoothed(reduction="none"),
        _smoothed(sign=-1),
        _smoothed(smooth=0.0),
        _smoothed(smooth=0.1),
        lambda logits, labels, epsilon: _smoothed()(logits, labels, epsilon) / 10,
        lambda logits, labels, epsilon: float("nan"),
    ],
}
