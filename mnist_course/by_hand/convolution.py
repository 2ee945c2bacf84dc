"""Convolution and pooling, written out in numpy: windows of an image, and what is done with them.

Names, argument order and shapes are those of `torch.nn.functional`.

Raises ValueError if an argument is not finite floats of the shape that is said, or no window fits.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mnist_course.by_hand.guards import guarded


@guarded(X="B C H W images", stride="stride noted", size="window")
def windows(X: np.ndarray, size: int, stride: int = 1) -> np.ndarray:
    """Return every square window of the images ``(B, C, H, W)``, without copying a pixel.

    Shown in: chapter 9. A read-only view ``(B, C, rows, columns, size, size)``, where rows is
    ``(H - size) // stride + 1``, and columns the same of W.
    """
    views = sliding_window_view(X, (size, size), axis=(2, 3))
    return views[:, :, ::stride, ::stride]


@guarded(X="B C H W images", W="O C k k filters", b="O biases", padding="padding")
def conv2d(
    X: np.ndarray, W: np.ndarray, b: np.ndarray, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """Slide filters over images: at every place the weighted sum of a window, plus a bias.

    Shown in: chapter 9. ``X`` ``(B, C, H, W)`` between ``padding`` zeros, ``W`` ``(O, C, k, k)``
    and ``b`` ``(O,)`` give ``(B, O, rows, columns)``. The filters are not turned round, as in
    every library of deep learning; mathematicians call this a cross-correlation.
    """
    edge = (padding, padding)
    X = np.pad(X, ((0, 0), (0, 0), edge, edge))
    views = windows(X, W.shape[2], stride)  # (B, C, rows, columns, k, k)
    Z = np.einsum("bcuvij,ocij->bouv", views, W)  # (B, O, rows, columns)
    return Z + b[:, None, None]


def max_pool2d(X: np.ndarray, size: int) -> np.ndarray:
    """Keep the largest number of every ``size`` × ``size`` block of ``X`` ``(B, C, H, W)``.

    Shown in: chapter 9. ``(B, C, H // size, W // size)``: what is left over is dropped.
    """
    return windows(X, size, stride=size).max(axis=(4, 5))
