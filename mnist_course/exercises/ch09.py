"""What the checks of chapter 9, "Images are not vectors", accept."""

from typing import Any

import numpy as np

from mnist_course.by_hand.convolution import conv2d, windows
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


@exercise("09.places")
def places(answer: Any) -> None:
    for n, k, p, s in ((28, 5, 0, 1), (28, 5, 2, 1), (28, 5, 2, 2), (7, 3, 0, 2), (9, 2, 1, 4)):
        right = (n + 2 * p - k) // s + 1
        expect_number(
            call(answer, n, k, p, s),
            right,
            rtol=0,
            slips=[
                ((n + 2 * p - k) / s + 1, "round down: a step that does not fit is not made"),
                ((n + 2 * p - k) // s, "one more: the place where the window begins"),
                ((n + p - k) // s + 1, "the padding is on both sides"),
                ((n - k) // s + 1, "the padding is missing"),
                (n + 2 * p - k + 1, "the stride is missing"),
            ],
        )


@exercise("09.pool")
def pool(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for shape in ((4, 6), (2, 2), (8, 4)):
        Z = rng.normal(-1, 1, size=shape)
        blocks = Z.reshape(shape[0] // 2, 2, shape[1] // 2, 2)
        expect_array(
            call(answer, Z),
            blocks.max(axis=(1, 3)),
            slips=[
                (blocks.mean(axis=(1, 3)), "that is the mean of each block; keep the largest"),
                (Z[::2, ::2], "that is one corner of each block; keep the largest of the four"),
                (np.maximum(blocks.max(axis=(1, 3)), 0), "a block may be negative all over"),
                (blocks.sum(axis=(1, 3)), "that is the sum of each block; keep the largest"),
                (np.abs(blocks).max(axis=(1, 3)), "the largest number, not the largest size"),
            ],
        )


in_data("09.size", "09.lenet", "09.count", "09.frame", "09.unpooled")


def _correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide one kernel over one picture."""
    return conv2d(image[None, None], kernel[None, None], np.zeros(1))[0, 0]


@exercise("09.merge")
def merge(answer: Any) -> None:
    rng = np.random.default_rng(8)
    for sizes in ((3, 3), (3, 5), (2, 3)):
        first, second = (rng.normal(size=(k, k)) for k in sizes)
        size = sum(sizes) - 1
        expected = np.zeros((size, size))
        for (i, j), weight in np.ndenumerate(second):
            expected[i : i + sizes[0], j : j + sizes[0]] += weight * first
        padded = np.pad(first, sizes[1] - 1)
        slips = [
            (expected[::-1, ::-1], "that is the merged kernel turned by 180 degrees"),
            (_correlate(padded, second), "the one kernel has to be turned before it slides"),
            (_correlate(padded, second)[::-1, ::-1], "only one kernel is turned, not the result"),
        ]
        if sizes[0] == sizes[1]:
            plain = "two layers in a row are no sum and no product of weights; the result is larger"
            slips += [(first + second, plain), (first * second, plain), (first @ second, plain)]
        expect_array(call(answer, first, second), expected, slips=slips)


def _pixel_gradient(dZ: np.ndarray, X: np.ndarray, W: np.ndarray, flip: bool) -> np.ndarray:
    """Add up what every pixel got through every place of the kernel, or of the turned one."""
    k, dX = W.shape[-1], np.zeros_like(X)
    for i, j in np.ndindex(k, k):
        weight = W[:, :, k - 1 - i, k - 1 - j] if flip else W[:, :, i, j]
        part = np.einsum("bors,oc->bcrs", dZ, weight)
        dX[:, :, i : i + dZ.shape[2], j : j + dZ.shape[3]] += part
    return dX


@exercise("09.gradient")
def gradient(answer: Any) -> None:
    rng = np.random.default_rng(88)
    for batch, channels, filters, k in ((2, 3, 4, 3), (1, 1, 1, 2), (3, 2, 5, 1)):
        X = rng.normal(size=(batch, channels, 6, 7))
        W = rng.normal(size=(filters, channels, k, k))
        dZ = rng.normal(size=(batch, filters, 7 - k, 8 - k))
        got = call(answer, dZ, X, W)
        if not isinstance(got, (tuple, list)) or len(got) != 3:
            raise Wrong("return three things: dX, dW and db")
        dX, unturned = _pixel_gradient(dZ, X, W, flip=False), _pixel_gradient(dZ, X, W, flip=True)
        dW = np.einsum("bors,bcrsij->ocij", dZ, windows(X, k))
        mean = "the mean over the batch is in dZ already; add up"
        dX_slips = [(unturned, "turn the kernel by 180 degrees"), (dX / batch, mean)]
        dW_slips = [
            (dW / batch, mean),
            (dW[:, :, ::-1, ::-1], "here nothing is turned"),
            (dW.transpose(1, 0, 2, 3), "W has one row per output channel: (O, C, k, k)"),
        ]
        db_slips = [
            (dZ.mean(axis=(0, 2, 3)), "a bias acts at every place: add up, no mean"),
            (dZ.sum(axis=0), "one number per filter: add over the places, too"),
            (dZ.sum(axis=(2, 3)), "add over the batch, too"),
        ]
        right = {"dX": dX, "dW": dW, "db": dZ.sum(axis=(0, 2, 3))}
        all_slips = (dX_slips, dW_slips, db_slips)
        for (name, expected), slips, value in zip(right.items(), all_slips, got, strict=True):
            try:
                expect_array(value, expected, slips=slips)
            except Wrong as wrong:
                raise Wrong(f"{name}: {wrong}") from None


def _shuffled_pixels() -> np.ndarray:
    """Return smooth pictures ``(300, 64)`` whose pixels have lost their places; 5 and 40 rest."""
    rng = np.random.default_rng(808)
    images = rng.normal(size=(300, 9, 9))
    smooth = images[:, :-1, :-1] + images[:, 1:, :-1] + images[:, :-1, 1:] + images[:, 1:, 1:]
    pixels = smooth.reshape(300, 64) * rng.uniform(0.2, 5.0, 64) + rng.normal(size=64)
    pixels = pixels[:, rng.permutation(64)]
    pixels[:, [5, 40]] = [0.0, 2.5]
    pixels[:, 10] = 0.3 * rng.normal(size=300) - pixels[:, 11]  # dark where the other is light
    return pixels


ALIVE = np.setdiff1d(np.arange(64), [5, 40])  # the pixels that change


def _partners(picked: np.ndarray) -> np.ndarray:
    """Return a partner for each of the 64 pixels: the picked one of those that are alive, or -1."""
    table = np.full(64, -1)
    table[ALIVE] = ALIVE[picked]
    return table


def _of_the_constant(expected: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Return what comes of pixels that never change, whose correlations are NaN."""
    short, blank = expected.copy(), expected.copy()
    short[[5, 40]], blank[40] = 0, 0
    constant = np.isin(np.arange(64), [5, 40])
    nan = "argmax takes NaN for the largest: leave the pixels that never change out first"
    return [
        (short, "a pixel that never changes has no partner: -1"),
        (np.where(constant, 0, 5), nan),
        (np.where(constant, -1, 5), nan),
        (blank, "a pixel may stay the same at another value than 0: look at its spread"),
        (
            np.where(constant, -1, np.searchsorted(ALIVE, expected)),
            "you left the constant pixels out and did not count them: number all of them",
        ),
    ]


@exercise("09.neighbors")
def neighbors(answer: Any) -> None:
    pixels = _shuffled_pixels()
    correlation, covariance = np.corrcoef(pixels[:, ALIVE].T), np.cov(pixels[:, ALIVE].T)
    least, itself = _partners(correlation.argmin(axis=1)), _partners(np.arange(62))
    for table in (correlation, covariance):
        np.fill_diagonal(table, -np.inf)
    expected = _partners(correlation.argmax(axis=1))
    plain = _partners(covariance.argmax(axis=1))
    diagonal = "every pixel is most correlated with itself; leave the diagonal out"
    got = as_array(call(answer, pixels))
    if got.shape == (300,):
        raise Wrong(
            "that is one number per picture; np.corrcoef takes one row per pixel, so transpose"
        )
    if got.dtype.kind not in "iu" and got.shape == (64,) and not (got == got.round()).all():
        raise Wrong("return whole numbers, the index of a pixel for each pixel")
    expect_array(
        got,
        expected,
        atol=0,
        rtol=0,
        slips=[
            (itself, diagonal),
            (np.where(itself < 0, 0, itself), diagonal),
            (np.arange(64), diagonal),
            (least, "that is the least correlated one"),
            (plain, "that is the covariance: divide by both standard deviations"),
            *_of_the_constant(expected),
        ],
    )
