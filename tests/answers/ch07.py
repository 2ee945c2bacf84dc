"""Chapter 7: answers that must be accepted, and slips that must not."""

import numpy as np
import torch
import torch.nn.functional as F


def _autograd(h, da, slope):
    h = torch.tensor(h, requires_grad=True)
    F.leaky_relu(h, slope).backward(torch.tensor(da))
    return h.grad


def _loop(labels, predictions):
    counts = [[0] * 10 for _ in range(10)]
    for label, prediction in zip(labels, predictions, strict=True):
        counts[label][prediction] += 1
    return counts


def _by_index(labels, predictions):
    pairs = torch.tensor(10 * labels + predictions)
    return torch.bincount(pairs, minlength=100).reshape(10, 10)


def _once(labels, predictions):
    counts = np.zeros((10, 10), int)
    counts[labels, predictions] += 1
    return counts


def _hidden(W, b, X):
    return np.maximum(0, X @ W.T + b)


RIGHT = {
    "07.parameters": [218_058, 784 * 256 + 256 + 256 * 64 + 64 + 64 * 10 + 10, np.int64(218_058)],
    "07.zeros": [10, 10.0, torch.tensor(10)],
    "07.start": [0.0625, (2 / 512) ** 0.5, np.float32(0.0625), torch.tensor([0.0625])],
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
    "07.confusion": [_loop, _by_index, lambda *pair: np.float32(_loop(*pair))],
    "07.silent": [
        lambda W, b, X: (_hidden(W, b, X).max(axis=0) == 0).sum(),
        lambda W, b, X: sum(column.max() <= 0 for column in (X @ W.T + b).T),
        lambda W, b, X: (torch.tensor(_hidden(W, b, X)) == 0).all(dim=0).sum(),
    ],
}

WRONG = {
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
        lambda h, da, slope: da * np.nan,
        lambda h, da, slope: None,
    ],
    "07.confusion": [
        lambda *pair: np.transpose(_loop(*pair)),
        _once,
        lambda *pair: np.diag(np.diag(_loop(*pair))),
        lambda *pair: np.array(_loop(*pair)) / len(pair[0]),
        lambda *pair: _loop(*pair)[:9],
        lambda *pair: np.array(_loop(*pair))[: max(map(max, pair)) + 1, : max(map(max, pair)) + 1],
        lambda *pair: np.array(_loop(*pair)) / np.maximum(np.sum(_loop(*pair), axis=0), 1),
        lambda labels, predictions: (labels == predictions).mean(),
        lambda *pair: np.full((10, 10), np.nan),
        lambda *pair: None,
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
