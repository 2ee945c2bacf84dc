"""What is looked at before and during training, and refused: data, model and optimizer.

Taught in: chapter 4, "Scores become probabilities".
"""

from __future__ import annotations

import contextlib
import copy

import torch
from torch import nn

from mnist_course.data import Batches
from mnist_course.training.history import BatchSource, TrainingError

LARGEST_INPUT = 100.0  # normalized pixels stay below 3; raw ones reach 255


def check_batch(X: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse a batch that cannot be right, before it costs the reader an hour.

    Parameters
    ----------
    X : torch.Tensor
        ``(B, ...)`` inputs.
    y : torch.Tensor
        ``(B,)`` labels.

    Raises
    ------
    TrainingError
        If ``X`` is not a finite, scaled float tensor or ``y`` not one whole number per example.
    """
    if y.dtype != torch.int64 or y.ndim != 1:
        raise TrainingError(
            f"the labels are {y.dtype} of shape {tuple(y.shape)}; expected int64 of shape (B,). "
            "Use .long(), and .squeeze(1) if they came as a column."
        )
    if len(y) == 0 or X.shape[:1] != y.shape:
        raise TrainingError(
            f"a batch of inputs of shape {tuple(X.shape)} and {len(y)} labels: expected as many, "
            "not 0, with the batch as the first axis."
        )
    if not X.is_floating_point():
        raise TrainingError(f"the inputs are {X.dtype}; make them float and scale them: normalize.")
    if not X.isfinite().all():
        raise TrainingError("the inputs hold NaN or infinity; one such pixel spoils every weight.")
    if X.abs().max() > LARGEST_INPUT:
        raise TrainingError(
            f"the inputs reach {X.abs().max():.0f}: these look like raw pixels 0..255; normalize."
        )
    if y.min() < 0:
        raise TrainingError(f"there is a label {y.min()}; labels count from 0.")


def check_logits(logits: torch.Tensor, y: torch.Tensor, unchecked: torch.Tensor | None) -> None:
    """Refuse what is not one row of scores per example, with a score for every label.

    A label above the last class stops a GPU for good, and torch leaves out those that are -100
    without a word.
    """
    if y.dtype != torch.int64 or y.ndim != 1 or logits.ndim != 2 or len(logits) != len(y):
        raise TrainingError(
            f"the model returns the shape {tuple(logits.shape)} for labels of shape "
            f"{tuple(y.shape)} and type {y.dtype}; expected (B, K), one row of scores per example, "
            "and int64 labels of shape (B,)."
        )
    if unchecked is not None:
        smallest, largest = (int(end) for end in unchecked.aminmax())
        if smallest < 0:
            raise TrainingError(f"there is a label {smallest}; labels count from 0.")
        if largest >= logits.shape[1]:
            raise TrainingError(
                f"there is a label {largest}, but the model has {logits.shape[1]} classes; labels "
                "count from 0."
            )


def unchecked_labels(batches: BatchSource, y: torch.Tensor, first: bool) -> torch.Tensor | None:
    """Return labels that nobody has looked at: all of `Batches` at once, else batch by batch."""
    if isinstance(batches, Batches):
        return batches.y if first else None
    return y


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Refuse the optimizer of another model: it would go through the motions and change nothing."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise TrainingError(
            "the optimizer holds no parameter of this model. Make it after the model, from its "
            "model.parameters()."
        )


def check_last_batch(batches: BatchSource, model: nn.Module, X: torch.Tensor) -> None:
    """Refuse a last batch of one example under BatchNorm now, and not at the end of the pass."""
    num_examples, batch_size = count_examples(batches), getattr(batches, "batch_size", None)
    if num_examples is None or not batch_size or getattr(batches, "drop_last", False):
        return
    kinds = nn.modules.batchnorm._BatchNorm
    if num_examples % batch_size == 1 % batch_size and any(
        isinstance(layer, kinds) for layer in model.modules()
    ):
        probe = copy.deepcopy(model).eval()  # so that dropout draws no numbers
        for layer in probe.modules():
            layer.train(isinstance(layer, kinds))
        with torch.no_grad():
            compute(probe, X[:1], None)


def count_examples(batches: BatchSource) -> int | None:
    """Return how many examples a pass covers, if that can be known beforehand."""
    if isinstance(batches, Batches):
        return batches.num_examples
    with contextlib.suppress(AttributeError, TypeError):
        return len(batches.sampler)  # type: ignore[attr-defined]  # of a DataLoader
    return None


def compute(model: nn.Module, X: torch.Tensor, half: torch.dtype | None) -> torch.Tensor:
    """Return the logits ``(B, K)`` in float32, computed in 16 bits if ``half`` says so."""
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), X.dtype)
    if X.dtype != dtype:
        raise TrainingError(
            f"the inputs are {X.dtype} and the weights {dtype}: convert them with .to({dtype})."
        )
    try:
        with torch.autocast(X.device.type, half, enabled=half is not None):
            logits = model(X)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "there is a batch of one example, and BatchNorm cannot normalize one. Choose a batch "
            "size that leaves no single one over, or drop_last=True in a DataLoader."
        ) from None
    return logits.float() if half else logits


def device_of(model: nn.Module) -> torch.device:
    """Return where the model lies, and refuse one that lies in two places."""
    places: dict[torch.device, str] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        places.setdefault(tensor.device, name)
    if len(places) > 1:
        where = ", ".join(f"{name} on {place}" for place, name in places.items())
        raise TrainingError(f"the model lies on several devices ({where}): use model.to(device).")
    return next(iter(places), torch.device("cpu"))
