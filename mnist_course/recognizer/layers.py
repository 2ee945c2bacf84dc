"""The layers of a network, as torch.nn has them, in numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_course.by_hand.convolution import max_pool2d, windows

MOST_PRODUCTS = (
    2**28
)  # of one layer and one picture: a second on a page; the best network of the course takes 2 M


def forward(
    layers: Sequence[dict[str, Any]], images: np.ndarray, mean: float, std: float
) -> np.ndarray:
    """Return the scores of images.

    Parameters
    ----------
    layers : sequence of dict
        As in `weights.Weights`.
    images : np.ndarray
        ``(B, 28, 28)`` uint8.
    mean, std : float
        What pixels scaled to 0..1 are normalized with.

    Returns
    -------
    np.ndarray
        ``(B, 10)`` float64.
    """
    X = images[:, None] / np.float32(255)
    X = (X - np.float32(mean)) / np.float32(std)  # (B, 1, 28, 28)
    for layer in layers:
        X = LAYERS[layer["type"]](X, layer)
    return X.astype(np.float64)  # (B, 10)


def _conv2d(X: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    """``(B, C, H, W)`` to ``(B, O, H', W')``: every window times every kernel."""
    weight, stride, padding = layer["weight"], layer["stride"], layer["padding"]
    X = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    views = windows(X, weight.shape[2], stride)  # (B, C, H', W', k, k)
    if weight.size * views.shape[2] * views.shape[3] > MOST_PRODUCTS:
        raise ValueError("a layer of it takes too long to compute")
    # The same sums as `by_hand.convolution.conv2d`, as one product of matrices: many times faster.
    Z = np.tensordot(views, weight, axes=((1, 4, 5), (1, 2, 3)))  # (B, H', W', O)
    return (Z + layer.get("bias", np.float32(0))).transpose(0, 3, 1, 2)


def _batch_norm(X: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    if X.shape[1] != len(layer["scale"]):
        raise ValueError(f"it has {len(layer['scale'])} scales for {X.shape[1]} channels")
    return X * layer["scale"][:, None, None] + layer["shift"][:, None, None]


LAYERS = {
    "Conv2d": _conv2d,
    "BatchNorm2d": _batch_norm,
    "MaxPool2d": lambda X, layer: max_pool2d(X, layer["size"]),
    "ReLU": lambda X, layer: np.maximum(X, 0),
    "Flatten": lambda X, layer: X.reshape(len(X), -1),
    "Linear": lambda X, layer: X @ layer["weight"].T + layer["bias"],
}
