"""What the checks of chapter 1, "Four files of bytes", accept."""

import functools
from typing import Any

import numpy as np

from mnist_course.data.idx import idx_header
from mnist_course.exercises._digits import digits
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


@functools.cache
def _mean_ink() -> list[float]:
    """Return the mean training pixel of each digit."""
    images, labels = digits().train_images, digits().train_labels
    return [float(images[labels == k].mean()) for k in range(10)]


in_data("01.bytes")


@exercise("01.pixel")
def pixel(answer: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 28, 28)).astype(np.uint8)
    content = idx_header(images) + images.tobytes()
    for i, r, c in ((0, 0, 0), (3, 5, 20), (8, 27, 1), (2, 0, 27)):
        at = 16 + 784 * i + 28 * r + c
        expect_number(
            call(answer, content, i, r, c),
            int(images[i, r, c]),
            rtol=0,
            slips=[
                (at, "that is the offset; the byte there is asked, content[...]"),
                (content[at - 16], "the header has 16 bytes"),
                (content[at - 8], "the header of the pictures has 16 bytes, that of the labels 8"),
                (content[16 + 784 * i + 28 * c + r], "rows and columns are exchanged"),
                (content[16 + 784 * (i - 1) + 28 * r + c], "pictures are counted from 0"),
            ],
        )


in_data("01.size", "01.offset")


@exercise("01.ink")
def ink(answer: Any) -> None:
    means = _mean_ink()
    value = as_array(answer)
    if value.size == 10:
        raise Wrong("these are ten values; hand in the one digit, the argmax")
    if value.size == 1 and int(value.reshape(())) == value and 0 <= int(value) <= 9:
        digit = int(value.reshape(()))
        if digit != int(np.argmax(means)):
            raise Wrong(
                f"the mean pixel of the {digit} is {means[digit]:.1f}, but another digit has more"
            )
        return
    raise Wrong("expected a digit from 0 to 9, not its mean pixel")


@exercise("01.header")
def header(answer: Any) -> None:
    for shape in [(60_000, 28, 28), (10_000,), (2, 3, 4, 5), (256,)]:
        got = call(answer, shape)
        right = idx_header(np.empty(shape, dtype=np.uint8))
        if not isinstance(got, (bytes, bytearray)):
            raise Wrong(f"expected bytes, got an object of type {type(got).__name__}")
        if bytes(got) == right:
            continue
        shown = f"for {shape} you return {bytes(got).hex(' ')}, expected {right.hex(' ')}"
        if len(got) != len(right):
            raise Wrong(f"{shown}: {len(got)} bytes instead of {len(right)}")
        if got[4:] != right[4:] and sorted(got[4:]) == sorted(right[4:]):
            raise Wrong(f"{shown}: are the sizes big-endian (>) and in order?")
        raise Wrong(shown)


@exercise("01.break")
def break_it(answer: Any) -> None:
    labels = digits().test_labels
    good = idx_header(labels) + labels.tobytes()
    if not isinstance(answer, (bytes, bytearray)):
        raise Wrong(f"expected bytes or a bytearray, got an object of type {type(answer).__name__}")
    if bytes(answer) == good:
        raise Wrong("these bytes are undamaged")
    if len(answer) > 2 * len(good):
        raise Wrong("these are not the test labels: copy files['t10k-labels-idx1-ubyte']")
    if len(answer) < 4 or answer[3] == 0:
        raise Wrong("parse_idx fails on these bytes; the damage is to go unnoticed")
    start = 4 + 4 * answer[3]
    shape = np.frombuffer(answer[4 : start - start % 4], dtype=">u4") if len(answer) > start else ()
    if len(answer) - start != int(np.prod([int(n) for n in shape], dtype=object)):
        raise Wrong("parse_idx raises an error on these bytes; the damage is to go unnoticed")
    elements = np.frombuffer(bytes(answer), np.uint8, offset=start)
    if np.array_equal(elements.reshape([int(n) for n in shape]), labels):
        raise Wrong(
            "parse_idx still returns the right labels: it never looks at the bytes that you changed"
        )


@exercise("01.neighbor")
def neighbor(answer: Any) -> None:
    random = np.random.default_rng(0)
    known = random.integers(0, 256, (60, 784)).astype(np.uint8)
    known[::2] //= 3  # faint ones, so that it matters how much ink a picture has
    labels = random.integers(0, 10, 60).astype(np.uint8)
    order = random.permutation(60)[:25]
    # Differences of up to 60, so that arithmetic on bytes, which wraps around, goes wrong.
    X = np.clip(known[order].astype(int) + random.integers(-60, 61, (25, 784)), 0, 255)
    squares = (known[None].astype(int) - X[:, None]) ** 2  # (25, 60, 784)
    wrapped = (known[None] - X.astype(np.uint8)[:, None]) ** 2
    farthest = squares.sum(axis=2).argmax(axis=1)
    products = X.astype(float) @ known.T.astype(float)  # (25, 60)
    sizes = (known.astype(float) ** 2).sum(axis=1)
    nearest_three = np.argsort(squares.sum(axis=2), axis=1)[:, :3]
    votes = [np.bincount(labels[three], minlength=10).argmax() for three in nearest_three]
    expect_array(
        call(answer, X.astype(np.uint8), known, labels),
        labels[order],
        slips=[
            (order, "these are the indices of the nearest pictures; return their labels"),
            (labels[farthest], "these are the labels of the farthest pictures: argmin, not argmax"),
            (
                labels[wrapped.sum(axis=2).argmin(axis=1)],
                "bytes wrap around: 10 - 20 is 246; convert to float first",
            ),
            (
                labels[products.argmax(axis=1)],
                "the size of k is missing: a picture full of ink wins",
            ),
            (labels[(sizes - products).argmin(axis=1)], "the 2 is missing: |k|² - 2 x·k"),
            (votes, "hand in the one nearest picture, without a vote"),
        ],
    )
