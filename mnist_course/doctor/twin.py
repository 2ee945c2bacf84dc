"""Copies of a program to experiment on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from mnist_course.doctor.sample import Batch, classes
from mnist_course.doctor.theirs import theirs

NUM_STEPS = 50  # of a short training run
SEED = 0


@dataclass
class Twin:
    """A copy of model, loss and optimizer that may be trained and spoiled."""

    model: nn.Module
    loss_fn: Any
    optimizer: Any

    def outputs(self, X: torch.Tensor) -> torch.Tensor:
        """Return what the model makes of ``X`` ``(B, ...)``; it gets a copy of the batch."""
        with theirs("the model raises an exception"):
            return self.model(X.clone())

    def loss(self, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch."""
        outputs = self.outputs(X)
        with theirs("the loss raises an exception"):
            return self.loss_fn(outputs, y)

    def set_lr(self, scale: float) -> None:
        """Set each group to ``scale`` times the learning rate that its schedule starts from."""
        for group in getattr(self.optimizer, "param_groups", []):
            group["lr"] = scale * nominal_lr(group)

    def train(
        self,
        batches: Sequence[Batch],
        num_steps: int,
        seconds: float = 20.0,
    ) -> int:
        """Make clean training steps on ``batches``, round and round; return how many.

        It ends early when a loss is not finite, or when time is up.
        """
        self.model.train()
        end = time.perf_counter() + seconds
        for step in range(num_steps):
            X, y = batches[step % len(batches)]
            self.optimizer.zero_grad()
            loss = self.loss(X, y)
            if not loss.requires_grad:
                return step
            loss.backward()
            self.optimizer.step()
            if not math.isfinite(float(loss.detach())) or time.perf_counter() > end:
                return step + 1
        return num_steps

    @torch.no_grad()
    def level(self, batches: Sequence[Batch]) -> float:
        """Return the mean loss over ``batches`` in training mode, with fixed random numbers."""
        self.model.train()
        torch.manual_seed(SEED)
        return float(np.mean([float(self.loss(X, y)) for X, y in batches]))

    @torch.no_grad()
    def accuracy(self, batches: Sequence[Batch]) -> float:
        """Return the share of right answers, in the mode that does better.

        Statistics that batch normalization has collected over a few steps are still poor, and
        dropout disturbs the training mode.
        """
        shares = []
        for mode in (False, True):
            self.model.train(mode)
            hits = [self.outputs(X).argmax(1) == classes(y) for X, y in batches]
            shares.append(float(torch.cat(hits).float().mean()))
        return max(shares)


def nominal_lr(group: dict[str, Any]) -> float:
    """Return the learning rate of a parameter group, as it was before any warm-up.

    Parameters
    ----------
    group : dict
        One of ``optimizer.param_groups``.
    """
    lr, initial = float(group["lr"]), float(group.get("initial_lr", 0.0))
    return lr if not lr < initial else initial
