"""The digits: find them, verify them, or make the practice set in their place (numpy only).

Taught in: chapter 2, "From arrays to batches".
"""

import contextlib
import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from mnist_course.data.download import FILES, MnistFile, download
from mnist_course.data.idx import IdxError, idx_header, read_idx
from mnist_course.data.practice import make_practice_set
from mnist_course.errors import CourseError
from mnist_course.files import sha256_of

VARIABLE = "MNIST_COURSE_DATA"  # a folder with the four files, or the word "practice"
PRACTICE = "practice"
ANNOUNCED = "MNIST_COURSE_ANNOUNCED"  # set once the practice set has been announced in this run
MAX_BYTES = 2**26  # the largest of the four files holds 47 MB


class DataError(CourseError, ValueError):
    """The digits are missing or not what they should be; the message says what to do next."""


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class Digits:
    """The four arrays, and where they come from.

    Attributes
    ----------
    train_images, test_images : np.ndarray
        ``(N, 28, 28)`` uint8, 0 for paper, 255 for ink. N is 60,000 and 10,000 for MNIST.
    train_labels, test_labels : np.ndarray
        ``(N,)`` uint8, the digits 0..9.
    source : str
        ``"MNIST"`` or ``"practice set"``.
    folder : Path
        Where the four files lie.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    source: str
    folder: Path

    @property
    def is_mnist(self) -> bool:
        """Whether these are the real MNIST digits; the book's numbers hold for them only."""
        return self.source == "MNIST"


def cache_dir() -> Path:
    """Return the folder in which downloads and the practice set are kept between runs."""
    return platformdirs.user_cache_path("mnist-course")


def load_data() -> Digits:
    """Return the digits: real MNIST if at all possible, the practice set otherwise.

    In this order: the folder named by ``MNIST_COURSE_DATA`` (nothing else is tried then; the
    word ``practice`` asks for the practice set); the cache folder; a download into it; the
    practice set, announced in one line on standard error. Every file is checked against its
    SHA-256 at every load.

    Returns
    -------
    Digits
        Four arrays of the caller's own.

    Raises
    ------
    DataError
        If the folder named by ``MNIST_COURSE_DATA`` does not hold the four official files.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen == PRACTICE:
        return _practice(f"{VARIABLE}={PRACTICE}")
    if chosen:
        return read_folder(os.path.expanduser(chosen))  # noqa: PTH111 - Path's fails for some
    folder = cache_dir() / "mnist"
    try:
        return read_folder(folder)
    except DataError as error:
        complaint = str(error).split(". ")[0] + "; "
    try:
        if not folder.is_dir():  # a first run: there is nothing to complain about
            complaint = ""
        _set_damaged_aside(folder)
        download(folder)
    except OSError as error:
        reason = complaint + str(error).splitlines()[0]
        # The rest of the run, in this process and in those it starts, does not try again.
        os.environ[VARIABLE] = PRACTICE
        return _practice(reason)
    return read_folder(folder)


def read_folder(folder: str | Path) -> Digits:
    """Read and verify the four official MNIST files, gzipped or raw, in ``folder``.

    Parameters
    ----------
    folder : str or Path
        For example torchvision's ``MNIST/raw``.

    Returns
    -------
    Digits
        The verified arrays.

    Raises
    ------
    DataError
        Naming every missing file, or the one that is damaged, swapped or not MNIST's.
    """
    folder = Path(folder)
    try:
        missing = [name for name in FILES if find_file(folder, name) is None]
        next(folder.iterdir(), None)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be used: {error.strerror}. Set {VARIABLE} to the folder that holds "
            "the four MNIST files, or unset it to have them downloaded."
        ) from None
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)} (gzipped or not). Copy what is missing there, "
            f"or unset {VARIABLE} and run: python -m mnist_course data"
        )
    # Unpacking and hashing let other threads work, so the small files cost no time of their own.
    with ThreadPoolExecutor(max_workers=2) as pool:
        train_images, train_labels, test_images, test_labels = pool.map(
            functools.partial(_read_verified, folder), FILES.values()
        )
    return Digits(train_images, train_labels, test_images, test_labels, "MNIST", folder)


def find_file(folder: Path, name: str) -> Path | None:
    """Return the path of an MNIST file, be it raw or gzipped.

    Parameters
    ----------
    folder : Path
        Where to look.
    name : str
        For example ``"train-images-idx3-ubyte"``.

    Returns
    -------
    Path or None
        The raw file if there is one, else the gzipped one, else None.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists() or path.is_symlink():
            return path
    return None


def _read_verified(folder: Path, file: MnistFile) -> np.ndarray:
    """Read one file and make sure that it is, bit for bit, the official one."""
    path = find_file(folder, file.name)
    if path is None:
        raise DataError(f"{folder / file.name} has vanished. Run: python -m mnist_course data")
    try:
        array = read_idx(path, max_bytes=MAX_BYTES)
    except IdxError as error:
        raise DataError(str(error)) from None
    remedy = "Fetch it again, or unset MNIST_COURSE_DATA and run: python -m mnist_course data"
    if array.dtype != np.uint8:
        raise DataError(f"{path} holds {array.dtype} elements, MNIST's are uint8. {remedy}")
    if array.ndim != len(file.shape):
        held, wanted = ("labels", "images") if array.ndim == 1 else ("images", "labels")
        raise DataError(
            f"{path} holds {held} (shape {array.shape}), and {wanted} (shape {file.shape}) belong "
            f"there: were two files swapped? {remedy}"
        )
    if array.shape != file.shape:
        raise DataError(f"{path} has the shape {array.shape}, MNIST's is {file.shape}. {remedy}")
    if sha256_of(idx_header(array), array.data) != file.sha256:
        hint = ""
        if array.ndim == 1 and array.max() > 9:
            hint = f" (it even holds the label {array.max()})"
        raise DataError(
            f"{path} has the right shape, but its content is not MNIST's{hint}: it is damaged, or "
            f"another data set under the same name. {remedy}"
        )
    return array


def _set_damaged_aside(folder: Path) -> None:
    """Rename damaged raw files, which somebody put into the cache.

    A download does not replace them, and they would be preferred to the gzipped ones for ever.
    """
    for file in FILES.values():
        raw = folder / file.name
        if raw.exists():
            try:
                _read_verified(folder, file)
            except DataError:
                with contextlib.suppress(FileNotFoundError):  # another process was quicker
                    raw.replace(raw.with_name(f"{raw.name}.damaged"))


def _practice(reason: str) -> Digits:
    """Return the practice set, and announce it once per run."""
    try:
        folder = make_practice_set(cache_dir() / "practice")
    except OSError:  # a read-only home folder
        import tempfile

        folder = make_practice_set(Path(tempfile.gettempdir()) / "mnist-course-practice")
    train_images, train_labels, test_images, test_labels = (
        read_idx(folder / f"{name}.gz") for name in FILES
    )
    if not os.environ.get(ANNOUNCED):
        os.environ[ANNOUNCED] = "1"
        print(
            f"Practice set: {len(train_labels) + len(test_labels):,} small digits stand in for "
            f"MNIST ({reason}); expect other numbers than the book's.",
            file=sys.stderr,
        )
    return Digits(train_images, train_labels, test_images, test_labels, "practice set", folder)
