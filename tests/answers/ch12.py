"""Chapter 12: answers that must be accepted, and slips that must not."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def _step(model, loss_fn, optimizer, X, y):
    optimizer.zero_grad()
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def _step_that_clears_afterwards(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def _with_softmax(model, loss_fn, optimizer, X, y):
    optimizer.zero_grad()
    loss = loss_fn(model(X).softmax(1), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def _wiped(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _piled(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def _no_step(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def _no_return(model, loss_fn, optimizer, X, y):
    _step(model, loss_fn, optimizer, X, y)


def _accuracy_returned(model, loss_fn, optimizer, X, y):
    _step(model, loss_fn, optimizer, X, y)
    return (model(X).argmax(1) == y).float().mean().item()


@torch.no_grad()
def _measure(model, loader):
    was_training = model.training
    model.eval()
    loss, right, count = 0.0, 0, 0
    for X, y in loader:
        logits = model(X)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        right += (logits.argmax(1) == y).sum().item()
        count += len(y)
    model.train(was_training)
    return loss / count, right / count


@torch.no_grad()
def _measure_at_once(model, loader):
    was_training = model.training
    model.eval()
    pairs = [(model(X), y) for X, y in loader]
    logits, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    model.train(was_training)
    return [F.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()]


@torch.no_grad()
def _measure_in_one_call(model, loader):
    was_training = model.training
    X, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
    logits = model.eval()(X)
    model.train(was_training)
    return F.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()


@torch.no_grad()
def _in_one_call_per_batch_count(model, loader):
    loss, accuracy = _measure_in_one_call(model, loader)
    return loss / len(list(loader)), accuracy


def _variant(mode=True, grad=False, weights="examples", back=True, swap=False, percent=1):
    def measure(model, loader):
        was_training = model.training
        if mode:
            model.eval()
        with torch.set_grad_enabled(grad):
            rows = []
            for X, y in loader:
                logits = model(X)
                right = (logits.argmax(1) == y).float().mean().item()
                rows.append((F.cross_entropy(logits, y).item(), right, len(y)))
        if back:
            model.train(was_training or back == "always")
        losses, shares, sizes = (np.array(column) for column in zip(*rows, strict=True))
        if weights == "examples":
            result = (losses * sizes).sum() / sizes.sum(), (shares * sizes).sum() / sizes.sum()
        elif weights == "batches":
            result = losses.mean(), shares.mean()
        else:
            result = losses.sum() / sizes.sum(), (shares * sizes).sum() / sizes.sum()
        result = float(result[0]), float(result[1]) * percent
        return result[::-1] if swap else result

    return measure


class _Fooling:
    """Honest for the first calls, then idle."""

    def __init__(self, honest=10):
        self.calls, self.honest = 0, honest

    def __call__(self, model, loss_fn, optimizer, X, y):
        self.calls += 1
        if self.calls > self.honest:
            return 0.0
        return _step(model, loss_fn, optimizer, X, y)


def _back_and_forth(model, loss_fn, optimizer, X, y):
    if len(X) == 32 and not hasattr(model, "start"):
        model.start, model.calls = [q.detach().clone() for q in model.parameters()], 0
    loss = _step(model, loss_fn, optimizer, X, y)
    if hasattr(model, "start"):
        model.calls += 1
        if model.calls % 10 == 0:
            with torch.no_grad():
                for q, start in zip(model.parameters(), model.start, strict=True):
                    q.copy_(start)
    return loss


def _idle(model, loss_fn, optimizer, X, y):
    return loss_fn(model(X), y).item()


def _uphill(model, loss_fn, optimizer, X, y):
    return _step(model, lambda out, y: -loss_fn(out, y), optimizer, X, y)


def _first_equal(model, X):
    model.eval()
    with torch.no_grad():
        for index, layer in enumerate(model):
            X = layer(X)
            if torch.allclose(X, X[:1].expand_as(X), atol=1e-6):
                return index
    return -1


def _first_equal_by_spread(model, X):
    for index, layer in enumerate(model):
        X = layer(X)
        if float(X.std(dim=0).max()) < 1e-6:
            return np.int64(index)
    return torch.tensor(-1)


def _last_equal(model, X):
    found = -1
    for index, layer in enumerate(model):
        X = layer(X)
        if torch.allclose(X, X[:1].expand_as(X), atol=1e-6):
            found = index
    return found


def _any_unit(model, X):
    for index, layer in enumerate(model):
        X = layer(X)
        if float(X.std(dim=0).min()) < 1e-6:
            return index
    return -1


def _zeros_only(model, X):
    for index, layer in enumerate(model):
        X = layer(X)
        if not X.any():
            return index
    return -1


def _as_tensor(model, loader):
    return torch.tensor(_measure(model, loader))


def _twice(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


def _where(are_equal):
    @torch.no_grad()
    def find(model, X):
        for index, layer in enumerate(model.eval()):
            X = layer(X)
            if are_equal(X):
                return index
        return -1

    return find


_no_spread_at_all = _where(lambda X: X.std() == 0)
_first_two_alone = _where(lambda X: torch.equal(X[0], X[1]))
_against_the_mean = _where(lambda X: torch.allclose(X[0], X.mean(dim=0), atol=1e-5))


RIGHT = {
    "12.floor": [1.461, -math.log(math.e / (math.e + 9)), np.float32(1.46115)],
    "12.least": [0.07 * math.log(2), 0.0485, torch.tensor(0.04852)],
    "12.line": [7, 7.0, np.int64(7)],
    "12.letters": ["b", "B", "(b)"],
    "12.flat": ["b", "B", "(b)"],
    "12.scale": [0.0131 * 32, 0.4192, np.array(0.4192), torch.tensor([0.4192])],
    "12.fourth": [[256, 4], (256, 4.0), np.array([256, 4]), torch.tensor([256, 4])],
    "12.step": [_step, _step_that_clears_afterwards],
    "12.measure": [_as_tensor, _measure, _measure_at_once, _measure_in_one_call, _variant()],
    "12.fool": [_Fooling(), _back_and_forth],
    "12.where": [_first_equal, _first_equal_by_spread],
}

WRONG = {
    "12.floor": [0, math.log(10), 1, 2.108, -1.461, 0.232, 1.5, "1.461"],
    "12.least": [0.07, math.log(2), 0.07 * math.log(10), 0, 0.035, 4.852, [0.05, 0.1]],
    "12.line": [6, 4, 5, 3, 2, 8, 1, "7"],
    "12.letters": ["a", "c", "d", 3.258, True],
    "12.flat": ["a", "c", "d", "too high", 2, True],
    "12.scale": [0.0131, 0.0131 / 32, 0.131, 0.0131 * 1024, 13.1, [0.4192, 0.4192]],
    "12.fourth": [
        [256, 1],
        [256, 2],
        [256, 16],
        [256, 0.25],
        [64, 4],
        [64, 1],
        [16, 4],
        [4, 256],
        256,
    ],
    "12.step": [
        _with_softmax,
        _wiped,
        _piled,
        _no_step,
        _no_return,
        _twice,
        _accuracy_returned,
        nn.Linear(2, 2),
        "optimizer.zero_grad()",
    ],
    "12.measure": [
        _variant(mode=False),
        _variant(grad=True),
        _variant(weights="batches"),
        _variant(weights="twice"),
        _variant(back=False),
        _variant(back="always"),
        _in_one_call_per_batch_count,
        _variant(swap=True),
        _variant(percent=100),
        lambda model, loader: 0.5,
    ],
    "12.fool": [_step, _idle, _piled, _wiped, _uphill, _Fooling(honest=0), _Fooling(honest=1_000)],
    "12.where": [
        _last_equal,
        _any_unit,
        _zeros_only,
        _no_spread_at_all,
        _first_two_alone,
        _against_the_mean,
        lambda model, X: 1 + _first_equal(model, X),
        lambda model, X: -1,
        lambda model, X: 0,
        lambda model, X: "ReLU",
        lambda model, X: None,
    ],
}
