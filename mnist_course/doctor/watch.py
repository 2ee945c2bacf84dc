"""Watch the learner's own loop from outside, while it runs on a twin."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.doctor.patient import STOCHASTIC, Twin

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
    """

    inputs: list[torch.Tensor] = field(default_factory=list)
    given: list[torch.Tensor] = field(default_factory=list)
    labels: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    training: list[bool] = field(default_factory=list)
    grad_enabled: list[bool] = field(default_factory=list)
    gradients: list[Gradients] = field(default_factory=list)

    def before_forward(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        """Note what the model is given, and its mode."""
        if args and isinstance(args[0], torch.Tensor):
            self.inputs.append(args[0].detach().clone())
        self.training.append(_is_training(model))
        self.grad_enabled.append(torch.is_grad_enabled())

    def after_forward(self, _: nn.Module, __: Any, output: Any) -> None:
        """Note what the model returns."""
        if isinstance(output, torch.Tensor):
            self.outputs.append(output.detach().clone())

    def after_loss(self, _: Any, args: tuple[Any, ...], value: Any) -> None:
        """Note what the loss was given, and what it returns."""
        for part, notes in zip(args, (self.given, self.labels), strict=False):
            if isinstance(part, torch.Tensor):
                notes.append(part.detach().clone())
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            self.losses.append(float(value.detach()))

    def before_step(self, model: nn.Module) -> None:
        """Note the gradients."""
        parameters = {n: q.grad for n, q in model.named_parameters() if q.requires_grad}
        self.gradients.append(
            {name: None if g is None else g.detach().clone() for name, g in parameters.items()}
        )


@contextmanager
def watch(twin: Twin) -> Iterator[Watched]:
    """Write down what happens to a twin in the block.

    Parameters
    ----------
    twin : Twin
        Its loss and its optimizer's ``step`` are replaced by ones that take notes.
    """
    seen, inner_loss, inner_step = Watched(), twin.loss_fn, twin.optimizer.step

    def loss_fn(*args: Any, **kwargs: Any) -> Any:
        value = inner_loss(*args, **kwargs)
        seen.after_loss(None, args, value)
        return value

    def step(*args: Any, **kwargs: Any) -> Any:
        seen.before_step(twin.model)
        return inner_step(*args, **kwargs)

    hooks = [
        twin.model.register_forward_pre_hook(seen.before_forward),
        twin.model.register_forward_hook(seen.after_forward),
    ]
    if isinstance(inner_loss, nn.Module):
        hooks.append(inner_loss.register_forward_hook(seen.after_loss))
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
