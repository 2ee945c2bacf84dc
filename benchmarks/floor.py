"""What this machine could do at best: its rates, and how long an epoch takes at these rates.

Used by ``benchmarks.sources``. The floor of an epoch is the longer of two times: that of its
products of matrices at the rate of `torch.mm`, and that of copying every picture once from the
data into a batch, at the rate of a large copy. What else a program does (activations, optimizer,
Python) has no place in it, so nothing comes below it; weights are taken to stay in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

NUM_EXAMPLES, NUM_PIXELS = 60_000, 784
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_seconds(work: Callable[[], object], times: int = 15) -> float:
    """Return the shortest of several times that ``work`` takes on the clock, the first apart."""
    work()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def matrix_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Return billions of multiplications and additions per second, in a product of matrices."""
    A, B = (torch.randn(size, size).to(dtype) for _ in range(2))
    out = torch.empty(size, size, dtype=dtype)
    return 2 * size**3 / best_seconds(lambda: torch.mm(A, B, out=out)) / 1e9


def copy_rate(num_bytes: int = 2**28) -> float:
    """Return billions of bytes per second, read and written, of a copy too large for the cache."""
    old, new = torch.ones(num_bytes, dtype=torch.uint8), torch.zeros(num_bytes, dtype=torch.uint8)
    return 2 * num_bytes / best_seconds(lambda: new.copy_(old)) / 1e9


def rates() -> dict[str, float]:
    """Return the rates of this machine with the present number of threads, in 1e9 per second."""
    found = {name: matrix_rate(dtype) for name, dtype in TYPES.items()}
    return {**found, "copy": copy_rate()}


def training_flops(model: nn.Module) -> int:
    """Count what one picture costs in training: products and sums of the linear layers.

    The way back computes two products of the size of the one on the way there, for the gradients
    of the weights and of the inputs. The first layer needs only one: nobody asks for the gradient
    of the pixels.
    """
    forward: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        weight = layer.weight  # (K, D) or (K, C, h, w): each output is a sum over the other axes
        assert isinstance(weight, torch.Tensor)
        forward.append(2 * output.numel() * weight[0].numel())

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 1, 28, 28))
    for hook in hooks:
        hook.remove()
    return 3 * sum(forward) - forward[0]


def floor_row(
    program: str, model: nn.Module, dtype: str, threads: int, rate: dict[str, float], ours: float
) -> dict[str, Any]:
    """Return the floor of an epoch, and how far above it the course is with ``ours`` seconds."""
    gflop = training_flops(model) * NUM_EXAMPLES / 1e9
    gigabytes = 2 * 4 * NUM_PIXELS * NUM_EXAMPLES / 1e9  # float32, read and written
    compute, memory = gflop / rate[dtype], gigabytes / rate["copy"]
    return {
        "program": program,
        "threads": threads,
        "type": dtype,
        "gflop": gflop,
        "compute_s": compute,
        "memory_s": memory,
        "ours_s": ours,
        "gap": ours / max(compute, memory),
    }
