"""The five source programs as they are written, and the course's way to do the same work.

Used by ``benchmarks.sources``. The source programs are corrected only where they would not run.
For the same work, the course's way has the same model, batch size and optimizer in float32; its
data lie in memory as tensors, its optimizer is fused, its loop is `training.fit`. The tutorial in
numpy (S3) is the exception: its network learns one picture at a time, the course's in batches.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from mnist_course.by_hand.losses import cross_entropy_gradient
from mnist_course.by_hand.network import Linear, ReLU, Sequential
from mnist_course.by_hand.optimizers import SGD
from mnist_course.data import Batches, Digits, to_tensors
from mnist_course.data.batches import MEAN, STD
from mnist_course.results import load_results
from mnist_course.training import fit, models
from mnist_course.training.recipes import RECIPES

PARTS = 20  # turns of the programs in numpy, for one epoch


@dataclass(frozen=True)
class Program:
    """A source program in torch.

    Attributes
    ----------
    what : str
        Model, batch size and optimizer.
    recipe : str
        The course's recipe for the same work.
    model, optimizer : callable
        As written.
    num_epochs : int
        As written.
    counts : bool
        Whether each step also asks how many predictions were right.
    share : float
        Part of an epoch that is a turn.
    quick : str
        The recipe with which the course reaches that.
    """

    what: str
    recipe: str
    model: Callable[[], nn.Module]
    optimizer: Callable[..., torch.optim.Optimizer]
    num_epochs: int
    counts: bool
    share: float
    quick: str

    @property
    def accuracy(self) -> float:
        """Percent of the test digits after its own epochs: the median of the results page."""
        return statistics.median(load_results()[self.recipe].test_accuracy)


PROGRAMS = {
    "S4": Program(
        "softmax, batch 256, SGD", "s4", models.softmax_regression,
        partial(torch.optim.SGD, lr=0.005), 10, True, 0.5, "softmax"),
    "S2": Program(
        "MLP of 3, batch 64, SGD", "s2-published", partial(models.three_layer_mlp, True),
        partial(torch.optim.SGD, lr=0.8), 5, False, 0.25, "mlp-quick"),
    "S0": Program(
        "MLP of 5, batch 64, SGD", "s0", models.five_layer_mlp,
        partial(torch.optim.SGD, lr=0.01, momentum=0.5), 10, False, 0.1, "mlp-quick"),
    "S1": Program(
        "CNN, batch 16, Adam", "s1", lambda: models.two_conv_cnn().append(nn.LogSoftmax(1)),
        torch.optim.Adam, 10, False, 0.025, "cnn-quick"),
}  # fmt: skip


def source_turn(program: Program, root: Path, num_steps: int) -> Callable[[], float]:
    """Return a function that trains for ``num_steps`` steps, as the tutorial does."""
    recipe = RECIPES[program.recipe]
    steps: list[Any] = [transforms.ToTensor()]
    if recipe.normalized:
        steps.append(transforms.Normalize((MEAN,), (STD,)))
    data = datasets.MNIST(str(root), train=True, transform=transforms.Compose(steps))
    loader = DataLoader(data, batch_size=recipe.batch_size, shuffle=True)
    model, criterion = program.model(), nn.CrossEntropyLoss()
    optimizer = program.optimizer(model.parameters())

    def turn() -> float:
        running_loss = right = 0.0
        for images, labels in itertools.islice(loader, num_steps):
            outputs = model(images)
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if program.counts:
                right += (outputs.argmax(dim=1) == labels).sum().item()
        return running_loss

    return turn


class Part(Batches):
    """The first batches of every pass, drawn from all the examples."""

    num_steps = 0

    def __len__(self) -> int:
        return self.num_steps

    def one_pass(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield ``num_steps`` batches."""
        return itertools.islice(super().one_pass(epoch, start), self.num_steps)


def our_turn(program: Program, digits: Digits, num_steps: int) -> Callable[[], object]:
    """Return a function that does the same work as the course does it."""
    recipe = RECIPES[program.recipe]
    X, y = to_tensors(digits.train_images, digits.train_labels, normalized=recipe.normalized)
    batches = Part(X, y, recipe.batch_size, shuffle=True)
    batches.num_steps = num_steps
    model = recipe.model().to(memory_format=torch.channels_last)
    optimizer = recipe.optimizer(model.parameters())
    return lambda: fit(model, optimizer, batches, num_epochs=1, log=None, seed=None)


class NeuralNetwork:
    """The tutorial's network 784-200-10: sigmoids, no biases, one picture at a time."""

    def __init__(self, inodes: int = 784, hnodes: int = 200, onodes: int = 10) -> None:
        rng = np.random.default_rng(0)
        self.wih = rng.normal(0.0, hnodes**-0.5, (hnodes, inodes))
        self.who = rng.normal(0.0, onodes**-0.5, (onodes, hnodes))
        self.lr = 0.1

    def train(self, inputs_list: np.ndarray, targets_list: np.ndarray) -> None:
        """Learn one picture ``(784,)``; the hidden error lacks a factor, as it was written."""
        inputs = np.array(inputs_list, ndmin=2).T
        targets = np.array(targets_list, ndmin=2).T
        hidden = expit(np.dot(self.wih, inputs))
        outputs = expit(np.dot(self.who, hidden))
        errors = targets - outputs
        hidden_errors = np.dot(self.who.T, errors)
        self.who += self.lr * np.dot(errors * outputs * (1.0 - outputs), hidden.T)
        self.wih += self.lr * np.dot(hidden_errors * hidden * (1.0 - hidden), inputs.T)

    def query(self, inputs: np.ndarray) -> np.ndarray:
        """Return the digits ``(N,)`` of pictures ``(N, 784)``."""
        return expit(expit(inputs @ self.wih.T) @ self.who.T).argmax(axis=1)


def per_picture(images: np.ndarray, labels: np.ndarray, network: NeuralNetwork) -> Iterator[None]:
    """Make the tutorial's epoch in numpy, and pause after every part of it."""
    targets = np.eye(10) * 0.98 + 0.01
    for start in range(0, len(labels), len(labels) // PARTS):
        for k in range(start, start + len(labels) // PARTS):
            network.train(images[k].reshape(-1) / 255.0 * 0.99 + 0.01, targets[labels[k]])
        yield


class FirstLinear(Linear):
    """A first layer: nobody asks for the gradient of the pixels."""

    def backward(self, dZ: np.ndarray) -> np.ndarray:
        """Compute ``dW`` and ``db``; return nothing of use."""
        self.dW = dZ.T @ self.X  # (K, D)
        self.db = dZ.sum(axis=0)  # (K,)
        return dZ


def in_batches() -> Sequential:
    """Return the course's network 784-200-10 in numpy, with ReLU."""
    rng = np.random.default_rng(0)
    return Sequential(FirstLinear(784, 200, rng), ReLU(), Linear(200, 10, rng))


def per_batch(
    images: np.ndarray, labels: np.ndarray, model: Sequential, size: int = 200
) -> Iterator[None]:
    """Make the course's epoch in numpy, in batches, and pause after every part of it."""
    optimizer = SGD(model.parameters(), lr=0.15, momentum=0.9, nesterov=True)
    order, y = np.random.default_rng(0).permutation(len(labels)), labels.astype(np.int64)
    for start in range(0, len(labels), size):
        picked = order[start : start + size]
        optimizer.lr = 0.15 * (1 - start / len(labels))
        logits = model.forward(prepared(images[picked]))
        model.backward(cross_entropy_gradient(logits, y[picked]))
        optimizer.step(model.gradients())
        if (start + size) % (len(labels) // PARTS) == 0:
            yield


def prepared(images: np.ndarray) -> np.ndarray:
    """Return normalized pixels ``(B, 784)`` float32."""
    X: np.ndarray = images.reshape(-1, 784).astype(np.float32)
    X -= 255 * MEAN
    X /= 255 * STD
    return X
