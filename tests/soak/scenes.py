"""All kinds of photographs that the preparation of pictures is measured on.

Chapter 11 shows eleven of them; `mnist_course.photo.scenes` makes those, and tells how. The others
are made here. Used in: the tests of pictures and ``benchmarks.photos``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from mnist_course.photo import scenes
from mnist_course.photo.handwriting import Hand, Source, place
from mnist_course.photo.scenes import (
    Maker,
    cast_shadow,
    gradient,
    grid,
    line_color,
    on_table,
    photograph,
    reopened,
    squares,
    to_image,
)

KINDS: dict[str, str] = {}  # in the order of the table in the book, which seeds depend on
MAKERS: dict[str, Maker] = {}


def make_scene(
    kind: str, digit: Source, rng: np.random.Generator, *, held_out: bool = False
) -> Image.Image:
    """Photograph a digit, as `mnist_course.photo.scenes.make_scene` does, in any of ``KINDS``."""
    if kind not in MAKERS:
        raise ValueError(f"There is no scene {kind!r}; choose from {', '.join(KINDS)}.")
    return MAKERS[kind](Hand(digit, rng, held_out))


def _kind(name: str, what: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        KINDS[name], MAKERS[name] = what, maker
        return maker

    return register


def _of_chapter_10(*names: str) -> None:
    for name in names:
        KINDS[name], MAKERS[name] = scenes.KINDS[name], scenes.MAKERS[name]


@_kind("white on black", "as in MNIST, 28x28")
def _(hand: Hand) -> Image.Image:
    if isinstance(hand.source, np.ndarray) and hand.source.shape == (28, 28):
        return Image.fromarray(hand.source)
    return to_image(place(hand.ink(20, 2.5), (28, 28), (0.5, 0.5)))


_of_chapter_10("black on white")


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


_of_chapter_10("small in a corner")


@_kind("transparent", "black strokes on nothing")
def _(hand: Hand) -> Image.Image:
    ink = hand.sheet()
    pixels = np.zeros((*ink.shape, 4), np.uint8)
    pixels[..., 3] = np.rint(255 * ink)
    return reopened(Image.fromarray(pixels, "RGBA"), "PNG")


@_kind("turned by EXIF", "lies on its side, and says so in its EXIF data")
def _(hand: Hand) -> Image.Image:
    upright = to_image(photograph(hand.sheet(), hand.rng))
    tag, turn = [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180),
                 (8, Image.Transpose.ROTATE_270)][int(hand.rng.integers(3))]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = tag
    return reopened(upright.transpose(turn), "JPEG", exif=exif, quality=90)


@_kind("16 bits", "a PNG with 16 bits per pixel, of which a camera may use 12")
def _(hand: Hand) -> Image.Image:
    largest = int(hand.rng.choice([65535, 4095]))
    gray = photograph(hand.sheet(), hand.rng)[..., 0]
    return reopened(Image.fromarray(np.rint(largest * gray).astype(np.uint16)), "PNG")


@_kind("CMYK", "a JPEG in printing colors")
def _(hand: Hand) -> Image.Image:
    return reopened(to_image(photograph(hand.sheet(), hand.rng)).convert("CMYK"), "JPEG")


@_kind("animated", "a GIF with two frames")
def _(hand: Hand) -> Image.Image:
    first, second = (to_image(photograph(hand.sheet(), hand.rng)) for _ in range(2))
    second = second.resize(first.size)
    return reopened(first, "GIF", save_all=True, append_images=[second], duration=100)


@_kind("grid paper", "paper with printed squares")
def _(hand: Hand) -> Image.Image:
    ink, rng = hand.sheet(), hand.rng
    lines, line = squares(ink.shape, rng), line_color(rng)
    return to_image(photograph(ink, rng, lines=lines, line=line))


_of_chapter_10("shadow", "grid and shadow", "dark table")


@_kind("sensor noise", "a camera at night")
def _(hand: Hand) -> Image.Image:
    noise = hand.rng.uniform(0.05, 0.12)
    return to_image(photograph(hand.sheet(), hand.rng, paper=(0.85,) * 3, noise=noise))


_of_chapter_10("thin pen", "2:1", "two digits", "blank", "blank in shadow")


@_kind("all one color", "all transparent, all black, or a single pixel, to be refused")
def _(hand: Hand) -> Image.Image:
    return [
        lambda: Image.new("RGBA", (200, 200), (0, 0, 0, 0)),
        lambda: Image.new("L", (200, 200), 0),
        lambda: Image.new("RGB", (1, 1), (255, 255, 255)),
    ][int(hand.rng.integers(3))]()


_of_chapter_10("ball pen on pink")


@_kind("marker on gray", "a thick marker on gray paper or cardboard")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.4, 0.9), rng.uniform(14, 40))
    gray = rng.uniform(0.45, 0.7)
    light = gradient(ink.shape, rng, rng.uniform(0.6, 0.9))
    picture = photograph(ink, rng, paper=(gray, gray, gray * 0.97), pen=(0.15,) * 3, light=light,
                         blur=rng.uniform(0, 1.5), noise=0.02, grain=0.03)  # fmt: skip
    return reopened(to_image(picture), "JPEG", quality=int(rng.integers(30, 90)))


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
    return reopened(to_image(small if dark else 1 - small), "PNG")


@_kind("canvas", "white on black, drawn with the mouse in a window of 280 pixels")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.ink(int(rng.integers(120, 260)), rng.uniform(10, 34) if rng.random() < 0.5 else None)
    sheet = place(ink, (280, 280), (rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)))
    return reopened(to_image(sheet), "PNG")


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
    lines, line = squares(ink.shape, rng, ruled=True), line_color(rng)
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
    return reopened(to_image(picture), "JPEG", quality=int(rng.integers(50, 90)))


@_kind("everything", "a sheet on a table, squares, uneven light, blur, noise, a bad JPEG")
def _(hand: Hand) -> Image.Image:
    rng = hand.rng
    ink = hand.sheet(rng.uniform(0.3, 0.6), shape=(420, 420))
    lines = squares(ink.shape, rng, ruled=rng.random() < 0.5) if rng.random() < 0.6 else None
    light = gradient(ink.shape, rng, rng.uniform(0.4, 0.8))
    if rng.random() < 0.5:
        light = light * cast_shadow(ink.shape, rng, 0.4, 0.05)
    paper = tuple(rng.uniform(0.8, 1, 3))
    pen = [(0.1, 0.1, 0.1), (0.15, 0.2, 0.55), (0.6, 0.12, 0.12)][int(rng.integers(3))]
    picture = photograph(ink, rng, paper=paper, pen=pen, lines=lines, line=line_color(rng),
                         light=light, blur=rng.uniform(0.3, 1.5), grain=0.02)  # fmt: skip
    if rng.random() < 0.4:
        picture = on_table(picture, rng, rng.uniform(0.1, 0.35), rng.uniform(0.05, 0.25))
    picture = np.clip(picture + rng.normal(0, rng.uniform(0, 0.03), picture.shape), 0, 1)
    return reopened(to_image(picture), "JPEG", quality=int(rng.integers(25, 90)))
