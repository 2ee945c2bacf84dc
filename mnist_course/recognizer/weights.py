"""The weights file: plain arrays, a description, and a hash of both."""

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_course.errors import UsageError
from mnist_course.files import atomic_write, sha256_of
from mnist_course.recognizer.layers import LAYERS, forward

FORMAT = "mnist-course-weights-1"
OWN = Path(__file__).with_name("recognizer.npz")  # the network of the package
MOST_LAYERS = 64
LARGEST_FILE = 2**26  # bytes of a weights file, also when unpacked; ours has 0.1 MB


class WeightsError(UsageError):
    """A file is not a weights file, or a damaged one; the message says what to do next."""


@dataclass(frozen=True, eq=False)
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
    head["sha256"] = _hash(head, arrays)
    with atomic_write(path) as file:
        np.savez(file, head=np.array(json.dumps(head)), **arrays)
    return Path(path)


def _unpack(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> Weights:
    """Return the checked content of a weights file."""
    if head.pop("format") != FORMAT:
        raise ValueError("it has another format")
    if head.pop("sha256") != _hash({"format": FORMAT, **head}, arrays):
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
    _check_layers(weights.layers)
    numbers = (weights.mean, weights.std, weights.temperature, weights.unsure_below)
    if not np.isfinite(numbers).all() or weights.std <= 0 or weights.temperature <= 0:
        raise ValueError("its temperature or its normalization is not a positive number")
    if not 0 <= weights.unsure_below <= 1:
        raise ValueError(f"unsure_below is {weights.unsure_below}, and not a probability")
    paper = np.zeros((1, 28, 28), np.uint8)
    shape = forward(weights.layers, paper, weights.mean, weights.std).shape
    describe(weights)  # a KeyError if it does not say where it comes from
    if shape != (1, 10):
        raise ValueError(f"its network maps an image to {shape[1:]} and not to 10 scores")


def _check_layers(layers: tuple[dict[str, Any], ...]) -> None:
    """Refuse unknown layers, other numbers than float32, and what would take for ever."""
    if len(layers) > MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers, more than {MOST_LAYERS}")
    for layer in layers:
        if layer["type"] not in LAYERS:
            raise ValueError(f"it has a layer of type {layer['type']}")
        arrays = {name: v for name, v in layer.items() if isinstance(v, np.ndarray)}
        for array in arrays.values():
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError("it holds something else than finite float32 numbers")
        if not _fits(layer, {name: array.shape for name, array in arrays.items()}):
            raise ValueError(f"shapes or settings of a {layer['type']} make no sense")


def _fits(layer: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether a layer is of a size that an image of 28×28 pixels can have a use for."""
    if layer["type"] == "Conv2d":
        outputs, _, height, width = shapes["weight"]
        fits = height == width and shapes.get("bias", (outputs,)) == (outputs,)
        return fits and _whole(layer["stride"], 1, 28) and _whole(layer["padding"], 0, width // 2)
    if layer["type"] == "BatchNorm2d":
        return len(shapes["scale"]) == 1 and shapes["scale"] == shapes["shift"]
    if layer["type"] == "Linear":
        return len(shapes["weight"]) == 2 and shapes["bias"] == shapes["weight"][:1]
    return layer["type"] != "MaxPool2d" or _whole(layer["size"], 1, 28)


def _whole(number: object, low: int, high: int) -> bool:
    return type(number) is int and low <= number <= high


def _hash(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Return the hash of a description and its arrays."""
    parts = [json.dumps(head, sort_keys=True).encode()]
    for name, array in sorted(arrays.items()):
        parts += [f"{name} {array.dtype.str} {array.shape}".encode(), array.tobytes()]
    return sha256_of(*parts)


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
