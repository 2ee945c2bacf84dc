"""Chapter 0: answers that must be accepted, and slips that must not."""

import numpy as np
import torch


def _central(f, w, s):
    return (f(w + s) - f(w - s)) / (2 * s)


RIGHT = {
    "00.share": [0.8, 4 / 5, np.float64(0.8), torch.tensor(0.8)],
    "00.hill": [[4, 6], (4.0, 6.0), np.array([4.000001, 6.000003]), torch.tensor([4.0, 6])],
    "00.axis": [[28, 28], (28, 28), torch.zeros(3, 28, 28).mean(dim=0).shape],
    "00.broadcast": ["b", "B", "(b)"],
    "00.product": [[[-1, 4], [-1, 8]], np.array([[-1, 4], [-1, 8]])],
    "00.gradient": [[8, 3], (8, 3.0), torch.tensor([8.0, 3.0])],
    "00.bug": [7, 7.0],
    "00.slope": [
        _central,
        lambda f, w, s: ((f(w + s) - f(w)) / s + (f(w) - f(w - s)) / s) / 2,
        lambda f, w, s: np.array([_central(f, w, s)]),
    ],
}

WRONG = {
    "00.share": [4, 80, 0.2, 1, [True, True, True, True, False], "0.8"],
    "00.hill": [[6, 4], [4, 3], [4, 2], [2, 6], [4, 12], [-4, -6], 4, [4, 6, 0]],
    "00.axis": [[60_000, 28], [1, 28, 28], [60_000, 28, 28], [60_000, 1, 1], [784], 28],
    "00.broadcast": ["a", "c", "d", "e", 2],
    "00.product": [
        [[-1, -1], [4, 8]],
        [[1, 3], [3, 5]],
        [[1, -2], [0, 8]],
        [-1, 4, -1, 8],
        [[-1, 4], [-1, 7]],
    ],
    "00.gradient": [[3, 8], [2, 3], [8, 5], [5, 3], [8, 6], [7, 7], 8],
    "00.bug": [6, 5, 4, 3, 8, 2, 1, "line 7"],
    "00.slope": [
        lambda f, w, s: (f(w + s) - f(w)) / s,
        lambda f, w, s: (f(w) - f(w - s)) / s,
        lambda f, w, s: (f(w + s) - f(w - s)) / s,
        lambda f, w, s: f(w + s) - f(w - s),
        lambda f, w, s: (f(w + s) - f(w - s)) / 2 * s,
        lambda f, w, s: -_central(f, w, s),
        lambda f, w, s: None,
    ],
}
