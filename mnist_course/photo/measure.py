"""Small measures of a picture that several steps of its preparation take."""

import math

import numpy as np

from mnist_course.data.mnist_form import overlap

WORK = 512  # the longer side of the picture in which the digit is looked for
SQUARE = np.ones((3, 3), bool)


def resized(rgb: np.ndarray, side: int) -> np.ndarray:
    """Shrink to a longer side of ``side``, or enlarge what is smaller than a third of it.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` in 0..1.
    side : int
        In pixels.

    Returns
    -------
    np.ndarray
        ``(H', W', 3)`` in 0..1.
    """
    from scipy import ndimage

    height, width = rgb.shape[:2]
    long = max(height, width)
    if long > side:
        down, across = (max(1, round(n * side / long)) for n in (height, width))
        rows = overlap(height, down).astype(np.float32)
        columns = overlap(width, across).astype(np.float32)
        colors = [np.ascontiguousarray(rgb[..., c]) for c in range(3)]
        return np.stack([rows @ color @ columns.T for color in colors], axis=2)
    factor = math.ceil(side / 3 / long)
    if factor == 1:
        return rgb
    large = ndimage.zoom(rgb, (factor, factor, 1), order=3, mode="nearest", grid_mode=True)
    return np.clip(large, 0, 1)


def without_noise(rgb: np.ndarray) -> np.ndarray:
    """Blur as much as the noise asks for, which is measured from pixel to pixel.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` in 0..1.

    Returns
    -------
    np.ndarray
        ``(H, W, 3)``; ``rgb`` itself if there is hardly any noise.
    """
    from scipy import ndimage

    # 0.004, 0.02 and the bounds were tuned on scenes, see `ink`.
    fine = ndimage.convolve(rgb.mean(axis=2), np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6)
    noise = spread_of(fine[::3, ::3])
    if noise < 0.004:
        return rgb
    blur = float(np.clip(noise / 0.02, 0.6, 2.0))
    return ndimage.gaussian_filter(rgb, (blur, blur, 0))


def spread_of(values: np.ndarray) -> float:
    """Return the standard deviation of most of the values, whatever the rest is (by the median).

    Parameters
    ----------
    values : np.ndarray
        Of any shape.

    Returns
    -------
    float
        1.4826 times the median distance from the median: of normal values, their deviation.
    """
    # So does scipy.stats.median_abs_deviation, and importing that doubles the time of `predict`.
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def slope_of(values: np.ndarray) -> np.ndarray:
    """Return how steeply values change from pixel to pixel.

    Parameters
    ----------
    values : np.ndarray
        ``(H, W)``.

    Returns
    -------
    np.ndarray
        ``(H, W)``, the length of the gradient, a little blurred.
    """
    from scipy import ndimage

    return ndimage.gaussian_gradient_magnitude(values, 1)


def best_cut(ink: np.ndarray) -> float:
    """Return the best cut between paper and ink (Otsu, 1979), counted where the two meet.

    Parameters
    ----------
    ink : np.ndarray
        ``(H, W)``, 0 for paper.

    Returns
    -------
    float
        What is above is ink; 0 if there is none.
    """
    top = float(ink.max())
    if top <= 0:
        return 0.0
    # The power 1.5 was tuned on scenes, see `ink`.
    count, edges = np.histogram(ink, 128, (0, top), weights=slope_of(ink) ** 1.5)
    value = (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(count), np.cumsum(count[::-1])[::-1]
    mean_below = np.cumsum(count * value) / np.maximum(below, 1e-12)
    mean_above = np.cumsum((count * value)[::-1])[::-1] / np.maximum(above, 1e-12)
    between = below[:-1] * above[1:] * (mean_above[1:] - mean_below[:-1]) ** 2
    return float(edges[1 + int(between.argmax())])


def distance(shape: np.ndarray) -> np.ndarray:
    """Return how far each pixel of ``shape`` is from what is outside of it.

    Parameters
    ----------
    shape : np.ndarray
        ``(H, W)`` bool.

    Returns
    -------
    np.ndarray
        ``(H, W)`` float, 0 outside; the rim of the picture does not count as outside.
    """
    from scipy import ndimage

    return ndimage.distance_transform_edt(np.pad(shape, 1, "edge"))[1:-1, 1:-1]


def extent(shape: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first row of a shape and the one after its last, and its columns alike.

    Parameters
    ----------
    shape : np.ndarray
        ``(H, W)`` bool, not all False.

    Returns
    -------
    tuple
        (top, bottom), (left, right).
    """
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def box_around(shape: np.ndarray, margin: float) -> tuple[tuple[slice, slice], int]:
    """Return the slices of a box around a shape, wider by a part of its longer side; and that.

    Parameters
    ----------
    shape : np.ndarray
        ``(H, W)`` bool, not all False.
    margin : float
        As a part of the longer side; at least 3 pixels.

    Returns
    -------
    tuple
        The slices of rows and columns, and the longer side of the shape in pixels.
    """
    (top, bottom), (left, right) = extent(shape)
    long = max(bottom - top, right - left)
    more = max(3, round(margin * long))
    rows = slice(max(0, top - more), bottom + more)
    return (rows, slice(max(0, left - more), right + more)), long
