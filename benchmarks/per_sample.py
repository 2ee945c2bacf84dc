"""One picture at a time against batches: seconds and accuracy of the networks of chapter 5.

Run it with ``python -m benchmarks.per_sample [SEED ...]``. The variants take turns (a few thousand
pictures each), so that a busy machine is unfair to all alike; BLAS uses one thread. It takes about
a minute per seed. Accuracies are those of 5,000 validation digits after one pass over the 55,000
others; the test set is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import click
import numpy as np
from threadpoolctl import threadpool_limits

from mnist_course.by_hand.losses import cross_entropy_gradient
from mnist_course.by_hand.network import Linear, ReLU, Sequential, sigmoid
from mnist_course.data import load_data, split_train_valid
from mnist_course.table import format_rows

PARTS = 20  # turns


class Tutorial:
    """784-200-10, sigmoids, squared error (a sum), lr 0.1, no biases, spread by the outputs."""

    def __init__(self, seed: int, batch_size: int, as_written: bool, dtype: type) -> None:
        rng = np.random.default_rng(seed)
        self.W1: np.ndarray = rng.normal(0, 200**-0.5, (200, 784)).astype(dtype)
        self.W2: np.ndarray = rng.normal(0, 10**-0.5, (10, 200)).astype(dtype)
        self.batch_size, self.as_written, self.dtype = batch_size, as_written, dtype

    def train(self, pixels: np.ndarray, y: np.ndarray) -> None:
        """Make one pass over ``pixels`` ``(N, 784)``, float32 in 0..1."""
        inputs: np.ndarray = (0.01 + 0.99 * pixels).astype(self.dtype)
        targets = (0.01 + 0.98 * np.eye(10)[y]).astype(self.dtype)
        for start in range(0, len(y), self.batch_size):
            X, T = (array[start : start + self.batch_size] for array in (inputs, targets))
            a = sigmoid(X @ self.W1.T)  # (B, 200)
            o = sigmoid(a @ self.W2.T)  # (B, 10)
            error = o - T
            dz = error * o * (1 - o)
            dh = ((error if self.as_written else dz) @ self.W2) * a * (1 - a)
            self.W1 -= 0.1 * dh.T @ X
            self.W2 -= 0.1 * dz.T @ a

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the digits ``(N,)``."""
        return (sigmoid((0.01 + 0.99 * pixels) @ self.W1.T) @ self.W2.T).argmax(axis=1)


class Modern:
    """784-200-10, ReLU, softmax and cross-entropy (a mean), lr 0.1 for 32 pictures."""

    def __init__(self, seed: int, batch_size: int) -> None:
        rng = np.random.default_rng(seed)
        self.model = Sequential(Linear(784, 200, rng), ReLU(), Linear(200, 10, rng))
        self.batch_size = batch_size

    def train(self, pixels: np.ndarray, y: np.ndarray) -> None:
        """Make one pass over ``pixels`` ``(N, 784)``, float32 in 0..1."""
        X = (pixels - 0.1307) / 0.3081
        for start in range(0, len(y), self.batch_size):
            rows = slice(start, start + self.batch_size)
            logits = self.model.forward(X[rows])
            self.model.backward(cross_entropy_gradient(logits, y[rows]))
            lr = 0.1 * len(logits) / 32  # every picture moves the weights equally far
            for p, dp in zip(self.model.parameters(), self.model.gradients(), strict=True):
                p -= lr * dp

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the digits ``(N,)``."""
        return self.model.forward((pixels - 0.1307) / 0.3081).argmax(axis=1)


AS_WRITTEN, TRUE, MODERN = "tutorial as written", "its true gradient", "ReLU, cross-entropy"
VARIANTS: dict[tuple[str, int, str], Callable[[int], Tutorial | Modern]] = {
    (AS_WRITTEN, 1, "float64"): lambda seed: Tutorial(seed, 1, True, np.float64),
    (AS_WRITTEN, 1, "float32"): lambda seed: Tutorial(seed, 1, True, np.float32),
    (AS_WRITTEN, 10, "float32"): lambda seed: Tutorial(seed, 10, True, np.float32),
    (TRUE, 1, "float32"): lambda seed: Tutorial(seed, 1, False, np.float32),
    (TRUE, 10, "float32"): lambda seed: Tutorial(seed, 10, False, np.float32),
    (TRUE, 100, "float32"): lambda seed: Tutorial(seed, 100, False, np.float32),
    (MODERN, 1, "float32"): lambda seed: Modern(seed, 1),
    (MODERN, 32, "float32"): lambda seed: Modern(seed, 32),
    (MODERN, 100, "float32"): lambda seed: Modern(seed, 100),
}


@click.command()
@click.argument("seeds", nargs=-1, type=int, default=[0])
def main(seeds: tuple[int, ...]) -> None:
    """Train all variants in turns and print one line for each."""
    threadpool_limits(1, user_api="blas")
    digits = load_data()
    pixels = digits.train_images.reshape(-1, 784).astype(np.float32) / 255
    labels = digits.train_labels.astype(np.int64)
    train, valid = split_train_valid(len(labels), len(labels) // 12)
    accuracy: dict[tuple[str, int, str], list[float]] = {name: [] for name in VARIANTS}
    seconds = dict.fromkeys(VARIANTS, 0.0)
    for seed in seeds:
        networks = {name: build(seed) for name, build in VARIANTS.items()}
        order = np.random.default_rng(seed).permutation(train)
        step = len(order) // PARTS // 100 * 100 or len(order)  # whole batches in every turn
        for start in range(0, len(order), step):
            part = order[start : start + step]
            for name, network in networks.items():
                begun = time.perf_counter()
                network.train(pixels[part], labels[part])
                seconds[name] += time.perf_counter() - begun
        for name, network in networks.items():
            accuracy[name].append(100 * (network.predict(pixels[valid]) == labels[valid]).mean())
    rows = [["network", "at a time", "", "s/epoch", "ratio", " accuracy in %"]]
    for name, spent in seconds.items():
        family, size, dtype = name
        ratio = seconds[family, 1, "float32"] / spent
        found = " ".join(f"{a:.1f}" for a in accuracy[name])
        each = f"{spent / len(seeds):.2f}"
        rows.append([family, f"{size}", dtype, each, f"{ratio:.1f}", f" {found}"])
    print("\n".join(format_rows(rows, "<><>><", widths=(20, 9, 8, 7, 6), gap=" ")))


if __name__ == "__main__":
    main()
