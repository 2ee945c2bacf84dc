"""What the guards say: what came, what was expected, and the usual cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

NAMES = {"inputs": "the input of the layer", "gradient": "the gradient of the layer's output"}
WORDS = {
    # Arrays of floats
    "type": "{name} is of type {dtype}, expected a numpy array. "
    "A torch tensor becomes one by .detach().cpu().numpy().",
    "dtype": "{name} holds {value.dtype} elements, expected floats. "
    "Raw pixels have to be scaled first: images / 255.",
    "empty": "{name} is empty (shape {value.shape}): did a slice select nothing?",
    "finite": "{name} holds NaN or infinity. Usually the learning rate is too high, or something "
    "was divided by zero.",
    "float64": "{name} is {value.dtype}, expected float64: with fewer digits the difference of two "
    "nearly equal losses is mostly rounding error. Build the network with dtype=np.float64.",
    # Shapes
    "scores": "{name} has the shape {value.shape}, expected {wanted}: one row per example. "
    "For a single example, add the batch axis: [None].",
    "images": "{name} has the shape {value.shape}, expected {wanted}. "
    "A batch of gray images needs an axis for its one channel: X[:, None].",
    "filters": "the filters have the shape {value.shape} and the images {C} channels; expected "
    "{wanted}: every filter has a square of weights for every channel.",
    "biases": "{O} filters need biases of shape {wanted}, got {value.shape}.",
    "inputs": "{name} has the shape {value.shape}, expected {wanted}: one row per example. {cause}",
    "gradient": "{name} has the shape {value.shape}, expected {wanted}, the shape of the output "
    "itself. Did another batch go forward since?",
    "kept": "backward before forward: a layer computes its gradients from what it kept of the "
    "last forward pass, and there was none. Call forward first.",
    # Labels
    "whole": "{name} are {dtype}, expected a numpy array of whole numbers: the index of the class, "
    "not a probability.",
    "labels": "{name} have the shape {value.shape}, expected {wanted}: one class index per "
    "example, not one-hot rows.",
    "classes": "{name} run from {low} to {high}, but there are {K} classes: 0 to {last}.",
    # Numbers
    "amount": "{name} is {value!r}, expected one finite number, 0 or larger. "
    "Usually the arguments are in another order than the function has them.",
    "length": "{name} is {value!r}, expected a whole number from 1 on: the length of one example, "
    "such as 784, and not the shape of a picture or of a batch.",
    "window": "a window of size {value} at stride {stride} on images of {H}×{W}: expected a stride "
    "of at least 1 and a window that fits. Images shrink from layer to layer unless they are "
    "padded.",
    "padding": "{name}={value}: expected 0 or more rows of zeros on each side.",
    # Settings of an optimizer
    "rate": "{name}={value!r}, expected a finite number above 0. "
    "A step goes against the gradient already: the rule has its own minus sign.",
    "decay": "{name}={value!r}, expected a finite number, 0 or above. "
    "A negative one would make the weights grow.",
    "momentum": "{name}={value!r}, expected a number from 0 to less than 1. "
    "With 1 nothing ever slows down; were lr and momentum swapped?",
    "nesterov": "{name}={value!r} with momentum={momentum!r}, expected True or False, and a "
    "momentum above 0 for True: without a velocity there is nothing to look ahead along.",
    "betas": "{name}={value!r}, expected two numbers from 0 to less than 1, as in betas=(0.9, "
    "0.999). They say how much is kept; 1 would keep the zeros of the start for ever.",
    # Lists of arrays
    "params": "{name} is {kind}, expected a list of arrays. "
    "A single array goes into a list too: [W].",
    "writable": "{name} is read-only, expected an array that can be changed in place. Usually it "
    "came from np.frombuffer or np.broadcast_to: hand in a .copy().",
    "once": "{name} is an array that stands in the list before, expected each one once: it would "
    "be moved twice per step.",
    "grads": "{name} is {kind}, expected a list of {count} arrays, one per parameter. "
    "A single gradient goes into a list too: [dW].",
    "count": "{name} holds {length} arrays, expected {count}, one per parameter. "
    "Was the gradient of a bias forgotten?",
    "alike": "{name} has the shape {value.shape}, expected {param.shape} as its parameter. "
    "A missing .T or a missing sum over the batch, or gradients in another order?",
}


def say(word: str, value: Any, name: str, axes: Sequence[str], known: dict[str, Any]) -> str:
    """Return the words for what is wrong with ``value``; ``known``: lengths, and other values."""
    kind = type(value).__name__
    fill = {**known, "name": name, "value": value, "kind": f"of type {kind}", "dtype": kind}
    fill["wanted"] = str(tuple(known.get(axis, axis) for axis in axes)).replace("'", "")
    fill["count"] = len(known.get("params", ()))
    if isinstance(value, (list, tuple)):
        fill |= {"kind": f"an empty {kind}", "length": len(value)}
    if isinstance(value, np.ndarray):
        fill |= {"kind": f"one array of shape {value.shape}", "dtype": value.dtype}
    if word == "inputs":
        fill["cause"] = _cause(value.shape, known.get("D"))
    if word == "classes":
        fill |= {"low": value.min(), "high": value.max(), "last": known["K"] - 1}
    return WORDS[word].format(**fill)


def _cause(shape: tuple[int, ...], width: int | None) -> str:
    """Return why the input of a layer usually has a wrong shape such as this one."""
    if len(shape) == 1:
        return "A single example needs the batch axis: [None]."
    if len(shape) != 2:
        return "Pictures become rows by .reshape(len(images), -1)."
    if shape[0] == width:
        return "Examples stand in rows here, not in columns: transpose it."
    return "Is the layer before it as wide as this one expects?"
