"""A network with its own backward pass, written out in numpy, and a way to check any gradient.

The names are those of `torch.nn`; a layer keeps what its backward pass needs, and returns the
gradient of its inputs. All arrays have one row per example.

Raises ValueError if an argument does not fit the layer, its last batch, or is not finite floats;
RuntimeError if `backward` comes before `forward`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from mnist_course.by_hand.guards import guarded


class Layer:
    """What all layers have: parameters and their gradients, or none. Shown in: chapter 5."""

    def parameters(self) -> list[np.ndarray]:
        """Return the arrays that training changes, in place."""
        return []

    def gradients(self) -> list[np.ndarray]:
        """Return what `backward` computed, in the order of the parameters."""
        return []


class Linear(Layer):
    """``Z = X @ W.T + b``, as `torch.nn.Linear`: ``W`` ``(K, D)``, ``b`` ``(K,)``.

    Shown in: chapter 5. The weights are drawn from N(0, 1/D), so that the outputs begin about as
    large as the inputs (LeCun et al., "Efficient BackProp", 1998); biases begin at 0. float32 is
    for training, float64 to compare gradients.
    """

    @guarded(in_features="length", out_features="length")
    def __init__(
        self, in_features: int, out_features: int, rng: Generator, dtype: type = np.float32
    ) -> None:
        W = rng.standard_normal((out_features, in_features))
        self.W = (W / np.sqrt(in_features)).astype(dtype)  # (K, D)
        self.b: np.ndarray = np.zeros(out_features, dtype)  # (K,)

    @guarded(W="K D kept", X="B D inputs")
    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return the scores ``(B, K)`` of a batch ``(B, D)``, and keep the batch."""
        self.X = X  # (B, D), kept for the way back
        return X @ self.W.T + self.b  # (B, K)

    @guarded(X="B D kept", W="K D kept", dZ="B K gradient")
    def backward(self, dZ: np.ndarray) -> np.ndarray:
        """Compute ``dW`` and ``db``; return the gradient of the inputs, ``(B, D)``."""
        self.dW = dZ.T @ self.X  # (K, D)
        self.db = dZ.sum(axis=0)  # (K,)
        return dZ @ self.W  # (B, D)

    def parameters(self) -> list[np.ndarray]:
        return [self.W, self.b]

    def gradients(self) -> list[np.ndarray]:
        return [self.dW, self.db]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-z))`` for ``z`` of any shape and size. Shown in: chapter 5."""
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


class Sigmoid(Layer):
    """The sigmoid of every element, as `torch.nn.Sigmoid`. Shown in: chapter 5."""

    @guarded(h="B H inputs")
    def forward(self, h: np.ndarray) -> np.ndarray:
        self.a = sigmoid(h)  # (B, H), kept for the way back
        return self.a

    @guarded(a="B H kept", da="B H gradient")
    def backward(self, da: np.ndarray) -> np.ndarray:
        return da * self.a * (1 - self.a)  # (B, H)


class ReLU(Layer):
    """``max(0, h)`` of every element, as `torch.nn.ReLU`: slope 0 at 0. Shown in: chapter 5."""

    @guarded(h="B H inputs")
    def forward(self, h: np.ndarray) -> np.ndarray:
        self.active = h > 0  # (B, H), kept for the way back
        return np.maximum(h, 0)

    @guarded(active="B H kept", da="B H gradient")
    def backward(self, da: np.ndarray) -> np.ndarray:
        return da * self.active  # (B, H)


class Sequential(Layer):
    """Layers one after the other, as `torch.nn.Sequential`. Shown in: chapter 5."""

    def __init__(self, *layers: Layer) -> None:
        self.layers: tuple[Any, ...] = layers

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return what the last layer makes of ``X`` ``(B, D)``; every layer keeps what it needs."""
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward(self, dZ: np.ndarray) -> np.ndarray:
        """Ask the layers in reverse order; return the gradient of the inputs, ``(B, D)``."""
        for layer in reversed(self.layers):
            dZ = layer.backward(dZ)
        return dZ

    def parameters(self) -> list[np.ndarray]:
        return [p for layer in self.layers for p in layer.parameters()]

    def gradients(self) -> list[np.ndarray]:
        return [g for layer in self.layers for g in layer.gradients()]


@guarded(x="float64")
def numerical_gradient(f: Callable[..., float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Measure the gradient of ``f`` at ``x`` by central differences, one element at a time.

    Shown in: chapter 5. ``x`` is float64 of any shape, is changed in place and restored, so ``f``
    may ignore its argument and use a network that ``x`` is a parameter of; 2 calls an element.
    """
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        try:
            x[index] = kept + step
            above = f(x)
            x[index] = kept - step
            below = f(x)
        finally:
            x[index] = kept  # also if f fails, or is stopped
        gradient[index] = (above - below) / (2 * step)
    return gradient
