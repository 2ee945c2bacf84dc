"""Somebody's hand: digits drawn stroke by stroke, or MNIST's in another size and with another pen.

Used in: chapter 11, "Your own digit", and in `scenes`.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from scipy import ndimage

Strokes = list[list[list[float]]]
Source = int | np.ndarray  # a digit to draw, or an image of one

# How people write: for each digit several styles, each a list of strokes, each stroke a list of
# points [x, y] that a smooth curve runs through; y grows downward, the body fills 0..1. A point
# that is given twice is a corner. The last style of each digit is kept out of tuning.
STYLES: list[list[Strokes]] = json.loads(
    Path(__file__).with_name("strokes.json").read_text(encoding="utf-8")
)


def draw_digit(
    digit: int,
    rng: np.random.Generator,
    *,
    height: int = 200,
    width: float = 0.1,
    style: int | None = None,
    wobble: float = 0.025,
) -> np.ndarray:
    """Write a digit with a round pen.

    Parameters
    ----------
    digit : int
        0..9.
    rng : np.random.Generator
        Where slant, proportions and the unsteadiness of the hand come from.
    height : int
        Of the digit, in pixels.
    width : float
        Of the pen, as a part of the height.
    style : int, optional
        Which entry of ``STYLES[digit]``; drawn from all but the last if None.
    wobble : float
        How far points miss their place, as a part of the height.

    Returns
    -------
    np.ndarray
        ``(H, W)`` float in 0..1, 1 for ink, with a margin of half a pen around.
    """
    if style is None:
        style = int(rng.integers(len(STYLES[digit]) - 1))
    slant, aspect, turn = rng.uniform(-0.1, 0.3), rng.uniform(0.55, 0.85), rng.normal(0, 0.06)
    curves = []
    for stroke in STYLES[digit][style]:
        points = np.array(stroke, float)
        steps = rng.normal(0, wobble, points.shape)
        steps[1:][(points[1:] == points[:-1]).all(axis=1)] = np.nan  # a corner stays a corner
        for k in np.flatnonzero(np.isnan(steps[:, 0])):
            steps[k] = steps[k - 1]
        points = points + steps
        points[:, 0] = aspect * points[:, 0] + slant * (0.5 - points[:, 1])
        cos, sin = math.cos(turn), math.sin(turn)
        curves.append(_smooth(points @ np.array([[cos, sin], [-sin, cos]])))
    pen = width * height * rng.uniform(0.9, 1.1)
    low = np.min([c.min(axis=0) for c in curves], axis=0)
    tall = max(c[:, 1].max() for c in curves) - low[1]
    curves = [(c - low) / tall * height + pen / 2 + 1 for c in curves]
    shape = np.ceil(np.max([c.max(axis=0) for c in curves], axis=0) + pen / 2 + 1).astype(int)[::-1]
    return _ink(curves, pen, (int(shape[0]), int(shape[1])))


def _smooth(points: np.ndarray, num: int = 24) -> np.ndarray:
    """Return a Catmull-Rom curve through ``points`` ``(n, 2)``; repeated points are corners."""
    pieces = []
    for i in range(len(points) - 1):
        p0, p1, p2 = points[max(i - 1, 0)], points[i], points[i + 1]
        p3 = points[min(i + 2, len(points) - 1)]
        if np.array_equal(p1, p2):
            continue
        t = np.linspace(0, 1, num)[:, None]
        m1, m2 = (p2 - p0) / 2, (p3 - p1) / 2
        pieces.append(
            (2 * t**3 - 3 * t**2 + 1) * p1
            + (t**3 - 2 * t**2 + t) * m1
            + (-2 * t**3 + 3 * t**2) * p2
            + (t**3 - t**2) * m2
        )
    return np.concatenate(pieces)


def _ink(curves: list[np.ndarray], pen: float, shape: tuple[int, int]) -> np.ndarray:
    """Return the strokes as ink, by each pixel's distance from the nearest curve."""
    missed = np.ones(shape, bool)
    for curve in curves:
        fine = np.concatenate([np.linspace(a, b, 8) for a, b in itertools.pairwise(curve)])
        columns, rows = np.clip(np.rint(fine).astype(int).T, 0, np.array(shape[::-1])[:, None] - 1)
        missed[rows, columns] = False
    distance = ndimage.distance_transform_edt(missed)
    return np.clip(pen / 2 - distance + 0.5, 0, 1)


def enlarge(image: np.ndarray, height: int, *, sharp: bool = True) -> np.ndarray:
    """Turn a small gray image of a digit into a large one with smooth edges.

    Parameters
    ----------
    image : np.ndarray
        ``(H, W)`` uint8, 0 for paper, such as an MNIST image.
    height : int
        Of the digit in the result, in pixels (its longer side).
    sharp : bool
        Whether edges are about a pixel wide, or as blurred as enlarging makes them.

    Returns
    -------
    np.ndarray
        ``(h, w)`` float in 0..1, cropped to the ink.
    """
    rows, columns = np.flatnonzero(image.max(axis=1)), np.flatnonzero(image.max(axis=0))
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / image.max()
    factor = height / max(crop.shape)
    large = ndimage.zoom(np.pad(crop, 2), factor, order=3 if sharp else 1)
    if not sharp:
        return np.clip(large, 0, 1)
    softness = max(0.5 / factor * 2, 0.05)  # an edge about one pixel wide
    return np.clip((large - 0.45) / softness + 0.5, 0, 1)


def place(ink: np.ndarray, shape: tuple[int, int], where: tuple[float, float]) -> np.ndarray:
    """Put ink on an empty sheet.

    Parameters
    ----------
    ink : np.ndarray
        ``(h, w)`` in 0..1; what is larger than the sheet is cut off.
    shape : tuple of int
        ``(H, W)`` of the sheet.
    where : tuple of float
        Down and across, from (0, 0), the upper left corner, to (1, 1), the lower right one.

    Returns
    -------
    np.ndarray
        ``(H, W)`` float.
    """
    sheet = np.zeros(shape)
    height, width = min(ink.shape[0], shape[0]), min(ink.shape[1], shape[1])
    top, left = (round(w * (s - n)) for w, s, n in zip(where, shape, (height, width), strict=True))
    sheet[top : top + height, left : left + width] = ink[:height, :width]
    return sheet


def skeleton(shape: np.ndarray) -> np.ndarray:
    """Thin a shape to lines one pixel wide (Zhang & Suen, 1984).

    Parameters
    ----------
    shape : np.ndarray
        ``(H, W)`` bool.

    Returns
    -------
    np.ndarray
        ``(H, W)`` bool, connected where ``shape`` is.
    """
    thin = np.pad(np.asarray(shape, bool), 1)
    steps = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            n = [np.roll(thin, step, (0, 1)) for step in steps]  # north, then clockwise
            neighbors = sum(k.astype(np.int8) for k in n)
            turns = sum((~a & b).astype(np.int8) for a, b in zip(n, n[1:] + n[:1], strict=True))
            open_side = ~(n[0] & n[2] & n[4]) if first else ~(n[0] & n[2] & n[6])
            open_side &= ~(n[2] & n[4] & n[6]) if first else ~(n[0] & n[4] & n[6])
            gone = thin & (neighbors >= 2) & (neighbors <= 6) & (turns == 1) & open_side
            changed |= bool(gone.any())
            thin &= ~gone
    return thin[1:-1, 1:-1]


def _slim(ink: np.ndarray, pen: float) -> np.ndarray:
    """Return the same digit written with a pen of ``pen`` pixels: the middle line, thickened."""
    middle = skeleton(ink > 0.5)
    return np.clip(pen / 2 - ndimage.distance_transform_edt(~middle) + 0.5, 0, 1)


class Hand:
    """Somebody who writes one digit, again and again, in any size.

    Parameters
    ----------
    source : int or np.ndarray
        A digit to draw stroke by stroke, or an image of one such as MNIST's.
    rng : np.random.Generator
        Where all that varies comes from.
    held_out : bool
        Whether to draw in the style that is kept out of tuning.
    """

    def __init__(self, source: Source, rng: np.random.Generator, held_out: bool = False) -> None:
        self.source, self.rng = source, rng
        self.style = -1 if held_out else None
        self.sharp = bool(rng.random() < 0.6)

    def ink(self, height: int, pen: float | None = None) -> np.ndarray:
        """Return ``(h, w)`` ink of a digit ``height`` pixels tall, in a pen of ``pen``."""
        if isinstance(self.source, np.ndarray):
            if pen is None:
                return enlarge(self.source, height, sharp=self.sharp)
            return _slim(enlarge(np.pad(self.source, 2), height), pen)
        width = self.rng.uniform(0.07, 0.16) if pen is None else pen / height
        return draw_digit(self.source, self.rng, height=height, width=width, style=self.style)

    def sheet(
        self, size: float = 0.6, pen: float | None = None, shape: tuple[int, int] | None = None
    ) -> np.ndarray:
        """Return ``(H, W)`` ink of a digit somewhere on a sheet, ``size`` of its height tall."""
        rng = self.rng
        shape = shape or (int(rng.integers(220, 420)),) * 2
        ink = self.ink(max(8, round(size * min(shape))), pen)
        return place(ink, shape, (rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)))
