"""Chapter 3: answers that must be accepted, and slips that must not."""

import numpy as np
import torch
import torch.nn.functional as F

from mnist_course.data import load_data


def _squared_without_max(z, y):
    rows = np.arange(len(y))
    terms = 2 * (z - z[rows, y][:, None] + 1) / len(y)
    terms[rows, y] = 0
    terms[rows, y] = -terms.sum(axis=1)
    return terms


def _squared(scores, labels, factor=2, right=True, mean=True, sign=1, itself=False, count=0):
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + 1
    dscores = factor * np.maximum(0, gaps)
    if not itself:
        dscores[rows, labels] = 0
    if right:
        dscores[rows, labels] = -dscores.sum(axis=1)
    if count:
        dscores[rows, labels] = -count * ((gaps > 0).sum(axis=1) - 1)
    return sign * (dscores / len(labels) if mean else dscores)


def _hinge(scores, labels):
    rows = np.arange(len(labels))
    dscores = (scores - scores[rows, labels][:, None] + 1 > 0).astype(float)
    dscores[rows, labels] = 0
    dscores[rows, labels] = -dscores.sum(axis=1)
    return dscores / len(labels)


def _by_autograd(loss):
    def gradient(scores, labels):
        Z = torch.tensor(scores, requires_grad=True)
        loss(Z, torch.tensor(labels)).backward()
        return Z.grad

    return gradient


def _squared_loss(Z, y):
    return Z.shape[1] * F.multi_margin_loss(Z, y, p=2)


def _max_loss(Z, y):
    gaps = Z - Z.gather(1, y[:, None]) + 1
    gaps = gaps.scatter(1, y[:, None], 0.0)
    return gaps.max(dim=1).values.mean()


def _max_by_loop(scores, labels, content=True, mean=True, itself=False, sign=1):
    dscores = np.zeros_like(scores)
    for i, (row, label) in enumerate(zip(scores, labels, strict=True)):
        others = [j for j in range(len(row)) if itself or j != label]
        worst = max(others, key=lambda j: row[j])
        if not content or row[worst] - row[label] + 1 > 0:
            dscores[i, worst] += sign
            dscores[i, label] -= sign
    return dscores / len(labels) if mean else dscores


def _max_by_argmax(scores, labels, assign=False, right_gap=1, clip=False):
    rows = np.arange(len(labels))
    gaps = scores - scores[rows, labels][:, None] + 1
    gaps[rows, labels] = right_gap
    dscores = np.zeros_like(scores)
    dscores[rows, (np.maximum(0, gaps) if clip else gaps).argmax(axis=1)] += 1
    if assign:
        dscores[rows, labels] = -1
    else:
        dscores[rows, labels] -= 1
    return dscores / len(labels)


ZEROS = np.zeros((10, 784)), np.zeros(10)
SAME = np.tile(np.linspace(-1, 1, 784), (10, 1)), np.full(10, 3.0)


def _means():
    digits = load_data()
    X, y = digits.train_images.reshape(-1, 784) / 255, digits.train_labels
    W = np.stack([X[y == k].mean(axis=0) for k in range(10)])
    return W, -0.5 * (W**2).sum(axis=1)


RIGHT = {
    "03.four": [
        [2, 0.5, -0.5],
        (2, 0.5, -0.5),
        np.array([2, 0.5, -0.5]),
        torch.tensor([[2, 0.5, -0.5]]),
    ],
    "03.frog": [12.9, 6.3 + 6.6, np.float32(12.9)],
    "03.hand": [1.7, np.float32(1.7), torch.tensor(1.7), [1.7]],
    "03.zeros": [999, 999.0, np.int64(999), torch.tensor([999.0])],
    "03.decay": [0.02, np.float32(0.02), torch.tensor(0.02)],
    "03.ten": ["b", " B ", "(b)", "'b'"],
    "03.break": [
        ZEROS,
        SAME,
        list(ZEROS),
        (torch.zeros(10, 784), torch.zeros(10)),
        (np.zeros((10, 784), np.float32).tolist(), [0.5] * 10),
    ],
    "03.squared": [
        _squared,
        _by_autograd(_squared_loss),
        lambda z, y: _squared(z, y).tolist(),
        lambda z, y: _squared(z, y).astype(np.float32),
    ],
    "03.max": [
        _max_by_loop,
        _by_autograd(_max_loss),
        lambda z, y: torch.tensor(_max_by_loop(z, y), dtype=torch.float32),
        lambda z, y: _max_by_argmax(z, y, right_gap=0),
    ],
}

WRONG = {
    "03.four": [
        [2, 0, 0],
        [0, 0.5, -0.5],
        [2, 1.5, 0.5],
        [1, 1.5, 0.5],
        [0, 0, 0],
        [-0.5, 0.5, 2],
        2,
    ],
    "03.frog": [10.9, 13.9, 0, 0.5, 6.6, 6.3, 6.45, "12.9"],
    "03.hand": [2.7, 0.3, 1.4, 1.3, 1.7 / 3, 0.425, 4.6, 1.85, 1.8, float("nan"), [1.3, 0.4]],
    "03.zeros": [0, 1, 1000, 0.999, 9, np.log(1000), 998, True, float("inf")],
    "03.decay": [0.01, 0.005, 0.1, 0.0001, 0.04, "0.02"],
    "03.ten": ["a", "c", "(a)", "d", "", "10", 2, np.zeros(10)],
    "03.break": [
        (1e-12 * np.arange(7840.0).reshape(10, 784), np.zeros(10)),
        _means(),
        (np.zeros((784, 10)), np.zeros(10)),
        (np.zeros((10, 784)), np.zeros((10, 1))),
        np.zeros((10, 784)),
        (np.full((10, 784), np.nan), np.zeros(10)),
        (np.zeros((10, 784)), np.arange(10.0)),
        (1e-6 * np.arange(7840.0).reshape(10, 784), np.zeros(10)),
        (np.zeros((10, 784)), None),
        0,
    ],
    "03.squared": [
        lambda z, y: _squared(z, y, factor=1),
        lambda z, y: _squared(z, y, right=False),
        lambda z, y: _squared(z, y, mean=False),
        lambda z, y: _squared(z, y, sign=-1),
        lambda z, y: _squared(z, y) / z.shape[1],
        _hinge,
        lambda z, y: _squared(z, y, itself=True),
        lambda z, y: _squared(z, y, count=1),
        lambda z, y: _squared(z, y, count=2),
        lambda z, y: _squared(z, y).sum(),
        lambda z, y: 2 * _hinge(z, y),
        _squared_without_max,
        lambda z, y: np.full_like(z, np.nan),
        lambda z, y: _squared(z, y)[:, :1],
    ],
    "03.max": [
        _hinge,
        lambda z, y: _max_by_loop(z, y, content=False),
        lambda z, y: _max_by_loop(z, y, mean=False),
        lambda z, y: _max_by_loop(z, y, itself=True),
        lambda z, y: _max_by_loop(z, y, sign=-1),
        _max_by_argmax,
        lambda z, y: _max_by_argmax(z, y, assign=True),
        lambda z, y: _max_by_argmax(z, y, right_gap=0, clip=True),
        lambda z, y: np.maximum(0, _max_by_loop(z, y)),
        lambda z, y: _max_by_loop(z, y) / z.shape[1],
        lambda z, y: None,
    ],
}
