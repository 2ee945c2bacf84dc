"""Update rules written out in numpy, PyTorch-shaped: they change the parameters in place.

PyTorch's optimizers find each gradient in the ``.grad`` of its parameter; here `step` is handed
the list of gradients, each shaped like its parameter. Everything else, names and defaults
included, is as in `torch.optim`, and a test compares every one of them with it, step by step. The
learning rate may be changed between two steps: ``optimizer.lr = 0.01``.

Raises ValueError if a parameter, a gradient or a setting is not as described; then nothing moves.
"""

from collections.abc import Sequence

import numpy as np

from mnist_course.by_hand.guards import guarded


class ClassicalMomentum:
    """Momentum as the first papers have it: ``v = -lr * dw + momentum * v``, then ``w += v``.

    Shown in: chapter 6. Source: B. T. Polyak, *Some methods of speeding up the convergence of
    iteration methods* (1964), in the notation of Sutskever et al. (2013). While ``lr`` stays, the
    steps are those of `SGD`, and ``v`` is minus ``lr`` times its ``v``.
    """

    @guarded(params="params", lr="rate", momentum="momentum")
    def __init__(self, params: Sequence[np.ndarray], lr: float, momentum: float = 0.0) -> None:
        self.params, self.lr, self.momentum = list(params), lr, momentum
        self.v = [np.zeros_like(w) for w in self.params]

    @guarded(lr="rate", params="params noted", grads="grads")
    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once."""
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            v[...] = -self.lr * dw + self.momentum * v
            w += v


class SGD:
    """``v = momentum * v + dw``, then ``w -= lr * v``; ``nesterov``: ``lr * (dw + momentum * v)``.

    Shown in: chapter 6. Source: the note of `torch.optim.SGD`; for ``nesterov`` Sutskever et al.,
    *On the importance of initialization and momentum in deep learning* (2013). ``weight_decay``
    is the lambda of a penalty ``lambda / 2 * (w**2).sum()``.
    """

    @guarded(
        params="params", lr="rate", weight_decay="decay", momentum="momentum", nesterov="nesterov"
    )
    def __init__(
        self,
        params: Sequence[np.ndarray],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.params, self.lr = list(params), lr
        self.momentum, self.nesterov = momentum, nesterov
        self.weight_decay = weight_decay
        self.v = [np.zeros_like(w) for w in self.params]

    @guarded(lr="rate", params="params noted", grads="grads")
    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once."""
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            dw = dw + self.weight_decay * w
            v[...] = self.momentum * v + dw
            w -= self.lr * (dw + self.momentum * v if self.nesterov else v)


class RMSprop:
    """Each gradient in units of its usual size: ``w -= lr * dw / (sqrt(v) + eps)``.

    Shown in: chapter 6. Source: T. Tieleman and G. Hinton, lecture 6.5 of *Neural Networks for
    Machine Learning* (2012). ``v``, a mean of the squared gradients, keeps ``alpha`` of itself.
    """

    @guarded(params="params", lr="rate", eps="rate", alpha="momentum")
    def __init__(
        self, params: Sequence[np.ndarray], lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        self.params, self.lr = list(params), lr
        self.alpha, self.eps = alpha, eps
        self.v = [np.zeros_like(w) for w in self.params]

    @guarded(lr="rate", params="params noted", grads="grads")
    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once."""
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            v[...] = self.alpha * v + (1 - self.alpha) * dw**2
            w -= self.lr * dw / (np.sqrt(v) + self.eps)


class Adam:
    """Steps of about one learning rate in every direction: ``w -= lr * m / (sqrt(v) + eps)``.

    Shown in: chapter 6. Source: D. P. Kingma and J. Ba, *Adam: A Method for Stochastic
    Optimization* (2015). ``m`` and ``v``, means of the gradients and of their squares, keep
    ``betas`` of themselves, start at 0, and are corrected for it.
    """

    @guarded(params="params", lr="rate", eps="rate", betas="betas")
    def __init__(
        self,
        params: Sequence[np.ndarray],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.params, self.lr = list(params), lr
        self.betas, self.eps, self.t = betas, eps, 0
        self.m = [np.zeros_like(w) for w in self.params]
        self.v = [np.zeros_like(w) for w in self.params]

    @guarded(lr="rate", params="params noted", grads="grads")
    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once."""
        self.t += 1
        beta1, beta2 = self.betas
        for w, dw, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m[...] = beta1 * m + (1 - beta1) * dw
            v[...] = beta2 * v + (1 - beta2) * dw**2
            m_hat = m / (1 - beta1**self.t)
            v_hat = v / (1 - beta2**self.t)
            w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
