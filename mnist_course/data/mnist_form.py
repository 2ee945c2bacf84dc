"""The last step of MNIST's makers: a box of 20×20 pixels, placed by its center of mass in 28×28.

LeCun et al. (1998, section III.A) scaled each black-and-white digit into a box of 20×20 pixels,
kept its proportions, and placed the box by its center of mass in a field of 28×28. These few lines
do the same. They are specified down to the rounding, because the draw-a-digit page has the same
steps in JavaScript and must arrive at the same pixels.

Taught in: chapter 11, "Your own digit".
"""

import math

import numpy as np

BOX, SIZE = 20, 28
FAINTEST = 0.002  # less ink than half a gray level is paper


def fit_box(ink: np.ndarray, size: int = BOX) -> np.ndarray:
    """Crop to the ink and scale the longer side to ``size`` pixels, keeping the proportions.

    A pixel counts as ink if it holds more than 0.002. With ``long`` and ``short`` the sides of
    the crop, the short side becomes ``(2 * short * size + long) // (2 * long)`` pixels (rounded,
    ties up), at least 1. Each new pixel is the mean of the old ones under it, weighted by how
    much of it each covers. A crop smaller than the box is enlarged by the same rule.

    Parameters
    ----------
    ink : np.ndarray
        ``(H, W)``, 0 for paper, 1 for full ink.
    size : int
        Side of the box.

    Returns
    -------
    np.ndarray
        ``(h, w)`` float64; the larger of ``h`` and ``w`` is ``size``.

    Raises
    ------
    ValueError
        If ``ink`` has not two dimensions, or holds no ink, or NaN.
    """
    ink = np.asarray(ink, np.float64)
    if ink.ndim != 2 or not ink.size or not np.isfinite(ink).all():
        raise ValueError(f"expected finite ink of shape (H, W), got shape {ink.shape}.")
    rows = np.flatnonzero(ink.max(axis=1) > FAINTEST)
    columns = np.flatnonzero(ink.max(axis=0) > FAINTEST)
    if not len(rows):
        raise ValueError("there is no ink: no pixel holds more than 0.002 (is white 1 and not 0?).")
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    long = max(crop.shape)
    height, width = (max(1, (2 * side * size + long) // (2 * long)) for side in crop.shape)
    return overlap(crop.shape[0], height) @ crop @ overlap(crop.shape[1], width).T


def center(box: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Place ``box`` by whole pixels so that its center of mass falls on pixel ``size // 2``.

    With the center of mass at row ``m`` of the box (its rows are numbered 0, 1, 2, ...), the
    first row of the box goes to row ``size // 2 - floor(m + 0.5 + 1e-6)`` of the picture; the
    1e-6 keeps rounding errors from deciding a tie. What would stick out is pushed back in.
    Columns alike. In every MNIST image the center of mass lies between 13.5 and 14.5.

    Parameters
    ----------
    box : np.ndarray
        ``(h, w)`` non-negative, not all 0, no side longer than ``size``.
    size : int
        Side of the picture.

    Returns
    -------
    np.ndarray
        ``(size, size)`` float64.
    """
    box = np.asarray(box, np.float64)
    first = []
    for axis in (0, 1):
        mass = box.sum(axis=1 - axis)  # of each row, then of each column
        middle = float(mass @ np.arange(len(mass)) / mass.sum())
        start = size // 2 - math.floor(middle + 0.5 + 1e-6)
        first.append(min(max(start, 0), size - len(mass)))
    picture = np.zeros((size, size))
    picture[first[0] : first[0] + box.shape[0], first[1] : first[1] + box.shape[1]] = box
    return picture


def to_mnist(ink: np.ndarray) -> np.ndarray:
    """Turn ink of any size into an image as MNIST was made.

    The box of `fit_box` is divided by its largest pixel, so that the darkest becomes 255, and
    placed by `center`; gray levels are ``floor(255 x + 0.5)``. An MNIST image comes back as it is.

    Parameters
    ----------
    ink : np.ndarray
        ``(H, W)``, 0 for paper, 1 for full ink.

    Returns
    -------
    np.ndarray
        ``(28, 28)`` uint8, 0 for paper, 255 for ink.

    Raises
    ------
    ValueError
        If there is no ink.
    """
    box = fit_box(ink)
    return np.floor(255 * center(box / box.max()) + 0.5).astype(np.uint8)


def overlap(num_in: int, num_out: int) -> np.ndarray:
    """Return the matrix that averages ``num_in`` cells into ``num_out`` equally wide ones.

    Parameters
    ----------
    num_in, num_out : int
        How many cells cover the same length before and after.

    Returns
    -------
    np.ndarray
        ``(num_out, num_in)``: which share of each new cell each old one covers; rows sum to 1.
    """
    edges = np.arange(num_out + 1) * num_in / num_out
    old = np.arange(num_in)
    covered = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.clip(covered, 0, None) * num_out / num_in
