"""What is looked at before and during training, and refused: data, model and optimizer.

Taught in: chapter 4, "Scores become probabilities".
"""

import contextlib
import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.data import Batches
from mnist_course.training.history import BatchSource, Loss, TrainingError

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

    Parameters
    ----------
    logits : torch.Tensor
        ``(B, K)``, if all is well.
    y : torch.Tensor
        ``(B,)`` labels, if all is well.
    unchecked : torch.Tensor or None
        Labels that nobody has looked at yet, see `unchecked_labels`.

    Raises
    ------
    TrainingError
        If a shape, a type or a label is wrong.
    """
    if y.dtype != torch.int64 or y.ndim != 1 or logits.ndim != 2 or len(logits) != len(y):
        raise TrainingError(
            f"the model returns the shape {tuple(logits.shape)} for labels of shape "
            f"{tuple(y.shape)} and type {y.dtype}; expected (B, K), one row of scores per example, "
            "and int64 labels of shape (B,)."
        )
    if unchecked is not None:
        smallest, largest = torch.stack(unchecked.aminmax()).tolist()  # a GPU waits once
        if smallest < 0:
            raise TrainingError(f"there is a label {smallest}; labels count from 0.")
        if largest >= logits.shape[1]:
            raise TrainingError(
                f"there is a label {largest}, but the model has {logits.shape[1]} classes; labels "
                "count from 0."
            )


def unchecked_labels(batches: BatchSource, y: torch.Tensor, first: bool) -> torch.Tensor | None:
    """Return labels that nobody has looked at: all of `Batches` at once, else batch by batch.

    Parameters
    ----------
    batches : iterable of (X, y)
        Where ``y`` comes from.
    y : torch.Tensor
        ``(B,)`` labels as they were drawn: whoever asks a GPU for them makes it wait.
    first : bool
        Whether it is the first batch of a pass.

    Returns
    -------
    torch.Tensor or None
        Labels to look at.
    """
    if isinstance(batches, Batches):
        return batches.y if first else None
    return y


def check_loss_fn(loss_fn: Loss, loss: torch.Tensor, logits: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse a loss that is not the mean over the batch: the learning rate would depend on B.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(logits, y)``.
    loss : torch.Tensor
        What it returned.
    logits : torch.Tensor
        ``(B, K)``.
    y : torch.Tensor
        ``(B,)`` labels.

    Raises
    ------
    TrainingError
        If there is more than one number, or twice the batch has twice the loss.
    """
    if loss_fn is F.cross_entropy:
        return
    if loss.numel() != 1:
        raise TrainingError(
            f"the loss has the shape {tuple(loss.shape)}; expected one number, the mean over the "
            'batch: reduction="mean".'
        )
    with torch.no_grad():
        twice = float(loss_fn(torch.cat([logits, logits]), torch.cat([y, y])))
    once = float(loss.detach())
    if once and math.isclose(twice, 2 * once, rel_tol=1e-4):
        raise TrainingError(
            f"the loss adds up over the batch: {once:.4g} for {len(y)} examples, and {twice:.4g} "
            'if each comes twice; expected the mean, reduction="mean".'
        )


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
    """Refuse the optimizer of another model: it would go through the motions and change nothing.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        What is to change the model.
    model : nn.Module
        What is to be changed.

    Raises
    ------
    TrainingError
        If they have no parameter in common.
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise TrainingError(
            "the optimizer holds no parameter of this model. Make it after the model, from its "
            "model.parameters()."
        )


def check_rates(optimizer: torch.optim.Optimizer, scheduler: object | None) -> None:
    """Refuse a step uphill.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        What is about to make a step.
    scheduler : LRScheduler or None
        Who sets its learning rate.

    Raises
    ------
    TrainingError
        If a learning rate is below 0.
    """
    for group in optimizer.param_groups:
        if group["lr"] < 0:
            name = type(scheduler).__name__ if scheduler else "somebody"
            raise TrainingError(
                f"{name} has set the learning rate to {float(group['lr']):.4g}, and a step with it "
                "would walk uphill. Make the schedule for all steps of the run: num_epochs * "
                "len(batches)."
            )


def check_weights(model: nn.Module, lr: float) -> None:
    """Refuse weights that are no numbers any more, or so large that no loss can be computed.

    Parameters
    ----------
    model : nn.Module
        After the last step of a pass.
    lr : float
        The learning rate of that step, for the message.

    Raises
    ------
    TrainingError
        If the sum of their squares is not finite.
    """
    trained = [p.detach() for p in model.parameters() if p.requires_grad]
    if trained and not torch.nn.utils.get_total_norm(trained).isfinite():
        raise lr_too_high("the last step ruined the weights: they are hardly finite", lr)


def lr_too_high(seen: str, lr: float) -> TrainingError:
    """Return an error that blames the learning rate, the usual cause.

    Parameters
    ----------
    seen : str
        What was seen.
    lr : float
        The learning rate.

    Returns
    -------
    TrainingError
        To be raised.
    """
    return TrainingError(
        f"{seen} with lr={lr:g}. Usually the learning rate is too high: build the model again "
        f"and try {lr / 10:g}."
    )


def check_last_batch(batches: BatchSource, model: nn.Module, X: torch.Tensor) -> None:
    """Refuse a last batch of one example under BatchNorm now, and not at the end of the pass.

    Parameters
    ----------
    batches : iterable of (X, y)
        What a pass goes through.
    model : nn.Module
        It is not changed.
    X : torch.Tensor
        ``(B, ...)`` inputs on the model's device.

    Raises
    ------
    TrainingError
        If such a batch will come.
    """
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
    """Return how many examples a pass covers, if that can be known beforehand.

    Parameters
    ----------
    batches : iterable of (X, y)
        What a pass goes through.

    Returns
    -------
    int or None
        The number.
    """
    if isinstance(batches, Batches):
        return batches.num_examples
    with contextlib.suppress(AttributeError, TypeError):
        return len(batches.sampler)  # type: ignore[attr-defined]  # of a DataLoader
    return None


def compute(model: nn.Module, X: torch.Tensor, half: torch.dtype | None) -> torch.Tensor:
    """Return the logits in float32, computed in 16 bits if ``half`` says so.

    Parameters
    ----------
    model : nn.Module
        In the mode in which it is to compute.
    X : torch.Tensor
        ``(B, ...)`` inputs on the model's device.
    half : torch.dtype or None
        As in `fit`.

    Returns
    -------
    torch.Tensor
        ``(B, K)``.

    Raises
    ------
    TrainingError
        If the inputs have another type than the weights, or BatchNorm meets a single example.
    """
    try:
        if half is None:
            return model(X)
        with torch.autocast(X.device.type, half):
            return model(X).float()
    except (ValueError, RuntimeError) as error:  # looked into here, and not before every step
        dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), X.dtype)
        if X.dtype != dtype:
            raise TrainingError(
                f"the inputs are {X.dtype} and the weights {dtype}: convert them with .to({dtype})."
            ) from None
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "there is a batch of one example, and BatchNorm cannot normalize one. Choose a batch "
            "size that leaves no single one over, or drop_last=True in a DataLoader."
        ) from None


def device_of(model: nn.Module) -> torch.device:
    """Return where the model lies, and refuse one that lies in two places.

    Parameters
    ----------
    model : nn.Module
        Any model.

    Returns
    -------
    torch.device
        The CPU, if it has neither parameters nor buffers.

    Raises
    ------
    TrainingError
        If it lies on several devices.
    """
    places: dict[torch.device, str] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        places.setdefault(tensor.device, name)
    if len(places) > 1:
        where = ", ".join(f"{name} on {place}" for place, name in places.items())
        raise TrainingError(f"the model lies on several devices ({where}): use model.to(device).")
    return next(iter(places), torch.device("cpu"))
