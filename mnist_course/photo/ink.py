"""Look for ink: what is darker (or lighter) than the paper around it, and belongs to one digit.

No law gives the numbers below. They were tuned by hand on scenes of our own making
(``tests/soak/scenes.py``). The last style of every digit and the seed of ``benchmarks/photos.py``
were kept out of that; the table of the results page is measured with those. Where a comment says
"tuned on scenes", it means this.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mnist_course.photo import measure
from mnist_course.photo.paper import is_sheet, without_lines

# Tuned on scenes, see above.
WINDOWS = (0.5, 0.12)  # strokes are thinner than this part of the picture
LEAST_SCORE = 0.02  # empty paper stays below
LEAST_CONTRAST = 0.04  # between ink and paper


@dataclass(eq=False)
class Found:
    """What one way of looking saw: dark or light ink, strokes up to some width."""

    dark: bool
    paper: np.ndarray
    ink: np.ndarray
    score: float = 0.0  # how much it looks like ink
    rank: float = 0.0  # the same, and how much else in the picture it explains
    contrast: float = 0.0
    faint: bool = False
    several: bool = False
    threshold: float = 0.0
    group: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    measures: dict[str, float] = field(default_factory=dict)


def look(rgb: np.ndarray, softness: float = 1.0) -> Found:
    """Look for dark ink and for light ink, coarsely and finely; return what was most convincing.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` in 0..1, its longer side about ``WORK`` pixels.
    softness : float
        Below 1 for a drawing of few pixels: so much of the threshold is enough to be ink.

    Returns
    -------
    Found
        With a score near 0 if there is no ink.
    """
    quiet = measure.without_noise(rgb)
    slope = np.max([measure.slope_of(quiet[..., c]) for c in range(3)], axis=0)
    ways = [(dark, window) for dark in (True, False) for window in WINDOWS]
    with ThreadPoolExecutor(2) as pool:  # filters let other threads run
        tasks = [pool.submit(_look_for, quiet, slope, *way, softness) for way in ways]
    found = [task.result() for task in tasks]
    best = max(found, key=lambda f: f.rank)
    best.faint = best.score < LEAST_SCORE and any(f.faint for f in found)
    if best.faint:
        best.contrast = max(f.contrast for f in found if f.faint)
    return best


def _look_for(
    rgb: np.ndarray, slope: np.ndarray, dark: bool, window: float, softness: float
) -> Found:
    """Look for ink darker than the paper (or lighter), in strokes narrower than a window."""
    from scipy import ndimage

    light = rgb if dark else 1 - rgb
    paper = _closed(light, window)
    ink, offset = _ink(light, paper)
    found = Found(dark, paper if dark else 1 - paper, ink)
    # 0.3, 0.01, 3 and 0.02 were tuned on scenes: paper without ink, noise, printed lines.
    if offset > 0.3:  # hardly anything is paper
        return found
    found.ink = without_lines(ink)
    cut = measure.best_cut(found.ink)
    found.threshold = max(softness * cut, 0.01)
    label, parts = _parts(found.ink, found.ink > found.threshold)
    if not parts:
        return found
    found.group, found.several = _one_digit(label, parts)
    # How much pixels differ from their neighbors, squared so that noise drops out.
    edges = np.clip(slope - 3 * np.median(slope[::3, ::3]), 0, None) ** 2
    printed = ink - found.ink > 0.02
    if printed.any():  # printed lines explain their own edges
        edges = np.where(ndimage.binary_dilation(printed, measure.SQUARE, iterations=2), 0, edges)
    noise = measure.spread_of(found.ink[found.ink < cut])
    _judge(found, _Pixels(label, slope, edges, paper - light), noise, window)
    return found


@dataclass(eq=False)
class _Pixels:
    """What a find is judged by, pixel by pixel, each ``(H, W)``."""

    label: np.ndarray  # of the pieces of ink
    slope: np.ndarray  # of the picture: how much pixels differ from their neighbors
    edges: np.ndarray  # the same, squared and without noise
    lost: np.ndarray  # ``(H, W, 3)``, how much darker than the paper


def _judge(found: Found, pixels: _Pixels, noise: float, window: float) -> None:
    """Score a find: how much it looks like ink, as a product of measures from 0 to 1.

    Ink has contrast and a sharp outline that is one in the picture, too; writing has thin
    strokes; the digit makes up most of what is inked, explains most edges of the picture, and does
    not lie along its rim.
    """
    ink, group = found.ink, found.group
    around, long = measure.box_around(group, 0.3)
    shape = group[around]
    inside, outside = measure.distance(shape), measure.distance(~shape)
    width = 4 * float(inside[shape].mean())  # of a stroke: its pixels are width / 4 from its edge
    thick = 2 * float(inside.max())
    beside = ink[around][(outside > 2) & (outside < 3 + width) & (pixels.label[around] == 0)]
    beside = beside if len(beside) else np.array([0.0, 0.2])
    contrast = float(ink[group].mean() - beside.mean())
    spread = float(ink[group].std() + beside.std()) + noise
    lit = float(pixels.lost[group].max(axis=1).mean())
    outline = shape & (inside < 1.5)
    drop = measure.slope_of(ink[around])[outline]
    real = pixels.slope[around][outline] > 0.3 * lit / max(contrast, 1e-6) * drop
    band = (inside < 3) & (outside < 4)
    explained = float(pixels.edges[around][band].sum() / max(pixels.edges.sum(), 1e-12))
    seen = pixels.label > 0
    # The powers, and the places where a measure bends, were tuned on scenes.
    found.measures = {
        "contrast": lit**0.5,
        "clear": contrast / (contrast + spread),
        "sharp": (float(drop.mean()) / max(contrast, 1e-6)) ** 0.5,
        "all the ink": float(ink[group].sum() / ink[seen].sum()),
        "all the edges": explained**0.5,
        "real": float(real.mean()) ** 2,
        "thin": 1 / (1 + (width / long / 0.28) ** 4) / (1 + (thick / long / 0.5) ** 4),
        "fits": 1 / (1 + (thick / (0.75 * window * max(ink.shape))) ** 6),
        **_measures_of_place(group, seen, long),
        "no sheet": 0.1 if is_sheet(shape) else 1.0,
        "usual": (1.0 if found.dark else 0.8) * (1.0 if window > 0.3 else 0.85),
    }
    score = max(0.0, math.prod(found.measures.values()))
    enough = contrast > max(LEAST_CONTRAST, 3 * noise) and long >= 5
    found.contrast = contrast
    found.score = score if enough else 0.0
    found.rank = found.score * explained**0.5
    found.faint = score > LEAST_SCORE and contrast > 2 * noise and not enough


def _measures_of_place(group: np.ndarray, seen: np.ndarray, long: int) -> dict[str, float]:
    """Measure how a find, and what else is inked, lie in the picture."""
    rim = np.ones(group.shape, bool)
    rim[1:-1, 1:-1] = False
    return {  # powers and factors were tuned on scenes
        "rim free": (1 - float((seen & rim).sum() / rim.sum())) ** 2,
        "off the rim": math.exp(-2 * float((group & rim).sum()) / long),
        "size": min(1.0, long / (0.15 * max(group.shape))) ** 0.5,
    }


def _closed(light: np.ndarray, window: float) -> np.ndarray:
    """Fill in what is dark and narrower than a part of the picture, edges of shadows staying."""
    from scipy import ndimage

    side = 2 * round(window * max(light.shape) / 2) + 1
    return ndimage.grey_closing(light, (side, side, 1))


def _ink(light: np.ndarray, paper: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which part of its light the paper loses, ``(H, W)``, along the color of the ink."""
    # 0.2 and 0.5 keep noise in the dark from being divided by next to nothing; tuned on scenes.
    lost = (paper - light) / np.maximum(paper, 0.2)  # (H, W, 3)
    # What paper loses on average, by noise; some is paper even where a bold digit fills the frame.
    usual = np.percentile(lost[::4, ::4], 20, axis=(0, 1))
    offset = float(usual.max())
    lost = np.clip((lost - usual) / np.maximum(1 - usual, 0.5), 0, None)
    strength = np.linalg.norm(lost, axis=2)
    color = np.einsum("ijk,ij->k", lost, strength**3)  # the strongest pixels decide
    color = color / max(float(np.linalg.norm(color)), 1e-12)
    return lost @ color / math.sqrt(3), offset


@dataclass
class _Part:
    """A connected piece of ink."""

    number: int
    mass: float
    width: float  # of its strokes, about
    rim: int  # pixels on the rim of the picture
    top: int
    bottom: int
    left: int
    right: int

    @property
    def long(self) -> int:
        return max(self.bottom - self.top, self.right - self.left)


def _parts(ink: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, list[_Part]]:
    """Return the connected pieces of ink, numbered, and the heaviest of them."""
    from scipy import ndimage

    label, _ = ndimage.label(seen, measure.SQUARE)
    boxes = ndimage.find_objects(label)
    mass = np.bincount(label.ravel(), ink.ravel())
    area = np.bincount(label.ravel())
    outline = label[seen & ~ndimage.binary_erosion(seen, border_value=1)]
    width = 2 * area / np.maximum(np.bincount(outline, minlength=len(area)), 1)
    rim = np.concatenate([label[0], label[-1], label[1:-1, 0], label[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=len(mass))
    parts = []
    for k in np.argsort(mass[1:])[::-1][:40] + 1:  # the rest is dust; tuned on scenes
        if area[k] >= 6:
            rows, columns = boxes[k - 1]
            box = (rows.start, rows.stop, columns.start, columns.stop)
            parts.append(_Part(int(k), float(mass[k]), float(width[k]), int(on_rim[k]), *box))
    return label, parts


def _one_digit(label: np.ndarray, parts: list[_Part]) -> tuple[np.ndarray, bool]:
    """Return what belongs to the main thing, and whether there is another of its size."""
    main = max(parts, key=lambda p: _worth(p, label.shape))
    group = label == main.number
    others = np.zeros_like(group)
    pieces: list[_Part] = []
    near: tuple[tuple[slice, slice], np.ndarray] | None = None
    for p in parts:
        if p is main or p.mass < 0.01 * main.mass or p.rim > 0.3 * p.long:
            continue
        near = near or _distances(group)
        around, distances = near
        mine = label == p.number
        there = distances[mine[around]]
        gap = float(there.min()) / main.long if len(there) else 1.0
        kind = _relation(p, main, gap)
        if kind == "same":
            group |= mine
            near = None
        elif kind == "other":
            others |= mine
        elif kind == "piece":
            pieces.append(p)
    several = bool(others.any()) or _is_broken_digit(pieces, main)
    group |= others
    rows, columns = measure.extent(group)
    return group, several or columns[1] - columns[0] > 2.2 * (rows[1] - rows[0])


def _worth(p: _Part, shape: tuple[int, ...]) -> float:
    """Return how much a part may be the digit: it is inked, thin, and off the rim."""
    # Shares, powers and factors were tuned on scenes.
    tall, wide = (p.bottom - p.top) / shape[0], (p.right - p.left) / shape[1]
    fills = max(tall, wide) > 0.9 and min(tall, wide) > 0.6  # a tight crop touches the rim
    thin = 1 / (1 + (p.width / p.long / 0.28) ** 4)
    return p.mass * thin * math.exp(-(1 if fills else 4) * p.rim / p.long)


def _distances(group: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return a box around what has been gathered, and how far from it each pixel there is."""
    around, _ = measure.box_around(group, 0.4)
    return around, measure.distance(~group[around])


def _relation(p: _Part, main: _Part, gap: float) -> str:
    """Say what a part is to the main one, ``gap`` of its length away: same, other, piece, or none.

    All numbers are parts of the main one's length, height or ink, and were tuned on scenes.
    """
    beside, apart = _lies_apart(p, main)
    heights = sorted((p.bottom - p.top, main.bottom - main.top))
    equal = heights[0] > 0.5 * heights[1]  # two digits are; a digit and a bar of it are not
    large = equal and p.long > 0.6 * main.long and p.mass > 0.1 * main.mass
    stroke = p.mass > 0.04 * main.mass and not (beside and large)
    if gap < 0.08 or (stroke and gap < _reach(p, main, equal)):
        return "same"
    if large and apart:
        return "other"
    return "piece" if gap >= 0.25 and _may_be_of_another(p, main) else "none"


def _reach(p: _Part, main: _Part, equal: bool) -> float:
    """Return how far from the main part another may lie: most for the bar of a 5, above it."""
    bar = not equal and p.bottom < (main.top + main.bottom) / 2
    return 0.4 if bar else 0.25


def _may_be_of_another(p: _Part, main: _Part) -> bool:
    """Whether a part is large enough to be a piece of a digit that is broken (tuned as above)."""
    return p.long > 0.35 * main.long and p.mass > 0.08 * main.mass


def _lies_apart(p: _Part, main: _Part) -> tuple[bool, bool]:
    """Whether a part lies beside the main one; whether it lies beside, above or below it."""
    beside = p.left >= main.right - 0.1 * main.long or p.right <= main.left + 0.1 * main.long
    below = p.top >= main.bottom - 0.05 * main.long or p.bottom <= main.top + 0.05 * main.long
    return beside, beside or below


def _is_broken_digit(pieces: list[_Part], main: _Part) -> bool:
    """Whether pieces beside the main thing make up another digit."""
    if len(pieces) < 2:
        return False
    tall = max(p.bottom for p in pieces) - min(p.top for p in pieces)
    # Both shares were tuned on scenes.
    return tall > 0.6 * main.long and sum(p.mass for p in pieces) > 0.25 * main.mass


def look_closer(rgb: np.ndarray, work: np.ndarray, found: Found) -> tuple[Found, np.ndarray] | None:
    """Look again at a digit that is small, in as much detail as the picture has.

    Parameters
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` in 0..1, the picture in full.
    work : np.ndarray
        The same picture, smaller, in which the digit was found.
    found : Found
        What was found in ``work``.

    Returns
    -------
    tuple of Found and np.ndarray, or None
        What was found now, and the part of ``rgb`` that was looked at; None if it is no better.
    """
    around, long = measure.box_around(found.group, 1.0)
    scale = rgb.shape[0] / work.shape[0]
    if long > 120 or scale < 1.25:  # nothing to gain; tuned on scenes
        return None
    part = rgb[tuple(slice(int(s.start * scale), math.ceil(s.stop * scale)) for s in around)]
    again = look(measure.resized(part, measure.WORK))
    fits = again.dark == found.dark and again.score > LEAST_SCORE and not again.several
    return (again, part) if fits else None
