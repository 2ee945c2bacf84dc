"""Do gradients arrive, and does the optimizer use them? The checks of both."""

import math
from typing import Any

import torch
from torch import nn

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem, warning
from mnist_course.doctor.patient import Batch, Patient, Twin
from mnist_course.doctor.theirs import call_theirs

Sizes = dict[str, float | None]  # of the gradients, by the name of the parameter


def _look_at_optimizer(patient: Patient) -> Finding:
    """Does the optimizer hold exactly the model's parameters?

    Compare the optimizer's parameters with the model's, one by one.
    """
    model, groups = patient.program.model, getattr(patient.program.optimizer, "param_groups", None)
    if groups is None:
        return not_looked(f"{type(patient.program.optimizer).__name__} has no param_groups")
    held = {id(q) for group in groups for q in group["params"]}
    seen = f"it holds {len(held)} tensors; the model has {len(list(model.parameters()))}"
    wrong = _lacks_some(model, held, seen)
    wrong = wrong or _holds_strangers(model, patient.program.loss_fn, held, seen)
    if not wrong and any(group.get("maximize") for group in groups):
        return problem("maximizes", "maximize=True")
    return wrong or ok(seen)


def _lacks_some(model: nn.Module, held: set[int], seen: str) -> Finding | None:
    """Find parameters that want a gradient, and that the optimizer does not hold."""
    trainable = {name: q for name, q in model.named_parameters() if q.requires_grad}
    missing = [name for name, q in trainable.items() if id(q) not in held]
    if not missing:
        return None
    if len(missing) == len(trainable):
        return problem("another-models-optimizer", f"{seen}, and none of them is held")
    return problem("optimizer-lacks-some", f"{seen}; it lacks {_names(missing)}")


def _holds_strangers(model: nn.Module, loss_fn: Any, held: set[int], seen: str) -> Finding | None:
    """Find tensors that the optimizer holds, and that belong to neither model nor loss."""
    owners = [part for part in (model, loss_fn) if isinstance(part, nn.Module)]
    strangers = held - {id(q) for part in owners for q in part.parameters()}
    if not strangers:
        return None
    return problem("optimizer-holds-strangers", f"{seen}; {len(strangers)} are not the model's")


def _names(names: list[str]) -> str:
    """Return a few names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _look_at_gradients(patient: Patient) -> Finding:
    """Does every parameter get a gradient?

    Collect gradients over a few careful steps, and look for what is missing.
    """
    twin = patient.twin()
    early = _frozen(twin) or _unknown_layers(twin, patient.runs[0])
    if early:
        return early
    sizes = _gradient_sizes(twin, patient.runs)
    num_held = sum(not q.requires_grad for q in twin.model.parameters())
    note = f", {num_held} are frozen and not in the optimizer" if num_held else ""
    return (
        _no_gradient(sizes)
        or _not_finite(sizes)
        or _silent_parameters(sizes)
        or _frozen_in_optimizer(twin)
        or _fading_gradient(twin, sizes)
        or ok(f"all {len(sizes)} tensors{note}")
    )


def _frozen(twin: Twin) -> Finding | None:
    """Find a model without a parameter that takes a gradient."""
    parameters = list(twin.model.parameters())
    if any(q.requires_grad for q in parameters):
        return None
    return problem("frozen", f"requires_grad is False for all {len(parameters)} tensors")


def _unknown_layers(twin: Twin, batch: Batch) -> Finding | None:
    """Find tensors that want gradients and lead to the loss, and are not the model's."""
    own = {id(q) for q in twin.model.parameters()}
    if isinstance(twin.loss_fn, nn.Module):
        own |= {id(q) for q in twin.loss_fn.parameters()}
    twin.model.train()
    queue, known, found = [twin.loss(*batch).grad_fn], set(), set()
    while queue:
        node = queue.pop()
        if node is None or node in known:
            continue
        known.add(node)
        if hasattr(node, "variable") and id(node.variable) not in own:
            found.add(id(node.variable))
        queue += [parent for parent, _ in node.next_functions]
    if not found:
        return None
    seen = f"the loss depends on {len(found)} tensors that are not in model.parameters()"
    return problem("unknown-layers", seen)


def _gradient_sizes(twin: Twin, batches: list[Batch]) -> Sizes:
    """Return the largest root mean square gradient of each tensor over five careful steps."""
    trainable = {n: q for n, q in twin.model.named_parameters() if q.requires_grad}
    sizes: Sizes = dict.fromkeys(trainable)
    careful = torch.optim.SGD(trainable.values(), lr=0.01)
    twin.model.train()
    for step in range(5):
        careful.zero_grad()
        loss = twin.loss(*batches[step % len(batches)])
        if not loss.requires_grad:
            break
        call_theirs("backward", loss.backward)
        for name, q in trainable.items():
            if q.grad is not None:
                size = float(q.grad.cpu().double().pow(2).mean().sqrt())
                sizes[name] = max(size, sizes[name] or 0.0) if size == size else size
        nn.utils.clip_grad_norm_(trainable.values(), 1.0)
        careful.step()
    return sizes


def _no_gradient(sizes: Sizes) -> Finding | None:
    """Find a way from the loss to the weights that is cut."""
    if any(size is not None for size in sizes.values()):
        return None
    return problem("no-gradient", "backward leaves the gradient of every parameter empty")


def _not_finite(sizes: Sizes) -> Finding | None:
    """Find gradients that are no numbers."""
    bad = [n for n, size in sizes.items() if size is not None and not math.isfinite(size)]
    return problem("gradients-not-finite", f"in {_names(bad)}") if bad else None


def _silent_parameters(sizes: Sizes) -> Finding | None:
    """Find parameters that stay as they are."""
    silent = [name for name, size in sizes.items() if not size]
    if not silent:
        return None
    unused = any(sizes[name] is None for name in silent)
    why = "not used for the loss" if unused else "exactly 0 in each of 5 batches"
    return problem("silent-parameters", f"{_names(silent)}: {why}")


def _frozen_in_optimizer(twin: Twin) -> Finding | None:
    """Find frozen parameters that the optimizer holds."""
    groups = getattr(twin.optimizer, "param_groups", [])
    held = {id(q) for group in groups for q in group["params"]}
    odd = [n for n, q in twin.model.named_parameters() if not q.requires_grad and id(q) in held]
    if not odd:
        return None
    return warning("frozen-in-optimizer", f"requires_grad is False for {_names(odd)}")


def _fading_gradient(twin: Twin, sizes: Sizes) -> Finding | None:
    """Find a layer whose gradients are a millionth of another's."""
    parameters = dict(twin.model.named_parameters())
    weights = {n: size for n, size in sizes.items() if parameters[n].ndim > 1 and size}
    weakest = min(weights, key=lambda name: weights[name], default="")
    strongest = max(weights.values(), default=1.0)
    if not weakest or weights[weakest] >= 1e-6 * strongest:
        return None
    times = f"{weights[weakest] / strongest:.0e} times those of the strongest layer"
    return problem("fading-gradient", f"the gradients of {weakest} are {times}")


def _look_for_symmetry(patient: Patient) -> Finding:
    """Do hidden units differ from each other?

    Look for layers whose units are all the same, before and after a few steps.
    """
    twin = patient.twin()
    rows = {
        name: q
        for name, q in twin.model.named_parameters()
        if q.ndim > 1 and len(q) > 1 and q[0].numel() > 1 and q.requires_grad
    }
    # A last layer may start with zeros; a few steps tell its units apart.
    alike = [name for name, q in rows.items() if _all_rows_equal(q) and bool(q.any())]
    _gradient_sizes(twin, patient.runs)
    alike += [name for name, q in rows.items() if _all_rows_equal(q) and name not in alike]
    if alike:
        return problem("units-alike", f"all rows of {_names(alike)} are equal")
    return ok("no layer consists of copies of one unit")


def _all_rows_equal(q: torch.Tensor) -> bool:
    """Return whether all rows of a weight are the same, up to rounding."""
    return float((q - q[:1]).detach().abs().max()) <= 1e-4 * float(q.detach().abs().max())


CHECKS = [
    Check("optimizer", _look_at_optimizer, "data"),
    Check("gradient", _look_at_gradients, "loss optimizer scale"),
    Check("symmetry", _look_for_symmetry, "gradient"),
]
