"""Any ordinary picture of one digit, turned into 28×28 pixels as MNIST was made.

`prepare` looks for ink: what is darker (or lighter) than the paper around it. The paper is
estimated everywhere, so that shadow, color and uneven light fall out of the comparison; printed
lines are taken out; what belongs to one digit is kept. The rest is what MNIST's makers did, see
`mnist_form`. Every stage is kept, to be looked at. What cannot be read is refused with a reason.

Taught in: chapter 11, "Your own digit".
"""

import math
from dataclasses import dataclass

import numpy as np

from mnist_course.data.mnist_form import BOX, SIZE, center, fit_box, to_mnist
from mnist_course.photo.ink import LEAST_SCORE, Found, look, look_closer
from mnist_course.photo.measure import SQUARE, WORK, box_around, distance, extent, resized
from mnist_course.photo.open import SMALLEST, Photo, PhotoError
from mnist_course.photo.paper import off_the_sheet, painted_over, with_margin, without_strips

__all__ = ["BOX", "SIZE", "Prepared", "Stage", "center", "fit_box", "prepare", "to_mnist"]

CLOSE = 160  # the longer side of the digit when its strokes are drawn
# Of strokes, in pixels of the 20×20 box; one in ten MNIST digits is narrower, one in ten wider.
NARROWEST, WIDEST = 2.2, 3.8


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
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
    height, width = rgb.shape[:2]
    if min(height, width) < SMALLEST or max(height, width) > 30 * min(height, width):
        size = f"{width} x {height} pixels"
        raise PhotoError("too-small", f"{name} has {size}: too few to hold a digit.")
    stages = [Stage("your picture", rgb, f"{width} × {height} pixels.")]
    rgb = rgb[without_strips(rgb)]
    table = off_the_sheet(rgb)
    if table is not None:
        (top, bottom), (left, right) = extent(~table)
        rgb, table = rgb[top:bottom, left:right], table[top:bottom, left:right]
        stages.append(Stage("the sheet", rgb, "The sheet, without the table around it."))
    # 40 pixels, 0.6 and the 20 below were tuned on scenes, see `ink`.
    softness = min(1.0, max(0.6, max(rgb.shape) / 40))  # a line thinner than a pixel is gray
    if softness < 1:
        rgb = with_margin(rgb)
    work = resized(rgb, WORK)
    if table is not None:
        work = painted_over(work, table)
    found = look(work, softness)
    _refuse_all_but_one(found, LEAST_SCORE if softness == 1 else LEAST_SCORE / 20, name)
    near = look_closer(rgb, work, found)
    if near is not None:
        found, part = near
        stages.append(Stage("closer", part, "The digit is small in the picture: look closer."))
    image, last = _as_mnist(found)
    return Prepared(image, stages + last, list(photo.notes))


def _refuse_all_but_one(found: Found, least: float, name: str) -> None:
    """Raise the error of a picture that shows nothing, too little, or too much."""
    if found.score < least and found.faint:
        raise PhotoError(
            "faint",
            f"What is drawn in {name} is too faint: it differs from the paper by "
            f"{100 * found.contrast:.0f} %. Use a darker pen or more light.",
        )
    if found.score < least:
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


def _as_mnist(found: Found) -> tuple[np.ndarray, list[Stage]]:
    """Draw what was found as MNIST's makers did; return the image, and the stages."""
    ink, width = _normal_width(_close_up(found))
    box = fit_box(ink)
    image = to_mnist(ink)
    kind = "darker" if found.dark else "lighter"
    return image, [
        Stage("the paper", found.paper, "What the picture would be if nothing were drawn."),
        Stage("the ink", np.clip(found.ink, 0, 1), f"How much {kind} than the paper it is."),
        Stage("the digit", found.group.astype(float), "What belongs together, and nothing else."),
        Stage("its strokes", ink, f"{width:.1f} pixels wide in the end, as MNIST's are."),
        Stage("the box", box / box.max(), "The longer side is 20 pixels now."),
        Stage("as MNIST", image / 255, "The center of mass lies in the middle of 28 × 28."),
    ]


def _close_up(found: Found) -> np.ndarray:
    """Return the shape of the digit, ``(H, W)`` bool, its longer side about ``CLOSE`` pixels."""
    from scipy import ndimage

    # Margin, blur and level were tuned on scenes, see `ink`.
    around, long = box_around(found.group, 0.12)
    ink = np.where(distance(~found.group[around]) < 3, found.ink[around], 0)
    factor = CLOSE / long
    large = ndimage.zoom(np.pad(ink, 3), factor, order=1 if factor < 1 else 3)
    return ndimage.gaussian_filter(large, 1.5) > 0.75 * found.threshold  # faint ends, too


def _normal_width(shape: np.ndarray) -> tuple[np.ndarray, float]:
    """Bring strokes that are thinner or thicker than MNIST's to its width; return ink and width."""
    from scipy import ndimage

    unit = CLOSE / BOX  # a pixel of the box
    inside = distance(shape)
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
    return np.clip(more + 1.5 - distance(~padded), 0, 1), NARROWEST


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
