"""Convolution and pooling, written out in numpy: windows of an image, and what is done with them.

Names, argument order and shapes are those of `torch.nn.functional`.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mnist_course.by_hand.inputs import check_floats


def windows(X: np.ndarray, size: int, stride: int = 1) -> np.ndarray:
    """Return every square window of every image, without copying a pixel.

    Shown in: chapter 8.

    Parameters
    ----------
    X : np.ndarray
        ``(B, C, H, W)`` floats.
    size : int
        Height and width of a window, at most those of the image.
    stride : int
        How many pixels one window lies from the next.

    Returns
    -------
    np.ndarray
        ``(B, C, rows, columns, size, size)``, a read-only view of ``X``, where rows is
        ``(H - size) // stride + 1``, and columns the same of W.

    Raises
    ------
    ValueError
        If ``X`` is not finite floats of four axes, or no window fits.
    """
    check_images(X, size, stride)
    views = sliding_window_view(X, (size, size), axis=(2, 3))
    return views[:, :, ::stride, ::stride]


def conv2d(
    X: np.ndarray, W: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """Slide filters over images: at every place the weighted sum of a window, plus a bias.

    As in every library of deep learning the filters are not turned round first, so this is what
    mathematicians call a cross-correlation.

    Shown in: chapter 8.

    Parameters
    ----------
    X : np.ndarray
        ``(B, C, H, W)`` floats.
    W : np.ndarray
        ``(O, C, k, k)``, one filter per output channel.
    b : np.ndarray
        ``(O,)``.
    stride : int
        How many pixels one window lies from the next.
    padding : int
        How many rows and columns of zeros are put around each image.

    Returns
    -------
    np.ndarray
        ``(B, O, rows, columns)``, where rows is ``(H + 2 * padding - k) // stride + 1``, and
        columns the same of W.

    Raises
    ------
    ValueError
        If shapes or types do not fit together, or no window fits.
    """
    check_filters(X, W, b, padding)
    edge = (padding, padding)
    X = np.pad(X, ((0, 0), (0, 0), edge, edge))
    views = windows(X, W.shape[2], stride)  # (B, C, rows, columns, k, k)
    Z = np.einsum("bcuvij,ocij->bouv", views, W)  # (B, O, rows, columns)
    return Z + b[:, None, None]


def max_pool2d(X: np.ndarray, size: int) -> np.ndarray:
    """Keep the largest number of every ``size`` × ``size`` block.

    Shown in: chapter 8.

    Parameters
    ----------
    X : np.ndarray
        ``(B, C, H, W)`` floats.
    size : int
        Height and width of a block; what is left over at the edges is dropped.

    Returns
    -------
    np.ndarray
        ``(B, C, H // size, W // size)``.

    Raises
    ------
    ValueError
        If ``X`` is not finite floats of four axes, or no block fits.
    """
    return windows(X, size, stride=size).max(axis=(4, 5))


def check_images(X: np.ndarray, size: int, stride: int) -> None:
    """Make sure that ``X`` is a batch of images with channels, and that a window fits.

    Parameters
    ----------
    X : object
        What should be ``(B, C, H, W)`` floats.
    size, stride : int
        As in `windows`.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    check_floats(X, "X")
    if X.ndim != 4:
        raise ValueError(
            f"X has the shape {X.shape}, expected (B, C, H, W). A batch of gray images "
            "needs an axis for its one channel: X[:, None]."
        )
    if stride < 1 or not 1 <= size <= min(X.shape[2:]):
        raise ValueError(
            f"a window of size {size} at stride {stride} on images of {X.shape[2]}×{X.shape[3]}: "
            "expected a stride of at least 1 and a window that fits. Images shrink from layer to "
            "layer unless they are padded."
        )


def check_filters(X: np.ndarray, W: np.ndarray, b: np.ndarray, padding: int) -> None:
    """Make sure that filters and biases belong to each other and to the images.

    Parameters
    ----------
    X, W, b : object
        As in `conv2d`.
    padding : int
        As in `conv2d`.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    check_images(X, 1, 1)
    check_floats(W, "W")
    check_floats(b, "b")
    if W.ndim != 4 or W.shape[1] != X.shape[1] or W.shape[2] != W.shape[3]:
        raise ValueError(
            f"the filters have the shape {W.shape} and the images {X.shape[1]} channels; expected "
            f"(O, {X.shape[1]}, k, k): every filter has a square of weights for every channel."
        )
    if b.shape != W.shape[:1]:
        raise ValueError(f"{len(W)} filters need biases of shape {W.shape[:1]}, got {b.shape}.")
    if padding < 0:
        raise ValueError(f"padding={padding}: expected 0 or more rows of zeros on each side.")
