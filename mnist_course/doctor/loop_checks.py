"""The checks of the learner's own loop: what it does in a step, in a pass and in an evaluation.

The learner's functions get copies and made-up loaders; what they do is watched from outside.
"""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.doctor.finding import Finding, check, not_looked, ok, problem, warning
from mnist_course.doctor.patient import Patient
from mnist_course.doctor.program_checks import STOCHASTIC
from mnist_course.doctor.sample import Batch, classes
from mnist_course.doctor.theirs import theirs
from mnist_course.doctor.twin import Twin

NUM_CALLS = 5
Gradients = dict[str, "torch.Tensor | None"]


@dataclass
class Watched:
    """What was seen while the learner's function ran on a twin.

    Attributes
    ----------
    inputs, given, labels : list of torch.Tensor
        What the model was given, and what the loss, call by call.
    outputs : list of torch.Tensor
        What the model returned.
    losses : list of float
        What the loss returned.
    training, grad_enabled : list of bool
        Whether the model was in training mode, and whether gradients were recorded.
    gradients : list of dict
        The gradients at each ``optimizer.step()``.
    num_wiped : int
        How many steps were made without any gradient.
    """

    inputs: list[torch.Tensor] = field(default_factory=list)
    given: list[torch.Tensor] = field(default_factory=list)
    labels: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    grad_enabled: list[bool] = field(default_factory=list)
    gradients: list[Gradients] = field(default_factory=list)
    num_wiped: int = 0


@contextmanager
def watch(twin: Twin) -> Iterator[Watched]:
    """Write down what happens to a twin in the block.

    Parameters
    ----------
    twin : Twin
        Its loss and its optimizer's ``step`` are replaced by ones that take notes.
    """
    seen = Watched()

    def before_forward(_: nn.Module, args: tuple[Any, ...]) -> None:
        if args and isinstance(args[0], torch.Tensor):
            seen.inputs.append(args[0].detach().clone())
        seen.training.append(_is_training(twin.model))
        seen.grad_enabled.append(torch.is_grad_enabled())

    def after_forward(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            seen.outputs.append(output.detach().clone())

    inner_loss, inner_step = twin.loss_fn, twin.optimizer.step

    def note_loss(args: tuple[Any, ...], value: Any) -> None:
        for part, notes in zip(args, (seen.given, seen.labels), strict=False):
            if isinstance(part, torch.Tensor):
                notes.append(part.detach().clone())
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            seen.losses.append(float(value.detach()))

    def loss_fn(*args: Any, **kwargs: Any) -> Any:
        value = inner_loss(*args, **kwargs)
        note_loss(args, value)
        return value

    def after_loss(_: nn.Module, args: tuple[Any, ...], value: Any) -> None:
        note_loss(args, value)

    def step(*args: Any, **kwargs: Any) -> Any:
        grads: Gradients = {
            name: None if q.grad is None else q.grad.detach().clone()
            for name, q in twin.model.named_parameters()
            if q.requires_grad
        }
        seen.gradients.append(grads)
        seen.num_wiped += _length(grads) == 0
        return inner_step(*args, **kwargs)

    hooks = [
        twin.model.register_forward_pre_hook(before_forward),
        twin.model.register_forward_hook(after_forward),
    ]
    if isinstance(inner_loss, nn.Module):
        hooks.append(inner_loss.register_forward_hook(after_loss))
    else:
        twin.loss_fn = loss_fn
    twin.optimizer.step = step
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
        twin.loss_fn = inner_loss
        del twin.optimizer.step


def _is_training(model: nn.Module) -> bool:
    """Return whether the layers that know of modes are in training mode."""
    knowing = [part for part in model.modules() if isinstance(part, STOCHASTIC)]
    return any(part.training for part in knowing) if knowing else model.training


def _length(grads: Gradients) -> float:
    """Return the length of all gradients together."""
    return math.sqrt(
        sum(float(g.cpu().double().pow(2).sum()) for g in grads.values() if g is not None)
    )


def loader_of(X: torch.Tensor, y: torch.Tensor, batch_size: int) -> DataLoader:
    """Return a real DataLoader over some examples, in their order.

    Parameters
    ----------
    X, y : torch.Tensor
        ``(n, ...)`` and ``(n, ...)``.
    batch_size : int
        Examples per batch.
    """
    return DataLoader(TensorDataset(X, y), batch_size=batch_size, shuffle=False)


def _one_step(patient: Patient, twin: Twin, batch: Batch) -> None:
    """Let the learner's own function make one step with a batch as it came from the loader."""
    X, y = batch[0].clone(), batch[1].clone()
    program = patient.program
    with theirs("your step raises an exception"):
        if program.train_step is not None:
            program.train_step(twin.model, twin.loss_fn, twin.optimizer, X, y)
        elif program.train_epoch is not None:
            loader = loader_of(X, y, len(y))
            program.train_epoch(twin.model, twin.loss_fn, twin.optimizer, loader)


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


@check(
    "step",
    "Does your step move the model along the gradient of its loss?",
    ["loss", "optimizer", "finite"],
)
def _look_at_step(patient: Patient) -> Finding:
    """Watch the learner's step: whether it moves the parameters, and along which gradient."""
    if patient.program.train_step is None and patient.program.train_epoch is None:
        return not_looked("hand me your own train_step or train_epoch")
    if not patient.twin().loss(*patient.runs[0]).requires_grad:
        return not_looked("nothing leads from the loss to the parameters, see 'gradient'")
    originals = {n: q._version for n, q in patient.program.model.named_parameters()}
    seen = _watch_steps(patient)
    touched = [n for n, q in patient.program.model.named_parameters() if q._version != originals[n]]
    if touched and patient.twin().model is not patient.program.model:
        return problem(
            "the step trains another model",
            f"it changes {touched[0]} of a model outside",
            "Inside the function a global name is used in place of the argument.",
            "Use the arguments of the function only.",
        )
    twin = patient.twin()
    twin.model.train()
    twin.set_lr(1.0)
    before = {n: q.detach().clone() for n, q in twin.model.named_parameters() if q.requires_grad}
    with watch(twin) as real:
        for _ in range(2):
            _one_step(patient, twin, patient.train.pieces[0])
    moved = sum(
        not torch.equal(q, before[n]) for n, q in twin.model.named_parameters() if n in before
    )
    rates = [float(g.get("lr", 1)) for g in getattr(twin.optimizer, "param_groups", [])]
    if moved == 0 and any(rates):
        if not real.gradients:
            return problem(
                "the optimizer makes no step",
                "two calls of your step, and optimizer.step() was called 0 times",
                "Gradients are computed and never used.",
                "Call optimizer.step() after loss.backward().",
            )
        return problem(
            "there is no gradient when the optimizer steps",
            f"optimizer.step() was called {len(real.gradients)} times in two steps, and every "
            "gradient was empty or 0",
            "Either backward is missing, or zero_grad stands between backward and step, or step "
            "comes before backward.",
            "The order is zero_grad, backward, step.",
        )
    if not seen.gradients:
        return ok(f"{moved} of {len(before)} tensors move, without optimizer.step()")
    return _compare_gradients(patient, seen) or ok(f"{moved} of {len(before)} tensors move")


def _compare_gradients(patient: Patient, seen: Watched) -> Finding | None:
    """Compare the gradients that the step used with autograd's own for the same loss."""
    used = seen.gradients[0]
    if _length(used) == 0 or not seen.inputs or len(seen.gradients) < 2:
        return None
    X = seen.inputs[0].to(patient.where)
    y = (seen.labels[0] if seen.labels else patient.train.pieces[0][1]).to(patient.where)
    if seen.given and patient.family == "cross-entropy":
        given = seen.given[0].float()
        sums = given.sum(1) if given.ndim == 2 else given
        as_returned = bool(seen.outputs) and torch.equal(given, seen.outputs[0].float())
        if (
            not as_returned
            and given.min() >= 0
            and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
        ):
            return problem(
                "the step hands probabilities to a loss that wants logits",
                "every row that the loss was given sums to 1",
                "The loss applies its own softmax to the probabilities, and gradients fade.",
                "Hand the outputs of the model to the loss as they are.",
            )
    twin = patient.twin()
    twin.model.train(seen.training[0])
    if len(X) != len(y):
        return None
    twin.loss(X, y).backward()
    clean = {n: q.grad for n, q in twin.model.named_parameters() if q.requires_grad}
    whole = _cosine(list(used.values()), list(clean.values()))
    if whole < -0.5:
        return problem(
            "the step walks uphill",
            f"the cosine between its gradient and that of the loss is {whole:.2f}",
            "It makes the loss large.",
            "Minimize the loss itself, not its negative.",
        )
    steady = _cosine(list(used.values()), list(seen.gradients[1].values())) > 0.9999
    if not steady:  # dropout: gradients differ from call to call, and comparing says little
        return None
    largest = max(float(g.norm()) for g in clean.values() if g is not None)
    weights = dict(twin.model.named_parameters())
    limit = max(float(g.abs().max()) for g in used.values() if g is not None)
    ratios: dict[str, float] = {}
    angles: dict[str, float] = {}
    for name, g in clean.items():
        own = used[name]
        if (
            g is None
            or float(g.norm()) < 1e-3 * largest
            or _explained(own, g, weights[name], limit)
        ):
            continue
        ratios[name] = float(own.norm() / g.norm()) if own is not None else 0.0
        angles[name] = _cosine([own], [g])
    if not ratios:
        return None
    usual = min(ratios.values(), key=lambda r: abs(math.log(max(r, 1e-9))))  # clipping shortens all
    worst = max(ratios, key=lambda n: abs(math.log(max(ratios[n], 1e-9) / usual)) - angles[n])
    if angles[worst] > 0.9 and 0.6 * usual < ratios[worst] < 1.67 * usual:
        return None
    return problem(
        "the step does not use the gradient of the loss",
        f"for {worst} the cosine between your gradient and the loss's is {angles[worst]:.2f}, and "
        f"yours is {ratios[worst]:.1f} times as long (elsewhere {usual:.1f} times)",
        "The weights move, but not down the slope of the loss that you measure.",
        "Compare your gradients with autograd's, or with finite differences, tensor by tensor.",
    )


def _explained(
    own: torch.Tensor | None, clean: torch.Tensor, weight: torch.Tensor, limit: float
) -> bool:
    """Return whether a gradient differs only by clipping its elements or by an L2 penalty."""
    if own is None:
        return False
    if torch.allclose(own, clean.clamp(-limit, limit), rtol=1e-3):
        return not torch.allclose(own, clean, rtol=1e-3)
    return abs(_cosine([own - clean], [weight.detach()])) > 0.99


def _cosine(a: list[torch.Tensor | None], b: list[torch.Tensor | None]) -> float:
    """Return the cosine of the angle between two lists of tensors; 0 where one is all empty."""
    dot = first = second = 0.0
    for u, v in zip(a, b, strict=True):
        dot += (
            float((u.cpu().double() * v.cpu().double()).sum())
            if u is not None and v is not None
            else 0.0
        )
        first += float(u.cpu().double().pow(2).sum()) if u is not None else 0.0
        second += float(v.cpu().double().pow(2).sum()) if v is not None else 0.0
    return dot / math.sqrt(first * second) if first * second > 0 else 0.0


@check("zero-grad", "Does each step start from empty gradients?", ["step"])
def _look_at_zero_grad(patient: Patient) -> Finding:
    """Repeat the learner's step on one batch with a learning rate of 0: gradients must not grow."""
    if patient.program.train_step is None and patient.program.train_epoch is None:
        return not_looked("hand me your own train_step or train_epoch")
    seen = _watch_steps(patient)
    lengths = [_length(g) for g in seen.gradients]
    if len(lengths) < 2 or not lengths[0]:
        return not_looked(f"optimizer.step() was called {len(lengths)} times in {NUM_CALLS} steps")
    growth = lengths[-1] / lengths[0]
    evidence = (
        f"{len(lengths)} steps on one batch with lr 0: the last gradient is {growth:.1f} times "
        "as long as the first"
    )
    if growth > 1.8:
        return problem(
            "gradients pile up from step to step",
            evidence,
            "backward adds to what is there. Each step follows the sum of all gradients so far.",
            "Call optimizer.zero_grad() once per step, before backward.",
        )
    return ok(evidence)


@check("train-mode", "Is the model in training mode when it is trained?", ["step"])
def _look_at_train_mode(patient: Patient) -> Finding:
    """Watch the mode during a pass of the learner's, after one of the learner's evaluations."""
    program = patient.program
    if program.train_epoch is None:
        return not_looked("hand me your own train_epoch")
    if not any(isinstance(part, STOCHASTIC) for part in program.model.modules()):
        return ok("no layer of this model knows of modes")
    twin = patient.twin()
    twin.model.train()
    X, y = patient.train.pieces[0]
    if program.evaluate is not None:
        with theirs("your evaluation raises an exception"):
            program.evaluate(twin.model, loader_of(X, y, len(y)))
    with watch(twin) as seen:
        with theirs("your pass raises an exception"):
            program.train_epoch(twin.model, twin.loss_fn, twin.optimizer, loader_of(X, y, len(y)))
    after = " after an evaluation" if program.evaluate is not None else ""
    if seen.training and not all(seen.training):
        return problem(
            "the model is trained in evaluation mode",
            f"in a pass{after} the model was in evaluation mode",
            "Dropout is off and batch normalization does not learn its statistics.",
            "Call model.train() at the start of every pass.",
        )
    return ok(f"training mode in a pass{after}")


@check("reported", "Are the losses that your pass reports averages of what it saw?", ["step"])
def _look_at_reported_loss(patient: Patient) -> Finding:
    """Compare what the learner's pass returns with the losses that were computed in it."""
    if patient.program.train_epoch is None:
        return not_looked("hand me your own train_epoch")
    seen, result, y = _watch_pass(patient, torch.arange(42), 16)
    found = _numbers(result)
    if isinstance(result, list) and not (len(found) == 2 and len(seen.losses) == 3):
        return _look_at_printed_losses(patient)
    if not found:
        return not_looked("your train_epoch returns no numbers")
    if len(seen.losses) != 3:
        return not_looked("your pass computes its loss without the loss_fn that it is given")
    tally = Tally.of(seen, y, 16, patient.is_sum)
    return tally.judge(found, "pass") or ok(f"{_listed(found)}: averages over the examples")


def _watch_pass(patient: Patient, rows: torch.Tensor, size: int) -> tuple[Watched, Any, Any]:
    """Let the learner make a pass over some examples with a learning rate of 0."""
    X = patient.train.X.to(patient.train.pieces[0][0].device)
    y = torch.cat([piece[1] for piece in patient.train.pieces])
    rows = rows % len(y)
    twin = patient.twin()
    twin.model.train()
    twin.set_lr(0.0)
    loader, result = loader_of(X[rows], y[rows], size), None
    with watch(twin) as seen, theirs("your pass raises an exception"):
        if patient.program.train_epoch is not None:
            result = patient.program.train_epoch(twin.model, twin.loss_fn, twin.optimizer, loader)
    return seen, result, y[rows]


def _look_at_printed_losses(patient: Patient) -> Finding:
    """Give the learner's pass the same four examples again and again: nothing may change."""
    for num_batches in (60, 650):  # many report every 100 or 300 batches only
        seen, result, _ = _watch_pass(patient, torch.arange(4).repeat(num_batches), 4)
        values = [value for _, value in _numbers(list(result))]
        if len(values) >= 2:
            break
    if len(values) < 2 or not seen.losses:
        return not_looked(f"your train_epoch reports {len(values)} losses in 650 batches")
    low, high = min(seen.losses), max(seen.losses)
    if max(values) > 1.01 * high + 1e-6 or min(values) < 0.99 * low - 1e-6:
        return problem(
            "the reported losses are not those of the batches",
            f"with the learning rate 0 and always the same batch, of loss {high:.3f}, the "
            f"{len(values)} reported values run from {values[0]:.3f} to {values[-1]:.3f}",
            "If they grow, a running sum is never set back to 0.",
            "Look for == where = is meant, and at what is divided by what.",
        )
    return ok(f"{len(values)} reported losses are those of the batches")


@check(
    "eval-mode",
    "Does evaluation use the right model and mode, and change nothing?",
    ["loss", "rows"],
)
def _look_at_eval_mode(patient: Patient) -> Finding:
    """Watch mode, gradients and buffers during the learner's evaluation."""
    if patient.program.evaluate is None:
        return not_looked("hand me your own evaluate")
    loader, _, _ = _uneven(patient)
    twin = patient.twin()
    twin.model.train()
    before = {name: t.detach().clone() for name, t in twin.model.state_dict().items()}
    with watch(twin) as seen, theirs("your evaluation raises an exception"):
        patient.program.evaluate(twin.model, loader)
    changed = [n for n, t in twin.model.state_dict().items() if not torch.equal(t, before[n])]
    if not seen.training:
        return problem(
            "the evaluation uses another model",
            "the model that was handed over was never called",
            "Inside the function a global name is used in place of the argument.",
            "Use the arguments of the function only.",
        )
    knows = any(isinstance(part, STOCHASTIC) for part in twin.model.modules())
    if knows and any(seen.training):
        return problem(
            "the model is evaluated in training mode",
            "model.training was True during your evaluation"
            + (f", and it changed {changed[0]}" if changed else ""),
            "Dropout erases units in the test, and batch normalization uses and learns from "
            "the test batches.",
            "Call model.eval() before, and model.train() afterwards.",
        )
    if changed:
        return problem(
            "the evaluation changes the model",
            f"afterwards {changed[0]} has other values",
            "The test set leaks into the model.",
            "An evaluation computes outputs, and nothing else.",
        )
    if any(seen.grad_enabled):
        return warning(
            "gradients are recorded during the evaluation",
            "torch.is_grad_enabled() was True",
            "No number changes; it costs memory and time.",
            "Use torch.no_grad() around it.",
        )
    return ok("evaluation mode, no gradients recorded, nothing changed")


@check("average", "Are loss and accuracy averages over the examples?", ["eval-mode", "finite"])
def _look_at_averages(patient: Patient) -> Finding:
    """Compare what the learner's evaluation returns with averages over uneven batches."""
    if patient.program.evaluate is None:
        return not_looked("hand me your own evaluate")
    loader, y, size = _uneven(patient)
    twin = _slightly_trained(patient)
    with watch(twin) as seen, theirs("your evaluation raises an exception"):
        result = patient.program.evaluate(twin.model, loader)
    found = _numbers(result)
    if not found:
        return not_looked("your evaluate returns no numbers")
    if len(seen.outputs) == 1 and len(seen.outputs[0]) == len(y):  # all batches in one call
        seen.outputs = list(seen.outputs[0].split(size))
    if len(seen.outputs) != len(loader):
        return not_looked(f"it calls the model {len(seen.outputs)} times for {len(loader)} batches")
    labels = y.to(patient.where).split(size)
    with torch.no_grad():
        seen.losses = [
            float(twin.loss_fn(out, part)) for out, part in zip(seen.outputs, labels, strict=True)
        ]
    tally = Tally.of(seen, y, size, patient.is_sum)
    return tally.judge(found, "evaluation") or ok(
        f"{_listed(found)} for {len(y)} picked examples, as it should be"
    )


def _slightly_trained(patient: Patient) -> Twin:
    """Return a twin that is right more often than chance and far from always."""
    twin = patient.twin()
    if "weights" in patient.notes:
        twin.model.load_state_dict(patient.notes["weights"])
        return twin
    wanted = [q for q in twin.model.parameters() if q.requires_grad]
    if wanted:
        twin.optimizer = torch.optim.Adam(wanted, lr=1e-3)
        twin.train(patient.runs, 10)
    twin.model.train()
    patient.notes["weights"] = copy.deepcopy(twin.model.state_dict())
    return twin


def _uneven(patient: Patient) -> tuple[DataLoader, torch.Tensor, int]:
    """Return a loader whose last batch is a single example, unlike most of the others.

    With such a loader the mean of the batch means is far from the mean over the examples.
    """
    if "uneven" in patient.notes:
        return patient.notes["uneven"]
    sample = patient.test if patient.test.pieces else patient.train
    X = torch.cat([X for X, _ in sample.pieces])
    y = torch.cat([y for _, y in sample.pieces])
    twin = _slightly_trained(patient)
    twin.model.eval()
    with torch.no_grad():
        hits = twin.outputs(X[:500].to(patient.where)).argmax(1) == classes(y[:500]).to(
            patient.where
        )
    right, wrong = hits.nonzero().flatten().tolist(), (~hits).nonzero().flatten().tolist()
    size = max(2, min(16, (len(hits) - 1) // 2))
    ends = (right or wrong)[-1:] if len(right) < len(wrong) else (wrong or right)[-1:]
    mixed = [k for pair in zip(right, wrong, strict=False) for k in pair if k not in ends]
    rest = [k for k in range(len(hits)) if k not in ends and k not in mixed]
    order = torch.tensor([*mixed, *rest][: 2 * size] + ends)
    patient.notes["uneven"] = loader_of(X[order], y[order], size), y[order], size
    return patient.notes["uneven"]


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
            if not slip and not name:
                continue  # seconds, perhaps
            small = what == "pass" and slip.startswith("a mean over batches")
            made = warning if small else problem
            return made(
                f"the {what} reports {slip}" if slip else f"the {what} reports a wrong {kind}",
                f"{kind} {value:.4g}; over the examples it is {right[kind]:.4g} "
                f"(batches of {', '.join(map(str, self.sizes[:3]))})",
                "The number depends on the batch size, not only on the model."
                if slip
                else "It is none of the usual averages of what the model answered.",
                "Add up loss * len(y) and the right answers; divide by the number of examples.",
            )
        return None


def _near(value: float, target: float) -> bool:
    return math.isclose(value, target, rel_tol=2e-4, abs_tol=1e-6)


def _numbers(result: Any) -> list[tuple[str, float]]:
    """Return the numbers in what a function returned, with names where it gives them."""
    if isinstance(result, dict):
        named = [(str(key).lower(), value) for key, value in result.items()]
    elif hasattr(result, "accuracy") or hasattr(result, "loss"):
        named = [(n, getattr(result, n)) for n in ("loss", "accuracy") if hasattr(result, n)]
    elif isinstance(result, (tuple, list)):
        names = ["loss", "accuracy"] if len(result) == 2 else [""] * len(result)
        named = list(zip(names, result, strict=True))
    else:
        named = [("", result)]
    found = []
    for name, value in named:
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = float(value.detach())
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            found.append((name, float(value)))
    return found


def _listed(found: list[tuple[str, float]]) -> str:
    """Return reported numbers with their names, as text."""
    return ", ".join(f"{name} {value:.4g}".strip() for name, value in found)
