"""Leave a program as it was, whatever was tried on it."""

import contextlib
import copy
import io
import random
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from mnist_course.doctor.program import Program

Undo = list[Callable[[], Any]]  # what puts everything back, in this order


@contextlib.contextmanager
def no_trace(program: Program) -> Iterator[None]:
    """Put everything back after the block: parameters, modes, optimizer, loaders, random numbers.

    Parameters
    ----------
    program : Program
        What is examined in the block.
    """
    undo = [*_remember_loader(program.train_loader), *_remember_loader(program.test_loader)]
    undo += remember_optimizer(program.optimizer)
    for part in (program.loss_fn, program.model):
        undo += remember_module(part) if isinstance(part, nn.Module) else []
    undo += _remember_random_numbers()
    undo.append(partial(torch.set_grad_enabled, torch.is_grad_enabled()))
    said = io.StringIO()  # the learner's functions may print
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), torch.enable_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        for put_back in undo:
            put_back()


def _remember_random_numbers() -> Undo:
    """Remember Python's, numpy's and torch's random numbers."""
    undo: Undo = [
        partial(random.setstate, random.getstate()),
        partial(np.random.set_state, np.random.get_state()),  # noqa: NPY002
        partial(torch.set_rng_state, torch.get_rng_state()),
    ]
    if torch.cuda.is_initialized():
        undo.append(partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if torch.backends.mps.is_available():
        undo.append(partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
    return undo


def _remember_tensor(tensor: torch.Tensor) -> Undo:
    """Remember the values of a tensor; they are put back if they were changed."""
    if nn.parameter.is_lazy(tensor) or tensor.is_meta:  # it has no values
        return []
    saved, version = tensor.detach().clone(), tensor._version

    def put_back() -> None:
        if tensor._version != version or not torch.equal(tensor, saved):
            with torch.no_grad():
                tensor.copy_(saved)

    return [put_back]


def _remember_dict(values: dict[Any, Any]) -> Undo:
    """Remember the entries of a dictionary, and the tensors in them."""
    undo: Undo = [partial(_reset, values, dict(values))]
    for value in values.values():
        undo += _remember_tensor(value) if isinstance(value, torch.Tensor) else []
    return undo


def remember_module(module: nn.Module) -> Undo:
    """Return what puts values, gradients and modes of a module back.

    Parameters
    ----------
    module : nn.Module
        A model, or a loss.
    """
    undo: Undo = []
    for part in module.modules():
        for table in (part.__dict__, part._parameters, part._buffers):
            undo += _remember_dict(table)
    undo += [partial(setattr, part, "training", part.training) for part in module.modules()]
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    for tensor in (*module.parameters(), *module.buffers(), *grads):
        undo += _remember_tensor(tensor)
    return undo + [partial(_reset_flags, p, p.requires_grad, p.grad) for p in module.parameters()]


def _reset_flags(parameter: nn.Parameter, wanted: bool, grad: torch.Tensor | None) -> None:
    """Give a parameter the gradient that it had, and the wish for one."""
    if parameter.requires_grad != wanted:
        parameter.requires_grad_(wanted)
    parameter.grad = grad


def remember_optimizer(optimizer: Any) -> Undo:
    """Return what puts the state and the settings of an optimizer back.

    Parameters
    ----------
    optimizer : object
        One of PyTorch's, or one's own.
    """
    state = getattr(optimizer, "state", None)
    tables = [state, *state.values()] if isinstance(state, dict) else []
    tables += getattr(optimizer, "param_groups", [])
    return [undo for t in tables if isinstance(t, dict) for undo in _remember_dict(t)]


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


def _remember_loader(loader: Any) -> Undo:
    """Remember counters and generators of a loader.

    It follows the attributes of the loader, of its sampler, its data set and so on, but looks
    into no tensor and no list of examples.
    """
    undo: Undo = []
    known: set[int] = set()
    queue = [(loader, 0)]
    while queue and len(known) < 500:
        part, depth = queue.pop()
        if id(part) in known or isinstance(part, _NO_STATE):
            continue
        known.add(id(part))
        inside: list[Any] = (
            list(part) if isinstance(part, (list, tuple)) and len(part) <= 20 else []
        )
        if generator := _remember_generator(part):
            undo += generator
        elif isinstance(getattr(part, "__dict__", None), dict) and depth < 5:
            undo.append(partial(_reset, vars(part), dict(vars(part))))
            inside += vars(part).values()
        queue += [(value, depth + 1) for value in inside if depth < 5]
    return undo


def _remember_generator(part: Any) -> Undo:
    """Remember the state of a generator of random numbers; anything else has none."""
    if isinstance(part, torch.Generator):
        return [partial(part.set_state, part.get_state())]
    if isinstance(part, np.random.RandomState):
        return [partial(part.set_state, part.get_state())]
    if isinstance(part, np.random.Generator):
        bits = part.bit_generator
        return [partial(setattr, bits, "state", copy.deepcopy(bits.state))]
    return [partial(part.setstate, part.getstate())] if isinstance(part, random.Random) else []


def _reset(values: dict[Any, Any], saved: dict[Any, Any]) -> None:
    """Give a dictionary the entries that it had, touching no other."""
    for key in [key for key in values if key not in saved]:
        del values[key]
    for key, value in saved.items():
        if key not in values or values[key] is not value:
            values[key] = value
