"""How well a tutorial's network reads after one pass, with the ReLU on its scores and without.

    python -m benchmarks.silent_digits [--seeds N]

These are the runs of chapter 7, many of them. At a learning rate of 0.8 rounding errors grow, so
another processor gives other runs; the shares are what lasts.
"""

from __future__ import annotations

import click
import numpy as np
import torch
import torch.nn.functional as F

from mnist_course.data import Batches, load_data, split_train_valid, to_tensors
from mnist_course.device import describe, pick_device, set_seed
from mnist_course.table import format_rows
from mnist_course.training import predict
from mnist_course.training.models import three_layer_mlp

BOUNDS = (80, 85, 89, 90)  # percent


@click.command()
@click.option("--seeds", default=36, show_default=True, help="Runs of each network.")
def main(seeds: int) -> None:
    """Train both networks once for every seed, and print how many reached what."""
    digits, device = load_data(), pick_device()
    train, valid = split_train_valid(len(digits.train_labels), len(digits.train_labels) // 12)
    X, y = to_tensors(digits.train_images, digits.train_labels, device, normalized=False)
    print(f"{describe(device)}, {digits.source}, {seeds} runs of each")
    rows = [["ReLU on scores", "worst", "median", "best", *(f"< {b} %" for b in BOUNDS), "silent"]]
    for relu_on_logits in (True, False):
        reached, with_silent = [], 0
        for seed in range(seeds):
            set_seed(seed)
            model = three_layer_mlp(relu_on_logits).to(device)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.8)
            for pixels, labels in Batches(X[train], y[train], 64, shuffle=True, seed=seed):
                optimizer.zero_grad()
                F.cross_entropy(model(pixels), labels).backward()
                optimizer.step()
            scores = predict(model, X[valid])  # (N, 10)
            reached.append(100 * float((scores.argmax(1) == y[valid]).float().mean()))
            own = F.one_hot(y[valid], 10).bool()
            with_silent += not bool(((scores > 0) & own).any(0).all())
        found = [f"{value:.1f}" for value in (min(reached), np.median(reached), max(reached))]
        below = [f"{sum(value < bound for value in reached)}" for bound in BOUNDS]
        rows.append([str(relu_on_logits), *found, *below, str(with_silent)])
    print("\n".join(format_rows(rows, "<" + ">" * (len(rows[0]) - 1))))


if __name__ == "__main__":
    main()
