"""What training and evaluation measure, and the error that stops them.

Taught in: chapter 4, "Scores become probabilities".
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from mnist_course.errors import CourseError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
BatchSource = Iterable[tuple[torch.Tensor, torch.Tensor]]


class TrainingError(CourseError, ValueError):
    """Training cannot go on; the message says what was seen and its usual cause."""


@dataclass(frozen=True)
class Evaluation:
    """What one pass over some data showed.

    Attributes
    ----------
    loss : float
        Mean over the examples (not over the batches).
    accuracy : float
        Share of the examples whose largest logit is that of the label, 0..1.
    num_examples : int
        How many examples were seen.
    """

    loss: float
    accuracy: float
    num_examples: int


@dataclass(frozen=True)
class Epoch:
    """One row of a `History`.

    Training loss and accuracy are averages over the epoch, while the weights were moving;
    validation is measured after it. ``seconds`` is the wall time of the training pass.
    """

    number: int
    train_loss: float
    train_accuracy: float
    valid_loss: float | None
    valid_accuracy: float | None
    lr: float
    seconds: float

    def __str__(self) -> str:
        """Return the row as one line of text."""
        line = f"epoch {self.number:2d}  train loss {self.train_loss:.3f}"
        line += f"  acc {100 * self.train_accuracy:5.1f} %"
        if self.valid_accuracy is not None:
            line += f"  valid loss {self.valid_loss:.3f}  acc {100 * self.valid_accuracy:5.1f} %"
        return line + f"  {self.seconds:.1f} s"


@dataclass
class History:
    """What `fit` measured: a list of `Epoch` rows that can be read by column.

    ``history["train_loss"]`` is the list of the training losses, one per epoch.
    """

    epochs: list[Epoch] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Any]:
        """Return one column; `KeyError` names the columns that there are."""
        known = [f.name for f in fields(Epoch)]
        if name not in known:
            raise KeyError(f"no column {name!r}; there are {', '.join(known)}")
        return [getattr(epoch, name) for epoch in self.epochs]

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self.epochs)

    @property
    def seconds(self) -> float:
        """Wall time of all training passes together."""
        return sum(self["seconds"])


class Tally:
    """Adds up loss and hits on the device; one number comes back at the end."""

    def __init__(self) -> None:
        self.loss: torch.Tensor | float = 0.0
        self.hits: torch.Tensor | int = 0
        self.num_examples = self.num_batches = 0
        self.limit = math.inf  # a larger loss stops the run
        self.lr = 0.0  # at the beginning of the pass
        self.seconds = 0.0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, y: torch.Tensor) -> None:
        """Count one batch; ``loss`` is its mean, so it weighs as many examples as the batch has."""
        self.loss = self.loss + loss * len(y)
        self.hits = self.hits + (logits.argmax(dim=1) == y).sum()
        self.num_examples += len(y)
        self.num_batches += 1

    def result(self) -> Evaluation:
        """Return the averages."""
        if self.num_examples == 0:
            raise TrainingError("there was no batch to look at: the loader is empty.")
        n = self.num_examples
        return Evaluation(float(self.loss) / n, int(self.hits) / n, n)
