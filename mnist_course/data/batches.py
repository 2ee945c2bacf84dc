"""Split the digits, normalize them, and cut them into batches.

torch is loaded when tensors are asked for.

Taught in: chapter 2, "From arrays to batches".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mnist_course.errors import UsageError

if TYPE_CHECKING:
    import torch

NUM_CLASSES = 10
MEAN, STD = 0.1307, 0.3081  # of the 47,040,000 training pixels, scaled to 0..1 (chapter 2)


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
    UsageError
        If nothing would be left for one of the two.
    """
    if not 0 < num_valid < num_examples:
        raise UsageError(
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

        order = None
        if self.shuffle:
            drawn = np.random.default_rng((self.seed, epoch)).permutation(len(self.y))
            order = torch.from_numpy(drawn).to(self.y.device)  # (N,)
        for first in range(start * self.batch_size, len(self.y), self.batch_size):
            part = slice(first, first + self.batch_size)
            if order is None:
                yield self.X[part], self.y[part]
            else:  # the same as self.X[order[part]], in less than half of the time
                picked = order[part]  # (B,)
                yield self.X.index_select(0, picked), self.y[picked]
