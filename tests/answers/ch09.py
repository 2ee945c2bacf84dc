"""Chapter 9: answers that must be accepted, and slips that must not."""

import numpy as np
import torch
import torch.nn.functional as F

PAPER = -0.1307 / 0.3081


def _merge(first, second):
    size = len(first) + len(second) - 1
    merged = np.zeros((size, size))
    for i in range(len(first)):
        for j in range(len(first)):
            merged[i : i + len(second), j : j + len(second)] += first[i, j] * second
    return merged


def _merge_in_torch(first, second):
    first, second = (torch.tensor(kernel, dtype=torch.float32) for kernel in (first, second))
    turned = second.flip(0, 1)[None, None]
    return F.conv2d(first[None, None], turned, padding=len(second) - 1)[0, 0]


def _merge_unturned(first, second):
    first, second = torch.tensor(first), torch.tensor(second)
    return F.conv2d(first[None, None], second[None, None], padding=len(second) - 1)[0, 0]


def _spark(first, second):
    size = len(first) + len(second) - 1
    picture = torch.zeros(1, 1, 2 * size - 1, 2 * size - 1, dtype=torch.float64)
    picture[..., size - 1, size - 1] = 1
    for kernel in (first, second):
        picture = F.conv2d(picture, torch.tensor(kernel)[None, None])
    return picture[0, 0].numpy()


def _autograd(dZ, X, W, dtype=torch.float64):
    X, W = (torch.tensor(a, dtype=dtype, requires_grad=True) for a in (X, W))
    b = torch.zeros(len(W), dtype=dtype, requires_grad=True)
    F.conv2d(X, W, b).backward(torch.tensor(dZ, dtype=dtype))
    return X.grad, W.grad, b.grad


def _in_numpy(dZ, X, W):
    return [gradient.numpy() for gradient in _autograd(dZ, X, W)]


def _changed(**changes):
    """Return the right gradients with some of them changed."""

    def gradients(dZ, X, W):
        found = dict(zip(("dX", "dW", "db"), _in_numpy(dZ, X, W), strict=True))
        found |= {name: change(found[name], dZ) for name, change in changes.items()}
        return tuple(found.values())

    return gradients


def _unturned(dZ, X, W):
    dX = F.conv_transpose2d(torch.tensor(dZ), torch.tensor(W).flip(2, 3))
    return (dX, *_autograd(dZ, X, W)[1:])


def _partners(pixels, diagonal=-2.0, constant=-1, pick=np.argmax, table=np.corrcoef):
    pixels = np.asarray(pixels, dtype=float)
    alive = np.flatnonzero(pixels.std(axis=0) > 0)
    closeness = table(pixels[:, alive].T)
    np.fill_diagonal(closeness, diagonal)
    found = np.full(pixels.shape[1], constant)
    found[alive] = alive[pick(closeness, axis=1)]
    return found


def _partners_in_torch(pixels):
    X = torch.tensor(pixels)
    X = X - X.mean(dim=0)
    norm = X.norm(dim=0)
    known = norm > 1e-6
    closeness = (X.T @ X) / (norm[:, None] * norm).clamp(min=1e-9)
    closeness[:, ~known] = -9
    closeness.fill_diagonal_(-9)
    return torch.where(known, closeness.argmax(dim=1), -1)


def _numbered_anew(pixels):
    pixels = np.asarray(pixels, dtype=float)
    alive = np.flatnonzero(pixels.std(axis=0) > 0)
    closeness = np.corrcoef(pixels[:, alive].T)
    np.fill_diagonal(closeness, -2)
    found = np.full(pixels.shape[1], -1)
    found[alive] = closeness.argmax(axis=1)
    return found


def _with_nan(pixels):
    with np.errstate(all="ignore"):
        closeness = np.corrcoef(np.asarray(pixels).T)
    np.fill_diagonal(closeness, -2)
    return closeness.argmax(axis=1)  # argmax takes NaN for the largest


def _plain_corrcoef(pixels, diagonal=None, clean=False, dead=False, axis=1):
    """Return what a first try gives, with the pixels that never change left in."""
    pixels = np.asarray(pixels)
    with np.errstate(all="ignore"):
        closeness = np.corrcoef(pixels.T if axis else pixels)
    if clean:
        closeness = np.nan_to_num(closeness)
    if diagonal is not None:
        np.fill_diagonal(closeness, diagonal)
    found = closeness.argmax(axis=1)
    if dead:
        found[pixels.max(axis=0) == 0] = -1
    return found


RIGHT = {
    "09.places": [
        lambda n, k, p, s: (n + 2 * p - k) // s + 1,
        lambda n, k, p, s: len(range(0, n + 2 * p - k + 1, s)),
        lambda n, k, p, s: F.conv2d(
            torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), stride=s, padding=p
        ).shape[-1],
    ],
    "09.pool": [
        lambda Z: Z.reshape(len(Z) // 2, 2, -1, 2).max(axis=(1, 3)),
        lambda Z: F.max_pool2d(torch.tensor(Z)[None], 2)[0],
        lambda Z: np.maximum(
            np.maximum(Z[::2, ::2], Z[1::2, ::2]), np.maximum(Z[::2, 1::2], Z[1::2, 1::2])
        ),
    ],
    "09.lenet": [61_706, 61_706.0, np.int64(61_706)],
    "09.size": [7, 7.0, np.int64(7), torch.tensor(7), [7]],
    "09.count": [18_496, 18_496.0, np.array([18_496]), torch.tensor(18_496)],
    "09.frame": [4 / 9 * PAPER, -0.188, -0.1885, np.float32(-0.18853), torch.tensor([-0.1885])],
    "09.unpooled": [55_034, 55_034.0, np.int64(55_034), torch.tensor([55_034])],
    "09.merge": [
        _merge,
        _merge_in_torch,
        lambda first, second: _spark(first, second)[::-1, ::-1],
        lambda first, second: _merge(first, second).tolist(),
        lambda first, second: _merge(second, first),
    ],
    "09.gradient": [
        _autograd,
        _in_numpy,
        lambda dZ, X, W: _autograd(dZ, X, W, torch.float32),
        _changed(db=lambda db, dZ: db.tolist()),
    ],
    "09.neighbors": [
        _partners,
        _partners_in_torch,
        lambda pixels: _partners(pixels).tolist(),
        lambda pixels: _partners(pixels).astype(float),
        lambda pixels: _partners(np.float32(pixels)),
    ],
}

WRONG = {
    "09.places": [
        lambda n, k, p, s: (n + 2 * p - k) / s + 1,
        lambda n, k, p, s: (n + 2 * p - k) // s,
        lambda n, k, p, s: (n + p - k) // s + 1,
        lambda n, k, p, s: (n - k) // s + 1,
        lambda n, k, p, s: n + 2 * p - k + 1,
    ],
    "09.pool": [
        lambda Z: Z.reshape(len(Z) // 2, 2, -1, 2).mean(axis=(1, 3)),
        lambda Z: Z[::2, ::2],
        lambda Z: np.maximum(Z.reshape(len(Z) // 2, 2, -1, 2).max(axis=(1, 3)), 0),
        lambda Z: Z.max(),
        lambda Z: Z,
        lambda Z: np.abs(Z.reshape(len(Z) // 2, 2, -1, 2)).max(axis=(1, 3)),
    ],
    "09.lenet": [61_470, 59_706, 2_572, 59_134, 44_426, 60_000, "61706"],
    "09.size": [14, 6, 6.5, 6.75, 8, 3, 13, 5, 11, 7.25, 49, 28, "7", [7, 7], True, (64, 7, 7)],
    "09.count": [18_432, 18_464, 640, 576, 6_208, 20_480, 2_112, 320, "18496", [64, 32, 3, 3]],
    "09.frame": [
        PAPER,
        6 / 9 * PAPER,
        5 / 9 * PAPER,
        4 * PAPER,
        -4 / 9 * PAPER,
        4 / 9,
        0.0,
        float("nan"),
        [-0.1885, -0.1885],
    ],
    "09.unpooled": [
        29_434,
        31_370,
        31_360,
        55_024,
        60_804,
        25_600,
        55_035,
        "55,034",
        [55_034, 0],
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)),
    ],
    "09.merge": [
        _spark,
        _merge_unturned,
        lambda first, second: _merge_unturned(first, second).flip(0, 1),
        lambda first, second: first[:2, :2] + second[:2, :2],
        lambda first, second: first,
        lambda first, second: first @ second if first.shape == second.shape else first,
        lambda first, second: _merge(first, second)[1:-1, 1:-1],
        lambda first, second: _merge(first, second)[None, None],
        lambda first, second: 2 * _merge(first, second),
        lambda first, second: _merge(first, second) * np.nan,
        lambda first: first,
        lambda first, second: None,
        np.ones((5, 5)),
    ],
    "09.gradient": [
        _unturned,
        lambda dZ, X, W: _autograd(dZ, X, W)[:2],
        lambda dZ, X, W: _autograd(dZ, X, W)[0],
        lambda dZ, X, W: _autograd(dZ, X, W)[::-1],
        _changed(dW=lambda dW, dZ: dW / len(dZ)),
        _changed(dX=lambda dX, dZ: dX / len(dZ)),
        _changed(dW=lambda dW, dZ: dW[:, :, ::-1, ::-1]),
        _changed(dW=lambda dW, dZ: dW.transpose(1, 0, 2, 3)),
        _changed(db=lambda db, dZ: dZ.mean(axis=(0, 2, 3))),
        _changed(db=lambda db, dZ: dZ.sum(axis=0)),
        _changed(db=lambda db, dZ: dZ.sum(axis=(2, 3))),
        _changed(db=lambda db, dZ: db * np.nan),
        _changed(dX=lambda dX, dZ: dX[:, :, 1:, 1:]),
        lambda dZ, X: X,
        lambda dZ, X, W: None,
    ],
    "09.neighbors": [
        lambda pixels: _partners(pixels, table=lambda x: np.abs(np.corrcoef(x))),
        lambda pixels: _partners(pixels, diagonal=2.0),
        lambda pixels: _partners(pixels, constant=0),
        lambda pixels: _partners(pixels, diagonal=2.0, pick=np.argmin),
        lambda pixels: _partners(pixels, diagonal=-np.inf, table=np.cov),
        _numbered_anew,
        _with_nan,
        _plain_corrcoef,
        lambda pixels: _plain_corrcoef(pixels, diagonal=0),
        lambda pixels: _plain_corrcoef(pixels, clean=True),
        lambda pixels: _plain_corrcoef(pixels, diagonal=0, clean=True, dead=True),
        lambda pixels: _plain_corrcoef(pixels, diagonal=0, clean=True),
        lambda pixels: _plain_corrcoef(pixels, axis=0),
        lambda pixels: _partners(pixels)[:10],
        lambda pixels: _partners(pixels)[:, None],
        lambda pixels: np.corrcoef(np.asarray(pixels).T + 0.0)[:3],
        lambda pixels: np.arange(64),
        lambda pixels: 3,
        lambda pixels: np.full(64, np.nan),
        lambda: 3,
    ],
}
