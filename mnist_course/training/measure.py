"""Measure how good a model is, and compute what it answers, without changing it.

Taught in: chapter 4, "Scores become probabilities".
"""

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.training import guards
from mnist_course.training.history import BatchSource, Evaluation, Loss, Tally


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: BatchSource,
    *,
    loss_fn: Loss = F.cross_entropy,
    half: torch.dtype | None = None,
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
    half : torch.dtype, optional
        As in `fit`.

    Returns
    -------
    Evaluation
        Averages over the examples: the same for every batch size.

    Raises
    ------
    TrainingError
        If there is no batch, the first one cannot be right, or the loss is not a mean.
    """
    device, tally = guards.device_of(model), Tally()
    with _in_evaluation_mode(model):
        for X, y in batches:
            first = tally.num_batches == 0
            if first:
                guards.check_batch(X, y)
            unchecked = guards.unchecked_labels(batches, y, first)
            X, y = X.to(device), y.to(device)  # nothing is copied if they are there already
            logits = guards.compute(model, X, half)  # (B, K)
            guards.check_logits(logits, y, unchecked)
            loss = loss_fn(logits, y)  # ()
            if first:
                guards.check_loss_fn(loss_fn, loss, logits, y)
            tally.add(loss, logits, y)
    return tally.result()


@torch.no_grad()
def predict(
    model: nn.Module,
    X: torch.Tensor,
    batch_size: int = 1_000,
    *,
    half: torch.dtype | None = None,
) -> torch.Tensor:
    """Return the logits of ``model`` for many inputs, computed in evaluation mode.

    Parameters
    ----------
    model : nn.Module
        Maps ``(B, ...)`` to ``(B, K)``; put back into its mode afterwards.
    X : torch.Tensor
        ``(N, ...)``, on any device; moved to the model's batch by batch.
    batch_size : int
        How many inputs to compute at a time; it does not change the result.
    half : torch.dtype, optional
        As in `fit`.

    Returns
    -------
    torch.Tensor
        ``(N, K)`` logits on the model's device.

    Raises
    ------
    TrainingError
        If ``X`` has another type than the weights.
    """
    device = guards.device_of(model)
    with _in_evaluation_mode(model):
        parts = [guards.compute(model, part.to(device), half) for part in X.split(batch_size)]
    return torch.cat(parts)  # (N, K)


@contextlib.contextmanager
def _in_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch dropout off and let BatchNorm use what it has learned, while this context lasts."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
