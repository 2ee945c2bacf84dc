"""A program under examination: samples of its data, and copies to experiment on."""

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.doctor.no_trace import remember_module, remember_optimizer
from mnist_course.doctor.program import Program
from mnist_course.doctor.theirs import LONGEST_CALL, Trouble, call_theirs
from mnist_course.time_limit import call_within

NUM_EXAMPLES = 2_000  # of each loader are looked at, in at most so many batches and seconds:
NUM_BATCHES = 64
SECONDS = 5.0
NUM_STEPS = 50  # of a short training run
LARGEST_BATCH = 256  # larger ones are cut to this size for training runs
SEED = 0
STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)  # know of modes

Batch = tuple[torch.Tensor, torch.Tensor]

# Looking at data ---------------------------------------------------------------------------------


def classes(y: torch.Tensor) -> torch.Tensor:
    """Return labels ``(B,)`` as whole numbers, also from one row per example.

    Parameters
    ----------
    y : torch.Tensor
        ``(B,)`` int64, or ``(B, K)`` one-hot rows or probabilities.
    """
    return y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)


def dtype_of(tensor: torch.Tensor) -> str:
    """Return the type of the numbers in a tensor, in one word.

    Parameters
    ----------
    tensor : torch.Tensor
        Any.
    """
    return str(tensor.dtype).removeprefix("torch.")


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
    iterator = call_theirs(name, _iterator, loader, name, trouble="not-iterable")
    pieces = call_theirs(name, _first_batches, iterator, name, num_examples)
    if not sum(len(y) for _, y in pieces):
        dropped = getattr(loader, "drop_last", False)
        key = "drops-the-only-batch" if dropped else "yields-nothing"
        raise Trouble(key, f"0 batches from a {type(loader).__name__}", name=name)
    return pieces


def _iterator(loader: Any, name: str) -> Iterator[Any]:
    """Return a new iterator over a loader that is none itself."""
    iterator = iter(loader)
    if iterator is loader:
        seen = f"{name} is a {type(loader).__name__}, and I took nothing from it"
        raise Trouble("iterator", seen, name=name)
    return iterator


def _first_batches(iterator: Iterator[Any], name: str, num_examples: int) -> list[Batch]:
    """Return copies of batches until there are enough of them, or time is up."""
    pieces: list[Batch] = []
    seen, end = 0, time.perf_counter() + SECONDS
    for item in iterator:
        pieces.append(_pair(item, name))
        seen += len(pieces[-1][1])
        if seen >= num_examples or len(pieces) >= NUM_BATCHES or time.perf_counter() > end:
            break
    return pieces


def _pair(item: Any, name: str) -> Batch:
    """Return one batch as a pair of tensors of its own."""
    if isinstance(item, dict):
        keys = ", ".join(map(repr, list(item)[:5]))
        raise Trouble("dictionaries", f"a batch is a dictionary with the keys {keys}", name=name)
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        parts = f" of {len(item)} parts" if isinstance(item, (tuple, list)) else ""
        raise Trouble("no-pairs", f"a {type(item).__name__}{parts}", name=name)
    X, y = item
    if isinstance(X, torch.Tensor) and isinstance(y, (int, np.integer)):
        seen = f"it yields single examples, {tuple(X.shape)} and {int(y)}"
        raise Trouble("data-set", seen, name=name)
    for part, what in ((X, "X"), (y, "y")):
        if not isinstance(part, torch.Tensor):
            seen = f"{what} is a {type(part).__module__}.{type(part).__name__}"
            raise Trouble("no-tensors", seen, name=name)
    if X.ndim == 0 or y.ndim == 0 or len(X) != len(y):
        seen = f"X has the shape {tuple(X.shape)}, y {tuple(y.shape)}"
        raise Trouble("numbers-differ", seen, name=name)
    return X.detach().clone(), y.detach().clone()


# Copies to experiment on -------------------------------------------------------------------------


@dataclass
class Twin:
    """A copy of model, loss and optimizer that may be trained and spoiled."""

    model: nn.Module
    loss_fn: Any
    optimizer: Any

    def outputs(self, X: torch.Tensor) -> torch.Tensor:
        """Return what the model makes of ``X`` ``(B, ...)``; it gets a copy of the batch."""
        return call_theirs("the model", self.model, X.clone())

    def loss(self, X: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one batch."""
        return call_theirs("the loss", self.loss_fn, self.outputs(X), y)

    def set_lr(self, scale: float) -> None:
        """Set each group to ``scale`` times the learning rate that its schedule starts from."""
        for group in getattr(self.optimizer, "param_groups", []):
            group["lr"] = scale * nominal_lr(group)

    def train(self, batches: Sequence[Batch], num_steps: int, seconds: float = 20.0) -> int:
        """Make clean training steps on ``batches``, round and round; return how many.

        It ends early when a loss is not finite, or when time is up.
        """
        return call_within(seconds + LONGEST_CALL, self._train, batches, num_steps, seconds)

    def _train(self, batches: Sequence[Batch], num_steps: int, seconds: float) -> int:
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


# The patient -------------------------------------------------------------------------------------


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
        self._undo = remember_optimizer(program.optimizer)
        if isinstance(program.model, nn.Module):
            self._undo += remember_module(program.model)

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
        model = self.program.model
        tensors = (*model.parameters(), *model.buffers())
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
    try:
        return call_theirs("the loss", _family, loss_fn, num_classes, where)
    except Trouble:  # it wants something else than (B, K) and (B,)
        return "other"


def _family(loss_fn: Any, num_classes: int, where: torch.device) -> str:
    """Return the kind of a loss that takes ``(B, K)`` and ``(B,)``."""
    numbers = torch.Generator().manual_seed(SEED)
    Z = torch.randn(12, num_classes, generator=numbers).to(where)  # (12, K)
    y = (torch.arange(12) % num_classes).to(where)  # (12,)
    with torch.no_grad():
        value, shifted = loss_fn(Z, y), loss_fn(Z + 1, y)
        flat = loss_fn(torch.zeros_like(Z), y)
    if torch.allclose(value, F.nll_loss(Z, y), rtol=1e-3):
        return "nll"
    # Adding the same number to all logits changes nothing for a softmax.
    same, guess = torch.allclose(value, shifted, rtol=1e-3), math.log(num_classes)
    close = any(math.isclose(float(flat), g, rel_tol=1e-3) for g in (guess, len(y) * guess))
    return "cross-entropy" if same and close else "other"
