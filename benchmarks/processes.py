"""One process against two under torchrun, in turns: seconds of one pass of the best network.

    python -m benchmarks.processes [--rounds N]

Each process computes with one thread. The table goes to ``mnist_course/speed.json``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from statistics import median
from typing import Any

import click

from benchmarks.measure_models import hardware
from mnist_course.files import atomic_write
from mnist_course.speed import STORED, format_speed, load_speed

TWO = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
SETTINGS = [("float32", 128), ("float32", 256), ("bfloat16", 128), ("bfloat16", 256)]


def seconds(launch: list[str], dtype: str, batch_size: int) -> float:
    """Return how long the pass took, as the course's own line says."""
    train = ["mnist_course", "train", "--model", "cnn", "--epochs", "1", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", *launch, *train, "--dtype", dtype, "--batch-size", str(batch_size)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"^epoch +1 .* ([\d.]+) s$", done.stdout, re.M)
    assert found is not None, done.stdout
    return float(found[1])


def store(name: str, rows: list[dict[str, Any]]) -> None:
    """Put a table into ``speed.json``, if that is of this machine, and print it."""
    speed = load_speed()
    if speed["machine"] != hardware():
        raise click.ClickException("speed.json is of another machine: run make bench first")
    with atomic_write(STORED) as file:
        file.write((json.dumps({**speed, name: rows}, indent=1) + "\n").encode())
    click.echo(format_speed({"machine": speed["machine"], name: rows}))


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Turns of each.")
def main(rounds: int) -> None:
    """Train one pass with one process and with two, and store the medians."""
    rows: list[dict[str, Any]] = []
    for dtype, batch_size in SETTINGS:
        both = [[seconds(launch, dtype, batch_size) for launch in ([], TWO)] for _ in range(rounds)]
        one, two = (median(column) for column in zip(*both, strict=True))
        rows.append({"network": "cnn", "type": dtype, "batch": batch_size, "one_process_s": one,
                     "two_processes_s": two, "ratio": float(f"{one / two:.3g}")})  # fmt: skip
    store("two_processes", rows)


if __name__ == "__main__":
    main()
