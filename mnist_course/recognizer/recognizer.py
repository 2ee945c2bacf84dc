"""A trained network that reads a picture: a digit with a probability, or a refusal with a reason.

The network that comes with the package was trained by the course (`Recognizer.about` says how)
and is stored as plain arrays, which cannot run code when they are opened. Answering takes numpy
only, so that nobody waits for torch; making weights out of a checkpoint takes torch.

Taught in: chapter 10, "Your own digit".
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_course.by_hand.calibration import calibration_error, fit_temperature
from mnist_course.by_hand.convolution import max_pool2d, windows
from mnist_course.by_hand.losses import softmax
from mnist_course.errors import UsageError
from mnist_course.files import atomic_write
from mnist_course.photo import PhotoError, Prepared, prepare, read_photo

if TYPE_CHECKING:
    from torch import nn

    from mnist_course.data import Digits

FORMAT = "mnist-course-weights-1"
OWN = Path(__file__).with_name("recognizer.npz")  # the network of the package
LARGEST_FILE = 2**26  # bytes of a weights file, also when unpacked; ours has 0.1 MB
UNSURE_BELOW = 0.8


class WeightsError(UsageError):
    """A file is not a weights file, or a damaged one; the message says what to do next."""


@dataclass(frozen=True)
class Answer:
    """What the network reads in one picture.

    Attributes
    ----------
    digit : int or None
        None if the picture was refused.
    probability : float
        Of the digit, calibrated; 0 if the picture was refused.
    runner_up : int or None
        The second most probable digit.
    runner_up_probability : float
        Of the runner-up.
    unsure : bool
        Whether the probability is so low that a reader should look herself.
    reason : str
        Why the picture was refused or the answer is unsure; empty otherwise.
    prepared : Prepared or None
        The 28×28 image that the network saw, and how it came about.
    """

    digit: int | None
    probability: float = 0.0
    runner_up: int | None = None
    runner_up_probability: float = 0.0
    unsure: bool = False
    reason: str = ""
    prepared: Prepared | None = None

    def __str__(self) -> str:
        """Return the answer as one line of text."""
        if self.digit is None:
            return f"refused: {self.reason}"
        line = f"{self.digit}, probability {self.probability:.3f}"
        return line + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True)
class Weights:
    """A network that is ready to answer: its layers, and how to read what comes out.

    Attributes
    ----------
    layers : tuple of dict
        Each has a ``type`` as in torch.nn, its settings, and its arrays (float32). The numbers of
        a batch normalization are reduced to one ``scale`` and one ``shift`` per channel.
    mean, std : float
        What pixels scaled to 0..1 are normalized with.
    temperature : float
        Divides the logits before the softmax, so that probabilities keep their word.
    unsure_below : float
        Probabilities below this are called unsure.
    about : dict
        Where the weights come from: command, data, seed, versions, what was measured.
    """

    layers: tuple[dict[str, Any], ...]
    mean: float
    std: float
    temperature: float
    unsure_below: float
    about: dict[str, Any]


class Recognizer:
    """Reads digits with the package's own network, or with one that you trained.

    Parameters
    ----------
    weights : str or Path or Weights, optional
        A file made by ``python -m mnist_course weights``; without it, the package's own.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or something else.
    """

    def __init__(self, weights: str | Path | Weights | None = None) -> None:
        if not isinstance(weights, Weights):
            weights = load_weights(OWN if weights is None else weights)
        self.weights = weights

    @property
    def about(self) -> dict[str, Any]:
        """Where the weights come from, and what was measured."""
        return self.weights.about

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the scores of many images that are in MNIST's form.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8, 0 for paper, 255 for ink.

        Returns
        -------
        np.ndarray
            ``(N, 10)`` float64.

        Raises
        ------
        ValueError
            If the images have another type or shape.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
            raise ValueError(
                f"expected images of shape (N, 28, 28) and type uint8, got {images.shape} and "
                f"{images.dtype}. `photo.prepare` makes such an image out of a picture."
            )
        parts = [self._forward(images[i : i + 250]) for i in range(0, len(images), 250)]
        return np.concatenate([np.zeros((0, 10)), *parts])  # (N, 10)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities of many images; parameters as in `logits`.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8.

        Returns
        -------
        np.ndarray
            ``(N, 10)``, every row with the sum 1.
        """
        logits = self.logits(images)
        return softmax(logits / self.weights.temperature) if len(logits) else logits

    def read(self, image: np.ndarray) -> Answer:
        """Read one image that is in MNIST's form already.

        Parameters
        ----------
        image : np.ndarray
            ``(28, 28)`` uint8.

        Returns
        -------
        Answer
            With a digit, always.
        """
        return self.read_many(np.asarray(image)[None])[0]

    def read_many(self, images: np.ndarray) -> list[Answer]:
        """Read images that are in MNIST's form already.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8.

        Returns
        -------
        list of Answer
            One per image.
        """
        return [self._answer(probs) for probs in self.probabilities(images)]

    def recognize(self, picture: str | Path | np.ndarray) -> Answer:
        """Read a picture file, or the pixels of a picture.

        Parameters
        ----------
        picture : str or Path or np.ndarray
            A file, or what `photo.prepare` takes: ``(H, W)`` or ``(H, W, 3)``, uint8 or 0..1.

        Returns
        -------
        Answer
            With a digit; ``unsure`` if it should not be relied on.

        Raises
        ------
        PhotoError
            If the file cannot be read, or there is nothing in it, or more than one thing.
        """
        photo = picture if isinstance(picture, np.ndarray) else read_photo(picture)
        prepared = prepare(photo)
        return self._answer(self.probabilities(prepared.image[None])[0], prepared)

    def recognize_many(self, pictures: Iterable[str | Path | np.ndarray]) -> Iterator[Answer]:
        """Read pictures one after the other; a bad one is an answer without a digit.

        Parameters
        ----------
        pictures : iterable
            As in `recognize`.

        Yields
        ------
        Answer
            One per picture.
        """
        for picture in pictures:
            try:
                yield self.recognize(picture)
            except PhotoError as error:
                yield Answer(None, reason=str(error))

    def _answer(self, probs: np.ndarray, prepared: Prepared | None = None) -> Answer:
        """Turn ten probabilities into words."""
        second, first = (int(k) for k in np.argsort(probs)[-2:])
        unsure = bool(probs[first] < self.weights.unsure_below)
        reason = f"unsure: it may be a {second}" if unsure else ""
        return Answer(
            digit=first,
            probability=float(probs[first]),
            runner_up=second,
            runner_up_probability=float(probs[second]),
            unsure=unsure,
            reason=reason,
            prepared=prepared,
        )

    def _forward(self, images: np.ndarray) -> np.ndarray:
        """Return the logits ``(B, 10)`` of uint8 images ``(B, 28, 28)``."""
        X = (images[:, None] / np.float32(255) - np.float32(self.weights.mean)) / np.float32(
            self.weights.std
        )  # (B, 1, 28, 28)
        for layer in self.weights.layers:
            X = _LAYERS[layer["type"]](X, layer)
        return X.astype(np.float64)  # (B, 10)


# The layers, as torch.nn has them -------------------------------------------------------------


def _conv2d(X: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    """``(B, C, H, W)`` to ``(B, O, H', W')``: every window times every kernel."""
    weight, stride, padding = layer["weight"], layer["stride"], layer["padding"]
    X = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    views = windows(X, weight.shape[2], stride)  # (B, C, H', W', k, k)
    # The same sums as `by_hand.convolution.conv2d`, as one product of matrices: many times faster.
    Z = np.tensordot(views, weight, axes=((1, 4, 5), (1, 2, 3)))  # (B, H', W', O)
    return (Z + layer.get("bias", np.float32(0))).transpose(0, 3, 1, 2)


def _batch_norm(X: np.ndarray, layer: dict[str, Any]) -> np.ndarray:
    return X * layer["scale"][:, None, None] + layer["shift"][:, None, None]


_LAYERS = {
    "Conv2d": _conv2d,
    "BatchNorm2d": _batch_norm,
    "MaxPool2d": lambda X, layer: max_pool2d(X, layer["size"]),
    "ReLU": lambda X, layer: np.maximum(X, 0),
    "Flatten": lambda X, layer: X.reshape(len(X), -1),
    "Linear": lambda X, layer: X @ layer["weight"].T + layer["bias"],
}
_SETTINGS = {"Conv2d": ("stride", "padding"), "MaxPool2d": ("size",)}


# Weights in files -----------------------------------------------------------------------------


def load_weights(path: str | Path) -> Weights:
    """Read and verify a weights file.

    Parameters
    ----------
    path : str or Path
        Made by ``python -m mnist_course weights``. Nothing in it is ever executed.

    Returns
    -------
    Weights
        Complete, finite, and equal to what was saved.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or something else.
    """
    path = Path(path)
    remedy = (
        "Install the package again."
        if path == OWN
        else "Make it again: python -m mnist_course weights CHECKPOINT."
    )
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}. {remedy}")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST_FILE:
                raise ValueError("it is far too large")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        head = json.loads(str(arrays.pop("head")))
        return _unpack(head, arrays)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, MemoryError,
            RecursionError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
            ) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} is not a weights file of the course, or is damaged ({reason}). {remedy}"
        ) from None


def save_weights(path: str | Path, weights: Weights) -> Path:
    """Write a weights file: plain arrays, a description, and a hash of both.

    Parameters
    ----------
    path : str or Path
        Where to; an older file stays as it was until the new one is complete.
    weights : Weights
        What to save.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SaveError
        If it cannot be written.
    """
    arrays: dict[str, Any] = {}
    layers = []
    for number, layer in enumerate(weights.layers):
        arrays |= {f"{number}.{k}": v for k, v in layer.items() if isinstance(v, np.ndarray)}
        layers.append({k: v for k, v in layer.items() if not isinstance(v, np.ndarray)})
    head: dict[str, Any] = {"format": FORMAT, "layers": layers}
    for name in ("mean", "std", "temperature", "unsure_below", "about"):
        head[name] = getattr(weights, name)
    head["sha256"] = _sha256(head, arrays)
    with atomic_write(path) as file:
        np.savez(file, head=np.array(json.dumps(head)), **arrays)
    return Path(path)


def _unpack(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> Weights:
    """Return the checked content of a weights file."""
    if head.pop("format") != FORMAT:
        raise ValueError("it has another format")
    if head.pop("sha256") != _sha256({"format": FORMAT, **head}, arrays):
        raise ValueError("its content has changed since it was written")
    layers = [dict(layer) for layer in head.pop("layers")]
    for name, array in arrays.items():
        number, _, part = name.partition(".")
        layers[int(number)][part] = array
    weights = Weights(tuple(layers), **head)
    _check(weights)
    return weights


def _check(weights: Weights) -> None:
    """Refuse what could not have been trained, or does not map an image to ten scores."""
    for layer in weights.layers:
        if layer["type"] not in _LAYERS:
            raise ValueError(f"it has a layer of type {layer['type']}")
        for array in (v for v in layer.values() if isinstance(v, np.ndarray)):
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError("it holds something else than finite float32 numbers")
    numbers = (weights.mean, weights.std, weights.temperature, weights.unsure_below)
    if not np.isfinite(numbers).all() or weights.std <= 0 or weights.temperature <= 0:
        raise ValueError("its temperature or its normalization is not a positive number")
    shape = Recognizer(weights).logits(np.zeros((1, 28, 28), np.uint8)).shape
    describe(weights)  # a KeyError if it does not say where it comes from
    if shape != (1, 10):
        raise ValueError(f"its network maps an image to {shape[1:]} and not to 10 scores")


def _sha256(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Return the hash of a description and its arrays."""
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


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
        if kind not in _LAYERS:
            known = ", ".join(_LAYERS)
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

    content = load_checkpoint(path)
    run, rows = content.get("about", {}), content.get("run", {}).get("history", [])
    if run.get("recipe") not in RECIPES:
        raise WeightsError(
            f"{path} does not say by which recipe it was trained. Make one with "
            "python -m mnist_course train --model recognizer --valid 5000 --checkpoint FILE."
        )
    name, digits = run["recipe"], load_data()
    if len(rows) < run["num_epochs"]:
        raise WeightsError(
            f"{path} is of a run that has made {len(rows)} of {run['num_epochs']} epochs: finish "
            "it first, with train --resume."
        )
    if digits.source != run["data"]:
        raise WeightsError(f"{path} was trained on {run['data']}, and here is {digits.source}.")
    recipe = RECIPES[name]
    model = recipe.model()
    restore_model(model, content["model"], path)
    about = {
        "title": recipe.title,
        "command": f"python -m mnist_course train --model {name} --epochs {run['num_epochs']} "
        f"--seed {run['seed']} --valid {run['num_valid']}",
        "made": time.strftime("%Y-%m-%d"),
        "seed": run["seed"],
        "num_epochs": run["num_epochs"],
        "torch": torch.__version__.split("+")[0],
    }
    return make_weights(
        model,
        digits,
        num_valid=run["num_valid"],
        normalized=recipe.normalized,
        about=about,
    )


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


def write_page(path: str | Path, checkpoint: str | Path | None = None) -> Path:
    """Write the weights file of the draw-a-digit page.

    Parameters
    ----------
    path : str or Path
        A ``.js`` file; the built book has its own in ``_static/draw/weights.js``.
    checkpoint : str or Path, optional
        What to make it from, see `find_weights`; without it, the package's own weights.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WeightsError, CheckpointError
        If the weights cannot be read.
    SaveError
        If the file cannot be written.
    """
    return save_page(path, find_weights(checkpoint))


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
        "refuse_below": weights.unsure_below,
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


def describe(weights: Weights) -> str:
    """Say in two sentences which network this is and what it can do.

    Parameters
    ----------
    weights : Weights
        The network.

    Returns
    -------
    str
        Plain text.
    """
    about = weights.about
    size = sum(v.size for layer in weights.layers for v in layer.values() if hasattr(v, "size"))
    text = f"{about.get('title', 'A network')}: {size:,} numbers, made {about['made']} "
    text += f"on {about['trained_on']}; {100 * about['test_accuracy']:.2f} % of "
    text += f"{about['num_test']:,} test digits right."
    return f"{text} Made by: {about['command']}."
