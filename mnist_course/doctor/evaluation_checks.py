"""What does the learner's evaluation do? It is watched on copies, with made-up loaders."""

import copy
from typing import Any

import torch
from torch.utils.data import DataLoader

from mnist_course.doctor.averages import Tally, listed, numbers_in
from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem, warning
from mnist_course.doctor.patient import STOCHASTIC, Patient, Twin, classes
from mnist_course.doctor.theirs import call_theirs
from mnist_course.doctor.watch import Watched, loader_of, watch

NO_EVALUATION = "hand me your own evaluate"


def _look_at_eval_mode(patient: Patient) -> Finding:
    """Does evaluation use the right model and mode, and change nothing?

    Watch mode, gradients and buffers during the learner's evaluation.
    """
    if patient.program.evaluate is None:
        return not_looked(NO_EVALUATION)
    loader, _, _ = _uneven(patient)
    twin = patient.twin()
    twin.model.train()
    before = {name: t.detach().clone() for name, t in twin.model.state_dict().items()}
    seen, _ = _evaluate(patient, twin, loader)
    changed = [n for n, t in twin.model.state_dict().items() if not torch.equal(t, before[n])]
    if not seen.training:
        return problem("evaluates-another-model", "the model that was handed over was never called")
    knows = any(isinstance(part, STOCHASTIC) for part in twin.model.modules())
    if knows and any(seen.training):
        also = f", and it changed {changed[0]}" if changed else ""
        mode = "model.training was True during your evaluation"
        return problem("evaluates-in-train-mode", mode + also)
    if changed:
        return problem("evaluation-changes-model", f"afterwards {changed[0]} has other values")
    if any(seen.grad_enabled):
        return warning("evaluation-records-gradients", "torch.is_grad_enabled() was True")
    return ok("evaluation mode, no gradients recorded, nothing changed")


def _evaluate(patient: Patient, twin: Twin, loader: DataLoader) -> tuple[Watched, Any]:
    """Let the learner evaluate a twin; return what was seen, and what it returns."""
    evaluate: Any = patient.program.evaluate
    with watch(twin) as seen:
        result = call_theirs("your evaluation", evaluate, twin.model, loader)
    return seen, result


def _look_at_averages(patient: Patient) -> Finding:
    """Are loss and accuracy averages over the examples?

    Compare what the learner's evaluation returns with averages over uneven batches.
    """
    if patient.program.evaluate is None:
        return not_looked(NO_EVALUATION)
    loader, y, size = _uneven(patient)
    twin = _slightly_trained(patient)
    seen, result = _evaluate(patient, twin, loader)
    found = numbers_in(result)
    if not found:
        return not_looked("your evaluate returns no numbers")
    if len(seen.outputs) == 1 and len(seen.outputs[0]) == len(y):  # all batches in one call
        seen.outputs = list(seen.outputs[0].split(size))
    if len(seen.outputs) != len(loader):
        return not_looked(f"it calls the model {len(seen.outputs)} times for {len(loader)} batches")
    pairs = zip(seen.outputs, y.to(patient.where).split(size), strict=True)
    with torch.no_grad():
        seen.losses = [float(twin.loss_fn(out, part)) for out, part in pairs]
    all_well = ok(f"{listed(found)} for {len(y)} picked examples, as it should be")
    return Tally.of(seen, y, size, patient.is_sum).judge(found, "evaluation") or all_well


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
    labels = classes(y[:500]).to(patient.where)
    with torch.no_grad():
        hits = twin.outputs(X[:500].to(patient.where)).argmax(1) == labels
    right, wrong = hits.nonzero().flatten().tolist(), (~hits).nonzero().flatten().tolist()
    size = max(2, min(16, (len(hits) - 1) // 2))
    ends = (right or wrong)[-1:] if len(right) < len(wrong) else (wrong or right)[-1:]
    mixed = [k for pair in zip(right, wrong, strict=False) for k in pair if k not in ends]
    rest = [k for k in range(len(hits)) if k not in ends and k not in mixed]
    order = torch.tensor([*mixed, *rest][: 2 * size] + ends)
    patient.notes["uneven"] = loader_of(X[order], y[order], size), y[order], size
    return patient.notes["uneven"]


CHECKS = [
    Check("eval-mode", _look_at_eval_mode, "loss rows"),
    Check("average", _look_at_averages, "eval-mode finite"),
]
