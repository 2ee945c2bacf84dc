"""Photographs of handwritten digits, made to order: pen, paper, light, camera and file.

The photographs of the course are made here and not collected: whoever makes a picture knows the
right answer, and can change one thing at a time. The digits are MNIST's, or drawn stroke by stroke
(`draw_digit`); `make_scene` puts one on paper and photographs it.

Used in: chapter 10, "Your own digit", and in the tests of `photo`.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

Point = tuple[float, float]
Strokes = list[list[Point]]

# How people write: for each digit several styles, each a list of strokes, each stroke a list of
# points (x, y) that a smooth curve runs through; y grows downward, the body fills 0..1. A point
# that is given twice is a corner. The last style of each digit is kept out of tuning.
STYLES: dict[int, list[Strokes]] = {
    0: [
        [[(.5, 0), (.12, .2), (.05, .6), (.35, 1), (.8, .85), (.9, .4), (.5, 0)]],
        [[(.6, .03), (.2, .1), (.02, .5), (.3, .97), (.75, .8), (.85, .35), (.55, .02), (.4, .1)]],
        [[(.5, 0), (.1, .3), (.1, .7), (.5, 1), (.9, .7), (.9, .3), (.5, 0)],
         [(.85, .05), (.12, .97)]],
        [[(.35, .1), (.1, .45), (.3, .95), (.7, .9), (.85, .5), (.7, .05), (.4, .02), (.3, .12)]],
    ],
    1: [
        [[(.5, 0), (.5, .5), (.48, 1)]],
        [[(.2, .28), (.5, 0), (.5, 0), (.5, 1)]],
        [[(.25, .2), (.5, 0), (.5, 0), (.5, 1)], [(.25, 1), (.78, 1)]],
        [[(.1, .42), (.55, 0), (.55, 0), (.55, .5), (.52, 1)]],
    ],
    2: [
        [[(.1, .25), (.3, .02), (.75, .08), (.78, .38), (.4, .75), (.05, 1), (.05, 1), (.9, .97)]],
        [[(.12, .2), (.45, 0), (.8, .2), (.65, .55), (.15, .95), (.1, .8), (.35, .82), (.9, 1)]],
        [[(.1, .1), (.5, 0), (.85, .2), (.6, .6), (.1, 1), (.1, 1), (.5, .93), (.95, 1)]],
        [[(.05, .3), (.35, 0), (.8, .15), (.7, .5), (.1, .98), (.1, .98), (.85, 1)]],
    ],
    3: [
        [[(.1, .1), (.5, 0), (.8, .2), (.4, .46), (.4, .46), (.88, .7), (.5, 1), (.08, .88)]],
        [[(.1, .03), (.85, .03), (.85, .03), (.42, .42), (.42, .42), (.85, .6), (.7, .95),
          (.1, .95)]],
        [[(.15, .15), (.55, .02), (.72, .25), (.35, .45), (.85, .65), (.6, .98), (.1, .85)]],
        [[(.1, .15), (.45, 0), (.8, .15), (.6, .42), (.35, .48), (.75, .55), (.85, .8), (.4, 1),
          (.05, .85)]],
    ],
    4: [
        [[(.3, 0), (.05, .6), (.05, .6), (.9, .58)], [(.65, .25), (.6, 1)]],
        [[(.65, 1), (.65, 0), (.65, 0), (.05, .65), (.05, .65), (.95, .65)]],
        [[(.12, .03), (.1, .5), (.1, .5), (.8, .48)], [(.8, 0), (.75, 1)]],
        [[(.4, .03), (.02, .62), (.02, .62), (.95, .66)], [(.6, .38), (.6, .98)]],
    ],
    5: [
        [[(.8, .02), (.2, .03), (.2, .03), (.15, .45), (.6, .4), (.85, .7), (.5, 1), (.08, .9)]],
        [[(.22, .08), (.18, .45), (.6, .38), (.88, .65), (.6, .97), (.1, .93)],
         [(.22, .05), (.85, 0)]],
        [[(.85, 0), (.25, .0), (.25, 0), (.12, .48), (.12, .48), (.7, .45), (.8, .8), (.4, 1),
          (.05, .85)]],
        [[(.3, .12), (.2, .5), (.2, .5), (.75, .5), (.75, .85), (.35, 1), (.05, .92)],
         [(.33, .04), (.9, .02)]],
    ],
    6: [
        [[(.65, 0), (.25, .3), (.1, .7), (.4, 1), (.8, .8), (.6, .52), (.15, .68)]],
        [[(.45, 0), (.12, .45), (.15, .9), (.55, 1), (.8, .75), (.5, .5), (.12, .7)]],
        [[(.85, .08), (.45, .08), (.1, .5), (.2, .95), (.7, .95), (.8, .65), (.45, .52),
          (.12, .7)]],
        [[(.55, .02), (.2, .5), (.3, .98), (.7, .9), (.65, .6), (.2, .72)]],
    ],
    7: [
        [[(.08, .05), (.85, .03), (.85, .03), (.55, .5), (.4, 1)]],
        [[(.08, .05), (.85, .03), (.85, .03), (.5, .55), (.35, 1)], [(.25, .5), (.8, .47)]],
        [[(.1, .18), (.1, .03), (.1, .03), (.85, .05), (.85, .05), (.5, 1)]],
        [[(.05, .08), (.5, .1), (.9, .02), (.9, .02), (.5, .5), (.3, .98)], [(.2, .55), (.75, .5)]],
    ],
    8: [
        [[(.75, .15), (.4, 0), (.15, .22), (.5, .47), (.82, .75), (.45, 1), (.12, .75), (.5, .47),
          (.8, .2), (.6, .03)]],
        [[(.5, 0), (.2, .2), (.5, .45), (.8, .2), (.5, 0)],
         [(.5, .45), (.1, .72), (.5, 1), (.9, .72), (.5, .45)]],
        [[(.8, .1), (.35, .05), (.25, .35), (.7, .6), (.75, .92), (.3, .98), (.15, .75), (.55, .45),
          (.82, .12)]],
        [[(.7, .12), (.35, .02), (.2, .25), (.75, .7), (.5, 1), (.2, .8), (.75, .25), (.68, .1)]],
    ],
    9: [
        [[(.8, .2), (.45, 0), (.12, .25), (.4, .5), (.8, .25), (.8, .25), (.75, .6), (.6, 1)]],
        [[(.78, .1), (.3, .05), (.15, .4), (.55, .48), (.8, .12), (.8, .12), (.8, .6), (.5, .98),
          (.15, .92)]],
        [[(.5, 0), (.15, .25), (.45, .52), (.82, .28), (.5, 0)], [(.82, .25), (.78, 1)]],
        [[(.75, .15), (.4, .02), (.2, .3), (.5, .45), (.78, .15), (.78, .15), (.7, .6), (.3, 1)]],
    ],
}  # fmt: skip


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
        points = np.array(stroke)
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


# --- what the paper, the light and the camera do ---------------------------------------------


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


def photograph(
    ink: np.ndarray,
    rng: np.random.Generator,
    *,
    paper: tuple[float, float, float] = (1, 1, 1),
    pen: tuple[float, float, float] = (0.08, 0.08, 0.1),
    lines: np.ndarray | None = None,
    line: tuple[float, float, float] = (0.7, 0.78, 0.88),
    light: np.ndarray | float = 1.0,
    blur: float = 0.0,
    noise: float = 0.0,
    grain: float = 0.0,
) -> np.ndarray:
    """Return ``(H, W, 3)`` in 0..1: colored ink on colored paper under uneven light.

    Parameters
    ----------
    ink : np.ndarray
        ``(H, W)`` in 0..1, how much of each pixel the pen covers.
    rng : np.random.Generator
        For noise and grain.
    paper, pen, line : tuple of float
        Colors, red, green and blue in 0..1.
    lines : np.ndarray, optional
        ``(H, W)``, what is printed on the paper.
    light : np.ndarray or float
        ``(H, W)``, how much light falls on each pixel.
    blur, noise, grain : float
        Standard deviations: of the lens in pixels, of the sensor, of the paper.

    Returns
    -------
    np.ndarray
        ``(H, W, 3)`` float in 0..1.
    """
    picture = np.empty((*ink.shape, 3))
    picture[:] = paper
    if grain:
        picture *= 1 + grain * ndimage.gaussian_filter(rng.normal(0, 2.5, ink.shape), 1)[..., None]
    for mask, color in ((lines, line), (ink, pen)):
        if mask is not None:
            picture += mask[..., None] * (np.array(color) - picture)
    picture *= np.broadcast_to(light, ink.shape)[..., None]
    if blur:
        picture = ndimage.gaussian_filter(picture, (blur, blur, 0))
    if noise:
        picture += rng.normal(0, noise, picture.shape)
    return np.clip(picture, 0, 1)


def grid(
    shape: tuple[int, int], spacing: float, thickness: float = 1.5, turn: float = 0.0, *,
    ruled: bool = False, start: tuple[float, float] = (0, 0),
) -> np.ndarray:  # fmt: skip
    """Print lines on a sheet.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the sheet.
    spacing, thickness : float
        In pixels.
    turn : float
        Of the whole, in radians.
    ruled : bool
        Whether to print level lines only, and no squares.
    start : tuple of float
        Where the first lines are.

    Returns
    -------
    np.ndarray
        ``(H, W)``, 1 on a line.
    """
    rows, columns = np.indices(shape).astype(float)
    down = rows * math.cos(turn) + columns * math.sin(turn) - start[0]
    across = columns * math.cos(turn) - rows * math.sin(turn) - start[1]
    lines = np.zeros(shape)
    for position in (down,) if ruled else (down, across):
        distance = np.abs((position + spacing / 2) % spacing - spacing / 2)
        lines = np.maximum(lines, np.clip(thickness / 2 - distance + 0.5, 0, 1))
    return lines


def gradient(shape: tuple[int, int], rng: np.random.Generator, darkest: float = 0.4) -> np.ndarray:
    """Let the light fall off from one side to the other.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the picture.
    rng : np.random.Generator
        Chooses the direction.
    darkest : float
        How much light is left at the far end.

    Returns
    -------
    np.ndarray
        ``(H, W)``, at most 1.
    """
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angle = rng.uniform(0, 2 * math.pi)
    along = (math.cos(angle) * rows + math.sin(angle) * columns) / math.sqrt(2)
    return darkest + (1 - darkest) * (along + 1) / 2


def cast_shadow(
    shape: tuple[int, int], rng: np.random.Generator, depth: float = 0.5, soft: float = 0.01
) -> np.ndarray:
    """Let a hand cast its shadow: a dark region with a curved edge.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the picture.
    rng : np.random.Generator
        Chooses place and curve.
    depth : float
        How much light is missing there.
    soft : float
        How gradually the shadow begins, as a part of the picture.

    Returns
    -------
    np.ndarray
        ``(H, W)``, at most 1.
    """
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    angle = rng.uniform(0, 2 * math.pi)
    along = math.cos(angle) * rows + math.sin(angle) * columns
    across = math.cos(angle) * columns - math.sin(angle) * rows
    edge = (
        along
        + 0.2 * np.sin(rng.uniform(2, 5) * across + rng.uniform(0, 6))
        + rng.uniform(-0.5, 0.5)
    )
    return 1 - depth / (1 + np.exp(-np.clip(edge / soft, -50, 50)))


def on_table(
    picture: np.ndarray, rng: np.random.Generator, dark: float = 0.2, margin: float = 0.15
) -> np.ndarray:
    """Lay the picture, as a sheet and a little turned, on a table.

    Parameters
    ----------
    picture : np.ndarray
        ``(H, W, 3)`` in 0..1.
    rng : np.random.Generator
        For the turn and the wood.
    dark : float
        How bright the table is.
    margin : float
        How much of it is seen around the sheet, as a part of the sheet.

    Returns
    -------
    np.ndarray
        A larger picture.
    """
    height, width = picture.shape[:2]
    pad = [round(margin * s) for s in (height, width)]
    color = dark * np.array([1.0, 0.85, 0.7]) if rng.random() < 0.5 else np.full(3, dark)
    table = np.empty((height + 2 * pad[0], width + 2 * pad[1], 3))
    fibers = ndimage.gaussian_filter(rng.normal(0, 1, table.shape[:2]), (1, 12))
    table[:] = np.clip(color * (1 + 0.4 * fibers[..., None]), 0, 1)
    sheet = np.zeros((*table.shape[:2], 4))
    sheet[pad[0] : pad[0] + height, pad[1] : pad[1] + width, :3] = picture
    sheet[pad[0] : pad[0] + height, pad[1] : pad[1] + width, 3] = 1
    sheet = ndimage.rotate(sheet, rng.uniform(-6, 6), reshape=False, order=1)
    return np.clip(table * (1 - sheet[..., 3:]) + sheet[..., :3], 0, 1)


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


# --- the scenes ------------------------------------------------------------------------------

Source = int | np.ndarray  # a digit to draw, or an image of one
Pixels = np.ndarray
Maker = Callable[["Hand"], Image.Image]
KINDS: dict[str, str] = {}
_MAKERS: dict[str, Maker] = {}


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


def to_image(picture: np.ndarray) -> Image.Image:
    """Turn numbers into a picture that can be saved.

    Parameters
    ----------
    picture : np.ndarray
        ``(H, W)`` or ``(H, W, 3)`` floats in 0..1.

    Returns
    -------
    PIL.Image.Image
        With 8 bits per color.
    """
    return Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8))


def make_scene(
    kind: str, digit: Source, rng: np.random.Generator, *, held_out: bool = False
) -> Image.Image:
    """Photograph a digit.

    Parameters
    ----------
    kind : str
        One of ``KINDS``, which says what each is.
    digit : int or np.ndarray
        A digit to draw, or an image ``(28, 28)`` uint8 of one.
    rng : np.random.Generator
        Decides everything else; the same state gives the same picture.
    held_out : bool
        Whether to draw in the style that is kept out of tuning.

    Returns
    -------
    PIL.Image.Image
        The picture as Pillow opens it, with its mode, orientation and frames.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in _MAKERS:
        raise ValueError(f"There is no scene {kind!r}; choose from {', '.join(KINDS)}.")
    return _MAKERS[kind](Hand(digit, rng, held_out))


def _kind(name: str, what: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        KINDS[name], _MAKERS[name] = what, maker
        return maker

    return register


def _reopened(image: Image.Image, form: str, **options: Any) -> Image.Image:
    """Return ``image`` after it was saved and opened again, as a file would be."""
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return Image.open(file)


@_kind("white on black", "as in MNIST, 28x28")
def _(hand: Hand) -> Image.Image:
    if isinstance(hand.source, np.ndarray) and hand.source.shape == (28, 28):
        return Image.fromarray(hand.source)
    return to_image(place(hand.ink(20, 2.5), (28, 28), (0.5, 0.5)))


@_kind("black on white", "black ink on white paper")
def _(hand: Hand) -> Image.Image:
    return to_image(photograph(hand.sheet(), hand.rng))


@_kind("blue on yellow", "a blue pen on yellow paper")
def _(hand: Hand) -> Image.Image:
    ink = hand.sheet()
    return to_image(photograph(ink, hand.rng, paper=(1, 0.93, 0.45), pen=(0.15, 0.2, 0.7)))


@_kind("red pen", "a red pen on white paper")
def _(hand: Hand) -> Image.Image:
    return to_image(photograph(hand.sheet(), hand.rng, pen=(0.85, 0.1, 0.12), noise=0.01))


@_kind("pencil", "a pencil, pale on white paper")
def _(hand: Hand) -> Image.Image:
    gray = hand.rng.uniform(0.62, 0.75)
    paper = (0.9, 0.9, 0.88)
    return to_image(photograph(hand.sheet(), hand.rng, paper=paper, pen=(gray,) * 3, noise=0.01))


@_kind("small in a corner", "a small digit in a corner of the sheet")
def _(hand: Hand) -> Image.Image:
    ink = hand.ink(int(hand.rng.integers(34, 60)))
    at = ((0.06, 0.94)[int(hand.rng.integers(2))], (0.06, 0.94)[int(hand.rng.integers(2))])
    return to_image(photograph(place(ink, (400, 400), at), hand.rng))


@_kind("transparent", "black strokes on nothing")
def _(hand: Hand) -> Image.Image:
    ink = hand.sheet()
    pixels = np.zeros((*ink.shape, 4), np.uint8)
    pixels[..., 3] = np.rint(255 * ink)
    return _reopened(Image.fromarray(pixels, "RGBA"), "PNG")


@_kind("turned by EXIF", "lies on its side, and says so in its EXIF data")
def _(hand: Hand) -> Image.Image:
    upright = to_image(photograph(hand.sheet(), hand.rng))
    tag, turn = [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180),
                 (8, Image.Transpose.ROTATE_270)][int(hand.rng.integers(3))]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = tag
    return _reopened(upright.transpose(turn), "JPEG", exif=exif, quality=90)


@_kind("16 bits", "a PNG with 16 bits per pixel, of which a camera may use 12")
def _(hand: Hand) -> Image.Image:
    largest = int(hand.rng.choice([65535, 4095]))
    gray = photograph(hand.sheet(), hand.rng)[..., 0]
    return _reopened(Image.fromarray(np.rint(largest * gray).astype(np.uint16)), "PNG")


@_kind("CMYK", "a JPEG in printing colors")
def _(hand: Hand) -> Image.Image:
    return _reopened(to_image(photograph(hand.sheet(), hand.rng)).convert("CMYK"), "JPEG")


@_kind("animated", "a GIF with two frames")
def _(hand: Hand) -> Image.Image:
    first, second = (to_image(photograph(hand.sheet(), hand.rng)) for _ in range(2))
    second = second.resize(first.size)
    return _reopened(first, "GIF", save_all=True, append_images=[second], duration=100)


def _squares(shape: tuple[int, int], rng: np.random.Generator, ruled: bool = False) -> np.ndarray:
    spacing = rng.uniform(0.05, 0.14) * shape[0]
    return grid(shape, spacing, rng.uniform(1, 2.4), rng.normal(0, 0.02), ruled=ruled,
                start=(rng.uniform(0, spacing), rng.uniform(0, spacing)))  # fmt: skip


def _line_color(rng: np.random.Generator) -> tuple[float, float, float]:
    colors = [
        (0.65, 0.75, 0.9),
        (0.75, 0.75, 0.75),
        (0.6, 0.6, 0.6),
        (0.9, 0.7, 0.7),
        (0.6, 0.8, 0.7),
    ]
    return colors[int(rng.integers(len(colors)))]


@_kind("grid paper", "paper with printed squares")
def _(hand: Hand) -> Image.Image:
    ink, rng = hand.sheet(), hand.rng
    lines, line = _squares(ink.shape, rng), _line_color(rng)
    return to_image(photograph(ink, rng, lines=lines, line=line))


@_kind("shadow", "light that falls off to one side")
def _(hand: Hand) -> Image.Image:
    ink = hand.sheet()
    light = gradient(ink.shape, hand.rng, hand.rng.uniform(0.15, 0.4))
    pen = (hand.rng.uniform(0.1, 0.45),) * 3  # in the light, often brighter than paper in the dark
    return to_image(photograph(ink, hand.rng, pen=pen, light=light))


@_kind("grid and shadow", "both at once")
def _(hand: Hand) -> Image.Image:
    ink, rng = hand.sheet(), hand.rng
    lines, line = _squares(ink.shape, rng), _line_color(rng)
    light = gradient(ink.shape, rng, rng.uniform(0.2, 0.5))
    return to_image(photograph(ink, rng, lines=lines, line=line, light=light))


@_kind("dark table", "the sheet lies on a dark table")
def _(hand: Hand) -> Image.Image:
    picture = photograph(hand.sheet(), hand.rng, paper=(0.93, 0.93, 0.9))
    rng = hand.rng
    return to_image(on_table(picture, rng, rng.uniform(0.08, 0.35), rng.uniform(0.05, 0.3)))


@_kind("sensor noise", "a camera at night")
def _(hand: Hand) -> Image.Image:
    noise = hand.rng.uniform(0.05, 0.12)
    return to_image(photograph(hand.sheet(), hand.rng, paper=(0.85,) * 3, noise=noise))


@_kind("thin pen", "a line of 1 to 2 % of the digit's height")
def _(hand: Hand) -> Image.Image:
    pen = hand.rng.uniform(2, 5)
    return to_image(photograph(hand.sheet(0.6, pen), hand.rng, noise=0.005))


@_kind("2:1", "a picture twice as wide as high, or as high as wide")
def _(hand: Hand) -> Image.Image:
    shape = (240, 480) if hand.rng.random() < 0.5 else (480, 240)
    return to_image(photograph(hand.sheet(shape=shape), hand.rng))


@_kind("two digits", "two digits side by side, to be refused")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    side = int(rng.integers(240, 420))
    height = round(rng.uniform(0.3, 0.5) * side)
    first = hand.ink(height)
    second = hand.ink(round(height * rng.uniform(0.8, 1.2)))
    gap = round(rng.uniform(0.12, 0.5) * height)
    down = round(rng.uniform(-0.15, 0.15) * height)
    pair = np.zeros((2 * height + side, first.shape[1] + gap + second.shape[1]))
    pair[side // 2 : side // 2 + first.shape[0], : first.shape[1]] = first
    pair[side // 2 + down : side // 2 + down + second.shape[0], first.shape[1] + gap :] = second
    rows = np.flatnonzero(pair.max(axis=1))
    pair = pair[rows[0] : rows[-1] + 1]
    sheet = place(pair, (max(side, pair.shape[0] + 20), max(side, pair.shape[1] + 20)), (0.5, 0.5))
    return to_image(photograph(sheet, rng))


@_kind("blank", "an empty page, to be refused")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    paper = (1, 1, 1) if rng.random() < 0.5 else (rng.uniform(0.6, 1),) * 3
    noise = rng.choice([0, 0.01, 0.03])
    return to_image(photograph(np.zeros((300, 300)), rng, paper=paper, noise=noise, grain=0.01))


@_kind("blank in shadow", "an empty page under uneven light, to be refused")
def _(hand: Hand) -> Image.Image:
    rng, shape = hand.rng, (300, 300)
    light = gradient(shape, rng) if rng.random() < 0.5 else cast_shadow(shape, rng, soft=0.05)
    return to_image(photograph(np.zeros(shape), rng, light=light, noise=0.01))


@_kind("all one color", "all transparent, all black, or a single pixel, to be refused")
def _(hand: Hand) -> Image.Image:
    return [
        lambda: Image.new("RGBA", (200, 200), (0, 0, 0, 0)),
        lambda: Image.new("L", (200, 200), 0),
        lambda: Image.new("RGB", (1, 1), (255, 255, 255)),
    ][int(hand.rng.integers(3))]()


# What people send: several faults at once.


@_kind("ball pen on pink", "a thin blue line on pink paper, photographed by hand")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.25, 0.8), rng.uniform(3, 8))
    paper = (rng.uniform(0.85, 0.95), rng.uniform(0.55, 0.72), rng.uniform(0.65, 0.78))
    pen = (0.25, 0.27, 0.6) if rng.random() < 0.7 else (0.25, 0.2, 0.25)
    light = gradient(ink.shape, rng, rng.uniform(0.6, 0.9))
    picture = photograph(ink, rng, paper=paper, pen=pen, light=light, blur=rng.uniform(0.5, 1.5),
                         noise=0.015, grain=0.02)  # fmt: skip
    return _reopened(to_image(picture), "JPEG", quality=int(rng.integers(30, 90)))


@_kind("marker on gray", "a thick marker on gray paper or cardboard")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.4, 0.9), rng.uniform(14, 40))
    gray = rng.uniform(0.45, 0.7)
    light = gradient(ink.shape, rng, rng.uniform(0.6, 0.9))
    picture = photograph(ink, rng, paper=(gray, gray, gray * 0.97), pen=(0.15,) * 3, light=light,
                         blur=rng.uniform(0, 1.5), noise=0.02, grain=0.03)  # fmt: skip
    return _reopened(to_image(picture), "JPEG", quality=int(rng.integers(30, 90)))


@_kind("chalk", "light on dark: chalk on a board, or a bright pen on a dark screen")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.4, 0.8), rng.uniform(6, 20))
    board = [(0.12, 0.25, 0.18), (0.1, 0.1, 0.1), (0.1, 0.2, 0.5)][int(rng.integers(3))]
    pen = [(0.9, 0.9, 0.85), (0.95, 0.85, 0.3), (0.6, 0.8, 0.95)][int(rng.integers(3))]
    light = gradient(ink.shape, rng, 0.6)
    return to_image(photograph(ink, rng, paper=board, pen=pen, light=light, noise=0.02, grain=0.1))


@_kind("pixel drawing", "a few dozen pixels, drawn in a paint program")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    side = int(rng.choice([16, 20, 28, 28, 32, 48, 64, 100]))
    pen = max(1.0, rng.uniform(0.04, 0.14) * side)
    size = rng.uniform(0.6, 0.95)
    ink = hand.ink(round(4 * size * side), 4 * pen)
    sheet = place(ink, (4 * side, 4 * side), (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)))
    small = sheet.reshape(side, 4, side, 4).mean(axis=(1, 3))
    if rng.random() < 0.5:
        small = (small > 0.4).astype(float)  # no gray levels
    dark = rng.random() < 0.5
    return _reopened(to_image(small if dark else 1 - small), "PNG")


@_kind("canvas", "white on black, drawn with the mouse in a window of 280 pixels")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.ink(int(rng.integers(120, 260)), rng.uniform(10, 34) if rng.random() < 0.5 else None)
    sheet = place(ink, (280, 280), (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)))
    return _reopened(to_image(sheet), "PNG")


@_kind("tight crop", "cut so close that the digit touches the edges")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.ink(int(rng.integers(60, 300)))
    picture = photograph(ink, rng, paper=(0.85, 0.85, 0.83), pen=(0.2, 0.2, 0.25), noise=0.01)
    cut = [int(rng.integers(0, 3)) for _ in range(4)]
    return to_image(picture[cut[0] : len(picture) - cut[1], cut[2] : picture.shape[1] - cut[3]])


@_kind("shadow of a hand", "a dark region with a rather sharp edge")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.3, 0.7))
    light = cast_shadow(ink.shape, rng, rng.uniform(0.3, 0.65), rng.uniform(0.01, 0.1))
    pen = (0.15, 0.15, 0.2)
    return to_image(photograph(ink, rng, paper=(0.9,) * 3, pen=pen, light=light, noise=0.01))


@_kind("ruled paper", "lines across the sheet and across the digit")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.2, 0.6), rng.uniform(3, 9))
    lines, line = _squares(ink.shape, rng, ruled=True), _line_color(rng)
    light = gradient(ink.shape, rng, rng.uniform(0.5, 0.9))
    return to_image(photograph(ink, rng, pen=(0.15, 0.15, 0.3), lines=lines, line=line, light=light,
                               blur=0.7, noise=0.01))  # fmt: skip


@_kind("edge strip", "a black or white strip along one or two edges, as scanners leave it")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    picture = photograph(hand.sheet(), rng, paper=(0.85,) * 3, noise=0.01)
    for _ in range(int(rng.integers(1, 3))):
        turns = int(rng.integers(4))
        picture = np.rot90(picture, turns).copy()
        picture[: int(rng.uniform(2, 0.12 * len(picture)))] = rng.choice([0.02, 1.0])
        picture = np.rot90(picture, -turns)
    return to_image(picture)


@_kind("broken strokes", "a pen that fails now and then, so that the digit is in pieces")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.ink(220)
    for _ in range(2):
        row, column = rng.uniform(0.2, 0.8, 2) * ink.shape
        turn, rows, columns = rng.uniform(0, math.pi), *np.indices(ink.shape)
        along = (rows - row) * math.cos(turn) + (columns - column) * math.sin(turn)
        near = np.hypot(rows - row, columns - column) < 40
        ink = np.where((np.abs(along) < rng.uniform(2, 6)) & near, 0, ink)
    sheet = place(ink, (320, 320), (rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)))
    return to_image(photograph(sheet, rng, paper=(0.95,) * 3, noise=0.01))


@_kind("specks", "dust, crumbs and dots around the digit")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    sheet = hand.sheet()
    for _ in range(int(rng.integers(5, 30))):
        row, column = (int(rng.integers(0, n)) for n in sheet.shape)
        size = int(rng.integers(1, 5))
        sheet[row : row + size, column : column + size] = 1
    return to_image(photograph(sheet, rng, paper=(0.95,) * 3))


@_kind("finger", "a finger and its shadow reach into the picture")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.3, 0.5), rng.uniform(4, 14), (360, 360))
    picture = photograph(ink, rng, paper=(0.85, 0.84, 0.8), pen=(0.2, 0.2, 0.3), noise=0.01)
    rows, columns = np.indices(ink.shape)
    turns, at, reach, broad = int(rng.integers(4)), rng.uniform(60, 300), rng.uniform(30, 90), 35
    inked = np.argwhere(np.rot90(ink, -turns) > 0.1)
    reach = min(reach, max(10.0, float(inked[:, 0].min()) - 25))
    tip = np.hypot(np.maximum(rows - reach + broad, 0), columns - at)
    finger = np.clip(broad - tip, 0, 1)[..., None]
    shade = 1 - 0.4 / (1 + np.exp((tip - broad - 6) / 4))
    skin = np.array([0.8, 0.58, 0.47]) * (1 - 0.3 * np.clip(tip / broad, 0, 1)[..., None])
    finger, skin, shade = (np.rot90(x, turns) for x in (finger, skin, shade))
    return to_image(picture * shade[..., None] * (1 - finger) + skin * finger)


@_kind("sticky note", "a yellow note on a desk, and the desk in view")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    picture = photograph(hand.sheet(rng.uniform(0.5, 0.8)), rng, paper=(0.98, 0.92, 0.5),
                         pen=(0.1, 0.1, 0.15), noise=0.01)  # fmt: skip
    return to_image(on_table(picture, rng, rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.4)))


@_kind("whiteboard", "a marker on a board that reflects a lamp")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.3, 0.7), rng.uniform(6, 16))
    pen = [(0.1, 0.1, 0.1), (0.1, 0.15, 0.6), (0.75, 0.1, 0.1), (0.1, 0.5, 0.2)][
        int(rng.integers(4))
    ]
    light = gradient(ink.shape, rng, 0.55)
    picture = photograph(
        ink, rng, paper=(0.75, 0.77, 0.8), pen=pen, light=light, blur=1, noise=0.015
    )
    rows, columns = np.indices(ink.shape)
    row, column = rng.uniform(0, 1, 2) * ink.shape
    lamp = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2 / rng.uniform(10, 30) ** 2)
    return to_image(picture + 0.6 * lamp[..., None])


@_kind("8x8", "a handful of gray pixels")
def _(hand: Hand) -> Image.Image:
    ink = hand.ink(160)
    side = max(ink.shape)
    sheet = place(ink, (side, side), (0.5, 0.5))
    small = np.kron(sheet, np.ones((8, 8))).reshape(8, side, 8, side).mean(axis=(1, 3))
    small = np.pad(small, int(hand.rng.integers(0, 2)))
    return to_image(small / small.max() if hand.rng.random() < 0.5 else 1 - small / small.max())


@_kind("whole sheet", "a page of A4, photographed whole, with one small digit on it")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.ink(int(rng.integers(40, 80)), rng.uniform(2.5, 5))
    sheet = place(ink, (1000, 750), (rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)))
    lines = None if rng.random() < 0.5 else grid(sheet.shape, 28, 1.2, 0.004, ruled=True)
    light = gradient(sheet.shape, rng, rng.uniform(0.5, 0.9))
    pen = (0.15, 0.2, 0.5) if rng.random() < 0.5 else (0.2, 0.2, 0.2)
    picture = photograph(sheet, rng, paper=(0.92, 0.92, 0.9), pen=pen, lines=lines, light=light,
                         blur=0.8, noise=0.015)  # fmt: skip
    return _reopened(to_image(picture), "JPEG", quality=int(rng.integers(50, 90)))


@_kind("everything", "a sheet on a table, squares, uneven light, blur, noise, a bad JPEG")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.3, 0.6), shape=(420, 420))
    lines = _squares(ink.shape, rng, ruled=rng.random() < 0.5) if rng.random() < 0.6 else None
    light = gradient(ink.shape, rng, rng.uniform(0.4, 0.8))
    if rng.random() < 0.5:
        light = light * cast_shadow(ink.shape, rng, 0.4, 0.05)
    paper = tuple(rng.uniform(0.8, 1, 3))
    pen = [(0.1, 0.1, 0.1), (0.15, 0.2, 0.55), (0.6, 0.12, 0.12)][int(rng.integers(3))]
    picture = photograph(ink, rng, paper=paper, pen=pen, lines=lines, line=_line_color(rng),
                         light=light, blur=rng.uniform(0.3, 1.5), grain=0.02)  # fmt: skip
    if rng.random() < 0.4:
        picture = on_table(picture, rng, rng.uniform(0.1, 0.35), rng.uniform(0.05, 0.25))
    picture = np.clip(picture + rng.normal(0, rng.uniform(0, 0.03), picture.shape), 0, 1)
    return _reopened(to_image(picture), "JPEG", quality=int(rng.integers(25, 90)))
