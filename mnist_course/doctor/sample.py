"""The first batches of a loader, copied."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from mnist_course.doctor.theirs import Trouble, theirs

NUM_EXAMPLES = 2_000  # of each loader are looked at, in at most so many batches and seconds:
NUM_BATCHES = 64
SECONDS = 5.0

Batch = tuple[torch.Tensor, torch.Tensor]


def classes(y: torch.Tensor) -> torch.Tensor:
    """Return labels ``(B,)`` as whole numbers, also from one row per example.

    Parameters
    ----------
    y : torch.Tensor
        ``(B,)`` int64, or ``(B, K)`` one-hot rows or probabilities.
    """
    return y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)


@dataclass
class Sample:
    """The first batches of a loader, copied.

    ``pieces`` are as they came, ``batches`` on the model's device.
    """

    pieces: list[Batch]
    batches: list[Batch] = field(default_factory=list)

    @property
    def num_examples(self) -> int:
        """How many examples were looked at."""
        return sum(len(y) for _, y in self.pieces)

    @cached_property
    def X(self) -> torch.Tensor:  # noqa: N802
        """``(n, ...)`` all inputs, on the model's device."""
        return torch.cat([X for X, _ in self.batches])

    @cached_property
    def y(self) -> torch.Tensor:
        """``(n,)`` all labels as whole numbers."""
        return classes(torch.cat([y for _, y in self.batches]))


def take(loader: Any, name: str, num_examples: int = NUM_EXAMPLES) -> list[Batch]:
    """Return copies of the first batches of a loader.

    Parameters
    ----------
    loader : iterable of (X, y)
        Anything that can be looped over many times.
    name : str
        For the messages, for example ``"train_loader"``.
    num_examples : int
        When to stop.

    Returns
    -------
    list of (X, y)
        At least one batch of tensors.

    Raises
    ------
    Trouble
        If the loader does not yield pairs of tensors.
    """
    with theirs(f"{name} cannot be looped over", "Hand over a DataLoader, Batches or a list."):
        iterator = iter(loader)
        if iterator is loader:
            raise Trouble(
                f"{name} can be looped over only once",
                f"{name} is a {type(loader).__name__}, and I took nothing from it",
                "The second pass over it would find it empty.",
                "Hand over something that starts anew each time: a DataLoader, Batches, a list.",
            )
    pieces: list[Batch] = []
    seen, end = 0, time.perf_counter() + SECONDS
    with theirs(f"{name} raises an exception"):
        for item in iterator:
            pieces.append(_pair(item, name))
            seen += len(pieces[-1][1])
            late = time.perf_counter() > end
            if seen >= num_examples or len(pieces) >= NUM_BATCHES or late:
                break
    if seen == 0:
        dropped = getattr(loader, "drop_last", False)
        raise Trouble(
            f"{name} yields nothing",
            f"0 batches from a {type(loader).__name__}",
            "A loop over it does nothing at all, and says nothing."
            + (" drop_last=True throws the only, incomplete batch away." if dropped else ""),
            "Look at len(dataset)" + (", and make the batches smaller." if dropped else "."),
        )
    return pieces


def _pair(item: Any, name: str) -> Batch:
    """Return one batch as a pair of tensors of its own."""
    wanted = "A batch is a pair of tensors (X, y): inputs and labels."
    if isinstance(item, dict):
        raise Trouble(
            f"{name} yields dictionaries",
            f"a batch is a dictionary with the keys {', '.join(map(repr, list(item)[:5]))}",
            wanted,
            "Wrap it: [(batch['image'], batch['label']) for batch in loader], with your keys.",
        )
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        parts = f" of {len(item)} parts" if isinstance(item, (tuple, list)) else ""
        raise Trouble(f"{name} yields no pairs", f"a {type(item).__name__}{parts}", wanted)
    X, y = item
    if isinstance(X, torch.Tensor) and isinstance(y, (int, np.integer)):
        raise Trouble(
            f"{name} is a data set, not a loader",
            f"it yields single examples, {tuple(X.shape)} and {int(y)}",
            wanted,
            "Wrap it in torch.utils.data.DataLoader(dataset, batch_size=…, shuffle=…).",
        )
    for part, what in ((X, "X"), (y, "y")):
        if not isinstance(part, torch.Tensor):
            raise Trouble(
                f"{name} yields no tensors",
                f"{what} is a {type(part).__module__}.{type(part).__name__}",
                wanted,
            )
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y):
        raise Trouble(
            f"inputs and labels of {name} do not match in number",
            f"X has the shape {tuple(X.shape)}, y {tuple(y.shape)}",
            "The first axis of both counts the examples.",
        )
    return X.detach().clone(), y.detach().clone()
