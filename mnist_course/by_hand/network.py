"""A network with its own backward pass, written out in numpy, and a way to check any gradient.

The names are those of `torch.nn`; a layer keeps what its backward pass needs, and returns the
gradient of its inputs. All arrays have one row per example.

Taught in: chapter 5, "Backwards through the network".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_course.by_hand.inputs import check_floats


class Layer:
    """What all layers have: a list of parameters and one of their gradients, empty by default.

    Shown in: chapter 5.
    """

    def parameters(self) -> list[np.ndarray]:
        """Return the arrays that training changes, in place."""
        return []

    def gradients(self) -> list[np.ndarray]:
        """Return one gradient per parameter, in the same order; `backward` computes them."""
        return []


class Linear(Layer):
    """``Z = X @ W.T + b``, as `torch.nn.Linear`.

    Shown in: chapter 5.

    Parameters
    ----------
    in_features, out_features : int
        D and K.
    rng : np.random.Generator
        Draws the weights from N(0, 1/D), so that the outputs begin about as large as the inputs
        (LeCun et al., "Efficient BackProp", 1998). Biases begin at 0.
    dtype : type
        ``np.float32`` to train, ``np.float64`` to compare gradients.

    Attributes
    ----------
    W, dW : np.ndarray
        ``(K, D)``; the gradient exists after `backward`.
    b, db : np.ndarray
        ``(K,)``.

    Raises
    ------
    ValueError
        If a size is not a positive whole number.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rng: np.random.Generator,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        check_sizes(in_features, out_features)
        W = rng.standard_normal((out_features, in_features))
        self.W = (W / np.sqrt(in_features)).astype(dtype)  # (K, D)
        self.b = np.zeros(out_features, dtype)  # (K,)

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return the scores of a batch, and keep the batch for `backward`.

        Parameters
        ----------
        X : np.ndarray
            ``(B, D)`` floats.

        Returns
        -------
        np.ndarray
            ``(B, K)``.

        Raises
        ------
        ValueError
            If ``X`` is not a finite float matrix of D columns.
        """
        check_inputs(X, self.W.shape[1])
        self.X = X  # (B, D), kept for the way back
        return X @ self.W.T + self.b  # (B, K)

    def backward(self, dZ: np.ndarray) -> np.ndarray:
        """Compute ``dW`` and ``db`` of the last batch, and return the gradient of its inputs.

        Parameters
        ----------
        dZ : np.ndarray
            ``(B, K)``, the gradient of the loss with respect to what `forward` returned.

        Returns
        -------
        np.ndarray
            ``(B, D)``.

        Raises
        ------
        RuntimeError
            If there was no forward pass.
        ValueError
            If ``dZ`` does not have the shape of its output, or is not finite.
        """
        check_gradient(dZ, getattr(self, "X", None), self.W.shape[0])
        self.dW = dZ.T @ self.X  # (K, D)
        self.db = dZ.sum(axis=0)  # (K,)
        return dZ @ self.W  # (B, D)

    def parameters(self) -> list[np.ndarray]:
        """Return ``[W, b]``."""
        return [self.W, self.b]

    def gradients(self) -> list[np.ndarray]:
        """Return ``[dW, db]`` of the last backward pass."""
        return [self.dW, self.db]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-z))``; the larger of ``exp(0)`` and ``exp(-z)`` is divided out first.

    Shown in: chapter 5.

    Parameters
    ----------
    z : np.ndarray or float
        Any shape, any size of numbers: nothing overflows.

    Returns
    -------
    np.ndarray
        The same shape, every element in 0..1.
    """
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


class Sigmoid(Layer):
    """The sigmoid of every element, as `torch.nn.Sigmoid`.

    Shown in: chapter 5.
    """

    def forward(self, h: np.ndarray) -> np.ndarray:
        """Return the sigmoid of a batch ``(B, H)``, and keep it for `backward`.

        Raises
        ------
        ValueError
            If ``h`` is not a finite float matrix.
        """
        check_inputs(h)
        self.a = sigmoid(h)  # (B, H), kept for the way back
        return self.a

    def backward(self, da: np.ndarray) -> np.ndarray:
        """Return the gradient of the inputs, ``(B, H)``, from that of the outputs.

        Raises
        ------
        RuntimeError
            If there was no forward pass.
        ValueError
            If ``da`` does not have the shape of its output, or is not finite.
        """
        check_gradient(da, getattr(self, "a", None))
        return da * self.a * (1 - self.a)  # (B, H)


class ReLU(Layer):
    """``max(0, h)`` of every element, as `torch.nn.ReLU`; its slope at 0 is taken to be 0.

    Shown in: chapter 5.
    """

    def forward(self, h: np.ndarray) -> np.ndarray:
        """Return the positive part of a batch ``(B, H)``, and keep for `backward` where it is.

        Raises
        ------
        ValueError
            If ``h`` is not a finite float matrix.
        """
        check_inputs(h)
        self.active = h > 0  # (B, H), kept for the way back
        return np.maximum(h, 0)

    def backward(self, da: np.ndarray) -> np.ndarray:
        """Return the gradient of the inputs, ``(B, H)``: that of the outputs where they are active.

        Raises
        ------
        RuntimeError
            If there was no forward pass.
        ValueError
            If ``da`` does not have the shape of its output, or is not finite.
        """
        check_gradient(da, getattr(self, "active", None))
        return da * self.active  # (B, H)


class Sequential(Layer):
    """Layers one after the other, as `torch.nn.Sequential`.

    Shown in: chapter 5.

    Parameters
    ----------
    *layers : Layer
        Each maps what the one before it returns.
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers: tuple[Any, ...] = layers

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return what the last layer makes of ``X`` ``(B, D)``; every layer keeps what it needs."""
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward(self, dZ: np.ndarray) -> np.ndarray:
        """Return the gradient of the inputs, ``(B, D)``, from that of the outputs, ``(B, K)``.

        The layers are asked in reverse order; `gradients` then holds those of all parameters.
        """
        for layer in reversed(self.layers):
            dZ = layer.backward(dZ)
        return dZ

    def parameters(self) -> list[np.ndarray]:
        """Return the parameters of all layers, first layer first."""
        return [p for layer in self.layers for p in layer.parameters()]

    def gradients(self) -> list[np.ndarray]:
        """Return the gradients of all layers, in the order of `parameters`."""
        return [g for layer in self.layers for g in layer.gradients()]


def numerical_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """Measure the gradient of ``f`` at ``x`` by central differences, one element at a time.

    Shown in: chapter 5.

    Parameters
    ----------
    f : callable
        Maps ``x`` to one number. ``x`` is changed in place and restored, so ``f`` may as well
        ignore its argument and use a network that ``x`` is a parameter of.
    x : np.ndarray
        float64, any shape, writable.
    step : float
        How far each element is moved to both sides.

    Returns
    -------
    np.ndarray
        As ``x``. It costs two calls of ``f`` per element.

    Raises
    ------
    ValueError
        If ``x`` is not an array of finite float64 numbers.
    """
    check_float64(x)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        above = f(x)
        x[index] = kept - step
        below = f(x)
        x[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient


# Guards: what came, what was expected, the usual cause --------------------------------------------


def check_sizes(in_features: Any, out_features: Any) -> None:
    """Make sure that a layer has at least one input and one output.

    Raises
    ------
    ValueError
        Naming the sizes that came.
    """
    for name, size in (("in_features", in_features), ("out_features", out_features)):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(
                f"{name} is {size!r}, expected a whole number from 1 on: the length of one "
                "example, such as 784, and not the shape of a picture or of a batch."
            )


def check_inputs(X: Any, num_features: int | None = None) -> None:
    """Make sure that ``X`` is a finite float matrix ``(B, D)`` that a layer can work on.

    Parameters
    ----------
    X : object
        The inputs of a layer.
    num_features : int, optional
        D, where the layer has one.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    check_floats(X, "the input of the layer")
    wanted = "(B, D)" if num_features is None else f"(B, {num_features})"
    if X.ndim != 2:
        cause = (
            "A single example needs the batch axis: [None]."
            if X.ndim == 1
            else "Pictures become rows by .reshape(len(images), -1)."
        )
        raise ValueError(
            f"the input of the layer has the shape {X.shape}, expected {wanted}: one row per "
            f"example. {cause}"
        )
    if num_features is not None and X.shape[1] != num_features:
        turned = X.shape[0] == num_features
        raise ValueError(
            f"the input of the layer has the shape {X.shape}, expected {wanted}. "
            + (
                "Examples stand in rows here, not in columns: transpose it."
                if turned
                else "Is the layer before it as wide as this one expects?"
            )
        )


def check_gradient(gradient: Any, kept: np.ndarray | None, width: int | None = None) -> None:
    """Make sure that a gradient belongs to the last forward pass of a layer.

    Parameters
    ----------
    gradient : object
        What should be the gradient of the outputs.
    kept : np.ndarray or None
        What the forward pass kept, ``(B, ...)``; None if there was none.
    width : int, optional
        The number of outputs, where it differs from that of what was kept.

    Raises
    ------
    RuntimeError
        If there was no forward pass.
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    if kept is None:
        raise RuntimeError(
            "backward before forward: a layer computes its gradients from what it kept of the "
            "last forward pass, and there was none. Call forward first."
        )
    check_floats(gradient, "the gradient of the layer's output")
    expected = kept.shape if width is None else (len(kept), width)
    if gradient.shape != expected:
        raise ValueError(
            f"the gradient of the layer's output has the shape {gradient.shape}, expected "
            f"{expected}, the shape of the output itself. Did another batch go forward since?"
        )


def check_float64(x: Any) -> None:
    """Make sure that ``x`` can be moved by a hundred-thousandth without being rounded away.

    Raises
    ------
    ValueError
        If it is not a finite float64 array.
    """
    check_floats(x, "x")
    if x.dtype != np.float64:
        raise ValueError(
            f"x is {x.dtype}, expected float64: with fewer digits the difference of two nearly "
            "equal losses is mostly rounding error. Build the network with dtype=np.float64."
        )
