"""A program under examination: samples of its data, and copies to experiment on."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.doctor.no_trace import remember_module, remember_optimizer
from mnist_course.doctor.program import Program
from mnist_course.doctor.sample import Batch, Sample
from mnist_course.doctor.twin import SEED, Twin

LARGEST_BATCH = 256  # larger ones are cut to this size for training runs


class Patient:
    """A program, samples of its data, and copies of it on demand.

    Parameters
    ----------
    program : Program
        What to examine, inside `no_trace`.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.train = Sample([])
        self.again: list[Batch] = []  # the first batches of a second pass
        self.test = Sample([])
        self.num_classes = 0
        self.family = "other"  # of the loss: "cross-entropy", "nll" or "other"
        self.is_sum = False  # whether the loss is a sum over the batch
        self.notes: dict[str, Any] = {}  # what several checks of the loop share
        self._undo = [remember_optimizer(program.optimizer)]
        if isinstance(program.model, nn.Module):
            self._undo.append(remember_module(program.model))

    def twin(self) -> Twin:
        """Return a fresh copy of model, loss and optimizer, with its random numbers set.

        What cannot be copied serves itself, as it was at the beginning.
        """
        parts = (self.program.model, self.program.loss_fn, self.program.optimizer)
        try:
            model, loss_fn, optimizer = copy.deepcopy(parts)
        except Exception:  # a tensor that was computed is kept in it, a lock, a file
            for put_back in self._undo:
                put_back()
            model, loss_fn, optimizer = parts
        for parameter in model.parameters():
            parameter.grad = None
        torch.manual_seed(SEED)
        return Twin(model, loss_fn, optimizer)

    @cached_property
    def where(self) -> torch.device:
        """The device of the model."""
        tensors: Iterable[torch.Tensor] = (
            *self.program.model.parameters(),
            *self.program.model.buffers(),
        )
        return next((t.device for t in tensors), torch.device("cpu"))

    def moved(self, pieces: list[Batch]) -> list[Batch]:
        """Return the batches on the model's device."""
        return [(X.to(self.where), y.to(self.where)) for X, y in pieces]

    @cached_property
    def runs(self) -> list[Batch]:
        """Up to eight batches for short training runs, none larger than 256 examples."""
        return [(X[:LARGEST_BATCH], y[:LARGEST_BATCH]) for X, y in self.train.batches[:8]]

    @cached_property
    def handful(self) -> list[Batch]:
        """One batch of up to 32 different examples; fewer if the inputs are very short.

        Any network with a linear layer can tell D + 1 points of D numbers apart.
        """
        X, y = self.train.X, torch.cat([y for _, y in self.train.batches])
        wanted = min(32, X[0].numel() + 1)
        kept: dict[bytes, int] = {}
        for index, row in enumerate(X[: 4 * wanted].cpu()):
            kept.setdefault(row.float().numpy().tobytes(), index)
        picked = torch.tensor(list(kept.values())[:wanted], device=X.device)
        return [(X[picked], y[picked])]

    @cached_property
    def outputs(self) -> torch.Tensor:
        """``(n, K)`` outputs for the training sample in evaluation mode, before any training."""
        twin = self.twin()
        twin.model.eval()
        with torch.no_grad():
            return torch.cat([twin.outputs(X) for X, _ in self.train.batches]).float()

    @cached_property
    def last_operation(self) -> str:
        """The name of the last operation of the model, as autograd knows it: ``"Relu"``."""
        twin = self.twin()
        twin.model.eval()
        made_by = twin.outputs(self.runs[0][0]).grad_fn
        return made_by.name().removesuffix("Backward0") if made_by is not None else "none"

    @cached_property
    def trained(self) -> bool:
        """Whether the model knows its sample already."""
        knows = self.twin().accuracy(self.runs)
        return knows > max(0.5, 2 * self.majority)

    @cached_property
    def majority(self) -> float:
        """The share of the most frequent class in the training sample."""
        y = self.train.y
        return float(torch.bincount(y).max()) / len(y)

    def epoch_steps(self) -> int:
        """Return how many batches one pass over the training loader has, if it says so."""
        try:
            return len(self.program.train_loader)
        except TypeError:
            return 0


def probe_family(loss_fn: Any, num_classes: int, where: torch.device) -> str:
    """Return what kind of loss this is, from what it makes of made-up outputs.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(outputs, y)``.
    num_classes : int
        K.
    where : torch.device
        Where to compute.

    Returns
    -------
    str
        ``"cross-entropy"`` if it applies a softmax itself (label smoothing and class weights may
        be in it), ``"nll"`` if it wants log-probabilities, else ``"other"``.
    """
    numbers = torch.Generator().manual_seed(SEED)
    Z = torch.randn(12, num_classes, generator=numbers).to(where)  # (12, K)
    y = (torch.arange(12) % num_classes).to(where)  # (12,)
    try:
        with torch.no_grad():
            value, shifted = loss_fn(Z, y), loss_fn(Z + 1, y)
            flat = loss_fn(torch.zeros_like(Z), y)
        if torch.allclose(value, F.nll_loss(Z, y), rtol=1e-3):
            return "nll"
        # Adding the same number to all logits changes nothing for a softmax.
        same, guess = torch.allclose(value, shifted, rtol=1e-3), math.log(num_classes)
        sums = len(y) * guess
        close = any(math.isclose(float(flat), g, rel_tol=1e-3) for g in (guess, sums))
        return "cross-entropy" if same and close else "other"
    except Exception:  # it wants something else than (B, K) and (B,)
        return "other"
