"""Does the model treat a batch rightly? The checks of modes and rows."""

import contextlib
from functools import partial
from typing import Any

import torch
from torch import nn

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem
from mnist_course.doctor.patient import STOCHASTIC, Patient, Twin
from mnist_course.doctor.theirs import Trouble, call_theirs


def _look_at_modes(patient: Patient) -> Finding:
    """Is evaluation mode free of chance, and does it change nothing?

    Run a batch in evaluation mode twice, and look at the model before and after.
    """
    twin, X = patient.twin(), patient.train.batches[0][0]
    knowing = [part for part in twin.model.modules() if isinstance(part, STOCHASTIC)]
    dice = sorted({type(part).__name__ for part in knowing if getattr(part, "p", 1) > 0})
    about = f"the modes differ by {', '.join(dice)}" if dice else "no layer depends on the mode"
    return (
        _dice_in_evaluation(twin, X)
        or _norm_learns_nothing(twin, X)
        or ok(f"two evaluations of a batch agree; {about}")
    )


def _dice_in_evaluation(twin: Twin, X: torch.Tensor) -> Finding | None:
    """Evaluate a batch twice: the outputs must agree, and the buffers stay."""
    twin.model.eval()
    left_behind = [name for name, part in twin.model.named_modules() if part.training]
    before = {name: b.clone() for name, b in twin.model.named_buffers()}
    with torch.no_grad():
        torch.manual_seed(1)
        one = twin.outputs(X).float()
        torch.manual_seed(2)
        two = twin.outputs(X).float()
    gap = float((one - two).abs().max()) / (float(one.abs().max()) or 1.0)
    if left_behind or gap > 1e-3:
        seen = f"the same batch gives outputs that differ by {100 * gap:.2g} %"
        seen += f"; still in training mode: {', '.join(left_behind)}" if left_behind else ""
        return problem("dice-in-evaluation", seen)
    changed = [n for n, b in twin.model.named_buffers() if not torch.equal(b, before[n])]
    if changed:
        seen = f"a forward pass in evaluation mode changes {', '.join(changed)}"
        return problem("buffers-in-evaluation", seen)
    return None


def _norm_learns_nothing(twin: Twin, X: torch.Tensor) -> Finding | None:
    """Make a pass in training mode: batch normalization must learn its statistics."""
    norms = [m for m in twin.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    twin.model.train()
    old = [m.running_mean.clone() if m.running_mean is not None else None for m in norms]
    with torch.no_grad(), contextlib.suppress(Trouble):
        twin.outputs(X)
    stuck = [m for m, mean in zip(norms, old, strict=True) if _is_stuck(m, mean)]
    if stuck:
        seen = f"a training pass leaves the running mean of {len(stuck)} layers as it was"
        return problem("norm-learns-nothing", f"{seen} (momentum {stuck[0].momentum})")
    return None


def _is_stuck(norm: Any, mean: torch.Tensor | None) -> bool:
    """Return whether a training pass has left the running mean of a layer as it was."""
    return norm.training and mean is not None and torch.equal(norm.running_mean, mean)


def _look_at_rows(patient: Patient) -> Finding:
    """Is each example judged by itself?

    Compare outputs for a batch with outputs for a part of it, in evaluation mode.
    """
    twin, X = patient.twin(), patient.train.batches[0][0]
    twin.model.eval()
    if len(X) < 2:
        return not_looked("the batches hold one example")
    half = max(1, len(X) // 2)
    judge = partial(
        call_theirs, "the model", twin.model, trouble="cannot-judge-fewer", whole=len(X), half=half
    )
    with torch.no_grad():
        whole = twin.outputs(X).float()
        part, single = (judge(X[:n].clone()).float() for n in (half, 1))
    if part.shape != whole[:half].shape or single.shape != whole[:1].shape:
        seen = f"{len(X)} examples give {tuple(whole.shape)}, {half} {tuple(part.shape)}, "
        return problem("shape-depends-on-batch", f"{seen}1 gives {tuple(single.shape)}")
    gap = max(float((whole[: len(few)] - few).abs().max()) for few in (part, single))
    gap /= float(whole.abs().max()) or 1.0
    change = f"{100 * gap:.2g} %" if gap > 1e-5 else "< 0.001 %"
    seen = f"outputs change by {change} without the rest of the batch"
    if gap < 0.01:
        return ok(seen)
    sums = whole.exp().sum(0) if whole.max() <= 0 else whole.sum(0)
    if torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return problem("softmax-over-batch", f"{seen}; each column of the batch sums to 1")
    return problem("rows-mixed", seen)


CHECKS = [
    Check("modes", _look_at_modes, "forward"),
    Check("rows", _look_at_rows, "modes"),
]
