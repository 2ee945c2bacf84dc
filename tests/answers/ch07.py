"""Chapter 7: answers that must be accepted, and slips that must not."""

import numpy as np
import torch
import torch.nn.functional as F


def _autograd(h, da, slope):
    h = torch.tensor(h, requires_grad=True)
    F.leaky_relu(h, slope).backward(torch.tensor(da))
    return h.grad


def _awake(scores, y):
    return [(scores[y == k, k] > 0).float().mean().item() for k in range(10)]


def _own(y):
    return F.one_hot(y, 10).bool()


def _hidden(W, b, X):
    return np.maximum(0, X @ W.T + b)


RIGHT = {
    "07.collapse": [
        lambda W1, b1, W2, b2: (W2 @ W1, W2 @ b1 + b2),
        lambda W1, b1, W2, b2: [torch.tensor(W2) @ torch.tensor(W1), (b1[None] @ W2.T + b2)[0]],
        lambda W1, b1, W2, b2: (
            W2.dot(W1).tolist(),
            [b + w @ b1 for w, b in zip(W2, b2, strict=True)],
        ),
    ],
    "07.between": [
        lambda h: h.std(dim=0).mean(),
        lambda h: h.std(dim=0).mean().item(),
        lambda h: h.numpy().std(axis=0).mean(),
        lambda h: (h - h.mean(dim=0)).square().mean(dim=0).sqrt().mean(),
        lambda h: sum(column.std() for column in h.T) / h.shape[1],
    ],
    "07.awake": [
        _awake,
        lambda scores, y: ((scores > 0) & _own(y)).sum(dim=0) / _own(y).sum(dim=0),
        lambda scores, y: [(scores[y == k][:, k] > 0).float().mean() for k in range(10)],
        lambda scores, y: [np.mean(scores[y == k, k].numpy() > 0) for k in range(10)],
    ],
    "07.report": ["c", "C", "(c)"],
    "07.frequency": [0.562, 0.56, -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), 0.5623],
    "07.parameters": [218_058, 784 * 256 + 256 + 256 * 64 + 64 + 64 * 10 + 10, np.int64(218_058)],
    "07.zeros": [10, 10.0, torch.tensor(10)],
    "07.start": [
        0.0625,
        0.06,
        0.063,
        1 / 16,
        (2 / 512) ** 0.5,
        np.float32(0.0625),
        torch.tensor([0.0625]),
    ],
    "07.either": [
        [[[1, 1], [1, 1]], [0, -1], [[1, -2]], [0]],
        ([[1, -1], [-1, 1]], [0, 0], [1, 1], 0),
        [torch.tensor([[-1.0, -1], [1, 1]]), np.array([1, -1]), np.float32([-1, -1]), [1.0]],
    ],
    "07.leaky": [
        lambda h, da, slope: da * np.where(h > 0, 1, slope),
        _autograd,
        lambda h, da, slope: np.float32(da * np.where(h > 0, 1, slope)).tolist(),
    ],
    "07.silent": [
        lambda W, b, X: (_hidden(W, b, X).max(axis=0) == 0).sum(),
        lambda W, b, X: sum(column.max() <= 0 for column in (X @ W.T + b).T),
        lambda W, b, X: (torch.tensor(_hidden(W, b, X)) == 0).all(dim=0).sum(),
    ],
}

WRONG = {
    "07.collapse": [
        lambda W1, b1, W2, b2: ((W2 @ W1).T, W2 @ b1 + b2),
        lambda W1, b1, W2, b2: (W2 @ W1, b2),
        lambda W1, b1, W2, b2: (W2 @ W1, W2 @ b1),
        lambda W1, b1, W2, b2: (W2 @ W1, (W2 @ b1 + b2)[:, None]),
        lambda W1, b1, W2, b2: (W1 @ W2, W2 @ b1 + b2),
        lambda W1, b1, W2, b2: W2 @ W1,
        lambda W1, b1, W2, b2: (W2 @ W1, W2 @ b1 + b2, 0),
        lambda W1, b1, W2, b2: None,
        [1, 2],
    ],
    "07.between": [
        lambda h: h.std(),
        lambda h: h.std(dim=1).mean(),
        lambda h: h.var(dim=0).mean(),
        lambda h: h.var(dim=0).mean().sqrt(),
        lambda h: h.mean(dim=0).std(),
        lambda h: h.std(dim=0).sum(),
        lambda h: h.std(dim=0),
        lambda h: h.square().mean().sqrt(),
        lambda h: None,
        1.0,
    ],
    "07.awake": [
        lambda scores, y: 100 * np.array(_awake(scores, y)),
        lambda scores, y: ((scores > 0) & _own(y)).sum(dim=0),
        lambda scores, y: ((scores > 0) & _own(y)).float().mean(dim=0),
        lambda scores, y: (scores > 0).float().mean(dim=0),
        lambda scores, y: [(scores[y == k, k] >= 0).float().mean().item() for k in range(10)],
        lambda scores, y: 1 - np.array(_awake(scores, y)),
        lambda scores, y: [(scores[y == k].argmax(1) == k).float().mean() for k in range(10)],
        lambda scores, y: np.mean(_awake(scores, y)),
        lambda scores, y: _awake(scores, y)[:9],
        lambda scores, y: None,
    ],
    "07.report": ["a", "b", "d", "e", 3],
    "07.frequency": [
        np.log(2),
        0.811,
        0.2158,
        0.3466,
        0.2877,
        0.837,
        -0.5623,
        2.303,
        0.2442,
        0.75,
        [0.2158, 0.3466],
    ],
    "07.parameters": [217_728, 330, 1_114, 203_530, 218_832, 218_842, [218_058, 0], "218058"],
    "07.zeros": [0, 203_530, 2_570, 2_560, 266, 9, 1, True],
    "07.start": [
        2 / 512,
        512**-0.5,
        (3 * 512) ** -0.5,
        (2 / 128) ** 0.5,
        (2 / 640) ** 0.5,
        0,
        -0.0625,
    ],
    "07.either": [
        [[[1, 1], [1, 1]], [0, -1], [[1, -1]], [0]],
        [[[1, 0], [0, 1]], [0, 0], [[1, 1]], [0]],
        [[[1, 1], [1, 1]], [-1, -1], [[1, 0]], [0]],
        [[[1, 1], [1, 1]], [0, -1], [[1, -2]]],
        [[1, 1, 1, 1], [0, -1], [[1, -2]], [0]],
        [[[1, 0], [2, 0]], [0, 0], [[1, -2]], [0]],
        [[[1, 2], [-1, -2]], [-0.5, 0], [1, 1], [0]],
        [[[0, 0], [0, 0]], [0, 0], [[0, 0]], [0]],
        [[[1, 1], [1, 1]], [0, float("nan")], [[1, -2]], [0]],
        [[[1, 1, 0], [1, 1, 0]], [0, -1], [[1, -2]], [0]],
        [[[1, 1], [1, 1]], [0, -1], [[1, -2]], [[0, 0]]],
        0,
    ],
    "07.leaky": [
        lambda h, da, slope: da * (h > 0),
        lambda h, da, slope: np.where(h > 0, 1, slope),
        lambda h, da, slope: da * np.where(h > 0, slope, 1),
        lambda h, da, slope: da * np.where(h > 0, h, slope * h),
        lambda h, da, slope: np.where(h > 0, h, slope * h),
        lambda h, da, slope: da * np.where(da > 0, 1, slope),
        lambda h, da, slope: da * np.where(h > 0, 1, -slope),
        lambda h, da, slope: (da * np.where(h > 0, 1, slope)).sum(axis=0),
        lambda h, da, slope: da * np.where(h > 0, 1, 0.01),
        lambda h, da, slope: da * np.nan,
        lambda h, da, slope: None,
    ],
    "07.silent": [
        lambda W, b, X: (_hidden(W, b, X) == 0).sum(),
        lambda W, b, X: (X @ W.T + b < 0).all(axis=0).sum(),
        lambda W, b, X: (X @ W.T + b == 0).all(axis=0).sum(),
        lambda W, b, X: (_hidden(W, b, X) == 0).any(axis=0).sum(),
        lambda W, b, X: (_hidden(W, b, X) > 0).any(axis=0).sum(),
        lambda W, b, X: (_hidden(W, b, X) == 0).all(axis=1).sum(),
        lambda W, b, X: (_hidden(W, b, X) == 0).all(axis=0).mean(),
        lambda W, b, X: (X @ W.T <= 0).all(axis=0).sum(),
        lambda W, b, X: (_hidden(W, b, X) == 0).all(axis=0),
        lambda W, b, X: None,
        4,
    ],
}
