"""Make weights out of a checkpoint (that takes torch), and write them for the draw-a-digit page."""

from __future__ import annotations

import base64
import json
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_course.by_hand.calibration import calibration_error, fit_temperature
from mnist_course.by_hand.losses import softmax
from mnist_course.files import atomic_write
from mnist_course.recognizer.layers import LAYERS
from mnist_course.recognizer.recognizer import Recognizer
from mnist_course.recognizer.weights import (
    FORMAT,
    OWN,
    Weights,
    WeightsError,
    describe,
    load_weights,
)

if TYPE_CHECKING:
    from torch import nn

    from mnist_course.data import Digits

UNSURE_BELOW = 0.8
TRAIN = "python -m mnist_course train --model recognizer --valid 5000 --checkpoint FILE"


def layers_of(model: nn.Module) -> tuple[dict[str, Any], ...]:
    """Return the layers of a trained torch model as `Weights` keeps them.

    Parameters
    ----------
    model : nn.Sequential
        Made of Conv2d, BatchNorm2d, MaxPool2d, ReLU, Flatten, Linear and Dropout.

    Returns
    -------
    tuple of dict
        Dropout is left out: it does nothing when a network answers.

    Raises
    ------
    WeightsError
        If the model is built in another way.
    """
    from torch import nn

    if not isinstance(model, nn.Sequential):
        raise WeightsError(f"a model of type {type(model).__name__}: expected an nn.Sequential.")
    layers = []
    for module in model:
        kind = type(module).__name__
        layer: dict[str, Any] = {"type": kind}
        if isinstance(module, nn.Dropout):
            continue
        if isinstance(module, nn.Conv2d):
            layer |= {"stride": module.stride[0], "padding": module.padding[0]}
        elif isinstance(module, nn.MaxPool2d):
            layer["size"] = module.kernel_size
        if isinstance(module, nn.BatchNorm2d):
            # In evaluation it is one multiplication and one addition per channel.
            state = module.state_dict()
            names = ("weight", "bias", "running_mean", "running_var")
            gamma, beta, mean, var = (state[name].double().cpu().numpy() for name in names)
            scale = gamma / np.sqrt(var + module.eps)
            layer |= {"scale": scale, "shift": beta - mean * scale}
        else:
            layer |= {name: value.detach().cpu().numpy()
                      for name, value in module.named_parameters()}  # fmt: skip
        if kind not in LAYERS:
            known = ", ".join(LAYERS)
            raise WeightsError(f"a layer of type {kind}: only {known} and Dropout can be stored.")
        layers.append({k: v.astype(np.float32) if isinstance(v, np.ndarray) else v
                       for k, v in layer.items()})  # fmt: skip
    return tuple(layers)


def make_weights(
    model: nn.Module,
    digits: Digits,
    *,
    num_valid: int,
    about: dict[str, Any],
    normalized: bool = True,
) -> Weights:
    """Calibrate a trained model on validation data, and measure it once on the test data.

    Parameters
    ----------
    model : nn.Sequential
        As for `layers_of`.
    digits : Digits
        What it was trained on.
    num_valid : int
        How many digits were set aside, by `data.split_train_valid`. With 0 there is nothing to
        calibrate on, and the temperature stays 1.
    about : dict
        Where the model comes from; what is measured here is added.
    normalized : bool
        Whether it was trained on normalized pixels, or on pixels scaled to 0..1.

    Returns
    -------
    Weights
        To be saved.

    Raises
    ------
    WeightsError
        If the model cannot be stored.
    """
    from mnist_course.data import MEAN, STD, split_train_valid

    mean, std = (MEAN, STD) if normalized else (0.0, 1.0)
    weights = Weights(layers_of(model), mean, std, 1.0, UNSURE_BELOW, {})
    recognizer = Recognizer(weights)
    num_train = len(digits.train_labels) - num_valid
    test_logits = recognizer.logits(digits.test_images)
    about = about | {
        "trained_on": f"{num_train:,} training digits of {digits.source}",
        "num_test": len(digits.test_labels),
        "test_accuracy": float((test_logits.argmax(axis=1) == digits.test_labels).mean()),
        "num_valid": num_valid,
    }
    if not num_valid:
        return replace(weights, about=about)
    _, valid = split_train_valid(len(digits.train_labels), num_valid)
    labels = digits.train_labels[valid].astype(np.int64)
    logits = recognizer.logits(digits.train_images[valid])
    temperature = fit_temperature(logits, labels)
    about |= {
        "valid_accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "calibration_error_before": calibration_error(softmax(logits), labels),
        "calibration_error": calibration_error(softmax(logits / temperature), labels),
    }
    return replace(weights, temperature=temperature, about=about)


def from_checkpoint(path: str | Path) -> Weights:
    """Make weights out of a training run: calibrated on its validation digits, and measured.

    Parameters
    ----------
    path : str or Path
        What ``python -m mnist_course train --checkpoint`` wrote.

    Returns
    -------
    Weights
        To be saved.

    Raises
    ------
    CheckpointError
        If the file cannot be used.
    WeightsError
        If it holds another kind of model.
    """
    import torch

    from mnist_course.data import load_data
    from mnist_course.training.checkpoint import load_checkpoint, restore_model
    from mnist_course.training.recipes import RECIPES

    if not Path(path).exists():
        raise WeightsError(f"There is no checkpoint {path}. Check the name, or make one: {TRAIN}.")
    content = load_checkpoint(path)
    run, rows = content.get("about", {}), content.get("run", {}).get("history", [])
    if run.get("recipe") not in RECIPES:
        raise WeightsError(
            f"{path} does not say by which recipe it was trained. Make one that does: {TRAIN}."
        )
    recipe, num_epochs, digits = RECIPES[run["recipe"]], run["num_epochs"], load_data()
    if len(rows) < num_epochs:
        raise WeightsError(
            f"{path} is of a run that has made {len(rows)} of {num_epochs} epochs: finish it "
            "first, with train --resume."
        )
    if digits.source != run["data"]:
        raise WeightsError(f"{path} was trained on {run['data']}, and here is {digits.source}.")
    model = recipe.model()
    restore_model(model, content["model"], path)
    about = {
        "title": recipe.title,
        "command": f"python -m mnist_course train --model {run['recipe']} --epochs {num_epochs} "
        f"--seed {run['seed']} --valid {run['num_valid']}",
        "made": time.strftime("%Y-%m-%d"),
        "seed": run["seed"],
        "num_epochs": num_epochs,
        "torch": torch.__version__.split("+")[0],
    }
    num_valid, normalized = run["num_valid"], recipe.normalized
    return make_weights(model, digits, num_valid=num_valid, normalized=normalized, about=about)


def find_weights(path: str | Path | None = None) -> Weights:
    """Return the weights of the package, of a weights file, or of a training run.

    Parameters
    ----------
    path : str or Path, optional
        None, a ``.npz`` file, or a checkpoint.

    Returns
    -------
    Weights
        Ready to use.

    Raises
    ------
    WeightsError, CheckpointError
        If the file cannot be used.
    """
    if path is None or Path(path).suffix == ".npz":
        return load_weights(OWN if path is None else path)
    return from_checkpoint(path)


def save_page(path: str | Path, weights: Weights) -> Path:
    """Write the weights file of the draw-a-digit page from weights at hand.

    Parameters
    ----------
    path : str or Path
        A ``.js`` file.
    weights : Weights
        What to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SaveError
        If the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "provenance": describe(weights),
        "mean": weights.mean,
        "std": weights.std,
        "temperature": weights.temperature,
        "unsure_below": weights.unsure_below,
        "layers": [
            {k: _packed(v) if isinstance(v, np.ndarray) else v for k, v in layer.items()}
            for layer in weights.layers
        ],
    }
    with atomic_write(path) as file:
        file.write(
            b"// Weights of the draw-a-digit page, written by: python -m mnist_course weights\n"
            b"window.MNIST_COURSE_WEIGHTS = "
            + json.dumps(content, indent=1, ensure_ascii=True).encode()
            + b";\n"
        )
    return Path(path)


def _packed(array: np.ndarray) -> dict[str, Any]:
    """Return an array as the page reads it: little-endian float32, with a checksum."""
    raw = np.ascontiguousarray(array, "<f4").tobytes()
    data = base64.b64encode(raw).decode()
    return {"shape": list(array.shape), "crc32": zlib.crc32(raw), "data": data}
