"""A training program, and how to load one by the name of its factory."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_course.doctor.theirs import describe_error, place_of
from mnist_course.errors import UsageError
from mnist_course.time_limit import TooLong, call_within

LONGEST_FACTORY = 300.0  # seconds that a factory may take: it may fetch data


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


class CannotLook(UsageError):  # noqa: N818
    """There is no program to examine; the message says why."""


def load_program(name: str) -> Program:
    """Import a factory and call it.

    Parameters
    ----------
    name : str
        ``"module:factory"`` or ``"path/to/file.py:factory"``. The factory takes no arguments and
        returns a `Program`, a mapping with the names of its fields, or a tuple: model, loss_fn,
        optimizer, train_loader, test_loader, and then, if you like, train_step, train_epoch and
        evaluate (None for what you do not have).

    Returns
    -------
    Program
        What it returned.

    Raises
    ------
    CannotLook
        If there is no such factory, or it raises, ends the program, does not come back, or
        returns something else.
    """
    place, _, factory_name = name.rpartition(":")
    if not place or not factory_name:
        raise CannotLook(f"{name!r}: expected module:factory or file.py:factory")
    module = _call(place, "cannot be imported:", _import, place)
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise CannotLook(f"{place} has no function {factory_name!r}; it has {', '.join(names)}")
    made = _call(name, "raises", factory)
    if isinstance(made, Program):
        return made
    try:
        if isinstance(made, dict):
            return Program(**made)
        if isinstance(made, (tuple, list)) and len(made) >= 4:
            return Program(*made)
    except TypeError as error:
        raise CannotLook(f"{name} returns something else than a program: {error}") from None
    raise CannotLook(
        f"{name} returns a {type(made).__name__}; expected (model, loss_fn, optimizer, "
        "train_loader, test_loader)"
    )


def _call(name: str, trouble: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call what makes a program; whatever goes wrong in it, there is nothing to examine."""
    try:
        return call_within(LONGEST_FACTORY, function, *args)
    except TooLong as error:
        raise CannotLook(f"{name} is stopped: {error}{place_of(error)}") from None
    except (Exception, SystemExit) as error:
        raise CannotLook(f"{name} {trouble} {describe_error(error)}") from None


def _import(place: str) -> Any:
    """Import a module by name (the current folder counts) or by path."""
    if not place.endswith(".py"):
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    path = Path(place).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no file {place}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module
