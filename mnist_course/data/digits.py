"""The digits: find them, verify them, split them, normalize them, cut them into batches.

`load_data` needs numpy only; torch is loaded when tensors are asked for.

Taught in: chapter 2, "From arrays to batches".
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs

from mnist_course.data.download import FILES, MnistFile, download
from mnist_course.data.idx import IdxError, idx_header, read_idx
from mnist_course.data.practice import make_practice_set
from mnist_course.errors import CourseError
from mnist_course.files import remove_leftovers

if TYPE_CHECKING:
    import torch

VARIABLE = "MNIST_COURSE_DATA"  # a folder with the four files, or the word "practice"
PRACTICE = "practice"
ANNOUNCED = "MNIST_COURSE_ANNOUNCED"  # set once the practice set has been announced in this run
NUM_CLASSES = 10
MAX_BYTES = 2**26  # the largest of the four files holds 47 MB
MEAN, STD = 0.1307, 0.3081  # of the 47,040,000 training pixels, scaled to 0..1 (chapter 2)


class DataError(CourseError, ValueError):
    """The digits are missing or not what they should be; the message says what to do next."""


@dataclass(frozen=True)
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
        _tidy(folder)
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
    train_images, train_labels, test_images, test_labels = (
        _read_verified(folder, file) for file in FILES.values()
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
    if hashlib.sha256(idx_header(array) + array.tobytes()).hexdigest() != file.sha256:
        hint = ""
        if array.ndim == 1 and array.max() > 9:
            hint = f" (it even holds the label {array.max()})"
        raise DataError(
            f"{path} has the right shape, but its content is not MNIST's{hint}: it is damaged, or "
            f"another data set under the same name. {remedy}"
        )
    return array


def _tidy(folder: Path) -> None:
    """Clear the cache of what a download does not replace.

    These are raw files that somebody put there and that are damaged, which would be preferred to
    the gzipped ones for ever, and what processes left behind that were killed while they wrote.
    """
    for file in FILES.values():
        raw = folder / file.name
        if raw.exists():
            try:
                _read_verified(folder, file)
            except DataError:
                with contextlib.suppress(FileNotFoundError):  # another process was quicker
                    raw.replace(raw.with_name(f"{raw.name}.damaged"))
    remove_leftovers(folder, "tmp*")  # as pooch calls them


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


def split_train_valid(
    num_examples: int, num_valid: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split ``range(num_examples)`` at random into training and validation indices.

    Parameters
    ----------
    num_examples : int
        How many examples there are.
    num_valid : int
        How many to set aside for validation.
    seed : int
        The same seed gives the same split on every machine.

    Returns
    -------
    train_indices, valid_indices : np.ndarray
        Two int64 arrays without a common element, ``(num_examples - num_valid,)`` and
        ``(num_valid,)``.

    Raises
    ------
    ValueError
        If nothing would be left for one of the two.
    """
    if not 0 < num_valid < num_examples:
        raise ValueError(
            f"num_valid={num_valid} of {num_examples} examples leaves one of the two parts empty; "
            f"choose a number from 1 to {num_examples - 1}."
        )
    order = np.random.default_rng(seed).permutation(num_examples)
    return order[num_valid:], order[:num_valid]


def normalize(images: torch.Tensor) -> torch.Tensor:
    """Scale pixels to mean 0 and standard deviation 1, as measured over the training set.

    Parameters
    ----------
    images : torch.Tensor
        ``(B, 28, 28)`` or ``(B, 1, 28, 28)`` uint8, on any device.

    Returns
    -------
    torch.Tensor
        ``(B, 1, 28, 28)`` float32 on the same device; paper is -0.42, ink 2.82.

    Raises
    ------
    ValueError
        If ``images`` is not uint8: it has been scaled already, and would be scaled twice.
    """
    import torch

    if images.dtype != torch.uint8:
        raise ValueError(
            f"normalize expects the raw uint8 pixels 0..255, got {images.dtype}: "
            "these images have been scaled before."
        )
    X = images.reshape(-1, 1, 28, 28).float()  # (B, 1, 28, 28)
    return X.div_(255).sub_(MEAN).div_(STD)


def to_tensors(
    images: np.ndarray,
    labels: np.ndarray,
    device: torch.device | str = "cpu",
    *,
    normalized: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images and labels as tensors that lie on ``device``.

    Parameters
    ----------
    images : np.ndarray
        ``(N, 28, 28)`` uint8.
    labels : np.ndarray
        ``(N,)``, digits 0..9.
    device : torch.device or str
        Where the tensors go: once, and not batch by batch.
    normalized : bool
        Whether pixels are normalized (mean 0, standard deviation 1) or only scaled to 0..1.

    Returns
    -------
    X : torch.Tensor
        ``(N, 1, 28, 28)`` float32.
    y : torch.Tensor
        ``(N,)`` int64, as `torch.nn.functional.cross_entropy` wants them.

    Raises
    ------
    ValueError
        If the counts differ, a label is out of range, or the images are not uint8.
    """
    import torch

    images, labels = np.asarray(images), np.asarray(labels)
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels: each needs one.")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < NUM_CLASSES:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}; digits are 0..9.")
    pixels = torch.tensor(np.ascontiguousarray(images)).to(device)  # (N, 28, 28)
    X = normalize(pixels) if normalized else pixels.unsqueeze(1).float().div_(255)
    return X, torch.tensor(labels.astype(np.int64)).to(device)


class Batches:
    """Mini-batches cut from tensors that already lie on the device.

    An object to loop over, like a `torch.utils.data.DataLoader`, and many times as fast for data
    that fits in memory, because a batch is one indexing operation and not a Python loop over
    images (chapter 2 measures it). Each pass over a shuffled object has its own order, which is a
    function of ``seed`` and ``epoch`` alone: pass 5 is the same whether or not passes 1 to 4 were
    made in this process.

    Parameters
    ----------
    X, y : torch.Tensor
        ``(N, ...)`` and ``(N,)``, on one device.
    batch_size : int
        Examples per batch; the last batch holds what is left.
    shuffle : bool
        Whether to draw a new order for each epoch. Always written out: a training set needs
        True, an evaluation gains nothing from it.
    seed : int
        What the orders depend on.

    Attributes
    ----------
    epoch : int
        The pass that the next loop makes, from 0; each loop adds 1. Set it to repeat a pass.

    Raises
    ------
    ValueError
        If there is nothing to loop over, or ``batch_size`` is less than 1.
    """

    def __init__(
        self,
        X: torch.Tensor,
        y: torch.Tensor,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
    ) -> None:
        if len(X) != len(y) or len(y) == 0:
            raise ValueError(f"{len(X)} images and {len(y)} labels: expected equally many, not 0.")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: a batch holds at least one example.")
        self.X, self.y = X, y
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.epoch = 0

    @property
    def num_examples(self) -> int:
        """How many examples one pass covers."""
        return len(self.y)

    def __len__(self) -> int:
        """Return the number of batches in one pass."""
        return -(-len(self.y) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield ``(B, ...)`` images and ``(B,)`` labels until every example has come once."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        yield from self.one_pass(epoch)

    def one_pass(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of one pass, from the beginning or from somewhere in the middle.

        Parameters
        ----------
        epoch : int
            Which pass, from 0.
        start : int
            Number of the batch to begin with, from 0. Those before it cost nothing.

        Yields
        ------
        X, y : torch.Tensor
            ``(B, ...)`` images and ``(B,)`` labels.
        """
        import torch

        indices = torch.empty(0)
        if self.shuffle:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.y))
            indices = torch.from_numpy(order).to(self.y.device)  # (N,)
        for first in range(start * self.batch_size, len(self.y), self.batch_size):
            part = slice(first, first + self.batch_size)
            picked = indices[part] if self.shuffle else part  # (B,)
            yield self.X[picked], self.y[picked]
