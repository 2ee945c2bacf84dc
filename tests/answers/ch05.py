"""Chapter 5: answers that must be accepted, and slips that must not."""

import math

import numpy as np
import torch


def _tanh(forward=np.tanh, slope=lambda h, a: 1 - a**2, times=True, make=lambda array: array):
    class Tanh:
        def forward(self, h):
            self.h, self.a = h, np.tanh(h)
            return make(forward(h))

        def backward(self, da):
            return make((da if times else 1) * slope(self.h, self.a))

    return Tanh


class TanhAgain:
    """Takes the slope at da instead of at h."""

    def forward(self, h):
        return np.tanh(h)

    def backward(self, da):
        return 1 - np.tanh(da) ** 2


class ForgetfulTanh(TanhAgain):
    """Forward keeps nothing for the way back."""

    def backward(self, da):
        return da * (1 - self.a**2)


class TorchTanh:
    def forward(self, h):
        self.a = torch.tanh(torch.tensor(h))
        return self.a

    def backward(self, da):
        return torch.tensor(da) * (1 - self.a**2)


def _blind(dX=lambda X, W, dZ: dZ @ W, dW=lambda X, W, dZ: dZ.T @ X, db=None):
    db = db or (lambda X, W, dZ: dZ.sum(axis=0))
    return lambda X, W, dZ: (dX(X, W, dZ), dW(X, W, dZ), db(X, W, dZ))


def _value(add=True, seed=1.0, ordered=True, sigmoid_slope=lambda a: a * (1 - a), own=False):
    """An autograd with one choice open: each default is the right one."""

    class Value:
        def __init__(self, data, parents=(), slopes=()):
            self.data, self.grad, self.parents, self.slopes = data, 0.0, parents, slopes

        def __add__(self, other):
            return Value(self.data + other.data, (self, other), (1, 1))

        def __mul__(self, other):
            slopes = (self.data, other.data) if own else (other.data, self.data)
            return Value(self.data * other.data, (self, other), slopes)

        def sigmoid(self):
            a = 1 / (1 + math.exp(-self.data))
            return Value(a, (self,), (sigmoid_slope(a),))

        def backward(self):
            order, seen = [], set()

            def visit(value):
                if id(value) not in seen:
                    seen.add(id(value))
                    if not ordered:
                        order.append(value)
                    for parent in value.parents:
                        visit(parent)
                    if ordered:
                        order.append(value)

            visit(self)
            self.grad = seed
            for value in reversed(order) if ordered else order:
                for parent, slope in zip(value.parents, value.slopes, strict=True):
                    parent.grad = (parent.grad if add else 0) + slope * value.grad

    return Value


class PathValue:
    """Walks every path by itself: the right gradients, after 2ⁿ calls."""

    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = np.float32(data) * np.float64(1), 0.0, parents
        self.data = float(data)

    def __add__(self, other):
        return PathValue(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return PathValue(self.data * other.data, [(self, other.data), (other, self.data)])

    def sigmoid(self):
        a = 1 / (1 + math.exp(-self.data))
        return PathValue(a, [(self, a * (1 - a))])

    def backward(self, gradient=1.0):
        self.grad += gradient
        for parent, slope in self.parents:
            parent.backward(gradient * slope)


class EarlyValue(PathValue):
    """Calls backward on its parents, which sets their grad to 1 again."""

    def __add__(self, other):
        return EarlyValue(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return EarlyValue(self.data * other.data, [(self, other.data), (other, self.data)])

    def sigmoid(self):
        a = 1 / (1 + math.exp(-self.data))
        return EarlyValue(a, [(self, a * (1 - a))])

    def backward(self):
        self.grad = 1.0
        for parent, slope in self.parents:
            parent.grad += slope * self.grad
            parent.backward()


class TorchValue:
    """Lets PyTorch do the work, which is fine: tensors are numbers, too."""

    def __init__(self, data):
        self.tensor = data if isinstance(data, torch.Tensor) else torch.tensor(data).double()
        if self.tensor.is_leaf:
            self.tensor.requires_grad_()

    @property
    def data(self):
        return self.tensor

    @property
    def grad(self):
        return self.tensor.grad

    def __add__(self, other):
        return TorchValue(self.tensor + other.tensor)

    def __mul__(self, other):
        return TorchValue(self.tensor * other.tensor)

    def sigmoid(self):
        return TorchValue(self.tensor.sigmoid())

    def backward(self):
        self.tensor.backward()


class Silent:
    """Has no backward."""

    def __init__(self, data):
        self.data, self.grad = data, 0.0

    def __add__(self, other):
        return Silent(self.data + other.data)

    def __mul__(self, other):
        return Silent(self.data * other.data)

    def sigmoid(self):
        return Silent(1 / (1 + math.exp(-self.data)))


RIGHT = {
    "05.layer": [
        lambda X, dZ: dZ.T @ X,
        lambda X, dZ: np.einsum("bk,bd->kd", dZ, X),
        lambda X, dZ: sum(np.outer(z, x) for z, x in zip(dZ, X, strict=True)),
        lambda X, dZ: torch.tensor(dZ).T @ torch.tensor(X),
    ],
    "05.relative": [0.0002 / 0.0213, 0.00939, 0.0094, np.float32(0.00939)],
    "05.edge": [0.25, np.float32(0.25), torch.tensor([0.25]), 1 / 4],
    "05.zeros": ["b", " B "],
    "05.mean": [1, 1.0, torch.tensor(1.0), np.array([1.0])],
    "05.tanh": [
        _tanh(),
        TorchTanh,
        _tanh(make=lambda array: array.tolist()),
        _tanh(make=lambda array: array.astype(np.float32)),
    ],
    "05.blind": [
        _blind(dW=lambda X, W, dZ: dZ.T @ X / len(X)),
        _blind(db=lambda X, W, dZ: dZ.mean(axis=0)),
        _blind(db=lambda X, W, dZ: dZ[0]),
        _blind(dX=lambda X, W, dZ: (dZ @ W)[::-1].copy()),
        lambda *args: [torch.tensor(g) for g in _blind(db=lambda X, W, dZ: dZ[-1])(*args)],
    ],
    "05.value": [_value(), TorchValue],
}

WRONG = {
    "05.layer": [
        lambda X, dZ: X.T @ dZ,
        lambda X, dZ: dZ.T @ X / len(X),
        lambda X, dZ: np.outer(dZ[0], X[0]),
        lambda X, dZ: dZ,
        lambda X, dZ: dZ.sum(axis=0),
        lambda X, dZ: -dZ.T @ X,
    ],
    "05.relative": [0.0002, 0.939, 106.5, 0.99061, 0.004717, 0.02, "0.0094"],
    "05.edge": [-0.25, 0.125, -0.125, 1.0, 0.5, 0.0625, float("nan"), "0.25", [0.25, 0.25], True],
    "05.zeros": ["a", "c", "d", "e", "", 2, ["b"]],
    "05.mean": [0.01, 0.1, 10, 0, float("inf"), "1", [1, 1]],
    "05.tanh": [
        _tanh(slope=lambda h, a: a * (1 - a)),
        _tanh(times=False),
        _tanh(slope=lambda h, a: 1 - h**2),
        _tanh(slope=lambda h, a: 1 - a),
        _tanh(slope=lambda h, a: a),
        _tanh(slope=lambda h, a: 1 - np.tanh(a) ** 2),
        _tanh(slope=lambda h, a: a**2 - 1),
        _tanh(forward=lambda h: 1 / (1 + np.exp(-h))),
        _tanh(forward=lambda h: np.maximum(h, 0)),
        _tanh(make=lambda array: array * np.nan),
        TanhAgain,
        ForgetfulTanh,
        _tanh()(),
        np.tanh,
    ],
    "05.blind": [
        _blind(),
        _blind(dW=lambda X, W, dZ: 2 * dZ.T @ X),
        _blind(dW=lambda X, W, dZ: X.T @ dZ),
        _blind(db=lambda X, W, dZ: dZ),
        _blind(db=lambda X, W, dZ: dZ.sum(axis=0) / (len(dZ) - 1 + 1e-300) * np.inf),
        _blind(dX=lambda X, W, dZ: np.zeros_like(X)),
        lambda X, W, dZ: dZ.T @ X,
        lambda X, W, dZ: None,
    ],
    "05.value": [
        _value(add=False),
        _value(seed=0.0),
        _value(ordered=False),
        _value(sigmoid_slope=lambda a: a),
        _value(own=True),
        _value(seed=float("nan")),
        PathValue,
        EarlyValue,
        Silent,
        float,
        _value()(1.0),
    ],
}
