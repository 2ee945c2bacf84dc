"""What the guards say, in the words of ``words.ini``."""

from collections.abc import Sequence
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import numpy as np

NAMES = {"inputs": "the input of the layer", "gradient": "the gradient of the layer's output"}
PARSER = RawConfigParser()
PARSER.read_string(Path(__file__).with_name("words.ini").read_text(encoding="utf-8"))
WORDS = {word: " ".join(text.split()) for word, text in PARSER["words"].items()}


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
