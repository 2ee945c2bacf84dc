"""Any ordinary picture of one digit, turned into 28×28 pixels as MNIST was made.

`prepare` looks for ink: what is darker (or lighter) than the paper around it. The paper is
estimated everywhere, so that shadow, color and uneven light fall out of the comparison; printed
lines are taken out; what belongs to one digit is kept. The rest is what MNIST's makers did, see
`mnist_form`. Every stage is kept, to be looked at. What cannot be read is refused with a reason.

Taught in: chapter 10, "Your own digit".
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mnist_course.data.mnist_form import BOX, SIZE, center, fit_box, overlap, to_mnist
from mnist_course.photo.open import SMALLEST, Photo, PhotoError, from_image, read_photo

__all__ = [
    "BOX", "SIZE", "Photo", "PhotoError", "Prepared", "Stage", "center", "fit_box", "from_image",
    "prepare", "read_photo", "to_mnist",
]  # fmt: skip

WORK = 512  # the longer side of the picture in which the digit is looked for
CLOSE = 160  # the longer side of the digit when its strokes are drawn
WINDOWS = (0.5, 0.12)  # strokes are thinner than this part of the picture
# Of strokes, in pixels of the 20×20 box; one in ten MNIST digits is narrower, one in ten wider.
NARROWEST, WIDEST = 2.2, 3.8
LEAST_SCORE = 0.02  # empty paper stays below
LEAST_CONTRAST = 0.04  # between ink and paper
SQUARE = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Stage:
    """One step of the preparation, to be looked at.

    Attributes
    ----------
    name : str
        A few plain words.
    array : np.ndarray
        ``(H, W)`` or ``(H, W, 3)``, in 0..1.
    sentence : str
        What happened.
    """

    name: str
    array: np.ndarray
    sentence: str


@dataclass(frozen=True)
class Prepared:
    """A digit in MNIST's form, and how it came about.

    Attributes
    ----------
    image : np.ndarray
        ``(28, 28)`` uint8, 0 for paper, 255 for ink.
    stages : list of Stage
        From the picture to the image.
    notes : list of str
        What its owner should know.
    """

    image: np.ndarray
    stages: list[Stage]
    notes: list[str]


def prepare(photo: Photo | np.ndarray) -> Prepared:
    """Find the digit in a picture and bring it into MNIST's form.

    Parameters
    ----------
    photo : Photo or np.ndarray
        What `read_photo` returned, or pixels ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``: bool,
        unsigned integers, or floats in 0..1.

    Returns
    -------
    Prepared
        The image, its stages and notes.

    Raises
    ------
    PhotoError
        If there is nothing to read, or more than one thing.
    """
    if not isinstance(photo, Photo):
        photo = Photo(_as_rgb(photo))
    rgb, name = photo.rgb, photo.name
    if min(rgb.shape[:2]) < SMALLEST or max(rgb.shape[:2]) > 30 * min(rgb.shape[:2]):
        size = f"{rgb.shape[1]} x {rgb.shape[0]} pixels"
        raise PhotoError("too-small", f"{name} has {size}: too few to hold a digit.")
    stages = [Stage("your picture", rgb, f"{rgb.shape[1]} × {rgb.shape[0]} pixels.")]
    rgb = rgb[_without_strips(rgb)]
    table = _off_the_sheet(rgb)
    if table is not None:
        (top, bottom), (left, right) = _extent(~table)
        rgb, table = rgb[top:bottom, left:right], table[top:bottom, left:right]
        stages.append(Stage("the sheet", rgb, "The sheet, without the table around it."))
    softness = min(1.0, max(0.6, max(rgb.shape) / 40))  # a line thinner than a pixel is gray
    if softness < 1:
        rgb = _with_margin(rgb)
    work = _resized(rgb, WORK)
    if table is not None:
        work = _painted_over(work, table)
    found = _look(work, softness)
    if found.score < (LEAST_SCORE if softness == 1 else LEAST_SCORE / 20):
        if found.faint:
            raise PhotoError(
                "faint",
                f"What is drawn in {name} is too faint: it differs from the paper by "
                f"{100 * found.contrast:.0f} %. Use a darker pen or more light.",
            )
        raise PhotoError(
            "blank",
            f"Nothing is drawn in {name}, or nothing that looks like ink. If there is a small "
            "digit, crop the picture to it.",
        )
    if found.several:
        raise PhotoError(
            "several",
            f"I see more than one thing in {name}. Crop the picture to a single digit; if it is "
            "one, close the gaps between its strokes.",
        )
    near = _closer(rgb, work, found)
    if near is not None:
        found, part = near
        stages.append(Stage("closer", part, "The digit is small in the picture: look closer."))
    shape = _close_up(found)
    ink, width = _normal_width(shape)
    box = fit_box(ink)
    image = to_mnist(ink)
    kind = "darker" if found.dark else "lighter"
    stages += [
        Stage("the paper", found.paper, "What the picture would be if nothing were drawn."),
        Stage("the ink", np.clip(found.ink, 0, 1), f"How much {kind} than the paper it is."),
        Stage("the digit", found.group.astype(float), "What belongs together, and nothing else."),
        Stage("its strokes", ink, f"{width:.1f} pixels wide in the end, as MNIST's are."),
        Stage("the box", box / box.max(), "The longer side is 20 pixels now."),
        Stage("as MNIST", image / 255, "The center of mass lies in the middle of 28 × 28."),
    ]
    return Prepared(image, stages, list(photo.notes))


# --- find the digit --------------------------------------------------------------------------


def _without_strips(rgb: np.ndarray) -> tuple[slice, slice]:
    """Return what is left of the rows and columns without strips of one color along the edges."""
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


def _with_margin(rgb: np.ndarray) -> np.ndarray:
    """Put a drawing of few pixels on a larger sheet of the color that prevails along its rim."""
    rim = np.concatenate([rgb[0], rgb[-1], rgb[1:-1, 0], rgb[1:-1, -1]])
    height, width = rgb.shape[:2]
    more = math.ceil(max(height, width) / 8)
    larger = np.empty((height + 2 * more, width + 2 * more, 3), np.float32)
    larger[:] = np.median(rim, axis=0)
    larger[more : more + height, more : more + width] = rgb
    return larger


def _off_the_sheet(rgb: np.ndarray) -> np.ndarray | None:
    """Return what is not paper, ``(H, W)`` bool, if the picture shows a sheet on a dark table."""
    from scipy import ndimage

    height, width = rgb.shape[:2]
    step = max(1, max(height, width) // 256)
    if min(height, width) < 120:  # a drawing of few pixels, and no photo of a table
        return None
    gray = ndimage.gaussian_filter(rgb[::step, ::step].mean(axis=2), 1)
    cut = _threshold(gray)
    above = cut + _threshold(np.clip(gray - cut, 0, None))  # the table may be lighter than the ink
    for level in (cut, above, 0.8 * cut, 0.6 * cut):  # and hardly darker than a shadow
        label, count = ndimage.label(gray > level)
        if not count:
            continue
        sheet = label == 1 + int(np.argmax(np.bincount(label.ravel())[1:]))
        filled = ndimage.binary_fill_holes(sheet)
        written = 1 - float(sheet.sum()) / float(filled.sum())  # more: a frame, or a large light 0
        if 0.1 < filled.mean() < 0.97 and _is_sheet(sheet) and written < 0.4:
            break
    else:
        return None
    inner = ndimage.binary_erosion(filled, SQUARE, iterations=3)
    if not inner.any():
        return None
    return ~np.kron(inner, np.ones((step, step), bool))[:height, :width]


def _painted_over(work: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return ``work`` with the table in the color of the nearest paper."""
    from scipy import ndimage

    rows, columns = (np.arange(n) * m // n for n, m in zip(work.shape, table.shape, strict=False))
    table = table[np.ix_(rows, columns)]
    nearest = ndimage.distance_transform_edt(table, return_distances=False, return_indices=True)
    return work[tuple(nearest)]


@dataclass
class _Found:
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


def _look(rgb: np.ndarray, softness: float = 1.0) -> _Found:
    """Look for dark ink and for light ink, coarsely and finely; return what was most convincing."""
    quiet = _without_noise(rgb)
    slope = np.max([_slope(quiet[..., c]) for c in range(3)], axis=0)
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
) -> _Found:
    """Look for ink darker than the paper (or lighter), in strokes narrower than a window."""
    from scipy import ndimage

    light = rgb if dark else 1 - rgb
    paper = _closed(light, window)
    ink, offset = _ink(light, paper)
    found = _Found(dark, paper if dark else 1 - paper, ink)
    if offset > 0.3:  # hardly anything is paper
        return found
    found.ink = _without_lines(ink)
    cut = _threshold(found.ink)
    found.threshold = max(softness * cut, 0.01)
    label, parts = _parts(found.ink, found.ink > found.threshold)
    if not parts:
        return found
    found.group, found.several = _one_digit(label, parts)
    # How much pixels differ from their neighbors, squared so that noise drops out.
    edges = np.clip(slope - 3 * np.median(slope[::3, ::3]), 0, None) ** 2
    printed = ink - found.ink > 0.02
    if printed.any():  # printed lines explain their own edges
        edges = np.where(ndimage.binary_dilation(printed, SQUARE, iterations=2), 0, edges)
    noise = _spread(found.ink[found.ink < cut])
    _judge(found, label, slope, edges, paper - light, noise, window)
    return found


def _judge(
    found: _Found,
    label: np.ndarray,
    slope: np.ndarray,
    edges: np.ndarray,
    lost: np.ndarray,
    noise: float,
    window: float,
) -> None:
    """Score a find: how much it looks like ink, as a product of measures from 0 to 1.

    Ink has contrast and a sharp outline that is one in the picture, too; writing has thin
    strokes; the digit makes up most of what is inked, explains most edges of the picture, and does
    not lie along its rim.
    """
    ink, group = found.ink, found.group
    around, long = _around(group, 0.3)
    shape = group[around]
    inside, outside = _distance(shape), _distance(~shape)
    width = 4 * float(inside[shape].mean())  # of a stroke: its pixels are width / 4 from its edge
    thick = 2 * float(inside.max())
    beside = ink[around][(outside > 2) & (outside < 3 + width) & (label[around] == 0)]
    beside = beside if len(beside) else np.array([0.0, 0.2])
    contrast = float(ink[group].mean() - beside.mean())
    spread = float(ink[group].std() + beside.std()) + noise
    lit = float(lost[group].max(axis=1).mean())
    outline = shape & (inside < 1.5)
    drop = _slope(ink[around])[outline]
    real = slope[around][outline] > 0.3 * lit / max(contrast, 1e-6) * drop
    band = (inside < 3) & (outside < 4)
    explained = float(edges[around][band].sum() / max(edges.sum(), 1e-12))
    rim = np.ones(ink.shape, bool)
    rim[1:-1, 1:-1] = False
    seen = label > 0
    found.measures = {
        "contrast": lit**0.5,
        "clear": contrast / (contrast + spread),
        "sharp": (float(drop.mean()) / max(contrast, 1e-6)) ** 0.5,
        "all the ink": float(ink[group].sum() / ink[seen].sum()),
        "all the edges": explained**0.5,
        "real": float(real.mean()) ** 2,
        "thin": 1 / (1 + (width / long / 0.28) ** 4) / (1 + (thick / long / 0.5) ** 4),
        "fits": 1 / (1 + (thick / (0.75 * window * max(ink.shape))) ** 6),
        "rim free": (1 - float((seen & rim).sum() / rim.sum())) ** 2,
        "off the rim": math.exp(-2 * float((group & rim).sum()) / long),
        "size": min(1.0, long / (0.15 * max(ink.shape))) ** 0.5,
        "no sheet": 0.1 if _is_sheet(shape) else 1.0,
        "usual": (1.0 if found.dark else 0.8) * (1.0 if window > 0.3 else 0.85),
    }
    score = max(0.0, math.prod(found.measures.values()))
    enough = contrast > max(LEAST_CONTRAST, 3 * noise) and long >= 5
    found.contrast = contrast
    found.score = score if enough else 0.0
    found.rank = found.score * explained**0.5
    found.faint = score > LEAST_SCORE and contrast > 2 * noise and not enough


def _closed(light: np.ndarray, window: float) -> np.ndarray:
    """Fill in what is dark and narrower than a part of the picture, edges of shadows staying."""
    from scipy import ndimage

    side = 2 * round(window * max(light.shape) / 2) + 1
    size = (side, side, 1)
    return ndimage.minimum_filter(ndimage.maximum_filter(light, size), size)


def _ink(light: np.ndarray, paper: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which part of its light the paper loses, ``(H, W)``, along the color of the ink."""
    lost = (paper - light) / np.maximum(paper, 0.2)  # (H, W, 3)
    # What paper loses on average, by noise; some is paper even where a bold digit fills the frame.
    usual = np.percentile(lost[::4, ::4], 20, axis=(0, 1))
    offset = float(usual.max())
    lost = np.clip((lost - usual) / np.maximum(1 - usual, 0.5), 0, None)
    strength = np.linalg.norm(lost, axis=2)
    color = np.einsum("ijk,ij->k", lost, strength**3)  # the strongest pixels decide
    color = color / max(float(np.linalg.norm(color)), 1e-12)
    return lost @ color / math.sqrt(3), offset


def _threshold(ink: np.ndarray) -> float:
    """Return the best cut between paper and ink (Otsu, 1979), counted where the two meet."""
    top = float(ink.max())
    if top <= 0:
        return 0.0
    count, edges = np.histogram(ink, 128, (0, top), weights=_slope(ink) ** 1.5)
    value = (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(count), np.cumsum(count[::-1])[::-1]
    mean_below = np.cumsum(count * value) / np.maximum(below, 1e-12)
    mean_above = np.cumsum((count * value)[::-1])[::-1] / np.maximum(above, 1e-12)
    between = below[:-1] * above[1:] * (mean_above[1:] - mean_below[:-1]) ** 2
    return float(edges[1 + int(between.argmax())])


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

    label, _ = ndimage.label(seen, SQUARE)
    boxes = ndimage.find_objects(label)
    mass = np.bincount(label.ravel(), ink.ravel())
    area = np.bincount(label.ravel())
    outline = label[seen & ~ndimage.binary_erosion(seen, border_value=1)]
    width = 2 * area / np.maximum(np.bincount(outline, minlength=len(area)), 1)
    rim = np.concatenate([label[0], label[-1], label[1:-1, 0], label[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=len(mass))
    parts = []
    for k in np.argsort(mass[1:])[::-1][:40] + 1:
        if area[k] >= 6:
            rows, columns = boxes[k - 1]
            box = (rows.start, rows.stop, columns.start, columns.stop)
            parts.append(_Part(int(k), float(mass[k]), float(width[k]), int(on_rim[k]), *box))
    return label, parts


def _one_digit(label: np.ndarray, parts: list[_Part]) -> tuple[np.ndarray, bool]:
    """Return what belongs to the main thing, and whether there is another of its size."""
    height, width = label.shape

    def worth(p: _Part) -> float:
        tall, wide = (p.bottom - p.top) / height, (p.right - p.left) / width
        fills = max(tall, wide) > 0.9 and min(tall, wide) > 0.6  # a tight crop touches the rim
        thin = 1 / (1 + (p.width / p.long / 0.28) ** 4)
        return p.mass * thin * math.exp(-(1 if fills else 4) * p.rim / p.long)

    main = max(parts, key=worth)
    long = main.long
    group = label == main.number
    others = np.zeros_like(group)
    pieces: list[_Part] = []
    near: np.ndarray | None = None
    for p in parts:
        if p is main or p.mass < 0.01 * main.mass or p.rim > 0.3 * p.long:
            continue
        if near is None:
            around, _ = _around(group, 0.4)
            near = _distance(~group[around])
        mine = label == p.number
        distances = near[mine[around]]
        gap = float(distances.min()) / long if len(distances) else 1.0
        beside = p.left >= main.right - 0.1 * long or p.right <= main.left + 0.1 * long
        below = p.top >= main.bottom - 0.05 * long or p.bottom <= main.top + 0.05 * long
        heights = sorted((p.bottom - p.top, main.bottom - main.top))
        equal = heights[0] > 0.5 * heights[1]  # two digits are; a digit and a bar of it are not
        large = p.long > 0.6 * long and p.mass > 0.1 * main.mass and equal
        bar = not equal and p.bottom < (main.top + main.bottom) / 2  # as of a 5
        reach = 0.4 if bar else 0.25
        if gap < 0.08 or (gap < reach and not (beside and large) and p.mass > 0.04 * main.mass):
            group |= mine
            near = None
        elif large and gap >= 0.08 and (beside or below):
            others |= mine
        elif gap >= 0.25 and p.long > 0.35 * long and p.mass > 0.08 * main.mass:
            pieces.append(p)
    several = bool(others.any())
    if len(pieces) > 1:  # of another digit that is broken
        tall = max(p.bottom for p in pieces) - min(p.top for p in pieces)
        several |= tall > 0.6 * long and sum(p.mass for p in pieces) > 0.25 * main.mass
    group |= others
    rows, columns = _extent(group)
    several |= columns[1] - columns[0] > 2.2 * (rows[1] - rows[0])
    return group, several


def _is_sheet(shape: np.ndarray) -> bool:
    """Whether a shape is a rectangle with something in it: paper, and not ink."""
    from scipy import ndimage

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


def _closer(rgb: np.ndarray, work: np.ndarray, found: _Found) -> tuple[_Found, np.ndarray] | None:
    """Look again at a digit that is small, in as much detail as the picture has."""
    around, long = _around(found.group, 1.0)
    scale = rgb.shape[0] / work.shape[0]
    if long > 120 or scale < 1.25:
        return None
    part = rgb[tuple(slice(int(s.start * scale), math.ceil(s.stop * scale)) for s in around)]
    again = _look(_resized(part, WORK))
    fits = again.dark == found.dark and again.score > LEAST_SCORE and not again.several
    return (again, part) if fits else None


# --- printed lines ---------------------------------------------------------------------------


def _without_lines(ink: np.ndarray) -> np.ndarray:
    """Take printed lines out of the ink: what runs from side to side or from top to bottom."""
    return _without_rows(_without_rows(ink).T).T


def _without_rows(ink: np.ndarray, block: int = 8) -> np.ndarray:
    """Take out lines that run from side to side, level or a little sloped."""
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


# --- draw its strokes ------------------------------------------------------------------------


def _close_up(found: _Found) -> np.ndarray:
    """Return the shape of the digit, ``(H, W)`` bool, its longer side about ``CLOSE`` pixels."""
    from scipy import ndimage

    around, long = _around(found.group, 0.12)
    ink = np.where(_distance(~found.group[around]) < 3, found.ink[around], 0)
    factor = CLOSE / long
    large = ndimage.zoom(np.pad(ink, 3), factor, order=1 if factor < 1 else 3)
    return ndimage.gaussian_filter(large, 1.5) > 0.75 * found.threshold  # faint ends, too


def _normal_width(shape: np.ndarray) -> tuple[np.ndarray, float]:
    """Bring strokes that are thinner or thicker than MNIST's to its width; return ink and width."""
    from scipy import ndimage

    unit = CLOSE / BOX  # a pixel of the box
    inside = _distance(shape)
    width = 4 * float(inside[shape].mean()) / unit
    if width > WIDEST:
        less = (width - WIDEST) / 2 * unit
        thinner = np.clip(inside - less, 0, 1)
        pieces = [ndimage.label(s, SQUARE)[1] for s in (shape, thinner > 0.5)]
        if pieces[0] == pieces[1]:  # no stroke came apart
            return thinner, WIDEST
    if width >= NARROWEST:
        return shape.astype(float), width
    more = (NARROWEST - width) / 2 * unit
    padded = np.pad(shape, math.ceil(more) + 1)
    return np.clip(more + 1.5 - _distance(~padded), 0, 1), NARROWEST


# --- small tools -----------------------------------------------------------------------------


def _as_rgb(array: np.ndarray) -> np.ndarray:
    """Return ``(H, W, 3)`` float32 in 0..1 of an array of pixels."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    good = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not good or array.dtype.kind not in "buf" or not array.size:
        raise PhotoError(
            "not-a-picture",
            "prepare expects (H, W) or (H, W, 3) pixels, unsigned integers or floats in 0..1, got "
            f"shape {array.shape} of {array.dtype}.",
        )
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    array = array.astype(np.float32)
    if not (array.min() >= 0 and array.max() <= 1):
        raise PhotoError(
            "not-a-picture",
            f"prepare expects floats in 0..1, these run from {array.min():g} to {array.max():g}.",
        )
    return np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array


def _resized(rgb: np.ndarray, side: int) -> np.ndarray:
    """Shrink to a longer side of ``side``, or enlarge what is smaller than a third of it."""
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


def _without_noise(rgb: np.ndarray) -> np.ndarray:
    """Blur as much as the noise asks for, which is measured from pixel to pixel."""
    from scipy import ndimage

    fine = ndimage.convolve(rgb.mean(axis=2), np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6)
    noise = _spread(fine[::3, ::3])
    if noise < 0.004:
        return rgb
    blur = float(np.clip(noise / 0.02, 0.6, 2.0))
    return ndimage.gaussian_filter(rgb, (blur, blur, 0))


def _spread(values: np.ndarray) -> float:
    """Return the standard deviation of most of the values, whatever the rest is (by the median)."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _slope(values: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_gradient_magnitude(values, 1)


def _distance(shape: np.ndarray) -> np.ndarray:
    """Return how far each pixel of ``shape`` is from what is outside of it."""
    from scipy import ndimage

    return ndimage.distance_transform_edt(np.pad(shape, 1, "edge"))[1:-1, 1:-1]


def _extent(shape: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first row of a shape and the one after its last, and its columns alike."""
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _around(shape: np.ndarray, margin: float) -> tuple[tuple[slice, slice], int]:
    """Return the slices of a box around a shape, wider by a part of its longer side; and that."""
    (top, bottom), (left, right) = _extent(shape)
    long = max(bottom - top, right - left)
    more = max(3, round(margin * long))
    rows = slice(max(0, top - more), bottom + more)
    return (rows, slice(max(0, left - more), right + more)), long
