"""Chapter 11: answers that must be accepted, and slips that must not."""

import numpy as np
import torch


def _sliced(image, right, down):
    image = np.asarray(image)
    out = np.zeros_like(image)
    for r in range(28):
        for c in range(28):
            if 0 <= r - down < 28 and 0 <= c - right < 28:
                out[r, c] = image[r - down, c - right]
    return out


def _padded(image, right, down):
    big = torch.zeros(200, 200)
    big[80 + down : 108 + down, 80 + right : 108 + right] = torch.tensor(image).float()
    return big[80:108, 80:108]


def _roll(image, right, down):
    return np.roll(image, (down, right), (0, 1))


def _loop(probs, labels, threshold):
    answered = wrong = 0
    for row, label in zip(probs, labels, strict=True):
        if max(row) >= threshold:
            answered += 1
            wrong += int(row.argmax()) != label
    return (answered / len(labels), wrong / answered) if answered else (0, 0)


def _vector(probs, labels, threshold):
    largest, reading = torch.tensor(probs).max(dim=1)
    taken = largest >= threshold
    wrong = (reading != torch.tensor(labels))[taken]
    return torch.stack([taken.double().mean(), wrong.double().sum() / max(1, int(taken.sum()))])


def _unguarded(probs, labels, threshold):
    with np.errstate(all="ignore"):
        taken = probs.max(axis=1) >= threshold
        wrong = probs.argmax(axis=1) != labels
        return np.array([taken.mean(), (wrong & taken).sum() / np.float64(taken.sum())])


def _center(ink):
    return sum(r * row.sum() for r, row in enumerate(ink)) / ink.sum()


def _weighted(confidence, accuracy, counts):
    return np.average(np.abs(confidence - accuracy), weights=counts)


RIGHT = {
    "11.row": [
        _center,
        lambda ink: np.average(np.arange(len(ink)), weights=ink.sum(axis=1)),
        lambda ink: (np.indices(ink.shape)[0] * ink).sum() / ink.sum(),
        lambda ink: torch.tensor(_center(ink)),
    ],
    "11.error": [
        _weighted,
        lambda c, a, n: sum(abs(p - q) * k for p, q, k in zip(c, a, n, strict=True)) / sum(n),
        lambda c, a, n: np.array([_weighted(c, a, n)]),
    ],
    "11.letters": ["b", "B", "(b)"],
    "11.ink": [
        lambda darker: (darker > 0.3).sum() >= 10,
        lambda darker: bool(np.sort(darker, axis=None)[-10] > 0.35),
        lambda darker: int((torch.tensor(darker) > 0.3).sum() > 9),
    ],
    "11.mass": [
        [1.5, 2.625],
        (12 / 8, 21 / 8),
        np.float32([1.5, 2.625]),
        torch.tensor([1.5, 2.625]),
        [[1.5, 2.625]],
    ],
    "11.box": [[20, 3], (20, 3), np.array([20.0, 3.0]), torch.tensor([20, 3])],
    "11.temperature": [0.9087, 1 / (1 + 99**-0.5), np.float32(0.909), torch.tensor([0.90868])],
    "11.shift": [_sliced, _padded, lambda *a: _sliced(*a).tolist()],
    "11.threshold": [_loop, _vector, lambda *a: list(_loop(*a))],
}

WRONG = {
    "11.row": [
        lambda ink: _center(ink.T),
        lambda ink: _center(ink) + 1,
        lambda ink: (len(ink) - 1) / 2,
        lambda ink: np.arange(len(ink)) @ ink.sum(axis=1),
        lambda ink: np.arange(len(ink)) @ ink.mean(axis=1) / len(ink),
        lambda ink: np.nonzero(ink)[0].mean(),
        lambda ink: ink.sum(axis=1).argmax(),
        lambda ink: (_center(ink), _center(ink.T)),
    ],
    "11.error": [
        lambda c, a, n: np.abs(c - a).mean(),
        lambda c, a, n: (c - a) @ n / n.sum(),
        lambda c, a, n: (a - c) @ n / n.sum(),
        lambda c, a, n: np.abs(c - a) @ n,
        lambda c, a, n: np.abs(c - a).max(),
        lambda c, a, n: np.abs(c - a),
        lambda c, a, n: np.sqrt((c - a) ** 2 @ n / n.sum()),
    ],
    "11.letters": ["a", "c", "d", "e", 2],
    "11.ink": [
        lambda darker: darker.max() > 0,
        lambda darker: darker.max() > 0.3,
        lambda darker: (darker > 0.1).sum() >= 10,
        lambda darker: darker > 0.2,
        lambda darker: (darker > darker.max() / 2).sum() >= 10,
        lambda darker: darker.mean() > 0.1,
        lambda darker: (darker > 0.5).sum() >= 10,
        lambda darker: (darker > 0.2).mean(),
    ],
    "11.mass": [
        [2.625, 1.5],
        [1.5, 2],
        [1, 1.5],
        [1.25, 2.25],
        [2.5, 3.625],
        [12, 21],
        [3, 5.25],
        1.5,
        [float("nan")] * 2,
    ],
    "11.box": [
        [20, 20],
        [133, 20],
        [3, 20],
        [28, 4],
        [28, 28],
        [20, 4],
        [20, 2],
        20,
        [20, 3, 1],
        "20x3",
    ],
    "11.temperature": [0.495, 0.99, 0.9801, 0.745, 0.0913, 90.87, 0.9999, float("nan"), [0.9, 0.1]],
    "11.shift": [
        _roll,
        lambda image, right, down: _sliced(image, down, right),
        lambda image, right, down: _sliced(image, -right, -down),
        lambda image, right, down: _sliced(image, right, -down),
        lambda image, right, down: image,
        lambda image, right, down: 255 - _sliced(255 - image, right, down),
        lambda image, right, down: _sliced(image, right, down)[None],
        lambda image, right, down: None,
        lambda image, right, down: np.full((28, 28), np.nan),
    ],
    "11.threshold": [
        _unguarded,
        lambda p, y, t: (1 - _loop(p, y, t)[0], _loop(p, y, t)[1]),
        lambda p, y, t: tuple(100 * share for share in _loop(p, y, t)),
        lambda p, y, t: (_loop(p, y, t)[0], _loop(p, y, t)[0] * _loop(p, y, t)[1]),
        lambda p, y, t: (_loop(p, y, t)[0], 1 - _loop(p, y, t)[1]),
        lambda p, y, t: _loop(p, y, t)[::-1],
        lambda p, y, t: _loop(p, y, t)[0],
        lambda p, y, t: (100 * _loop(p, y, t)[0], 100 * _loop(p, y, t)[1]),
        lambda p, y, t: (float("nan"), float("nan")),
    ],
}
