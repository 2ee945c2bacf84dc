"""Chapter 1: answers that must be accepted, and slips that must not."""

import functools

import numpy as np
import torch

from mnist_course.data import find_file, load_data
from mnist_course.data.idx import idx_header, parse_idx


@functools.cache
def _digits():
    return load_data()


def _labels_file() -> bytes:
    labels = _digits().test_labels
    return idx_header(labels) + labels.tobytes()


def _most_ink() -> int:
    images, labels = _digits().train_images, _digits().train_labels
    return int(np.argmax([images[labels == k].mean() for k in range(10)]))


def _with(offset: int, value: int) -> bytearray:
    damaged = bytearray(_labels_file())
    damaged[offset] = value
    return damaged


def _header(order=">", type_code=8, sizes="I"):
    def idx_header(shape):
        packed = b"".join(np.array(n, dtype=f"{order}u4").tobytes() for n in shape)
        return bytes([0, 0, type_code, len(shape)]) + packed

    return idx_header


def _neighbor(pick, result="labels"):
    def nearest(X, known_X, known_labels):
        gaps = X[:, None].astype(float) - known_X[None].astype(float)
        index = pick((gaps**2).sum(axis=2), axis=1)
        return index if result == "index" else known_labels[index]

    return nearest


def _dot(X, known, labels):
    return labels[(X.astype(float) @ known.T.astype(float)).argmax(axis=1)]


def _without_the_two(X, known, labels):
    X, known = X.astype(float), known.astype(float)
    return labels[((known**2).sum(axis=1) - X @ known.T).argmin(axis=1)]


RIGHT = {
    "01.bytes": [10_000, 0x2710, np.int64(10_000)],
    "01.pixel": [
        lambda content, i, r, c: content[16 + 784 * i + 28 * r + c],
        lambda content, i, r, c: parse_idx(content)[i, r, c],
        lambda content, i, r, c: np.frombuffer(content, np.uint8)[16 + (i * 28 + r) * 28 + c],
    ],
    "01.size": [307_220, 307_220.0, np.int64(307_220), torch.tensor(307_220)],
    "01.offset": [47_039_321, np.array([47_039_321]), torch.tensor([47_039_321])],
    "01.ink": [make(_most_ink()) for make in (int, float, np.uint8, torch.tensor)],
    "01.header": [_header(), lambda shape: bytearray(_header()(shape))],
    "01.break": [_with(8, 99), _with(9, 99), bytes(_with(100, 77))],
    "01.neighbor": [
        _neighbor(np.argmin),
        lambda X, known, labels: torch.tensor(_neighbor(np.argmin)(X, known, labels)),
        lambda X, known, labels: _neighbor(np.argmin)(X, known, labels).tolist(),
    ],
}

WRONG = {
    "01.bytes": [55, 9_984, 9_994, 6_928, 2_710, 640, 4_135, 270_991_360, 60_000, "10000"],
    "01.pixel": [
        lambda content, i, r, c: 16 + 784 * i + 28 * r + c,
        lambda content, i, r, c: content[784 * i + 28 * r + c],
        lambda content, i, r, c: content[8 + 784 * i + 28 * r + c],
        lambda content, i, r, c: content[16 + 784 * i + 28 * c + r],
        lambda content, i, r, c: content[16 + 784 * (i - 1) + 28 * r + c],
        lambda content, i, r, c: content,
    ],
    "01.size": [307_200, 307_216, 307_208, 102_420, 307_204, float("nan"), "307220", [307_220] * 2],
    "01.offset": [47_040_105, 47_039_305, 47_039_343, 0, 47_039_292, 47_039_322],
    "01.ink": [11, -1, 173.0, list(range(10)), "zero", float("nan"), 10],
    "01.header": [
        _header(order="<"),
        _header(type_code=9),
        lambda shape: _header()(shape[::-1]),
        lambda shape: _header()(shape)[2:],
        lambda shape: [0, 0, 8, len(shape)],
        lambda shape: _header()((60_000, 28, 28)),
        lambda shape: None,
    ],
    "01.break": [
        _labels_file(),
        _with(2, 0x0B),
        _with(0, 1),
        idx_header(_digits().train_labels) + _digits().train_labels.tobytes()[::-1],
        _labels_file()[:-1],
        _labels_file() + b"\0",
        "damaged",
        b"",
        parse_idx(_labels_file()),
        find_file(_digits().folder, "t10k-labels-idx1-ubyte"),
    ],
    "01.neighbor": [
        _dot,
        _without_the_two,
        _neighbor(np.argmax),
        _neighbor(np.argmin, "index"),
        lambda X, K, L: np.array([L[((K - x) ** 2).sum(axis=1).argmin()] for x in X]),  # bytes
        lambda X, known, labels: labels[: len(X)],
        lambda X, known, labels: labels,
        lambda X, known, labels: np.zeros(len(X)),
        lambda X, known, labels: 3,
        lambda X, known, labels: np.full(len(X), np.nan),
    ],
}
