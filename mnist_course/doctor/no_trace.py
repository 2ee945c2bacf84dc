"""Leave a program as it was, whatever was tried on it."""

from __future__ import annotations

import contextlib
import copy
import io
import random
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mnist_course.doctor.program import Program


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
            undo.append(remember_module(part))
    undo.append(remember_optimizer(program.optimizer))
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


def remember_module(module: nn.Module) -> Callable[[], None]:
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


def remember_optimizer(optimizer: Any) -> Callable[[], None]:
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
