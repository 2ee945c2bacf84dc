"""Exercises that ask for numbers or a choice: what is right, and what slips are told, is data.

It stands in ``chNN.yaml`` beside the functions of ``chNN.py``, so that a page can read it, too.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mnist_course.exercises.expect import as_array, expect_array, expect_choice, expect_number
from mnist_course.exercises.judge import Wrong, exercise


@functools.cache
def load_answers(chapter: str) -> dict[str, dict[str, Any]]:
    """Return what a chapter's exercises accept, as far as it is data.

    Parameters
    ----------
    chapter : str
        Two digits, as in ``"04"``.

    Returns
    -------
    dict
        Exercise to its entry: ``number``, ``array`` or ``choice``; how near (``rtol``, ``atol``);
        ``slips``, each with the value ``got`` and its ``reply``; ``replies`` to other choices;
        ``single``, the reply to one number where several are asked; ``model``, the reply to a model
        where a number is asked. A slip ``within`` some distance needs not be met exactly.
    """
    path = Path(__file__).with_name(f"ch{chapter}.yaml")
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def in_data(*names: str) -> None:
    """Register exercises whose answers are data; the place of this call is their place in order.

    Parameters
    ----------
    *names : str
        As in ``"04.guess"``.
    """
    for name in names:
        entry = load_answers(name.split(".")[0])[name]
        exercise(name)(functools.partial(_compare, entry))


def _compare(entry: dict[str, Any], answer: Any) -> None:
    """Judge one answer."""
    if "choice" in entry:
        expect_choice(answer, entry["choice"], entry["replies"])
        return
    slips = entry.get("slips", ())
    _notice(entry, slips, answer)
    options: dict[str, Any] = {k: entry[k] for k in ("rtol", "atol", "unit") if k in entry}
    options["slips"] = [(slip["got"], slip["reply"]) for slip in slips]
    if "number" in entry:
        expect_number(answer, entry["number"], **options)
        return
    flat = as_array(answer).squeeze()  # a row taken from a batch of one is as good
    expect_array(
        flat if flat.ndim == np.ndim(entry["array"]) else answer, entry["array"], **options
    )


def _notice(entry: dict[str, Any], slips: Any, answer: Any) -> None:
    """Refuse what is no exact slip: a model, one number for several, a value near some other."""
    if "model" in entry and hasattr(answer, "parameters"):
        raise Wrong(entry["model"])
    if "single" in entry and as_array(answer).size == 1:
        raise Wrong(entry["single"])
    for slip in (slip for slip in slips if "within" in slip):
        if np.abs(as_array(answer) - slip["got"]).max(initial=0) <= slip["within"]:
            raise Wrong(slip["reply"])
