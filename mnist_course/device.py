"""Choose a device, seed everything, and say in one line what ran where."""

from __future__ import annotations

import os
import platform
import random

import numpy as np
import torch

VARIABLE = "MNIST_COURSE_DEVICE"


def device() -> torch.device:
    """Return the device that the course computes on: CUDA, else MPS, else the CPU.

    ``MNIST_COURSE_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, ``mps``) overrides the choice.

    Returns
    -------
    torch.device
        A device that has been shown to work.

    Raises
    ------
    ValueError
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
        raise ValueError(
            f"{VARIABLE}={chosen} does not work here ({reason}). "
            "Unset it to let the course choose, or set it to cpu."
        ) from None
    return found


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
        hardware = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return f"{where} ({hardware}), torch {torch.__version__.split('+')[0]}"
