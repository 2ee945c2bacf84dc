"""Training with `torch.compile` against training without, in turns.

    python -m benchmarks.compiled [--rounds N]

It needs a C++ compiler. The table goes to ``mnist_course/speed.json``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.processes import store
from mnist_course.data import Batches, load_data, to_tensors
from mnist_course.device import pick_device
from mnist_course.training import models

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "three_layer_mlp": models.three_layer_mlp,
    "small_cnn": models.small_cnn,
}
SHARE = 6_016  # digits of a turn: 47 batches of 128, all of one size


def turn(computes: nn.Module, batches: Batches) -> float:
    """Train on all batches; return the seconds."""
    optimizer = torch.optim.SGD(computes.parameters(), lr=0.05, fused=True)
    begun = time.perf_counter()
    for X, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(computes(X), y).backward()
        optimizer.step()
    return time.perf_counter() - begun


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Turns of each.")
def main(rounds: int) -> None:
    """Compile each network, train both in turns, and store the medians for one pass."""
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # nothing is left of earlier times
    digits, device = load_data(), pick_device()
    X, y = to_tensors(digits.train_images[:SHARE], digits.train_labels[:SHARE], device)
    batches = Batches(X, y, 128, shuffle=True)
    rows: list[dict[str, Any]] = []
    for name, make in NETWORKS.items():
        plain, other = (make().to(device).to(memory_format=torch.channels_last) for _ in range(2))
        compiled: Any = torch.compile(other)
        first = turn(compiled, batches)  # compiles on the way
        both = [(turn(plain, batches), turn(compiled, batches)) for _ in range(rounds)]
        as_is, quick = (median(column) * 60_000 / SHARE for column in zip(*both, strict=True))
        compiling = first - quick * SHARE / 60_000
        row = {"network": name, "compiling_s": compiling, "plain_s": as_is, "compiled_s": quick}
        row = {key: v if isinstance(v, str) else float(f"{v:.4g}") for key, v in row.items()}
        rows.append({**row, "ratio": float(f"{as_is / quick:.3g}")})
    store("compiled", rows)


if __name__ == "__main__":
    main()
