"""What the guards of ``by_hand`` cost: one training step of chapter 5's network, with and without.

Run it with ``python -m benchmarks.guards [STEPS]``. The network is 784-200-10, its optimizer Adam,
a batch holds 100 pictures (of noise: the time does not depend on them). Both work on the same
arrays, since the place of an array in memory alone makes 5 %. They take turns, step by step, and
what counts is the time that the processor worked for them, so a busy machine is unfair to both
alike. BLAS uses one thread.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from statistics import median
from types import ModuleType
from typing import Any
from unittest.mock import patch

import click
import numpy as np
from threadpoolctl import threadpool_limits

from mnist_course.by_hand import guards, losses, network, optimizers


def unguarded(module: ModuleType) -> ModuleType:
    """Return a second copy of a module of ``by_hand``, in which the decorator does nothing."""
    spec = importlib.util.find_spec(module.__name__)
    assert spec and spec.loader
    copy = importlib.util.module_from_spec(spec)
    with patch.object(guards, "guarded", lambda **rules: lambda function: function):
        spec.loader.exec_module(copy)
    return copy


def bare(guarded: Any, module: ModuleType) -> Any:
    """Return an object of the class of that name in ``module`` that shares all attributes."""
    twin = object.__new__(getattr(module, type(guarded).__name__))
    twin.__dict__ = guarded.__dict__
    return twin


def steps() -> dict[str, Callable[[], None]]:
    """Return two functions that make one training step, of one network and one optimizer."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 784), np.float32)
    y = rng.integers(0, 10, len(X))
    layers = network.Linear(784, 200, rng), network.ReLU(), network.Linear(200, 10, rng)
    adam = optimizers.Adam(network.Sequential(*layers).parameters())
    free, net, rules = (unguarded(module) for module in (losses, network, optimizers))

    def stepper(gradient: Callable[..., Any], model: Any, optimizer: Any) -> Callable[[], None]:
        def step() -> None:
            batch = rng.integers(0, len(X), 100)
            logits = model.forward(X[batch])
            model.backward(gradient(logits, y[batch]))
            optimizer.step(model.gradients())

        return step

    model = net.Sequential(*(bare(layer, net) for layer in layers))
    return {
        "with": stepper(losses.cross_entropy_gradient, network.Sequential(*layers), adam),
        "without": stepper(free.cross_entropy_gradient, model, bare(adam, rules)),
    }


@click.command()
@click.argument("num_steps", default=1000, metavar="[STEPS]")
def main(num_steps: int) -> None:
    """Time both, in turns, and print the medians and the ratio."""
    threadpool_limits(1, user_api="blas")
    turns = list(steps().items())
    seconds: dict[str, list[float]] = {name: [] for name, _ in turns}
    for _ in range(num_steps):
        turns.reverse()  # neither is always the first
        for name, step in turns:
            begun = time.thread_time()
            step()
            seconds[name].append(time.thread_time() - begun)
    for name, spent in seconds.items():
        print(f"{name:<8} guards: {1000 * median(spent):.3f} ms a step")
    ratio = median(a / b for a, b in zip(*seconds.values(), strict=True))
    print(f"ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
