"""Does it run? The checks of loaders, model, labels, loss and devices."""

import warnings

import torch
from torch import nn

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, ok, problem, warning
from mnist_course.doctor.patient import Patient, Sample, Twin, dtype_of, probe_family, take


def _look_at_data(patient: Patient) -> Finding:
    """Do the loaders yield batches of tensors?

    Take the first batches of both loaders, and of a second training pass.
    """
    model, program = patient.program.model, patient.program
    if not isinstance(model, nn.Module):
        return problem("no-module", f"it is a {type(model).__name__}")
    if next(model.parameters(), None) is None:
        return problem("no-parameters", f"a {type(model).__name__} with 0 tensors")
    pieces = take(program.train_loader, "train_loader")
    patient.train = Sample(pieces, patient.moved(pieces))
    few = sum(len(y) for _, y in pieces[:8])
    patient.again = take(program.train_loader, "train_loader", few)
    if program.test_loader is not None:
        pieces = take(program.test_loader, "test_loader")
        patient.test = Sample(pieces, patient.moved(pieces))
    X, y = patient.train.pieces[0]
    return ok(f"X {tuple(X.shape)} {dtype_of(X)}, y {tuple(y.shape)} {dtype_of(y)}")


def _look_at_forward(patient: Patient) -> Finding:
    """Does the model turn a batch into one row of scores per example?

    Run one batch through the model.
    """
    X, y = patient.train.batches[0]
    outputs = patient.twin().outputs(X)
    if not isinstance(outputs, torch.Tensor):
        return problem("model-no-tensor", f"it returns a {type(outputs).__name__}")
    shape = tuple(outputs.shape)
    became = f"{len(y)} examples {tuple(X.shape)} became {shape}"
    if outputs.numel() == len(y) > 1 and outputs.is_floating_point():
        return problem("one-score", became)
    if outputs.ndim != 2 or len(outputs) != len(y) or shape[1] < 2:
        return problem("no-rows", became)
    patient.num_classes = shape[1]
    if not outputs.isfinite().all() and X.isfinite().all():
        bad = int((~outputs.isfinite()).sum())
        return problem("outputs-not-finite", f"{bad} of {outputs.numel()} outputs are not finite")
    patient.family = probe_family(patient.program.loss_fn, shape[1], patient.where)
    return ok(f"outputs {shape}, {len(y)} examples and {shape[1]} classes")


def _look_at_labels(patient: Patient) -> Finding:
    """Are the labels whole numbers from 0 to K - 1?

    Look at type, shape and range of the labels, before a loss sees them.
    """
    K = patient.num_classes
    for name, sample in (("train", patient.train), ("test", patient.test)):
        for _, y in sample.pieces:
            if wrong := _wrong_labels(name, y, K):
                return wrong
    y = patient.train.y.cpu()
    return _no_label_zero(y, K) or ok(
        f"{dtype_of(y)}, from {int(y.min())} to {int(y.max())}, for {K} outputs"
    )


def _wrong_labels(name: str, y: torch.Tensor, K: int) -> Finding | None:
    """Return what keeps labels from being numbers of the K outputs."""
    if y.ndim == 2 and y.shape[1] == K and y.is_floating_point():
        return None  # one-hot rows, or probabilities
    if y.is_floating_point() or y.ndim != 1:
        seen = f"{name} labels are {dtype_of(y)} of the shape {tuple(y.shape)}"
        return problem("labels-not-whole", seen)
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= K:
        seen = f"{name} labels run from {low} to {high}, and the model has {K} outputs"
        return problem("labels-out-of-range", seen, last=K - 1)
    return None


def _no_label_zero(y: torch.Tensor, K: int) -> Finding | None:
    """Warn if labels seem to count from 1."""
    counts = torch.bincount(y, minlength=K)
    if int(counts[0]) == 0 and len(y) >= 50 * K and int((counts > 0).sum()) > 1:
        return warning("no-label-zero", f"in {len(y):,} training examples of {K} classes")
    return None


def _look_at_loss(patient: Patient) -> Finding:
    """Is the loss one finite number?

    Compute the loss of a batch, and of its halves.
    """
    twin = patient.twin()
    X, y = patient.train.batches[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss = twin.loss(X, y)
    if not isinstance(loss, torch.Tensor):
        return problem("loss-no-tensor", f"it is a {type(loss).__name__}")
    if loss.numel() != 1:
        return problem("loss-not-one-number", f"it has the shape {tuple(loss.shape)}")
    for message in (str(one.message) for one in caught):
        if "broadcast" in message or "size" in message:
            return problem("loss-broadcasts", message.splitlines()[0])
    if not torch.isfinite(loss) and X.isfinite().all():
        return problem("loss-not-finite", f"it is {float(loss)}")
    patient.is_sum = _adds_up(twin, X, y)
    if patient.is_sum:
        seen = f"{len(y)} examples have the loss {float(loss):.4g}, each half about half of it"
        return warning("loss-is-a-sum", seen)
    return ok(f"{float(loss):.3f} for the first batch ({patient.family})")


@torch.no_grad()
def _adds_up(twin: Twin, X: torch.Tensor, y: torch.Tensor) -> bool:
    """Return whether the loss of a batch is the sum of the losses of its halves."""
    half = len(y) // 2
    if half < 4:
        return False
    outputs, labels = twin.outputs(X)[: 2 * half], y[: 2 * half]
    parts = [(outputs, labels), *zip(outputs.split(half), labels.split(half), strict=True)]
    whole, first, second = (float(twin.loss_fn(out, part)) for out, part in parts)
    return whole > 1e-6 and abs(whole - (first + second)) < 1e-3 * whole


def _look_at_devices(patient: Patient) -> Finding:
    """Do model, loss and data fit on one device?

    Compare where parameters, buffers, the loss and the data lie.
    """
    model, loss_fn = patient.program.model, patient.program.loss_fn
    places = {str(t.device) for t in (*model.parameters(), *model.buffers())}
    if len(places) > 1:
        return problem("several-devices", f"parts of it lie on {', '.join(sorted(places))}")
    if isinstance(loss_fn, nn.Module):
        tensors = (*loss_fn.parameters(), *loss_fn.buffers())
        elsewhere = {str(t.device) for t in tensors if t.numel() > 1} - places
        if places and elsewhere:
            seen = f"model on {', '.join(places)}, loss on {', '.join(elsewhere)}"
            return problem("loss-elsewhere", seen)
    data, where = str(patient.train.pieces[0][0].device), str(patient.where)
    note = "" if data == where else "; every batch has to be moved, and I moved mine"
    return ok(f"model on {where}, data on {data}{note}")


CHECKS = [
    Check("data", _look_at_data),
    Check("forward", _look_at_forward, "data"),
    Check("labels", _look_at_labels, "forward"),
    Check("loss", _look_at_loss, "labels"),
    Check("device", _look_at_devices, "data"),
]
