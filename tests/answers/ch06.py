"""Chapter 6: answers that must be accepted, and slips that must not."""

import numpy as np
import torch


def _spike(silence, shout=1.0, whisper=0.0):
    return [whisper] * silence + [shout]


def _correction(factor):
    def step(w, v, dw, lr, last_lr, momentum):
        v = momentum * v * factor(lr, last_lr) - lr * dw
        return w + v, v

    return step


def _through_torch_form(w, v, dw, lr, last_lr, momentum):
    velocity = momentum * (-v / last_lr) + dw  # PyTorch's own rule
    return [w - lr * velocity, -lr * velocity]


def _correction_in_torch(w, v, dw, lr, last_lr, momentum):
    w, v, dw = (torch.tensor(a, dtype=torch.float32) for a in (w, v, dw))
    return _correction(lambda lr, last: lr / last)(w, v, dw, lr, last_lr, momentum)


def _rescale_all(w, v, dw, lr, last_lr, momentum):
    v = (momentum * v - lr * dw) * (lr / last_lr)
    return w + v, v


def _torch_velocity(w, v, dw, lr, last_lr, momentum):
    v = momentum * v + dw
    return w - lr * v, v


def _torch_velocity_through(w, v, dw, lr, last_lr, momentum):
    velocity = momentum * (-v / last_lr) + dw
    return w - lr * velocity, velocity


def _old_rate(w, v, dw, lr, last_lr, momentum):
    v = momentum * v * (lr / last_lr) - last_lr * dw
    return w + v, v


def _old_rate_alone(w, v, dw, lr, last_lr, momentum):
    v = momentum * v - last_lr * dw
    return w + v, v


def _never_scaled(gradient, w):
    u = np.random.default_rng(1).normal(size=w.shape)
    for _ in range(20):
        u = gradient(w + u) - gradient(w)
    return np.linalg.norm(u)


def _power_iteration(finish=lambda value: value, rounds=200, epsilon=1e-3):
    def largest(gradient, w):
        u, value = np.random.default_rng(1).normal(size=w.shape), 0.0
        for _ in range(rounds):
            u = u / np.linalg.norm(u)
            Hu = (gradient(w + epsilon * u) - gradient(w - epsilon * u)) / (2 * epsilon)
            u, value = Hu, float(u @ Hu)
        return finish(value)

    return largest


def _whole_matrix(pick):
    def largest(gradient, w):
        H = np.array([gradient(w + unit) - gradient(w) for unit in np.eye(len(w))])
        return pick(np.linalg.eigvalsh((H + H.T) / 2))

    return largest


def _rmsprop(w, v, g, lr, alpha, eps):
    v = alpha * v + (1 - alpha) * g**2
    return w - lr * g / (np.sqrt(v) + eps), v


def _rmsprop_of_torch(w, v, g, lr, alpha, eps):
    parameter = torch.nn.Parameter(torch.tensor(w))
    optimizer = torch.optim.RMSprop([parameter], lr=lr, alpha=alpha, eps=eps)
    parameter.grad = torch.tensor(g)
    optimizer.step()  # makes its state, of which the mean is then set
    parameter.data = torch.tensor(w)
    optimizer.state[parameter]["square_avg"] = torch.tensor(v)
    optimizer.step()
    return parameter, optimizer.state[parameter]["square_avg"]


RIGHT = {
    "06.factor": [-1, -1.0, np.float64(-1), torch.tensor(-1.0)],
    "06.rmsprop": [_rmsprop, _rmsprop_of_torch, lambda *a: [x.tolist() for x in _rmsprop(*a)]],
    "06.step": [3.2, np.float32(3.2), torch.tensor(3.2), [3.2]],
    "06.keep": [0.005, 0.1 * (1 - 0.95), np.array(0.005), torch.tensor([0.005])],
    "06.first": [
        [0.001, 0.001],
        (0.001, 0.001 * 0.001 / (0.001 + 1e-8)),
        np.float32([1e-3, 1e-3]),
        torch.tensor([0.001, 0.001]),
        [[0.001], [0.001]],
    ],
    "06.halve": [[33, 23], (33.0, 23.0), np.array([33, 23]), torch.tensor([33, 23])],
    "06.uncorrected": [
        [12, 6.5685],
        (12, 6.57),
        np.float32([12, 6.5685]),
        torch.tensor([12, 6.57]),
    ],
    "06.break": [
        _spike(2000),
        _spike(999, -1e6),
        np.float32(_spike(9_999, 5.0, 1e-3)),
        torch.tensor(_spike(5000, 2)),
    ],
    "06.correction": [
        _correction(lambda lr, last: lr / last),
        _through_torch_form,
        _correction_in_torch,
    ],
    "06.curvature": [
        _power_iteration(),
        _whole_matrix(max),
        lambda gradient, w: torch.tensor(_power_iteration()(gradient, w)),
    ],
}

WRONG = {
    "06.factor": [1, -0.2, 6, 11, 3.5, -5, "-1"],
    "06.rmsprop": [
        lambda w, v, g, lr, alpha, eps: _rmsprop(w, v, g, -lr, alpha, eps),
        lambda w, v, g, lr, alpha, eps: _rmsprop(w, v, g, lr, 1 - alpha, eps),
        lambda w, v, g, lr, alpha, eps: (_rmsprop(w, v, g, lr, alpha, eps)[0], v),
        lambda w, v, g, lr, alpha, eps: _rmsprop(w, v, g, lr, alpha, eps)[0],
        lambda w, v, g, lr, alpha, eps: (w - lr * g, _rmsprop(w, v, g, lr, alpha, eps)[1]),
        lambda w, v, g, lr, alpha, eps: _rmsprop(w * 0, v, g, lr, alpha, eps),
        lambda w, v, g, lr, alpha, eps: _rmsprop(w, v, g, lr, alpha, eps)[::-1],
    ],
    "06.step": [2.8, 0.2, -0.2, 5.0, 1.0, "3.2", [3.2, 3.2], True],
    "06.keep": [0.1, 0.095, 0.05, 0.1 / 1.95, 0.01, 2.0, 0.0, -0.005, [0.005, 0.005]],
    "06.first": [
        [1.0, 1e-6],
        [0.001, 1e-6],
        [1000, 0.001],
        [-0.001, -0.001],
        [1e-4, 1e-4],
        [0.00316228, 0.00316228],
        [1.0, 1.0],
        0.001,
        [0.001, float("nan")],
    ],
    "06.halve": [[33, 66], [32, 22], [34, 24], [23, 33], 33, [33, 22], [33, 17], ["33", "23"]],
    "06.uncorrected": [
        [1, 3.1623],
        [6.5685, 12],
        [11, 6.5685],
        [12, 0.00657],
        12,
        [10, 6.5279],
        [10_000, 1.0],
        [12, float("nan")],
        [[12, 6.5685]],
    ],
    "06.break": [
        [1.0],
        _spike(100),
        [1.0] * 500,
        _spike(2000) + [0.0] * 20,
        _spike(20_000),
        [],
        1.0,
        [[0.0] * 2000 + [1.0]],
        _spike(2000, float("inf")),
        ["0"] * 2000,
        _spike(2000, 1e200),
        [0.0] * 2000,
        _spike(3000, 1e-30),  # below eps
    ],
    "06.correction": [
        _correction(lambda lr, last: 1),
        _correction(lambda lr, last: last / lr),
        _rescale_all,
        _torch_velocity,
        _torch_velocity_through,
        _old_rate,
        _old_rate_alone,
        lambda w, v, dw, lr, last_lr, momentum: w - lr * dw,
        lambda w, v, dw, lr, last_lr, momentum: (w - lr * dw, v),
        lambda w, v, dw, lr, last_lr, momentum: (
            *_correction(lambda a, b: a / b)(w, v, dw, lr, last_lr, momentum),
            3,
        ),
        lambda *args: tuple(a.sum() for a in _correction(lambda a, b: a / b)(*args)),
        lambda w, v, dw, lr, last_lr, momentum: (w * np.nan, v),
        lambda w, v: (w, v),
        lambda *args: None,
    ],
    "06.curvature": [
        _power_iteration(lambda value: 2 / value),
        _whole_matrix(min),
        _whole_matrix(sum),
        _power_iteration(rounds=1),
        _power_iteration(lambda value: 0.95 * value),
        _never_scaled,
        lambda gradient, w: np.linalg.norm(gradient(w)),
        lambda gradient, w: float("nan"),
        lambda gradient, w: np.full(len(w), 5.0),
        lambda gradient, w: 5.0,
        5.0,
    ],
}
