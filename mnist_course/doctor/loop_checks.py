"""What does the learner's loop do in a step and in a pass? It gets copies and made-up loaders."""

import math
from typing import Any

import torch

from mnist_course.doctor.averages import Tally, listed, numbers_in
from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem
from mnist_course.doctor.patient import STOCHASTIC, Batch, Patient, Twin
from mnist_course.doctor.theirs import call_theirs
from mnist_course.doctor.watch import Gradients, Watched, loader_of, watch

NUM_CALLS = 5
NO_STEP = "hand me your own train_step or train_epoch"
NO_PASS = "hand me your own train_epoch"


def _one_step(patient: Patient, twin: Twin, batch: Batch) -> None:
    """Let the learner's own function make one step with a batch as it came from the loader."""
    X, y = batch[0].clone(), batch[1].clone()
    program, parts = patient.program, (twin.model, twin.loss_fn, twin.optimizer)
    if program.train_step is not None:
        call_theirs("your step", program.train_step, *parts, X, y)
    elif program.train_epoch is not None:
        call_theirs("your step", program.train_epoch, *parts, loader_of(X, y, len(y)))


def _watch_steps(patient: Patient) -> Watched:
    """Watch five steps on the same batch with a learning rate of 0: nothing moves."""
    if "steps" in patient.notes:
        return patient.notes["steps"]
    twin = patient.twin()
    twin.model.train()
    twin.set_lr(0.0)
    with watch(twin) as seen:
        for _ in range(NUM_CALLS):
            _one_step(patient, twin, patient.train.pieces[0])
    patient.notes["steps"] = seen
    return seen


def _look_at_step(patient: Patient) -> Finding:
    """Does your step move the model along the gradient of its loss?

    Watch the learner's step: whether it moves the parameters, and along which gradient.
    """
    if patient.program.train_step is None and patient.program.train_epoch is None:
        return not_looked(NO_STEP)
    if not patient.twin().loss(*patient.runs[0]).requires_grad:
        return not_looked("nothing leads from the loss to the parameters, see 'gradient'")
    elsewhere, seen = _trains_another_model(patient)
    if elsewhere:
        return elsewhere
    moved, of, still = _real_steps(patient)
    if still:
        return still
    all_well = f"{moved} of {of} tensors move"
    if not seen.gradients:
        return ok(f"{all_well}, without optimizer.step()")
    return _compare_gradients(patient, seen) or ok(all_well)


def _trains_another_model(patient: Patient) -> tuple[Finding | None, Watched]:
    """Watch steps that move nothing: the model outside must not change either."""
    parameters = dict(patient.program.model.named_parameters())
    originals = {name: q._version for name, q in parameters.items()}
    seen = _watch_steps(patient)
    touched = [name for name, q in parameters.items() if q._version != originals[name]]
    if touched and patient.twin().model is not patient.program.model:
        return problem("trains-another-model", f"it changes {touched[0]} of a model outside"), seen
    return None, seen


def _real_steps(patient: Patient) -> tuple[int, int, Finding | None]:
    """Make two steps; return how many of how many tensors move, and a finding if none does."""
    twin = patient.twin()
    twin.model.train()
    twin.set_lr(1.0)
    before = {n: q.detach().clone() for n, q in twin.model.named_parameters() if q.requires_grad}
    with watch(twin) as real:
        for _ in range(2):
            _one_step(patient, twin, patient.train.pieces[0])
    after = dict(twin.model.named_parameters())
    moved = sum(not torch.equal(after[name], q) for name, q in before.items() if name in after)
    rates = [float(g.get("lr", 1)) for g in getattr(twin.optimizer, "param_groups", [])]
    finding = None
    if moved == 0 and any(rates) and not real.gradients:
        called = "optimizer.step() was called 0 times"
        finding = problem("no-step", f"two calls of your step, and {called}")
    elif moved == 0 and any(rates):
        called = f"optimizer.step() was called {len(real.gradients)} times in two steps"
        finding = problem("empty-gradients", f"{called}, and every gradient was empty or 0")
    return moved, len(before), finding


def _compare_gradients(patient: Patient, seen: Watched) -> Finding | None:
    """Compare the gradients that the step used with autograd's own for the same loss."""
    used = seen.gradients[0]
    if _length(used) == 0 or not seen.inputs or len(seen.gradients) < 2:
        return None
    if handed := _hands_probabilities(patient, seen):
        return handed
    X = seen.inputs[0].to(patient.where)
    y = (seen.labels[0] if seen.labels else patient.train.pieces[0][1]).to(patient.where)
    if len(X) != len(y):
        return None
    twin = patient.twin()
    twin.model.train(seen.training[0])
    twin.loss(X, y).backward()
    clean = {n: q.grad for n, q in twin.model.named_parameters() if q.requires_grad}
    whole = _cosine(used, clean)
    if whole < -0.5:
        angle = f"the cosine between its gradient and that of the loss is {whole:.2f}"
        return problem("step-walks-uphill", angle)
    if _cosine(used, seen.gradients[1]) <= 0.9999:  # dropout: comparing says little
        return None
    return _another_gradient(used, clean, dict(twin.model.named_parameters()))


def _hands_probabilities(patient: Patient, seen: Watched) -> Finding | None:
    """Find a softmax between model and loss."""
    if not seen.given or patient.family != "cross-entropy":
        return None
    given = seen.given[0].float()
    as_returned = bool(seen.outputs) and torch.equal(given, seen.outputs[0].float())
    sums = given.sum(1) if given.ndim == 2 else given
    if as_returned or given.min() < 0 or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return None
    return problem("step-hands-probabilities", "every row that the loss was given sums to 1")


def _another_gradient(
    used: Gradients, clean: Gradients, weights: dict[str, torch.nn.Parameter]
) -> Finding | None:
    """Find the tensor whose gradient is least like autograd's, in angle or in length."""
    largest = max(float(g.norm()) for g in clean.values() if g is not None)
    limit = max(float(g.abs().max()) for g in used.values() if g is not None)
    ratios: dict[str, float] = {}
    angles: dict[str, float] = {}
    for name, g in clean.items():
        own = used[name]
        if g is None or float(g.norm()) < 1e-3 * largest:
            continue
        if not _explained(own, g, weights[name], limit):
            ratios[name] = float(own.norm() / g.norm()) if own is not None else 0.0
            angles[name] = _cosine({name: own}, {name: g})
    if not ratios:
        return None
    usual = min(ratios.values(), key=lambda r: abs(math.log(max(r, 1e-9))))  # clipping shortens all
    worst = max(ratios, key=lambda n: abs(math.log(max(ratios[n], 1e-9) / usual)) - angles[n])
    if angles[worst] > 0.9 and 0.6 * usual < ratios[worst] < 1.67 * usual:
        return None
    return problem(
        "another-gradient",
        f"for {worst} the cosine between your gradient and the loss's is {angles[worst]:.2f}, and "
        f"yours is {ratios[worst]:.1f} times as long (elsewhere {usual:.1f} times)",
    )


def _explained(
    own: torch.Tensor | None, clean: torch.Tensor, weight: torch.Tensor, limit: float
) -> bool:
    """Return whether a gradient differs only by clipping its elements or by an L2 penalty."""
    if own is None:
        return False
    if torch.allclose(own, clean.clamp(-limit, limit), rtol=1e-3):
        return not torch.allclose(own, clean, rtol=1e-3)
    return abs(_cosine({"": own - clean}, {"": weight.detach()})) > 0.99


def _cosine(a: Gradients, b: Gradients) -> float:
    """Return the cosine of the angle between two sets of tensors; 0 where one is all empty."""
    dot = sum(
        float((u.cpu().double() * v.cpu().double()).sum())
        for u, v in zip(a.values(), b.values(), strict=True)
        if u is not None and v is not None
    )
    lengths = _length(a) * _length(b)
    return dot / lengths if lengths > 0 else 0.0


def _length(grads: Gradients) -> float:
    """Return the length of all gradients together."""
    return math.sqrt(
        sum(float(g.cpu().double().pow(2).sum()) for g in grads.values() if g is not None)
    )


def _look_at_zero_grad(patient: Patient) -> Finding:
    """Does each step start from empty gradients?

    Repeat the learner's step on one batch with a learning rate of 0: gradients must not grow.
    """
    if patient.program.train_step is None and patient.program.train_epoch is None:
        return not_looked(NO_STEP)
    lengths = [_length(g) for g in _watch_steps(patient).gradients]
    if len(lengths) < 2 or not lengths[0]:
        return not_looked(f"optimizer.step() was called {len(lengths)} times in {NUM_CALLS} steps")
    growth = lengths[-1] / lengths[0]
    seen = (
        f"{len(lengths)} steps on one batch with lr 0: the last gradient is {growth:.1f} times "
        "as long as the first"
    )
    return problem("gradients-pile-up", seen) if growth > 1.8 else ok(seen)


def _look_at_train_mode(patient: Patient) -> Finding:
    """Is the model in training mode when it is trained?

    Watch the mode during a pass of the learner's, after one of the learner's evaluations.
    """
    program = patient.program
    if program.train_epoch is None:
        return not_looked(NO_PASS)
    if not any(isinstance(part, STOCHASTIC) for part in program.model.modules()):
        return ok("no layer of this model knows of modes")
    twin = patient.twin()
    twin.model.train()
    X, y = patient.train.pieces[0]
    after = ""
    if program.evaluate is not None:
        call_theirs("your evaluation", program.evaluate, twin.model, loader_of(X, y, len(y)))
        after = " after an evaluation"
    seen, _ = _one_pass(patient, twin, X, y, len(y))
    if seen.training and not all(seen.training):
        return problem("trains-in-eval-mode", f"in a pass{after} the model was in evaluation mode")
    return ok(f"training mode in a pass{after}")


def _one_pass(
    patient: Patient, twin: Twin, X: torch.Tensor, y: torch.Tensor, size: int
) -> tuple[Watched, Any]:
    """Let the learner make a pass over some examples; return what was seen, and what it returns."""
    loader = loader_of(X, y, size)
    train_epoch: Any = patient.program.train_epoch
    longer = max(1.0, len(loader) / 50)
    with watch(twin) as seen:
        parts = twin.model, twin.loss_fn, twin.optimizer
        result = call_theirs("your pass", train_epoch, *parts, loader, scale=longer)
    return seen, result


def _look_at_reported_loss(patient: Patient) -> Finding:
    """Are the losses that your pass reports averages of what it saw?

    Compare what the learner's pass returns with the losses that were computed in it.
    """
    if patient.program.train_epoch is None:
        return not_looked(NO_PASS)
    seen, result, y = _watch_pass(patient, torch.arange(42), 16)
    found = numbers_in(result)
    if isinstance(result, list) and not (len(found) == 2 and len(seen.losses) == 3):
        return _look_at_printed_losses(patient)
    if not found:
        return not_looked("your train_epoch returns no numbers")
    if len(seen.losses) != 3:
        return not_looked("your pass computes its loss without the loss_fn that it is given")
    tally = Tally.of(seen, y, 16, patient.is_sum)
    return tally.judge(found, "pass") or ok(f"{listed(found)}: averages over the examples")


def _watch_pass(patient: Patient, rows: torch.Tensor, size: int) -> tuple[Watched, Any, Any]:
    """Let the learner make a pass over some examples with a learning rate of 0."""
    X = patient.train.X.to(patient.train.pieces[0][0].device)
    y = torch.cat([piece[1] for piece in patient.train.pieces])
    rows = rows % len(y)
    twin = patient.twin()
    twin.model.train()
    twin.set_lr(0.0)
    seen, result = _one_pass(patient, twin, X[rows], y[rows], size)
    return seen, result, y[rows]


def _look_at_printed_losses(patient: Patient) -> Finding:
    """Give the learner's pass the same four examples again and again: nothing may change."""
    for num_batches in (60, 650):  # many report every 100 or 300 batches only
        seen, result, _ = _watch_pass(patient, torch.arange(4).repeat(num_batches), 4)
        values = [value for _, value in numbers_in(list(result))]
        if len(values) >= 2:
            break
    if len(values) < 2 or not seen.losses:
        return not_looked(f"your train_epoch reports {len(values)} losses in 650 batches")
    low, high = min(seen.losses), max(seen.losses)
    if max(values) > 1.01 * high + 1e-6 or min(values) < 0.99 * low - 1e-6:
        return problem(
            "reported-losses",
            f"with the learning rate 0 and always the same batch, of loss {high:.3f}, the "
            f"{len(values)} reported values run from {values[0]:.3f} to {values[-1]:.3f}",
        )
    return ok(f"{len(values)} reported losses are those of the batches")


CHECKS = [
    Check("step", _look_at_step, "loss optimizer finite"),
    Check("zero-grad", _look_at_zero_grad, "step"),
    Check("train-mode", _look_at_train_mode, "step"),
    Check("reported", _look_at_reported_loss, "step"),
]
