"""What the checks of chapter 8, "Learned by heart", accept."""

from typing import Any

import numpy as np

from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


def _best(losses: list[float], patience: float, total: bool = False) -> tuple[int, int]:
    """Return the pass to keep and the pass that was the last; ``total`` counts all bad passes."""
    best = epoch = bad = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best, bad = epoch, bad if total else 0
        elif epoch:
            bad += 1
        if bad >= patience:
            break
    return best, epoch


@exercise("08.stop")
def stop(answer: Any) -> None:
    cases = (
        ([0.9, 0.5, 0.6, 0.4, 0.45, 0.42, 0.41, 0.3, 0.6], 3),
        ([0.9, 0.8, 0.85, 0.7, 0.75, 0.6, 0.65, 0.5, 0.55, 0.45], 2),
        ([0.9, 0.4, 0.5, 0.5, 0.3, 0.2], 2),
        ([0.9, 0.7, 0.8, 0.5, 0.4], 5),
        ([0.3, 0.5, 0.4, 0.2], 1),
    )
    for losses, patience in cases:
        best, last = _best(losses, patience)
        expect_number(
            call(answer, list(losses), patience),
            best,
            rtol=1e-9,
            slips=[
                (int(np.argmin(losses)), "the lowest of all, but training had stopped before it"),
                (last, "there training stops; the pass to keep is the best one so far"),
                (best + 1, "count the passes from 0, as Python does"),
                (losses[best], "that is the loss; the number of the pass is asked"),
                (_best(losses, patience + 1)[0], "one pass too patient"),
                (_best(losses, patience - 1)[0], "one pass too impatient"),
                (
                    _best(losses, patience, total=True)[0],
                    "a new lowest loss renews the patience: only passes in a row count",
                ),
            ],
        )


@exercise("08.drop")
def drop(answer: Any) -> None:
    import torch

    a = 0.5 + torch.rand(400, 60, generator=torch.Generator().manual_seed(0))
    for dropout in (0.2, 0.5):
        still = as_array(call(answer, a, dropout, False))
        if np.allclose(still, a / (1 - dropout)) or np.allclose(still, a * (1 - dropout)):
            raise Wrong("in use nothing is rescaled: the division in training has seen to that")
        if still.shape == a.shape and (still == 0).any():
            raise Wrong("with training=False nothing is left out")
        expect_array(still, a.numpy())
        _judge_training(answer, a, dropout)


def _judge_training(answer: Any, a: Any, dropout: float) -> None:
    results = [as_array(call(answer, a, dropout, True)) for _ in range(2)]
    if results[0].shape != a.shape:
        raise Wrong(f"expected the shape {tuple(a.shape)}, got {results[0].shape}")
    kept = [result != 0 for result in results]
    missing = 1 - kept[0].mean()
    if missing == 0:
        raise Wrong("in training nothing is left out")
    if abs(missing - dropout) > 0.03:
        swapped = "; dropout is the share that goes" if abs(missing + dropout - 1) < 0.03 else ""
        raise Wrong(f"{missing:.0%} of the units are 0, expected about {dropout:.0%}{swapped}")
    if (kept[0] == kept[0][0]).all() or (kept[0] == kept[0][:, :1]).all():
        raise Wrong("draw for every unit of every picture: torch.rand_like(a)")
    if (kept[0] == kept[1]).all():
        raise Wrong("two calls leave out the same units: draw anew in every call")
    factor = (results[0] / a.numpy())[kept[0]]
    if np.allclose(factor, 1):
        raise Wrong("what stays keeps its size, so the sums shrink: divide by 1 - dropout")
    if not np.allclose(factor, 1 / (1 - dropout), rtol=1e-4):
        raise Wrong(
            f"what stays is multiplied by {factor.mean():.3g}; to keep the mean it takes "
            f"1 / (1 - dropout) = {1 / (1 - dropout):.3g}"
        )


@exercise("08.label")
def label(answer: Any) -> None:
    value = as_array(answer)
    if value.size == 1 and value.dtype.kind != "b" and 120_000 <= value.max() <= 1_300_000:
        return  # read off a figure
    expect_number(
        answer,
        400_000,
        rtol=0.1,
        slips=[
            (55_000, "there it misreads more than 3 %; go on to the right"),
            (400, "in thousands? hand in the number of digits"),
            (0.4, "in millions? hand in the number of digits"),
        ],
    )


in_data("08.decay", "08.factor", "08.table")


@exercise("08.mirror")
def mirror(answer: Any) -> None:
    found = as_array(list(answer) if isinstance(answer, (set, frozenset)) else answer)
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise Wrong("hand in a list of digits, such as [2, 7]")
    digits = set(found.tolist())
    if digits == {0, 1, 8}:
        return
    if not digits <= set(range(10)):
        raise Wrong("digits are whole numbers from 0 to 9")
    if digits >= {0, 1, 8}:
        extra = ", ".join(map(str, sorted(digits - {0, 1, 8})))
        raise Wrong(f"not {extra}: write it on paper, and look at it from behind")
    if {6, 9} <= digits:
        raise Wrong("that is turning by half a turn; here left and right are exchanged")
    raise Wrong("some are missing: which digits look the same from behind the paper?")


in_data("08.bug")


@exercise("08.confusion")
def confusion(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for size, largest in ((300, 10), (7, 6)):
        labels = rng.integers(0, largest, size)
        others = rng.integers(0, largest - 1, size)
        predictions = np.where(rng.random(size) < 0.6, labels, others)
        counts = np.zeros((10, 10))
        np.add.at(counts, (labels, predictions), 1)
        once = np.zeros((10, 10))
        once[labels, predictions] += 1
        sums = counts.sum(axis=1, keepdims=True)
        expect_array(
            call(answer, labels, predictions),
            counts,
            slips=[
                (counts.T, "rows and columns are exchanged: a row is what it is"),
                (
                    once,
                    "counts[labels, predictions] += 1 counts each pair once, however often it "
                    "comes; use a loop or np.add.at",
                ),
                (np.diag(np.diag(counts)), "the mistakes are missing"),
                (counts - np.diag(np.diag(counts)), "the right answers are missing"),
                (counts / np.where(sums == 0, 1, sums), "counts are asked, not shares"),
                (counts / np.maximum(counts.sum(axis=0), 1), "counts are asked, not shares"),
                (counts / size, "counts are asked, not shares"),
            ],
        )


in_data("08.noise")


@exercise("08.prune")
def prune(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for shape, share in (((4, 5), 0.5), ((6, 10), 0.9), ((3, 4), 0.0)):
        W = rng.normal(size=shape) - 0.3
        order = np.argsort(np.abs(W), axis=None)
        gone = order[: round(share * W.size)]
        right, largest, by_value, by_row = W.copy(), W.copy(), W.copy(), W.copy()
        right.flat[gone] = 0
        largest.flat[order[W.size - len(gone) :]] = 0
        by_value.flat[np.argsort(W, axis=None)[: len(gone)]] = 0
        for row in by_row:
            row[np.argsort(np.abs(row))[: round(share * len(row))]] = 0
        rest = W.copy()
        rest.flat[order[: W.size - len(gone)]] = 0
        expect_array(
            call(answer, W, share),
            right,
            slips=[
                (largest, "these were the largest ones; the smallest go"),
                (by_value, "by absolute value: a weight of -2 has a large say"),
                (by_row, "over the whole layer, not row by row"),
                (rest, "share is what goes, not what stays"),
                (np.where(np.abs(W) < share, 0, W), "share is no bound: it says how many go"),
                ((right != 0).astype(float), "that is the mask; hand in the weights"),
            ],
        )
