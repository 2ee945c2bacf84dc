"""Choose a device, seed everything, and say in one line what ran where."""

import contextlib
import functools
import os
import platform
import random
import sys
from collections.abc import Iterator

import numpy as np
import torch

from mnist_course.errors import UsageError

VARIABLE = "MNIST_COURSE_DEVICE"


def pick_device() -> torch.device:
    """Return the device that the course computes on: CUDA, else MPS, else the CPU.

    ``MNIST_COURSE_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, ``mps``) overrides the choice.

    Returns
    -------
    torch.device
        A device that has been shown to work. If one is there and does not, it is passed over,
        and a line on standard error says so.

    Raises
    ------
    UsageError
        If the variable names a device that this machine or this build of torch does not have.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen:
        reason = _why_not(chosen)
        if reason:
            raise UsageError(
                f"{VARIABLE}={chosen} does not work here ({reason}). "
                "Unset it to let the course choose, or set it to cpu."
            )
        return torch.device(chosen)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return _first_that_works(tuple(name for name in there if there[name]))


@functools.cache  # trying takes time, and the line is to be printed once
def _first_that_works(names: tuple[str, ...]) -> torch.device:
    """Return the first of these devices that computes, or the CPU."""
    for name in names:
        reason = _why_not(name)
        if reason is None:
            return torch.device(name)
        print(f"{name} is there, but does not work ({reason}): computing elsewhere.",
              file=sys.stderr)  # fmt: skip
    return torch.device("cpu")


def _why_not(name: str) -> str | None:
    """Let a device multiply two small matrices; return why it cannot."""
    try:
        ones = torch.ones(2, 2, device=torch.device(name))
        (ones @ ones).sum().item()
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return None


def half_precision(device: torch.device) -> torch.dtype | None:
    """Return the 16-bit type in which this hardware multiplies matrices faster, if it has one.

    Parameters
    ----------
    device : torch.device
        What `pick_device` returned.

    Returns
    -------
    torch.dtype or None
        ``torch.bfloat16`` on GPUs from 2020 on (NVIDIA's Ampere) and on processors with AMX;
        None elsewhere, where it would be slower.
    """
    made_for_it = False
    if device.type == "cuda":
        with torch.cuda.device(device):  # the question below is about the current one
            made_for_it = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        ask = getattr(torch.cpu, "_is_amx_tile_supported", None)  # private: it may go
        made_for_it = ask is not None and ask()
    return torch.bfloat16 if made_for_it else None


def set_seed(seed: int) -> None:
    """Seed Python's, numpy's and torch's random numbers.

    Parameters
    ----------
    seed : int
        Any whole number from 0 to 2**32 - 1.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Seed everything random in one step of training, as a function of the run and the step.

    Whoever repeats step 1,234 of run 7 draws the same numbers again, whatever was drawn before:
    dropout, augmentation and the order of a DataLoader need no state that could be lost.

    Parameters
    ----------
    seed : int
        The run's seed, 0 or more.
    step : int
        Number of the step, from 0.
    rank : int
        Number of the process, where several make the step: each changes its pictures in its way.
    """
    names = (seed, step, rank) if rank else (seed, step)
    drawn = int(np.random.SeedSequence(names).generate_state(1)[0])  # 32 bits
    random.seed(drawn)
    np.random.seed(drawn)
    torch.default_generator.manual_seed(drawn)  # torch.manual_seed takes a hundred times as long
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(drawn)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(drawn)


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let cuDNN choose operations that add in the same order each time, while this context lasts.

    Other operations of a GPU are not affected, and those of a CPU need no such choice.
    """
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def describe(device: torch.device) -> str:
    """Return one line that names the device, the processor and the version of torch.

    Parameters
    ----------
    device : torch.device
        What `pick_device` returned.

    Returns
    -------
    str
        For example ``"cpu (x86_64, 2 threads), torch 2.14.1"``.
    """
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    elif device.type == "mps":
        hardware = platform.machine()
    else:
        num_threads = torch.get_num_threads()
        hardware = f"{platform.machine()}, {num_threads} thread{'s' if num_threads > 1 else ''}"
    return f"{device} ({hardware}), torch {torch.__version__.split('+')[0]}"
