"""What a loop may report of its batches, what it must not, and what it did report."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import torch

from mnist_course.doctor.finding import Finding, problem, warning
from mnist_course.doctor.patient import classes
from mnist_course.doctor.watch import Watched


@dataclass
class Tally:
    """Losses and hits of the batches of a pass, and all the ways to average them.

    Attributes
    ----------
    sizes : list of int
        Examples per batch.
    losses : list of float
        Loss of each batch.
    hits : list of int
        Right answers in each batch.
    crossed : list of float
        Right answers if every prediction is compared with every label.
    """

    sizes: list[int]
    losses: list[float]
    hits: list[int]
    crossed: list[float]

    @classmethod
    def of(cls, seen: Watched, y: torch.Tensor, size: int, is_sum: bool) -> Tally:
        """Return the tally of what was seen in a pass over labels ``y`` ``(n,)``."""
        labels = classes(y).to(seen.outputs[0].device).split(size)
        predictions = [out.argmax(1) for out in seen.outputs]
        pairs = list(zip(predictions, labels, strict=True))
        sizes = [len(part) for part in labels]
        return cls(
            sizes,
            [m / k if is_sum else m for m, k in zip(seen.losses, sizes, strict=True)],
            [int((guess == part).sum()) for guess, part in pairs],
            [float((guess[:, None] == part).sum()) for guess, part in pairs],
        )

    def right(self) -> dict[str, float]:
        """Return what may be reported, by name."""
        n = sum(self.sizes)
        weighted = sum(m * k for m, k in zip(self.losses, self.sizes, strict=True))
        share = sum(self.hits) / n
        return {
            "loss": weighted / n,
            "accuracy": share,
            "accuracy in percent": 100 * share,
            "number of right answers": sum(self.hits),
            "number of examples": n,
            "number of batches": len(self.sizes),
            "summed loss": weighted,
        }

    def wrong(self) -> list[tuple[str, str, float]]:
        """Return what must not be reported: in words, what it should be, and its value."""
        n, batches = sum(self.sizes), len(self.sizes)
        shares = [h / k for h, k in zip(self.hits, self.sizes, strict=True)]
        means = "a mean over batches, not examples"
        divided = "batch means divided by examples"
        crossed = "all pairs of predictions and labels"
        last = "the last batch only"
        rows = [
            (divided, "loss", sum(self.losses) / n),
            (means, "loss", sum(self.losses) / batches),
            (last, "loss", self.losses[-1]),
            ("a sum of batch means", "loss", sum(self.losses)),
            (divided, "accuracy", sum(shares) / n),
            (means, "accuracy", sum(shares) / batches),
            (last, "accuracy", shares[-1]),
            (crossed, "accuracy", sum(self.crossed) / n),
            ("hits per batch", "accuracy", sum(self.hits) / batches),
        ]
        return rows + [(text, kind, 100 * v) for text, kind, v in rows if kind == "accuracy"]

    def judge(self, found: list[tuple[str, float]], what: str) -> Finding | None:
        """Return a finding if one of the numbers is a wrong average, else None."""
        right = self.right()
        for name, value in found:
            if any(_near(value, target) for target in right.values()):
                continue
            slip, kind = next(
                ((text, kind) for text, kind, target in self.wrong() if _near(value, target)),
                ("", "accuracy" if "acc" in name else "loss"),
            )
            seen = (
                f"{kind} {value:.4g}; over the examples it is {right[kind]:.4g} "
                f"(batches of {', '.join(map(str, self.sizes[:3]))})"
            )
            if slip:
                small = what == "pass" and slip.startswith("a mean over batches")
                return (warning if small else problem)("known-slip", seen, what=what, slip=slip)
            if name:  # a number without a name may be seconds
                return problem("wrong-average", seen, what=what, kind=kind)
        return None


def _near(value: float, target: float) -> bool:
    return math.isclose(value, target, rel_tol=2e-4, abs_tol=1e-6)


def numbers_in(result: Any) -> list[tuple[str, float]]:
    """Return the numbers in what a function returned, with names where it gives them.

    Parameters
    ----------
    result : object
        A number, a pair of loss and accuracy, a list, a dictionary, or an object with such names.
    """
    found = []
    for name, value in _named(result):
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = float(value.detach())
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            found.append((name, float(value)))
    return found


def _named(result: Any) -> list[tuple[str, Any]]:
    """Return what a function returned, part by part, with names where it gives them."""
    if isinstance(result, dict):
        return [(str(key).lower(), value) for key, value in result.items()]
    if hasattr(result, "accuracy") or hasattr(result, "loss"):
        return [(n, getattr(result, n)) for n in ("loss", "accuracy") if hasattr(result, n)]
    if isinstance(result, (tuple, list)):
        names = ["loss", "accuracy"] if len(result) == 2 else [""] * len(result)
        return list(zip(names, result, strict=True))
    return [("", result)]


def listed(found: list[tuple[str, float]]) -> str:
    """Return reported numbers with their names, as text.

    Parameters
    ----------
    found : list of (str, float)
        From `numbers_in`.
    """
    return ", ".join(f"{name} {value:.4g}".strip() for name, value in found)
