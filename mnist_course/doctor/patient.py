"""A training program under examination: samples of its data, and copies to experiment on.

What is here makes sure that the checks can look at anything without leaving a trace.
"""

from __future__ import annotations

import contextlib
import copy
import io
import math
import random
import time
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.errors import CourseError

NUM_EXAMPLES = 2_000  # of each loader are looked at, in at most so many batches and seconds:
NUM_BATCHES = 64
SECONDS = 5.0
NUM_STEPS = 50  # of a short training run
LARGEST_BATCH = 256  # larger ones are cut to this size for training runs
SEED = 0

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass
class Program:
    """What a training program consists of.

    Attributes
    ----------
    model : nn.Module
        Maps ``(B, ...)`` inputs to ``(B, K)`` outputs.
    loss_fn : callable
        ``loss_fn(outputs, y)``, a number.
    optimizer : torch.optim.Optimizer
        Of the model's parameters.
    train_loader, test_loader : iterable of (X, y)
        DataLoaders, `Batches` or lists. ``test_loader`` may be None.
    train_step : callable, optional
        Your own step, ``train_step(model, loss_fn, optimizer, X, y)``: everything that your loop
        does with one batch.
    train_epoch : callable, optional
        Your own pass, ``train_epoch(model, loss_fn, optimizer, loader)``: everything that your
        loop does in one pass. It may return the losses that it reports: one number, or a list.
    evaluate : callable, optional
        Your own evaluation, ``evaluate(model, loader)``: everything that your loop does to
        measure. It returns an accuracy, or loss and accuracy, in that order or by these names.
    """

    model: Any
    loss_fn: Any
    optimizer: Any
    train_loader: Any
    test_loader: Any = None
    train_step: Callable[..., Any] | None = None
    train_epoch: Callable[..., Any] | None = None
    evaluate: Callable[..., Any] | None = None


class Trouble(CourseError):  # noqa: N818 - a finding on its way up
    """The program under examination did something that no program should do.

    Parameters
    ----------
    title, evidence, meaning, remedy : str
        As in a `doctor.Finding`.
    """

    def __init__(self, title: str, evidence: str, meaning: str = "", remedy: str = "") -> None:
        super().__init__(title)
        self.title, self.evidence = title, evidence
        self.meaning, self.remedy = meaning, remedy


def describe_error(error: BaseException) -> str:
    """Return an exception as one line: its type, its message, and where it was raised.

    Parameters
    ----------
    error : BaseException
        What was caught.

    Returns
    -------
    str
        For example ``"NameError: name 'init' is not defined (program.py, line 12)"``.
    """
    message = next((line for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, AttributeError) and getattr(error, "obj", None) is not None:
        import difflib

        known = difflib.get_close_matches(str(error.name), dir(error.obj), 1, 0.6)
        exact = [name for name in dir(error.obj) if name.lower() == str(error.name).lower()]
        if exact or known:
            message += f". Did you mean {(exact or known)[0]!r}?"
    frame = error.__traceback__
    places = []
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        places.append((name, frame.tb_lineno))
        frame = frame.tb_next
    strange = ("site-packages", "mnist_course/doctor/", "<frozen", "importlib")
    own = [p for p in places if not any(s in p[0].replace(chr(92), "/") for s in strange)]
    place = ""
    if own:
        name, line = own[-1]
        place = f" ({name.replace(chr(92), '/').rsplit('/', 1)[-1]}, line {line})"
    return f"{type(error).__name__}: {message}{place}"


@contextlib.contextmanager
def theirs(title: str, remedy: str = "") -> Iterator[None]:
    """Turn whatever the learner's code raises in the block into a `Trouble`.

    Parameters
    ----------
    title : str
        What failed, in a few words.
    remedy : str
        What to try.
    """
    try:
        yield
    except Trouble:
        raise
    except Exception as error:
        raise Trouble(title, describe_error(error), hint(error), remedy) from None


def hint(error: Exception) -> str:
    """Return what the usual messages of PyTorch mean, or an empty string.

    Parameters
    ----------
    error : Exception
        What PyTorch raised.
    """
    text = str(error).lower()
    for piece, meaning in _HINTS.items():
        if piece in text:
            return meaning
    return ""


_HINTS = {
    "same device": "Model and data, or two layers, lie on different devices.",
    "mat1 and mat2 shapes": "A dense layer got rows of another length than it was built for: "
    "is a Flatten missing, or is the number of inputs wrong?",
    "byte": "The inputs are whole numbers; layers want floats, scaled.",
    "must have the same dtype": "Inputs and weights have different types: float32 is usual.",
    "found dtype": "Inputs and weights have different types: float32 is usual.",
    "expected scalar type": "A tensor has another type than is wanted here: inputs are float32, "
    "labels int64.",
    "out of bounds": "A label is larger than the number of outputs allows.",
    "view size is not compatible": "view needs another memory layout; use flatten or reshape.",
    "is invalid for input of size": "A view with a fixed size meets a batch of another size: "
    "write flatten(1), or X.shape[0] in place of a number.",
    "a view of": "A tensor that autograd needs was changed in place.",
    "second time": "backward was called twice on the same loss, or a graph is kept between steps.",
    "does not require grad": "Nothing leads from the loss back to the parameters: look for "
    "no_grad, detach, .item(), .data, or argmax in between.",
    "more than 1 value per channel": "Batch normalization cannot learn from a single example.",
}


# Leaving no trace --------------------------------------------------------------------------------


@contextlib.contextmanager
def no_trace(program: Program) -> Iterator[None]:
    """Put everything back after the block: parameters, modes, optimizer, loaders, random numbers.

    Parameters
    ----------
    program : Program
        What is examined in the block.
    """
    undo: list[Callable[[], None]] = [_remember_random_numbers()]
    grad_enabled = torch.is_grad_enabled()
    for part in (program.model, program.loss_fn):
        if isinstance(part, nn.Module):
            undo.append(_remember_module(part))
    undo.append(_remember_optimizer(program.optimizer))
    for loader in (program.train_loader, program.test_loader):
        undo.append(_remember_loader(loader))
    said = io.StringIO()  # the learner's functions may print
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), torch.enable_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        for put_back in reversed(undo):
            put_back()
        torch.set_grad_enabled(grad_enabled)


def _remember_random_numbers() -> Callable[[], None]:
    """Return a function that puts Python's, numpy's and torch's random numbers back."""
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
        if mps is not None:
            torch.mps.set_rng_state(mps)

    return put_back


def _remember_tensor(tensor: torch.Tensor) -> Callable[[], None]:
    """Return a function that puts the values of a tensor back, if they were changed."""
    if nn.parameter.is_lazy(tensor) or tensor.is_meta:  # it has no values
        return lambda: None
    saved, version = tensor.detach().clone(), tensor._version

    def put_back() -> None:
        if tensor._version != version or not torch.equal(tensor, saved):
            with torch.no_grad():
                tensor.copy_(saved)

    return put_back


def _remember_dict(values: dict[Any, Any]) -> Callable[[], None]:
    """Return a function that puts the entries of a dictionary back, and the tensors in them."""
    saved = dict(values)
    inner = [_remember_tensor(v) for v in saved.values() if isinstance(v, torch.Tensor)]

    def put_back() -> None:
        _reset(values, saved)
        for undo in inner:
            undo()

    return put_back


def _remember_module(module: nn.Module) -> Callable[[], None]:
    """Return a function that puts values, gradients and modes of a module back."""
    modes = [(part, part.training) for part in module.modules()]
    undo = [_remember_tensor(t) for t in (*module.parameters(), *module.buffers())]
    flags = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    undo += [_remember_tensor(p.grad) for p in module.parameters() if p.grad is not None]
    tables = [
        _remember_dict(table)
        for part in module.modules()
        for table in (part.__dict__, part._parameters, part._buffers)
    ]

    def put_back() -> None:
        for restore in tables:
            restore()
        for part, mode in modes:
            part.training = mode
        for restore in undo:
            restore()
        for parameter, wanted, grad in flags:
            if parameter.requires_grad != wanted:
                parameter.requires_grad_(wanted)
            parameter.grad = grad

    return put_back


def _remember_optimizer(optimizer: Any) -> Callable[[], None]:
    """Return a function that puts the state and the settings of an optimizer back."""
    states = [optimizer.state] if isinstance(getattr(optimizer, "state", None), dict) else []
    states += [s for state in list(states) for s in state.values() if isinstance(s, dict)]
    groups = getattr(optimizer, "param_groups", [])
    states += [g for g in groups if isinstance(g, dict)]
    undo = [_remember_dict(state) for state in states]

    def put_back() -> None:
        for restore in undo:
            restore()

    return put_back


_NO_STATE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    torch.Tensor,
    np.ndarray,
    nn.Module,
)


def _remember_loader(loader: Any) -> Callable[[], None]:
    """Return a function that puts counters and generators of a loader back.

    It follows the attributes of the loader, of its sampler, its data set and so on, but looks
    into no tensor and no list of examples.
    """
    undo: list[Callable[[], None]] = []
    known: set[int] = set()
    queue = [(loader, 0)]
    while queue and len(known) < 500:
        part, depth = queue.pop()
        if id(part) in known or isinstance(part, _NO_STATE):
            continue
        known.add(id(part))
        if isinstance(part, (torch.Generator, np.random.RandomState)):
            undo.append(_state_setter(part.set_state, part.get_state()))
        elif isinstance(part, np.random.Generator):
            undo.append(_bits_setter(part.bit_generator, copy.deepcopy(part.bit_generator.state)))
        elif isinstance(part, random.Random):
            undo.append(_state_setter(part.setstate, part.getstate()))
        elif hasattr(part, "__dict__") and depth < 5:
            attributes = vars(part)
            if isinstance(attributes, dict):
                undo.append(_attributes_setter(part, dict(attributes)))
                queue += [(value, depth + 1) for value in attributes.values()]
        if isinstance(part, (list, tuple)) and len(part) <= 20 and depth < 5:
            queue += [(value, depth + 1) for value in part]

    def put_back() -> None:
        for restore in undo:
            restore()

    return put_back


def _state_setter(set_state: Callable[[Any], Any], state: Any) -> Callable[[], None]:
    return lambda: set_state(state)


def _bits_setter(bits: Any, state: Any) -> Callable[[], None]:
    return lambda: setattr(bits, "state", state)


def _attributes_setter(part: Any, saved: dict[str, Any]) -> Callable[[], None]:
    return lambda: _reset(vars(part), saved)


def _reset(values: dict[Any, Any], saved: dict[Any, Any]) -> None:
    """Give a dictionary the entries that it had, touching no other."""
    for key in [key for key in values if key not in saved]:
        del values[key]
    for key, value in saved.items():
        if key not in values or values[key] is not value:
            values[key] = value


# Copies to experiment on -------------------------------------------------------------------------


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


def classes(y: torch.Tensor) -> torch.Tensor:
    """Return labels ``(B,)`` as whole numbers, also from one row per example.

    Parameters
    ----------
    y : torch.Tensor
        ``(B,)`` int64, or ``(B, K)`` one-hot rows or probabilities.
    """
    return y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)


# Looking at data ---------------------------------------------------------------------------------


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
        self._undo = [_remember_optimizer(program.optimizer)]
        if isinstance(program.model, nn.Module):
            self._undo.append(_remember_module(program.model))

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
