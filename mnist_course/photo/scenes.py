"""Photographs of handwritten digits, made to order: pen, paper, light, camera and file.

The photographs of the course are made here and not collected: whoever makes a picture knows the
right answer, and can change one thing at a time. The digits are MNIST's, or drawn stroke by stroke
(`handwriting`); `make_scene` puts one on paper and photographs it. The kinds are those that
chapter 11 shows; the tests have more.

Used in: chapter 11, "Your own digit".
"""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_course.photo.handwriting import Hand, Source, place

# --- what the paper, the light and the camera do ---------------------------------------------


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


# --- the scenes ------------------------------------------------------------------------------

# Ranges of pens, colors, light and sizes are set by eye: guesses at what people send. Shadows are
# so deep that no single threshold reads them all.

Maker = Callable[[Hand], Image.Image]
KINDS: dict[str, str] = {}
MAKERS: dict[str, Maker] = {}


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
    if kind not in MAKERS:
        raise ValueError(f"There is no scene {kind!r}; choose from {', '.join(KINDS)}.")
    return MAKERS[kind](Hand(digit, rng, held_out))


def _kind(name: str, what: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        KINDS[name], MAKERS[name] = what, maker
        return maker

    return register


def reopened(image: Image.Image, form: str, **options: Any) -> Image.Image:
    """Return an image after it was saved and opened again, as a file would be.

    Parameters
    ----------
    image : PIL.Image.Image
        Any that the format can hold.
    form : str
        Pillow's name of the format.
    **options
        For Pillow.

    Returns
    -------
    PIL.Image.Image
        As Pillow opens it.
    """
    file = io.BytesIO()
    image.save(file, form, **options)
    file.seek(0)
    return Image.open(file)


@_kind("black on white", "black ink on white paper")
def _(hand: Hand) -> Image.Image:
    return to_image(photograph(hand.sheet(), hand.rng))


@_kind("small in a corner", "a small digit in a corner of the sheet")
def _(hand: Hand) -> Image.Image:
    ink = hand.ink(int(hand.rng.integers(34, 60)))
    at = ((0.06, 0.94)[int(hand.rng.integers(2))], (0.06, 0.94)[int(hand.rng.integers(2))])
    return to_image(photograph(place(ink, (400, 400), at), hand.rng))


def squares(shape: tuple[int, int], rng: np.random.Generator, ruled: bool = False) -> np.ndarray:
    """Print squares, or lines, as one sheet of paper or another has them.

    Parameters
    ----------
    shape : tuple of int
        ``(H, W)`` of the sheet.
    rng : np.random.Generator
        For their width, distance, turn and place.
    ruled : bool
        Whether to print level lines only, and no squares.

    Returns
    -------
    np.ndarray
        ``(H, W)``, 1 on a line.
    """
    spacing = rng.uniform(0.05, 0.14) * shape[0]
    return grid(shape, spacing, rng.uniform(1, 2.4), rng.normal(0, 0.02), ruled=ruled,
                start=(rng.uniform(0, spacing), rng.uniform(0, spacing)))  # fmt: skip


def line_color(rng: np.random.Generator) -> tuple[float, float, float]:
    """Return a color that lines are printed in.

    Parameters
    ----------
    rng : np.random.Generator
        Chooses.

    Returns
    -------
    tuple of float
        Red, green and blue in 0..1.
    """
    colors = [
        (0.65, 0.75, 0.9),
        (0.75, 0.75, 0.75),
        (0.6, 0.6, 0.6),
        (0.9, 0.7, 0.7),
        (0.6, 0.8, 0.7),
    ]
    return colors[int(rng.integers(len(colors)))]


@_kind("shadow", "light that falls off to one side")
def _(hand: Hand) -> Image.Image:
    ink = hand.sheet()
    light = gradient(ink.shape, hand.rng, hand.rng.uniform(0.15, 0.4))
    pen = (hand.rng.uniform(0.1, 0.45),) * 3  # in the light, often brighter than paper in the dark
    return to_image(photograph(ink, hand.rng, pen=pen, light=light))


@_kind("grid and shadow", "both at once")
def _(hand: Hand) -> Image.Image:
    ink, rng = hand.sheet(), hand.rng
    lines, line = squares(ink.shape, rng), line_color(rng)
    light = gradient(ink.shape, rng, rng.uniform(0.2, 0.5))
    return to_image(photograph(ink, rng, lines=lines, line=line, light=light))


@_kind("dark table", "the sheet lies on a dark table")
def _(hand: Hand) -> Image.Image:
    picture = photograph(hand.sheet(), hand.rng, paper=(0.93, 0.93, 0.9))
    rng = hand.rng
    return to_image(on_table(picture, rng, rng.uniform(0.08, 0.35), rng.uniform(0.05, 0.3)))


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


@_kind("ball pen on pink", "a thin blue line on pink paper, photographed by hand")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.25, 0.8), rng.uniform(3, 8))
    paper = (rng.uniform(0.85, 0.95), rng.uniform(0.55, 0.72), rng.uniform(0.65, 0.78))
    pen = (0.25, 0.27, 0.6) if rng.random() < 0.7 else (0.25, 0.2, 0.25)
    light = gradient(ink.shape, rng, rng.uniform(0.6, 0.9))
    picture = photograph(ink, rng, paper=paper, pen=pen, light=light, blur=rng.uniform(0.5, 1.5),
                         noise=0.015, grain=0.02)  # fmt: skip
    return reopened(to_image(picture), "JPEG", quality=int(rng.integers(30, 90)))
