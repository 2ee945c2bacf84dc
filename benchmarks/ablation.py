"""What each line of the best network's recipe is worth: the run without it, all else equal.

    python -m benchmarks.ablation [--seeds N] [--epochs N]

Trains on 50,000 digits and counts the mistakes among the 10,000 that were set aside; the test set
is left alone. The table goes to ``mnist_course/ablation.json``, from where chapter 9 shows it.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from torch import nn

from benchmarks.measure_models import hardware
from mnist_course import results
from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.training import models
from mnist_course.training.recipes import NESTEROV, RECIPES, train

STORED = Path(results.STORED).with_name("ablation.json")
NUM_VALID = 10_000


def without_norm() -> nn.Sequential:
    """Return the best network with a bias in each convolution in place of the normalization."""
    layers: list[nn.Module] = []
    for layer in models.best_cnn():
        if isinstance(layer, nn.Conv2d):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel_size)
            layer = nn.Conv2d(*sizes, stride=layer.stride, padding=layer.padding)  # type: ignore[arg-type]
        if not isinstance(layer, nn.BatchNorm2d):
            layers.append(layer)
    return nn.Sequential(*layers)


FULL = RECIPES["cnn"]
VARIANTS = {
    "the recipe": FULL,
    "the small network": replace(FULL, model=models.small_cnn),
    "no batch normalization": replace(FULL, model=without_norm),
    "the same, lr 0.01": replace(FULL, model=without_norm, optimizer=partial(NESTEROV, lr=0.01)),
    "a constant lr of 0.1": replace(FULL, warmup=None),
    "no momentum": replace(FULL, optimizer=partial(NESTEROV, momentum=0, nesterov=False)),
    "no weight decay": replace(FULL, optimizer=partial(NESTEROV, weight_decay=0)),
    "1,024 digits per batch": replace(FULL, batch_size=1024),
    "no augmentation": replace(FULL, augment=None),
}


@click.command()
@click.option("--seeds", default=3, show_default=True, help="Runs of each.")
@click.option("--epochs", default=4, show_default=True, help="Passes over the 50,000 digits.")
def main(seeds: int, epochs: int) -> None:
    """Train every variant once for every seed, and store the mistakes in percent."""
    digits = load_data()
    if not digits.is_mnist:
        raise click.ClickException("the recipe is measured on real MNIST only")
    mistakes: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for seed in range(seeds):
        for name, recipe in VARIANTS.items():
            RECIPES[name] = recipe  # `train` finds it there
            begun = time.process_time()
            run = train(
                name, num_epochs=epochs, seed=seed, num_valid=NUM_VALID, digits=digits, log=None
            )
            mistakes[name].append(round(100 * (1 - run.history["valid_accuracy"][-1]), 2))
            seconds = time.process_time() - begun
            click.echo(f"{name:<24} seed {seed}  {mistakes[name][-1]:.2f} %  {seconds:.0f} s")
    stored = {"measured_on": hardware(), "epochs": epochs, "valid": NUM_VALID, "mistakes": mistakes}
    with atomic_write(STORED) as file:
        file.write(json.dumps(stored, indent=1).encode() + b"\n")


if __name__ == "__main__":
    main()
