"""What a GPU does with the course's recipes, and which change of the program brings how much.

    python -m benchmarks.on_gpu [--seeds N]

It needs a GPU that torch knows. The tables go to ``mnist_course/gpu.json``.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.measure_models import hardware
from benchmarks.sources import unpack
from mnist_course.data import MEAN, STD, Batches, load_data, to_tensors
from mnist_course.device import half_precision, pick_device
from mnist_course.files import atomic_write
from mnist_course.speed import GPU, format_speed
from mnist_course.training import models
from mnist_course.training.parallel import Team
from mnist_course.training.recipes import Trained, train

NAMES = ["softmax", "mlp-quick", "mlp", "cnn-quick"]
NETWORKS = {"small_cnn": models.small_cnn, "best_cnn": models.best_cnn}
ROUNDS = 3
Pass = Callable[[nn.Module], object]


def clocked(work: Callable[[], object]) -> tuple[float, Any]:
    """Return the seconds until the GPU is through with its work, and what the work returns."""
    torch.cuda.synchronize()
    begun = time.perf_counter()
    done = work()
    torch.cuda.synchronize()
    return time.perf_counter() - begun, done


def recipe_row(name: str, seeds: int) -> dict[str, Any]:
    """Run a recipe on the GPU, from reading the files on, and a pass of it on the processor."""

    def run(kind: str, seed: int, num_epochs: int | None = None) -> Trained:
        team = Team(device=torch.device(kind))
        return train(
            name, seed=seed, digits=load_data(), num_epochs=num_epochs, team=team, log=None
        )

    runs = [clocked(partial(run, "cuda", seed)) for seed in range(seeds)]
    accuracies = [100 * trained.test.accuracy for _, trained in runs if trained.test]
    passes = [seconds for _, trained in runs for seconds in trained.history["seconds"]]
    gpu_pass, cpu_pass = statistics.median(passes), run("cpu", 0, 1).history["seconds"][0]
    return {"recipe": name, "epochs": len(runs[0][1].history), "seeds": seeds,
            "test_accuracy": statistics.mean(accuracies),
            "sd": statistics.stdev(accuracies) if seeds > 1 else 0.0,
            "whole_run_s": statistics.median(seconds for seconds, _ in runs),
            "gpu_pass_s": gpu_pass, "cpu_pass_s": cpu_pass,
            "ratio": cpu_pass / gpu_pass}  # fmt: skip


def one_pass(
    batches: Iterable[Any], half: torch.dtype | None = None, most: int | None = None
) -> Pass:
    """Return a function that trains a network on the first ``most`` batches, or on all."""

    def run(model: nn.Module) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, fused=True)
        for number, (X, y) in enumerate(batches):
            if number == most:
                break
            X, y = X.to("cuda", non_blocking=True), y.to("cuda", non_blocking=True)
            optimizer.zero_grad()
            with torch.autocast("cuda", half or torch.bfloat16, enabled=half is not None):
                loss = F.cross_entropy(model(X).float(), y)
            loss.backward()
            optimizer.step()

    return run


def change_rows() -> Iterator[dict[str, Any]]:
    """Yield the seconds of a pass over 60,000 digits, one change after the other."""
    digits, half = load_data(), half_precision(torch.device("cuda"))
    X, y = to_tensors(digits.train_images, digits.train_labels, torch.device("cuda"))
    steps = [transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))]
    with TemporaryDirectory() as folder:
        unpack(digits, Path(folder))
        pictures = datasets.MNIST(folder, train=True, transform=transforms.Compose(steps))

        def loader(workers: int) -> DataLoader[Any]:
            return DataLoader(
                pictures, 128, shuffle=True, num_workers=workers, pin_memory=True,
                persistent_workers=workers > 0,
            )  # fmt: skip

        def on_gpu(size: int) -> Batches:
            return Batches(X, y, size, shuffle=True)

        # What trains, how many of its batches make a turn, how the network is prepared.
        changes: list[tuple[str, Pass, int, bool]] = [
            ("a loader, picture by picture", one_pass(loader(0), most=40), 40, False),
            ("with 4 workers", one_pass(loader(4), most=200), 200, False),
            ("all digits on the GPU", one_pass(on_gpu(128)), 469, False),
            ("and bfloat16", one_pass(on_gpu(128), half), 469, False),
            ("and compiled into a graph", one_pass(on_gpu(128), half, 468), 468, True),
            ("batches of 1,024, not compiled", one_pass(on_gpu(1_024), half), 469, False),
            ("batches of 1,024, compiled", one_pass(on_gpu(1_024), half, 58), 464, True),
        ]
        for what, turn, steps_of_turn, compiled in changes:
            row: dict[str, Any] = {"change": what}
            for name, make in NETWORKS.items():
                model: Any = make().to("cuda").to(memory_format=torch.channels_last)
                if compiled:
                    model = torch.compile(model, mode="reduce-overhead")
                turn(model)  # loads kernels, starts workers, compiles
                taken = [clocked(partial(turn, model))[0] for _ in range(ROUNDS)]
                row[f"{name}_s"] = statistics.median(taken) * 469 / steps_of_turn
            yield row


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each recipe.")
def main(seeds: int) -> None:
    """Measure recipes and changes on this machine's GPU, and store both tables."""
    if pick_device().type != "cuda":
        raise click.ClickException("no GPU was found: this benchmark needs one")
    train("cnn-quick", log=None)  # the first run loads the libraries
    content: dict[str, Any] = {"machine": f"{hardware()}, {os.cpu_count()} cores"}
    for table, rows in {
        "recipes_on_a_gpu": (recipe_row(name, seeds) for name in NAMES),
        "changes_on_a_gpu": change_rows(),
    }.items():
        content[table] = []
        for row in rows:  # each is stored at once: a machine may be lent for minutes
            rounded = {k: float(f"{v:.4g}") for k, v in row.items() if isinstance(v, float)}
            content[table].append({**row, **rounded})
            with atomic_write(GPU) as file:
                file.write((json.dumps(content, indent=1) + "\n").encode())
    click.echo(format_speed(content))


if __name__ == "__main__":
    main()
