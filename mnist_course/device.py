"""Choose a device, seed everything, and say in one line what ran where."""

from __future__ import annotations

import contextlib
import os
import platform
import random
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
        A device that has been shown to work.

    Raises
    ------
    UsageError
        If the variable names a device that this machine or this build of torch does not have.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if not chosen:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(chosen)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{VARIABLE}={chosen} does not work here ({reason}). "
            "Unset it to let the course choose, or set it to cpu."
        ) from None
    return found


def half_precision(where: torch.device) -> torch.dtype | None:
    """Return the 16-bit type in which this hardware multiplies matrices faster, if it has one.

    Parameters
    ----------
    where : torch.device
        What `device` returned.

    Returns
    -------
    torch.dtype or None
        ``torch.bfloat16`` on GPUs from 2020 on (NVIDIA's Ampere) and on processors with AMX;
        None elsewhere, where it would be slower.
    """
    if where.type == "cuda":
        made_for_it = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        made_for_it = where.type == "cpu" and torch.cpu._is_amx_tile_supported()
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


def seed_step(seed: int, step: int) -> None:
    """Seed everything random in one step of training, as a function of the run and the step.

    Whoever repeats step 1,234 of run 7 draws the same numbers again, whatever was drawn before:
    dropout, augmentation and the order of a DataLoader need no state that could be lost.

    Parameters
    ----------
    seed : int
        The run's seed, 0 or more.
    step : int
        Number of the step, from 0.
    """
    drawn = int(np.random.SeedSequence((seed, step)).generate_state(1)[0])  # 32 bits
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


def describe(where: torch.device) -> str:
    """Return one line that names the device, the processor and the version of torch.

    Parameters
    ----------
    where : torch.device
        What `device` returned.

    Returns
    -------
    str
        For example ``"cpu (x86_64, 2 threads), torch 2.14.1"``.
    """
    if where.type == "cuda":
        hardware = torch.cuda.get_device_name(where)
    elif where.type == "mps":
        hardware = platform.machine()
    else:
        num_threads = torch.get_num_threads()
        hardware = f"{platform.machine()}, {num_threads} thread{'s' if num_threads > 1 else ''}"
    return f"{where} ({hardware}), torch {torch.__version__.split('+')[0]}"
