"""Open a picture file of unknown origin: safely, upright, as red, green and blue in 0..1.

Whatever is wrong with a file, the answer is a `PhotoError` that names it and says what to do,
within two seconds and a bounded amount of memory.

Taught in: chapter 11, "Your own digit".
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_course.errors import CourseError
from mnist_course.files import looks_like

if TYPE_CHECKING:
    from PIL import Image

_READERS = {"PNG": "Png", "JPEG": "Jpeg", "GIF": "Gif", "BMP": "Bmp", "WEBP": "WebP",
            "TIFF": "Tiff"}  # fmt: skip
FORMATS = tuple(_READERS)  # Pillow opens 40 more, some unsafe
# Limits that keep opening within two seconds and 300 MB, as a test measures.
MAX_BYTES = 64 * 2**20
MAX_PIXELS = {"JPEG": 64_000_000, "MPO": 64_000_000, "WEBP": 16_000_000}  # JPEG shrinks as it opens
MAX_PIXELS_OTHER = 26_000_000
SIDE = 1000  # pixels; more detail than this, or a little more, is averaged away at once
SMALLEST = 5


class PhotoError(CourseError, ValueError):
    """The picture cannot be read; the message says why and what to do.

    Attributes
    ----------
    reason : str
        A short code. Of the file: ``missing``, ``not-a-file``, ``not-a-picture``, ``heic``,
        ``damaged``, ``too-large``, ``too-small``. Of what it shows: ``blank``, ``faint``,
        ``several``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it was read.

    Attributes
    ----------
    rgb : np.ndarray
        ``(H, W, 3)`` float32 in 0..1, upright, no side longer than 1,250 pixels.
    name : str
        What messages call it.
    notes : list of str
        What its owner should know, such as "frame 1 of 2".
    """

    rgb: np.ndarray
    name: str = "the picture"
    notes: list[str] = field(default_factory=list)


def read_photo(path: str | os.PathLike[str]) -> Photo:
    """Open a picture file.

    Parameters
    ----------
    path : str or path
        A PNG, JPEG, GIF, BMP, WebP or TIFF file.

    Returns
    -------
    Photo
        Its pixels.

    Raises
    ------
    PhotoError
        If there is no such file, if it is no picture or a damaged one, or if it is too large.
    """
    from PIL import Image

    for name in FORMATS:  # asked for a reader that it has not loaded, Pillow loads all it has
        importlib.import_module(f"PIL.{_READERS[name]}ImagePlugin")
    path = Path(path)
    kind = looks_like(_head(path))
    if kind == "heic":
        raise PhotoError(
            "heic",
            f"{path} is an iPhone picture (HEIC), which Pillow cannot open. On the phone choose "
            "Settings > Camera > Formats > Most Compatible and take it again, or export it as "
            "JPEG, or take a screenshot of it.",
        )
    try:
        return _opened(path)
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(str(path), "hundreds of megapixels") from None
    except Image.UnidentifiedImageError:
        if kind in _PICTURES:
            raise PhotoError(
                "damaged", f"{path} begins like a picture and is none. Copy or export it again."
            ) from None
        what = _OTHERS.get(kind, "not a picture that can be read")
        raise PhotoError(
            "not-a-picture",
            f"{path} is {what}. Give a PNG, JPEG, GIF, BMP, WebP or TIFF file: a photo, a "
            "scan or a screenshot.",
        ) from None
    except MemoryError:
        raise _too_large(str(path), "more than fits in memory") from None
    except Exception as error:  # Pillow's readers raise whatever the bytes lead them to
        detail = str(error) or type(error).__name__
        raise PhotoError(
            "damaged", f"{path} is damaged ({detail}). Copy or export it again."
        ) from None


def _opened(path: Path) -> Photo:
    """Return what Pillow reads, after a look at the size and, in a PNG, at every checksum."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size (checked below) and odd metadata
        with Image.open(path, formats=FORMATS) as image:
            _check_size(image, str(path))
            if image.format == "PNG":
                image.verify()
        with Image.open(path, formats=FORMATS) as image:
            return from_image(image, str(path))


def from_image(image: Image.Image, name: str = "the picture") -> Photo:
    """Take over a picture that Pillow has opened.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; its first frame is used, and turned as its EXIF data asks.
    name : str
        What messages call it.

    Returns
    -------
    Photo
        Its pixels.

    Raises
    ------
    PhotoError
        If it is too large or too small.
    """
    from PIL import ImageOps

    _check_size(image, name)
    notes = []
    if _moves(image):
        notes.append(f"using frame 1 of {getattr(image, 'n_frames', 2)}")
        image.seek(0)
    turned = _lies_turned(image)  # asked now: what reads a TIFF turns it, and takes the tag away
    if image.format in ("JPEG", "MPO"):
        image.draft(image.mode, (SIDE, SIDE))  # decodes at 1/2, 1/4 or 1/8 of the size
    image.load()
    image = _in_plain_colors(image)
    factor = math.ceil(max(image.size) / (1.25 * SIDE))
    if factor > 1:
        if image.mode.startswith("I;"):
            image = _keeping_exif(image, image.convert("I"))
        image = _keeping_exif(image, image.reduce(factor))
    if turned:
        with contextlib.suppress(Exception):  # broken metadata: take the picture as it lies
            image = ImageOps.exif_transpose(image)
            notes.append("turned as the camera says")
    return Photo(_pixels(image), name, notes)


_PICTURES = ("png", "jpeg", "gif", "bmp", "riff", "tiff")
_OTHERS = {
    "pdf": "a PDF, not a picture",
    "postscript": "a PostScript file, not a picture",
    "svg": "a drawing made of vectors (SVG), not a picture",
    "xml": "XML or SVG, not a picture",
    "web page": "a web page, not a picture",
    "zip": "a ZIP archive or an office document, not a picture",
}
_ORIENTATION, _TURNED = 0x0112, range(2, 9)  # the tag of EXIF, and what it holds if not upright


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file that is neither missing, empty nor huge."""
    try:
        if not path.exists():
            raise PhotoError("missing", f"There is no file {path}. Check the name and the folder.")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise PhotoError("not-a-file", f"{path} is {kind}. Give the name of a picture file.")
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(str(path), f"{path.stat().st_size / 2**20:.0f} MB")
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise PhotoError("missing", f"{path} cannot be opened: {error.strerror}.") from None
    except ValueError as error:
        if isinstance(error, PhotoError):
            raise
        raise PhotoError("missing", "That is no file name: it has a zero character.") from None
    if not head:
        raise PhotoError("not-a-picture", f"{path} is empty: 0 bytes. Copy it again.")
    return head


def _too_large(name: str, what: str) -> PhotoError:
    return PhotoError(
        "too-large", f"{name} is too large: {what}. Save it smaller; 1,000 pixels a side is plenty."
    )


def _check_size(image: Image.Image, name: str) -> None:
    """Refuse a picture by the size that its header states, before anything is decoded."""
    width, height = image.size
    limit = MAX_PIXELS.get(image.format or "", MAX_PIXELS_OTHER)
    if image.info.get("progressive") or image.info.get("progression"):
        limit = min(limit, 40_000_000)  # held in memory as a whole
    if width * height > limit or max(width, height) > 30_000:
        raise _too_large(name, f"{width:,} x {height:,} pixels")


def _is_short(image: Image.Image) -> bool:
    """Whether counting the frames is quick; a GIF must be read to its end for it."""
    file = getattr(image, "fp", None)
    if image.format != "GIF" or file is None:
        return True
    here = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(here)
    return bool(length < 2**19)


def _moves(image: Image.Image) -> bool:
    """Whether there are several frames; of a long GIF nobody asks."""
    return _is_short(image) and bool(getattr(image, "is_animated", False))


def _lies_turned(image: Image.Image) -> bool:
    """Whether the camera says that the picture lies on its side, on its head, or mirrored."""
    try:
        return image.getexif().get(_ORIENTATION) in _TURNED
    except Exception:  # broken metadata: take the picture as it lies
        return False


def _in_plain_colors(image: Image.Image) -> Image.Image:
    """Return a picture of any mode that has to be translated first, such as one with a palette."""
    clear = "transparency" in image.info
    if clear or image.mode in ("P", "PA", "1", "La", "RGBa"):
        clear = image.mode != "1" and (clear or "A" in image.mode.upper())
        image = _keeping_exif(image, image.convert("RGBA" if clear else "RGB"))
    return image


def _keeping_exif(old: Image.Image, new: Image.Image) -> Image.Image:
    new.info.setdefault("exif", old.info.get("exif", b""))
    return new


def _pixels(image: Image.Image) -> np.ndarray:
    """Return ``(H, W, 3)`` float32 in 0..1 of an image of any mode."""
    if image.mode in ("RGBA", "LA"):
        return _on_paper(np.asarray(image.convert("RGBA"), np.float32) / 255)
    if image.mode.startswith(("I", "F")):
        gray = np.nan_to_num(np.asarray(image, np.float32))
        gray -= min(float(gray.min()), 0.0)
        top = float(gray.max())
        full = next((n for n in (1, 255, 4095, 65535) if top <= n), top)  # 12 bits are common
        return np.repeat(gray[..., None] / np.float32(full), 3, axis=2)
    return np.asarray(image.convert("RGB"), np.float32) / 255


def _on_paper(rgba: np.ndarray) -> np.ndarray:
    """Put what is partly transparent on paper of a color that it stands out from."""
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    solid = alpha[..., 0] > 0.5
    if solid.mean() > 0.6:  # a picture with a few holes: fill them with its own paper
        ground = np.median(rgb[solid], axis=0)
    else:  # strokes on nothing
        mean = float((rgb * alpha).sum() / max(3 * float(alpha.sum()), 1e-6))
        ground = np.full(3, 0.0 if mean > 0.5 else 1.0, np.float32)
    return (alpha * rgb + (1 - alpha) * ground).astype(np.float32)
