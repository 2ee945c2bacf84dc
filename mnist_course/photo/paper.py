"""What is not the digit: strips along the edges, the table under the sheet, printed lines.

The numbers below were tuned by hand on scenes of our own making, as those of `ink` were (what was
kept out of that is told there).
"""

import math

import numpy as np

from mnist_course.photo.measure import SQUARE, WORK, best_cut


def without_strips(rgb: np.ndarray) -> tuple[slice, slice]:
    """Return what is left of the rows and columns without strips of one color along the edges.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` float32 in 0..1.

    Returns
    -------
    tuple of slice
        Of rows and columns.
    """
    # All differences and shares were tuned on scenes.
    step = max(1, max(rgb.shape) // WORK)
    if min(rgb.shape[:2]) < 60:
        return slice(None), slice(None)
    gray = rgb[::step, ::step].mean(axis=2)
    kept = []
    for lines in (gray, gray.T):
        middle = np.median(lines, axis=1)
        alike = np.abs(lines - middle[:, None]) < 0.1
        even = (alike.mean(axis=1) > 0.95) & alike[:, 0] & alike[:, -1]
        most = len(lines) // 4
        ends = []
        for m, e in ((middle, even), (middle[::-1], even[::-1])):
            length = int(np.argmin(np.append(e[:most] & (np.abs(m[:most] - m[0]) < 0.1), False)))
            jump = abs(m[length - 1] - m[min(length + 2, len(m) - 1)]) > 0.12 if length else False
            # Empty paper above a straight bar is no strip: it has the color of most of the picture.
            other = abs(m[0] - np.median(gray)) > 0.12
            ends.append(length + 2 if jump and other else 0)
        kept.append(slice(ends[0] * step, (len(lines) - ends[1]) * step))
    return kept[0], kept[1]


def with_margin(rgb: np.ndarray) -> np.ndarray:
    """Put a drawing of few pixels on a larger sheet of the color that prevails along its rim.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` float32 in 0..1.

    Returns
    -------
    np.ndarray
        ``(H', W', 3)`` float32, an eighth of the longer side more on every side.
    """
    rim = np.concatenate([rgb[0], rgb[-1], rgb[1:-1, 0], rgb[1:-1, -1]])
    height, width = rgb.shape[:2]
    more = math.ceil(max(height, width) / 8)
    larger = np.empty((height + 2 * more, width + 2 * more, 3), np.float32)
    larger[:] = np.median(rim, axis=0)
    larger[more : more + height, more : more + width] = rgb
    return larger


def off_the_sheet(rgb: np.ndarray) -> np.ndarray | None:
    """Return what is not paper, ``(H, W)`` bool, if the picture shows a sheet on a dark table.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` float32 in 0..1.

    Returns
    -------
    np.ndarray or None
        None if there is no table around a sheet.
    """
    from scipy import ndimage

    height, width = rgb.shape[:2]
    step = max(1, max(height, width) // 256)
    if min(height, width) < 120:  # a drawing of few pixels, and no photo of a table
        return None
    gray = ndimage.gaussian_filter(rgb[::step, ::step].mean(axis=2), 1)
    cut = best_cut(gray)
    above = cut + best_cut(np.clip(gray - cut, 0, None))  # the table may be lighter than the ink
    # Levels and shares were tuned on scenes.
    for level in (cut, above, 0.8 * cut, 0.6 * cut):  # and hardly darker than a shadow
        label, count = ndimage.label(gray > level)
        if not count:
            continue
        sheet = label == 1 + int(np.argmax(np.bincount(label.ravel())[1:]))
        filled = ndimage.binary_fill_holes(sheet)
        written = 1 - float(sheet.sum()) / float(filled.sum())  # more: a frame, or a large light 0
        if 0.1 < filled.mean() < 0.97 and is_sheet(sheet) and written < 0.4:
            break
    else:
        return None
    inner = ndimage.binary_erosion(filled, SQUARE, iterations=3)
    if not inner.any():
        return None
    return ~np.kron(inner, np.ones((step, step), bool))[:height, :width]


def is_sheet(shape: np.ndarray) -> bool:
    """Whether a shape is a rectangle with something in it: paper, and not ink.

    Parameters
    ----------
    shape : np.ndarray
        ``(H, W)`` bool.

    Returns
    -------
    bool
        True for paper.
    """
    from scipy import ndimage

    # Shares and angles were tuned on scenes: 3 % is written on, 88 % of a turned box is filled.
    filled = ndimage.binary_fill_holes(shape)
    area = int(filled.sum())
    if area < 1.03 * shape.sum():
        return False
    rows, columns = np.nonzero(filled & ~ndimage.binary_erosion(filled))
    angles = np.linspace(-0.3, 0.3, 13)
    along = np.outer(np.cos(angles), rows) + np.outer(np.sin(angles), columns)
    across = np.outer(np.cos(angles), columns) - np.outer(np.sin(angles), rows)
    boxes = (np.ptp(along, axis=1) + 1) * (np.ptp(across, axis=1) + 1)
    return bool(area > 0.88 * boxes.min())


def painted_over(work: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return ``work`` with the table in the color of the nearest paper.

    Parameters
    ----------
    work : np.ndarray
        ``(H, W, 3)`` in 0..1.
    table : np.ndarray
        Bool, what is not paper; it may be larger than ``work``, and is shrunk to it.

    Returns
    -------
    np.ndarray
        ``(H, W, 3)``.
    """
    from scipy import ndimage

    rows, columns = (np.arange(n) * m // n for n, m in zip(work.shape, table.shape, strict=False))
    table = table[np.ix_(rows, columns)]
    nearest = ndimage.distance_transform_edt(table, return_distances=False, return_indices=True)
    return work[tuple(nearest)]


def without_lines(ink: np.ndarray) -> np.ndarray:
    """Take printed lines out of the ink: what runs from side to side or from top to bottom.

    Parameters
    ----------
    ink : np.ndarray
        ``(H, W)``, 0 for paper.

    Returns
    -------
    np.ndarray
        ``(H, W)``, nowhere more than ``ink``.
    """
    return _without_rows(_without_rows(ink).T).T


def _without_rows(ink: np.ndarray, block: int = 8) -> np.ndarray:
    """Take out lines that run from side to side, level or a little sloped."""
    # All numbers were tuned on scenes.
    height, width = ink.shape
    num = width // block
    if num < 8 or height < 32:
        return ink
    strips = ink[:, : num * block].reshape(height, num, block).mean(axis=2)  # (H, num)
    capped = np.minimum(strips, np.percentile(strips, 95) + 0.02)
    rows, places = np.arange(height)[:, None], (np.arange(num) + 0.5) * block - width / 2

    def leveled(values: np.ndarray, slope: float, at: np.ndarray) -> np.ndarray:
        index = np.clip(rows + np.rint(slope * at).astype(int), 0, height - 1)
        return np.take_along_axis(values, index, axis=0)

    slopes = np.linspace(-0.08, 0.08, 33)
    profiles = [leveled(capped, s, places).mean(axis=1) for s in slopes]
    slope = float(slopes[np.argmax([(np.diff(p) ** 2).sum() for p in profiles])])
    # A line is inked over three quarters of the way, much more than the rows around it.
    level = np.percentile(leveled(strips, slope, places), 25, axis=1)
    padded = np.pad(level, 10, "edge")
    level = level - np.median(np.lib.stride_tricks.sliding_window_view(padded, 21), axis=1)
    usual = 1.4826 * float(np.median(np.abs(level)))
    inked = level > max(4 * usual, 0.02)
    inked[1:-1] |= (inked[:-2] | inked[2:]) & (level > 0.01)[1:-1]
    change = np.diff(np.concatenate([[0], inked.astype(int), [0]]))
    starts, ends = np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist()
    lines = list(zip(starts, ends, strict=True))
    lines = [(a, b) for a, b in lines if b - a <= max(3, 0.02 * height)]
    if len(lines) < 2:  # a single one may be the digit 1
        return ink
    columns = np.arange(width) - width / 2
    straight = leveled(ink, slope, columns)
    for start, end in lines:
        top, bottom = max(start - 2, 0), min(end + 1, height - 1)
        share = np.linspace(0, 1, bottom - top + 1)[1:-1, None]
        patch = (1 - share) * straight[top] + share * straight[bottom]
        band = straight[top + 1 : bottom]
        printed = band < 1.7 * level[start:end].max() + 0.03  # what is darker was written
        straight[top + 1 : bottom] = np.where(printed, np.minimum(band, patch), band)
    return np.minimum(ink, leveled(straight, -slope, columns))
