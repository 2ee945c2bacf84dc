"""Train and evaluate any classifier: one epoch, many epochs, and what was measured on the way.

Taught in: chapter 4, "Scores become probabilities".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.progress import progress, say

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
BatchSource = Iterable[tuple[torch.Tensor, torch.Tensor]]
LARGEST_INPUT = 100.0  # normalized pixels stay below 3; raw ones reach 255
LARGEST_GROWTH = 100.0  # lr=0.5 makes a linear model jump to twenty times its first loss, and learn


class TrainingError(ValueError):
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


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_batches: BatchSource,
    valid_batches: BatchSource | None = None,
    *,
    num_epochs: int,
    loss_fn: Loss = F.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    log: Callable[[str], None] | None = say,
) -> History:
    """Train ``model`` in place and return what was measured after every epoch.

    Parameters
    ----------
    model : nn.Module
        Maps ``(B, ...)`` inputs to ``(B, K)`` logits. It stays on the device it is on.
    optimizer : torch.optim.Optimizer
        Holds the model's parameters.
    train_batches, valid_batches : iterable of (X, y)
        `Batches`, or any DataLoader: ``X`` ``(B, ...)`` float, ``y`` ``(B,)`` int64.
    num_epochs : int
        Passes over the training data.
    loss_fn : callable
        ``loss_fn(logits, y)``, the mean over the batch.
    scheduler : LRScheduler, optional
        Stepped after every batch.
    augment : callable, optional
        Changes each training batch ``X`` before the model sees it.
    log : callable, optional
        Gets one line per epoch; None keeps quiet.

    Returns
    -------
    History
        One `Epoch` per pass.

    Raises
    ------
    TrainingError
        Before the first step if the first batch cannot be right; during training as soon as the
        loss runs away or is not a number, or a label below 0 comes along.
    """
    history = History()
    for number in range(1, num_epochs + 1):
        lr = optimizer.param_groups[0]["lr"]
        begun = time.perf_counter()
        measured = train_epoch(
            model,
            optimizer,
            train_batches,
            loss_fn=loss_fn,
            scheduler=scheduler,
            augment=augment,
            description=f"epoch {number}/{num_epochs}",
        )
        seconds = time.perf_counter() - begun
        valid = None
        if valid_batches is not None:
            valid = evaluate(model, valid_batches, loss_fn=loss_fn)
            # The last step of the pass may be the one that ruined the weights.
            _check_loss(valid.loss, math.inf, "in validation", optimizer)
        epoch = Epoch(
            number=number,
            train_loss=measured.loss,
            train_accuracy=measured.accuracy,
            valid_loss=valid.loss if valid else None,
            valid_accuracy=valid.accuracy if valid else None,
            lr=lr,
            seconds=seconds,
        )
        history.epochs.append(epoch)
        if log:
            log(str(epoch))
    return history


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: BatchSource,
    *,
    loss_fn: Loss = F.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    description: str = "training",
) -> Evaluation:
    """Make one pass over the training data; parameters as in `fit`.

    Returns
    -------
    Evaluation
        Loss and accuracy averaged over the pass, each batch measured before its own step.

    Raises
    ------
    TrainingError
        As in `fit`.
    """
    model.train()
    tally = _Tally()
    limit = math.inf
    for step, (X, y) in enumerate(progress(_on_device(batches, model), description, unit="batch")):
        if step == 0:
            check_batch(X, y)
        logits = model(augment(X) if augment else X)  # (B, K)
        if step == 0:
            _check_logits(logits, y)
        loss = loss_fn(logits, y)  # ()
        # Asking a GPU for a number makes it wait, so there we ask only now and then.
        if X.device.type == "cpu" or step % 32 == 0:
            value = float(loss.detach())
            if step == 0:  # log K is the loss of whoever guesses
                limit = LARGEST_GROWTH * max(value, math.log(logits.shape[1]))
            if not math.isfinite(value):
                check_batch(X, y)  # before the learning rate is blamed
            _check_labels(y)
            _check_loss(value, limit, f"by step {step + 1}", optimizer)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        tally.add(loss.detach(), logits.detach(), y)
    measured = tally.result()
    _check_loss(measured.loss, limit, f"by step {step + 1}", optimizer)
    return measured


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: BatchSource, *, loss_fn: Loss = F.cross_entropy
) -> Evaluation:
    """Measure loss and accuracy of ``model`` without changing it.

    Parameters
    ----------
    model : nn.Module
        Put into evaluation mode for the measurement, and back afterwards.
    batches : iterable of (X, y)
        As in `fit`.
    loss_fn : callable
        ``loss_fn(logits, y)``, the mean over the batch.

    Returns
    -------
    Evaluation
        Averages over the examples: the same for every batch size.

    Raises
    ------
    TrainingError
        If there is no batch, or the first one cannot be right.
    """
    was_training = model.training
    model.eval()
    tally = _Tally()
    try:
        for step, (X, y) in enumerate(_on_device(batches, model)):
            if step == 0:
                check_batch(X, y)
            logits = model(X)  # (B, K)
            if step == 0:
                _check_logits(logits, y)
            tally.add(loss_fn(logits, y), logits, y)
    finally:
        model.train(was_training)
    return tally.result()


@torch.no_grad()
def predict(model: nn.Module, X: torch.Tensor, batch_size: int = 1_000) -> torch.Tensor:
    """Return the logits of ``model`` for many inputs, computed in evaluation mode.

    Parameters
    ----------
    model : nn.Module
        Maps ``(B, ...)`` to ``(B, K)``.
    X : torch.Tensor
        ``(N, ...)``.
    batch_size : int
        How many inputs to compute at a time; it does not change the result.

    Returns
    -------
    torch.Tensor
        ``(N, K)`` logits.
    """
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(part) for part in X.split(batch_size)])  # (N, K)
    finally:
        model.train(was_training)


def check_batch(X: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse a batch that cannot be right, before it costs the reader an hour.

    Parameters
    ----------
    X : torch.Tensor
        ``(B, ...)`` inputs.
    y : torch.Tensor
        ``(B,)`` labels.

    Raises
    ------
    TrainingError
        If ``X`` is not a finite, scaled float tensor or ``y`` not one whole number per example.
    """
    if y.dtype != torch.int64 or y.ndim != 1:
        raise TrainingError(
            f"the labels are {y.dtype} of shape {tuple(y.shape)}; expected int64 of shape (B,). "
            "Use .long(), and .squeeze(1) if they came as a column."
        )
    if len(y) == 0 or X.shape[:1] != y.shape:
        raise TrainingError(
            f"a batch of inputs of shape {tuple(X.shape)} and {len(y)} labels: expected as many, "
            "not 0, with the batch as the first axis."
        )
    if not X.is_floating_point():
        raise TrainingError(f"the inputs are {X.dtype}; make them float and scale them: normalize.")
    if not X.isfinite().all():
        raise TrainingError("the inputs hold NaN or infinity; one such pixel spoils every weight.")
    if X.abs().max() > LARGEST_INPUT:
        raise TrainingError(
            f"the inputs reach {X.abs().max():.0f}: these look like raw pixels 0..255; normalize."
        )
    _check_labels(y)


def _check_labels(y: torch.Tensor) -> None:
    """Refuse labels below 0: torch leaves out those that are -100, without a word."""
    if y.min() < 0:
        raise TrainingError(f"there is a label {y.min()}; labels count from 0.")


def _check_logits(logits: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse what is not one row of scores per example, with a score for every label."""
    if logits.ndim != 2 or len(logits) != len(y):
        raise TrainingError(
            f"the model returns the shape {tuple(logits.shape)} for {len(y)} examples; expected "
            "(B, K), one row of scores per example."
        )
    if y.max() >= logits.shape[1]:
        raise TrainingError(
            f"there is a label {y.max()}, but the model has {logits.shape[1]} classes; labels "
            "count from 0."
        )


def _check_loss(loss: float, limit: float, when: str, optimizer: torch.optim.Optimizer) -> None:
    """Stop a run whose loss runs away or is not a number any more, and name the usual cause."""
    if not loss <= limit or math.isinf(loss):  # a comparison with NaN is False
        lr = optimizer.param_groups[0]["lr"]
        raise TrainingError(
            f"the loss became {loss:.4g} {when} with lr={lr:g}. Usually the learning rate "
            f"is too high: build the model again and try {lr / 10:g}."
        )


def _on_device(batches: BatchSource, model: nn.Module) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield the batches on the model's device (nothing is copied if they are there already)."""
    where = next((p.device for p in model.parameters()), torch.device("cpu"))
    for X, y in batches:
        yield X.to(where), y.to(where)


class _Tally:
    """Adds up loss and hits on the device; one number comes back at the end."""

    def __init__(self) -> None:
        self.loss: torch.Tensor | float = 0.0
        self.hits: torch.Tensor | int = 0
        self.num_examples = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, y: torch.Tensor) -> None:
        """Count one batch; ``loss`` is its mean, so it weighs as many examples as the batch has."""
        self.loss = self.loss + loss * len(y)
        self.hits = self.hits + (logits.argmax(dim=1) == y).sum()
        self.num_examples += len(y)

    def result(self) -> Evaluation:
        """Return the averages."""
        if self.num_examples == 0:
            raise TrainingError("there was no batch to look at: the loader is empty.")
        n = self.num_examples
        return Evaluation(float(self.loss) / n, int(self.hits) / n, n)
