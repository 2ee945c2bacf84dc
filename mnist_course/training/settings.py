"""What a training run depends on and does not change.

Taught in: chapter 9, "A run that survives".
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from mnist_course.training.guards import count_examples
from mnist_course.training.history import BatchSource

if TYPE_CHECKING:
    from mnist_course.training.loop import _Run


def settings_of(run: _Run, batches: BatchSource, num_epochs: int) -> dict[str, Any]:
    """Return what a run depends on: whoever resumes it with something else is making another."""
    settings = {
        "seed": run.seed,
        "layers": str(run.model),
        "loss": _name(run.loss_fn),
        "augmentation": _name(run.augment),
        "half precision": str(run.half),
        "batch size": getattr(batches, "batch_size", None),
        "number of examples": count_examples(batches),
        "optimizer": _name(run.optimizer),
        "scheduler": _name(run.scheduler),
    }
    if run.scheduler:  # its plan usually depends on it
        settings["num_epochs"] = num_epochs
    for number, group in enumerate(run.optimizer.param_groups):
        of_group = f" of group {number}" if number else ""
        settings |= {name + of_group: value for name, value in group.items() if name != "params"}
    return settings


def _name(thing: Any) -> str | None:
    """Return a name for a function or an object that is the same in every process."""
    if thing is None:
        return None
    if is_dataclass(thing):
        return repr(thing)
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__
