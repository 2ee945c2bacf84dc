"""What the result of a training run depends on: settings, data, and sources of random numbers.

Whoever resumes a run with something else is making another run.

Taught in: chapter 10, "A run that survives".
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnist_course.data import Batches
from mnist_course.device import seed_step
from mnist_course.errors import UsageError
from mnist_course.training.checkpoint import PLAIN
from mnist_course.training.guards import count_examples
from mnist_course.training.history import BatchSource

if TYPE_CHECKING:
    from mnist_course.training.loop import _Run

NUM_ITEMS = 16  # of each end of the data that are looked at, if it comes item by item
FOREIGN = (np.random.Generator, np.random.RandomState, random.Random)


def settings_of(run: _Run, batches: BatchSource, num_epochs: int) -> dict[str, Any]:
    """Return what a run depends on, in plain values that are the same in every process.

    Parameters
    ----------
    run : _Run
        The run.
    batches : iterable of (X, y)
        What it is trained on.
    num_epochs : int
        How long.

    Returns
    -------
    dict
        By name, for a message to a reader.
    """
    settings = {
        "seed": run.seed,
        "layers": str(run.model),
        "loss": _name(run.loss_fn),
        "augmentation": _name(run.augment),
        "half precision": str(run.half),
        "batch size": getattr(batches, "batch_size", None),
        "drop_last": getattr(batches, "drop_last", False),
        "order": _order_of(batches),
        "number of examples": count_examples(batches),
        "SHA-256 of the first and last examples": _ends_of(batches, run.seed or 0),
        "optimizer": _name(run.optimizer),
        "scheduler": _name(run.scheduler),
    }
    if run.scheduler:  # its plan usually depends on it
        settings["num_epochs"] = num_epochs
    for number, group in enumerate(run.optimizer.param_groups):
        of_group = f" of group {number}" if number else ""
        settings |= {name + of_group: value for name, value in group.items() if name != "params"}
    return settings


def seed_generators(batches: BatchSource, seed: int) -> None:
    """Seed the generators that a DataLoader, its samplers and its data set have of their own.

    Parameters
    ----------
    batches : iterable of (X, y)
        What a pass goes through.
    seed : int
        A function of the run and the pass.
    """
    for value in _held_by(batches):
        if isinstance(value, torch.Generator):
            value.manual_seed(seed)


def refuse_inexact(batches: BatchSource) -> None:
    """Refuse to keep a run whose random numbers could not be drawn again.

    Parameters
    ----------
    batches : iterable of (X, y)
        What a pass goes through.

    Raises
    ------
    UsageError
        If a DataLoader keeps its workers from pass to pass, takes batches as they come, or draws
        from a generator of numpy's or Python's that it keeps to itself.
    """
    if getattr(batches, "persistent_workers", False):
        raise UsageError(
            "a run with a checkpoint must begin every pass alike, and workers that persist bring "
            "random numbers along from the pass before: persistent_workers=False."
        )
    if getattr(batches, "num_workers", 0) > 1 and not getattr(batches, "in_order", True):
        raise UsageError(
            "a run with a checkpoint needs its batches in the same order again: in_order=True."
        )
    if any(isinstance(value, FOREIGN) for value in _held_by(batches)):
        raise UsageError(
            "the DataLoader draws from a random generator of numpy's or Python's that it keeps to "
            "itself, and a resumed run could not draw those numbers again: give it a "
            "torch.Generator, or use np.random and random directly."
        )


def _held_by(batches: BatchSource) -> list[Any]:
    """Return what a DataLoader, its samplers and its data set keep in their attributes."""
    sampler = getattr(batches, "batch_sampler", None)
    parts = [batches, sampler, getattr(sampler, "sampler", None)]
    parts += [getattr(batches, name, None) for name in ("sampler", "dataset")]
    return [value for part in parts for value in getattr(part, "__dict__", {}).values()]


def _order_of(batches: BatchSource) -> str:
    """Say in which order examples come."""
    if isinstance(batches, Batches):
        return f"shuffled with seed {batches.seed}" if batches.shuffle else "not shuffled"
    names = ["sampler"] if getattr(batches, "batch_size", None) else ["batch_sampler", "sampler"]
    parts = [part for name in names if (part := getattr(batches, name, None)) is not None]
    return " of ".join(map(_show, parts)) or "its own"


def _show(thing: Any) -> str:
    """Name an object with what it holds; long things by the beginning of their SHA-256."""
    shown = [
        f"{name}={value!r}" if type(value) in PLAIN else f"{name}={digest(value)}"
        for name, value in getattr(thing, "__dict__", {}).items()
        if isinstance(value, (*PLAIN, list, tuple, torch.Tensor, np.ndarray))
        and name != "data_source"
    ]
    return f"{type(thing).__qualname__}({', '.join(shown)})"


def _ends_of(batches: Any, seed: int) -> str | None:
    """Return a digest of the first and the last examples, and of all labels that lie at hand."""
    if isinstance(batches, Batches):
        size = batches.batch_size
        return digest([batches.X[:size], batches.X[-size:], batches.y])
    if isinstance(batches, Sequence) and batches:
        return digest([batches[0], batches[-1]])
    try:
        items = copy.copy(batches.dataset)  # what it opens or counts is not passed on to workers
        ends = {*range(NUM_ITEMS), *range(len(items) - NUM_ITEMS, len(items))}
        seed_generators(batches, seed)
        seed_step(seed, 0)  # items may be changed at random
        return digest([items[i] for i in sorted(ends) if 0 <= i < len(items)])
    except (AttributeError, TypeError, KeyError, IndexError, NotImplementedError):
        return None  # it does not come item by item


def digest(value: Any) -> str:
    """Return the beginning of the SHA-256 of tensors, arrays and plain values, nested or not.

    Parameters
    ----------
    value : object
        The same value has the same digest in every process.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    sha256 = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
        if isinstance(value, (list, tuple)):
            for part in value:
                add(part)
        elif hasattr(value, "tobytes"):  # arrays and pictures
            sha256.update(value.tobytes())
        elif isinstance(value, PLAIN):
            sha256.update(repr(value).encode())

    add(value)
    return sha256.hexdigest()[:12]


def _name(thing: Any) -> str | None:
    """Return a name for a function or an object that is the same in every process."""
    if thing is None:
        return None
    if is_dataclass(thing):
        return repr(thing)
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__
