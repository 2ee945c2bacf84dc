"""Train every recipe of the course over several seeds, and store what was measured.

    python -m benchmarks.measure_models [NAME ...] [--seeds N]

Every run trains on all 60,000 images (the recipes were chosen on 55,000, with 5,000 for
validation) and looks at the test set once, after its last step. It computes with one thread, and
its seconds are those that the processor worked for it, so that other work on the machine does not
count; on a GPU they are seconds on the clock. Results go to
``mnist_course/results.json`` run by run, so an interrupted session loses nothing; runs that are
stored already for an unchanged recipe are not repeated.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import torch

from mnist_course.data import load_data
from mnist_course.device import describe, pick_device
from mnist_course.files import atomic_write
from mnist_course.results import STORED, format_results, load_results
from mnist_course.training.models import count_parameters
from mnist_course.training.recipes import RECIPES, train


def hardware() -> str:
    """Return processor, threads and version of torch, as they stand on the results page."""
    device = pick_device()
    text = describe(device)
    cpuinfo = Path("/proc/cpuinfo")  # of Linux
    if device.type == "cpu" and cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        text += f", {names[0]}" if names else ""
    return text


@click.command()
@click.argument("names", nargs=-1)
@click.option("--seeds", default=3, help="Runs per recipe.")
@click.option("--again", is_flag=True, help="Repeat also what is stored already.")
def main(names: tuple[str, ...], seeds: int, again: bool) -> None:
    """Run the recipes NAMES (default: all) and store the results."""
    digits = load_data()
    if not digits.is_mnist:
        raise click.ClickException("results are measured on real MNIST only")
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    for name in names or RECIPES:
        recipe = RECIPES[name]
        row: dict[str, Any] = {
            "title": recipe.title,
            "num_parameters": count_parameters(recipe.model()),
            "num_epochs": recipe.num_epochs,
            "num_examples": len(digits.train_labels),
            "measured_on": hardware(),
        }
        old = stored.get(name, {})
        same = not again and all(old.get(key) == value for key, value in row.items())
        lists = ("seeds", "test_accuracy", "seconds")
        row |= {key: old[key] if same else [] for key in lists}
        for seed in range(seeds):
            if seed in row["seeds"]:
                continue
            clock = time.process_time if pick_device().type == "cpu" else time.perf_counter
            begun = clock()
            trained = train(name, digits=digits, seed=seed)
            seconds = round(clock() - begun, 1)
            assert trained.test is not None  # measured, since all training digits were used
            accuracy = round(100 * trained.test.accuracy, 2)
            row["seeds"].append(seed)
            row["test_accuracy"].append(accuracy)
            row["seconds"].append(seconds)
            click.echo(f"{name}  seed {seed}  {accuracy:.2f} %  {seconds:.1f} s")
            # Read again: another process may have stored another recipe meanwhile.
            stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
            stored[name] = row
            ordered = {key: stored[key] for key in RECIPES if key in stored}
            with atomic_write(STORED) as file:
                file.write((json.dumps(ordered, indent=1) + "\n").encode())
    click.echo(format_results(load_results()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
