"""Does it learn? The checks that train copies for a few steps."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem, warning
from mnist_course.doctor.patient import NUM_STEPS, Batch, Patient, nominal_lr
from mnist_course.doctor.theirs import call_theirs


def _look_at_overfitting(patient: Patient) -> Finding:
    """Can the model learn a few examples by heart?

    Train a copy on one small batch, with its own optimizer, then with others.
    """
    batch = patient.handful
    n = len(batch[0][1])
    best = 0.0
    for name, lr in (("your optimizer", 0.0), ("Adam", 1e-3), ("Adam", 1e-2)):
        steps, reached = _overfit(patient, batch, lr)
        best = max(best, reached)
        if reached >= 0.95:
            who = f"{name} at {lr:g}; yours needs more than 60" if lr else name
            return ok(f"{100 * reached:.0f} % of {n} examples after {steps} steps of {who}")
    seen = f"{100 * best:.0f} % of {n} examples after 300 steps, with three learning rates"
    return problem("cannot-overfit", seen)


def _overfit(patient: Patient, batch: list[Batch], lr: float) -> tuple[int, float]:
    """Train on one batch, with Adam if there is a rate; return steps made and accuracy reached."""
    twin = patient.twin()
    if lr:
        wanted = [q for q in twin.model.parameters() if q.requires_grad]
        twin.optimizer = torch.optim.Adam(wanted, lr=lr)
    twin.set_lr(1.0)
    steps = 0
    while steps < (300 if lr else 60) and twin.accuracy(batch) < 0.95:
        made = twin.train(batch, 10)
        steps += made
        if made < 10:  # the loss is not finite any more, or time is up
            break
    return steps, twin.accuracy(batch)


def _look_at_weight_decay(patient: Patient) -> Finding:
    """Does the penalty on weights leave room to learn?

    Train for a few steps with and without weight decay.
    """
    groups = getattr(patient.program.optimizer, "param_groups", [])
    decay = max((float(g.get("weight_decay", 0.0)) for g in groups), default=0.0)
    if decay < 0.02:
        return ok(f"weight_decay {decay:g}")
    before = patient.twin().level(patient.runs)
    levels = []
    for keep in (True, False):
        twin = patient.twin()
        twin.set_lr(1.0)
        for group in twin.optimizer.param_groups:
            group["weight_decay"] = group["weight_decay"] if keep else 0.0
        twin.train(patient.runs, 2 * NUM_STEPS)
        levels.append(twin.level(patient.runs))
    gains = [before - level if math.isfinite(level) else 0.0 for level in levels]
    seen = (
        f"weight_decay {decay:g}: {2 * NUM_STEPS} steps take the loss from {before:.3f} to "
        f"{levels[0]:.3f}, without it to {levels[1]:.3f}"
    )
    if gains[1] > 0.1 * before and gains[0] < 0.5 * gains[1]:
        return problem("decay-too-strong", seen)
    return ok(seen)


def _look_at_learning_rate(patient: Patient) -> Finding:
    """Is the learning rate neither far too low nor far too high?

    Train copies for a few steps with the learning rate as it is, lower, and higher.
    """
    groups = getattr(patient.program.optimizer, "param_groups", [])
    if not groups or "lr" not in groups[0]:
        return not_looked("the optimizer has no learning rate")
    lr = nominal_lr(groups[0])
    if not 0 < lr < math.inf:
        return problem("rate-no-number", f"lr {lr:g}")
    momentum = max((float(g.get("momentum", 0.0)) for g in groups), default=0.0)
    if momentum >= 1:
        return problem("momentum-too-large", f"momentum {momentum:g}")
    before = patient.twin().level(patient.runs)
    for num_steps in (NUM_STEPS // 2, NUM_STEPS):  # most programs show in a few that they learn
        run = Run(lr, before, _level_after(patient, 1.0, num_steps), num_steps)
        if run.gain > 0.2 * before or (patient.trained and run.gain > -before - 0.1):
            return ok(run.seen)
    return (
        _rate_too_high(patient, run)
        or _rate_too_low(patient, run)
        or ok(f"{run.seen}; no other learning rate does much better in so few steps")
    )


@dataclass(frozen=True)
class Run:
    """A short training run: learning rate, loss before and after, and how many steps."""

    lr: float
    before: float
    after: float
    num_steps: int

    @property
    def gain(self) -> float:
        """By how much the loss has fallen; a loss that is no number has not."""
        return _gain(self.before, self.after)

    @property
    def seen(self) -> str:
        """What there is to see."""
        levels = f"from {self.before:.3f} to {self.after:.3f}"
        return f"lr {self.lr:g}: {self.num_steps} steps take the loss {levels}"


def _rate_too_high(patient: Patient, run: Run) -> Finding | None:
    """Try a tenth of the rate, a hundredth and so on."""
    needed = max((0.4 if run.gain > 0 else 0.05) * run.before, 3 * run.gain)
    for scale in (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6):
        level, lr = _level_after(patient, scale), f"{run.lr * scale:g}"
        if _gain(run.before, level) > needed:
            return problem("rate-too-high", f"{run.seen}; with {lr} to {level:.3f}", better=lr)
        if scale <= 1e-3 and math.isfinite(run.after) and run.gain > -0.5 * run.before:
            break  # it does not blow up; a still lower rate is no cure
    return None


def _rate_too_low(patient: Patient, run: Run) -> Finding | None:
    """Try ten times the rate, a hundred times and so on, unless it would do in the long run."""
    num_steps = max(10 * patient.epoch_steps(), 2_000)
    in_the_end = run.gain / NUM_STEPS * num_steps
    if in_the_end > 0.05 * run.before:
        return ok(run.seen)
    pace = {"steps": f"{num_steps:,}", "gain": f"{max(in_the_end, 0):.2g}"}
    for scale in (10, 100, 1e3, 1e4, 1e5, 1e6):
        level, lr = _level_after(patient, scale), f"{run.lr * scale:g}"
        if _gain(run.before, level) > max(0.05 * run.before, 5 * run.gain):
            seen = f"{run.seen}; with {lr} to {level:.3f}"
            return problem("rate-too-low", seen, better=lr, **pace)
    return None


def _level_after(patient: Patient, scale: float, num_steps: int = NUM_STEPS) -> float:
    """Return the loss after a short training run with ``scale`` times the learning rate."""
    twin = patient.twin()
    twin.set_lr(scale)
    twin.train(patient.runs, num_steps)
    return twin.level(patient.runs)


def _gain(before: float, after: float) -> float:
    """Return by how much the loss has fallen; a loss that is no number has not."""
    return before - after if math.isfinite(after) else -math.inf


def _look_at_last_batch(patient: Patient) -> Finding:
    """Does the last batch fit, and is every test example looked at?

    Work out the size of the last batch of each loader.
    """
    loaders = {name: getattr(patient.program, name) for name in ("train_loader", "test_loader")}
    sizes = {name: _last_batch(loader) for name, loader in loaders.items()}
    dropped = {name: bool(getattr(one, "drop_last", False)) for name, one in loaders.items()}
    if sizes["train_loader"] == 1 and not dropped["train_loader"]:
        _train_on_one(patient)
    if sizes["test_loader"] and dropped["test_loader"]:
        seen = f"drop_last=True leaves out the last {sizes['test_loader']}"
        return warning("test-drops-last", seen)
    known = ", ".join(f"{name} {size}" for name, size in sizes.items() if size)
    return ok(f"size of the last, smaller batch: {known}" if known else "no odd end")


def _train_on_one(patient: Patient) -> None:
    """Try whether the model can be trained on a single example."""
    twin = patient.twin()
    twin.model.train()
    X, y = patient.train.batches[0]

    def one() -> Any:
        return twin.loss_fn(twin.model(X[:1].clone()), y[:1])

    call_theirs("the last batch", one, trouble="cannot-train-on-one")


def _last_batch(loader: Any) -> int:
    """Return how many examples are left for a last, incomplete batch; 0 if none, or unknown."""
    size = getattr(loader, "batch_size", None)
    try:
        count = getattr(loader, "num_examples", None) or len(loader.dataset)
    except (AttributeError, TypeError):
        return 0
    return int(count) % int(size) if size else 0


CHECKS = [
    Check("overfit", _look_at_overfitting, "symmetry output"),
    Check("weight-decay", _look_at_weight_decay, "gradient scale"),
    Check(
        "learning-rate",
        _look_at_learning_rate,
        "gradient output scale first-loss symmetry overfit weight-decay shuffle",
    ),
    Check("last-batch", _look_at_last_batch, "loss"),
]
