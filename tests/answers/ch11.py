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


RIGHT = {
    "11.mass": [
        [1.5, 2.625],
        (12 / 8, 21 / 8),
        np.float32([1.5, 2.625]),
        torch.tensor([1.5, 2.625]),
    ],
    "11.box": [[20, 3], (20, 3), np.array([20.0, 3.0]), torch.tensor([20, 3])],
    "11.temperature": [0.9087, 1 / (1 + 99**-0.5), np.float32(0.909), torch.tensor([0.90868])],
    "11.shift": [_sliced, _padded, lambda *a: _sliced(*a).tolist()],
    "11.threshold": [_loop, _vector, lambda *a: list(_loop(*a))],
}

WRONG = {
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
        [[1.5, 2.625]],
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
