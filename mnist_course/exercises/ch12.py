"""What the checks of chapter 12, "It does not learn", accept."""

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.doctor import Program, examine_program
from mnist_course.exercises.expect import as_array, call, expect_array
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("12.floor", "12.least", "12.line", "12.letters", "12.flat", "12.scale", "12.fourth")


def _points(num_classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 240 points ``(240, 12)`` that fall into a few clouds, and the number of the cloud."""
    numbers = torch.Generator().manual_seed(0)
    centers = 1.5 * torch.randn(num_classes, 12, generator=numbers)
    y = torch.arange(240) % num_classes
    return centers[y] + torch.randn(240, 12, generator=numbers), y


def _model(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 4))


class _Passes:
    """Shuffled batches of the points, in a new order in each pass."""

    def __init__(self, X: torch.Tensor, y: torch.Tensor, shuffle: bool) -> None:
        self.X, self.y, self.shuffle, self.passes = X, y, shuffle, 0

    def __iter__(self) -> Any:
        self.passes += 1
        order = torch.arange(len(self.y))
        if self.shuffle:
            numbers = torch.Generator().manual_seed(self.passes)
            order = torch.randperm(len(self.y), generator=numbers)
        return iter([(self.X[rows], self.y[rows]) for rows in order.split(32)])

    def __len__(self) -> int:
        return -(-len(self.y) // 32)


def _program(model: nn.Module, **own: Any) -> Program:
    X, y = _points()
    return Program(
        model,
        F.cross_entropy,
        torch.optim.SGD(model.parameters(), lr=0.1),
        _Passes(X[:160], y[:160], shuffle=True),
        _Passes(X[160:], y[160:], shuffle=False),
        **own,
    )


def _diagnose(program: Program, *checks: str) -> None:
    """Pass on what the doctor finds as the reply."""
    report = call(lambda: examine_program(program))
    for name in checks:
        finding = report[name]
        if finding.verdict in ("problem", "warning"):
            raise Wrong(f"the doctor says: {finding.title}. {finding.evidence}. {finding.remedy}")
        if finding.verdict != "ok":
            raise Wrong(f"the doctor could not look at {name!r}: {finding.evidence}")


def _clean_step(model: nn.Module, loss_fn: Any, optimizer: Any, X: Any, y: Any) -> float:
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _explain_first_step(moved: nn.Module, X: torch.Tensor, y: torch.Tensor) -> None:
    """Raise what is wrong with a first step that went elsewhere."""
    twice = _model()
    _clean_step(twice, F.cross_entropy, torch.optim.SGD(twice.parameters(), lr=0.2), X, y)
    pairs = zip(moved.parameters(), twice.parameters(), strict=True)
    if max(float((a - b).detach().abs().max()) for a, b in pairs) < 1e-5:
        raise Wrong("your step is twice as long: does the optimizer step twice?")
    raise Wrong(
        "the first step already goes elsewhere than a step down the cross-entropy of the logits: "
        "what does cross_entropy want to be given?"
    )


@exercise("12.step")
def step(answer: Any) -> None:
    X, y = _points()
    first = _model()
    before = copy.deepcopy(first.state_dict())
    parts = first, F.cross_entropy, torch.optim.SGD(first.parameters(), lr=0.1)
    result = call(lambda: answer(*parts, X[:64].clone(), y[:64].clone()))
    if isinstance(result, torch.Tensor) and result.numel() == 1:
        result = float(result.detach())
    if all(torch.equal(value, before[name]) for name, value in first.state_dict().items()):
        raise Wrong(
            "the model has not moved: when the optimizer steps, the gradients must be there. The "
            "order is zero_grad, backward, step"
        )
    own, clean = _model(), _model()
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (own, clean)]
    for number_of_step in range(6):
        rows = torch.arange(64) + 16 * number_of_step
        rows = rows % len(y)
        value = call(
            lambda rows=rows: answer(own, F.cross_entropy, optimizers[0], X[rows], y[rows])
        )
        expected = _clean_step(clean, F.cross_entropy, optimizers[1], X[rows], y[rows])
        pairs = zip(own.parameters(), clean.parameters(), strict=True)
        if max(float((a - b).detach().abs().max()) for a, b in pairs) > 1e-5:
            if number_of_step == 0:
                _explain_first_step(own, X[rows], y[rows])
            raise Wrong(
                f"step 1 is right, step {number_of_step + 1} is not: something is left over from "
                "the steps before"
            )
        if not math.isclose(float(value), expected, rel_tol=1e-4):
            raise Wrong(
                f"the step is right; it returns {float(value):.4g}, the loss is {expected:.4g}"
            )
    _diagnose(_program(_model(), train_step=answer), "step", "zero-grad")


@exercise("12.measure")
def measure(answer: Any) -> None:
    model = _model(dropout=0.5)
    X, y = _points()
    batches = [(X[:32], y[:32]), (X[32:40], y[32:40]), (X[40:41], y[40:41])]
    result = call(lambda: answer(copy.deepcopy(model), batches))
    if isinstance(result, torch.Tensor) and result.numel() == 2:
        result = tuple(result.tolist())
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("return two numbers: loss and accuracy, in this order")
    left_in = copy.deepcopy(model)
    left_in.train()
    call(lambda: answer(left_in, batches))
    if not left_in.training:
        raise Wrong("the model came in training mode and is left in evaluation mode: put it back")
    left_in.eval()
    call(lambda: answer(left_in, batches))
    if left_in.training:
        raise Wrong(
            "the model came in evaluation mode and is left in training mode: remember "
            "model.training at the start, and put that back"
        )

    def as_floats(model: nn.Module, loader: Any) -> tuple[float, ...]:
        return tuple(float(part) for part in answer(model, loader))

    _diagnose(_program(model, evaluate=as_floats), "eval-mode", "average")
    model.eval()
    with torch.no_grad():
        logits = model(X[:41])
    share = float((logits.argmax(1) == y[:41]).float().mean())
    expected = [float(F.cross_entropy(logits, y[:41])), share]
    expect_array(
        [float(part) for part in result],
        expected,
        rtol=1e-3,
        slips=[
            (expected[::-1], "the other way round: the loss first"),
            ([expected[0], 100 * share], "right, but the accuracy is asked as a share, 0 to 1"),
        ],
    )


@exercise("12.fool")
def fool(answer: Any) -> None:
    call(answer, _model(), F.cross_entropy, _optimizer(_model()), *_points())
    _diagnose(_program(_model(), train_step=answer), "step", "zero-grad")
    X, y = _points()
    model = _model()
    optimizer = _optimizer(model)
    before = float(F.cross_entropy(model(X), y).detach())
    for k in range(200):
        rows = torch.arange(32 * k, 32 * k + 32) % len(y)
        call(lambda rows=rows: answer(model, F.cross_entropy, optimizer, X[rows], y[rows]))
    after = float(F.cross_entropy(model(X), y).detach())
    if after < 0.8 * before:
        raise Wrong(
            f"the doctor is content, and the model learns: 200 steps take the loss from "
            f"{before:.2f} to {after:.2f}. It has to stay above {0.8 * before:.2f}"
        )


def _optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


class _Times(nn.Module):
    """A layer that multiplies by a number and adds another."""

    def __init__(self, factor: float, shift: float = 0.0) -> None:
        super().__init__()
        self.factor, self.shift = factor, shift

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.factor * X + self.shift


def _models_with_equal_layers() -> tuple[torch.Tensor, list[tuple[nn.Sequential, int]]]:
    """Return inputs, and models with the first layer whose outputs are equal for all of them."""
    X, _ = _points()
    torch.manual_seed(0)
    silent = nn.Linear(8, 8)
    nn.init.constant_(silent.bias, -1e3)
    half = nn.Linear(8, 8)
    with torch.no_grad():
        half.weight[:4] = 0.0  # half of the units are constant, the others are not
    cases = [
        (nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)), -1),
        (nn.Sequential(nn.Linear(12, 8), nn.ReLU(), silent, nn.ReLU(), nn.Linear(8, 4)), 3),
        (nn.Sequential(_Times(0.0, 3.0), nn.Linear(12, 4)), 0),
        (nn.Sequential(nn.Linear(12, 8), half, nn.Tanh(), nn.Linear(8, 4)), -1),
        (nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 4), nn.ReLU(), _Times(0.0)), 3),
    ]
    blind = nn.Linear(12, 8)
    nn.init.zeros_(blind.weight)  # equal rows, whose columns differ
    cases.append((nn.Sequential(blind, nn.Tanh(), nn.Linear(8, 4)), 0))
    X[1] = X[0]  # twins, and all the others differ
    X[2:] -= X[2:].mean(dim=0) - X[0]  # so that the first is also the mean
    return X, cases


@exercise("12.where")
def where(answer: Any) -> None:
    X, cases = _models_with_equal_layers()
    for model, expected in cases:
        model.train()
        result = call(answer, copy.deepcopy(model), X)
        got = as_array(result)
        if got.size != 1 or got.dtype.kind not in "iuf":
            raise Wrong(f"expected one number, the index of a layer or -1, got {result!r}")
        got_index = float(got.reshape(())[()])
        if got_index == expected:
            continue
        names = [type(layer).__name__ for layer in model]
        if expected == -1:
            hint = "no layer makes all examples equal here; a few constant units do not count"
        elif got_index == expected + 1:
            hint = "count the layers from 0"
        elif got_index == len(model) - 1:
            hint = "that is the last layer with equal outputs; the first one is asked"
        else:
            hint = "compare the rows of what each layer returns"
        raise Wrong(f"for {', '.join(names)} it is {expected}, not {got_index:g}: {hint}")
