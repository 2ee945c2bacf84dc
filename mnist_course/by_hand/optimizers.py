"""Update rules written out in numpy, PyTorch-shaped: they change the parameters in place.

PyTorch's optimizers find each gradient in the ``.grad`` of its parameter; here `step` is handed
the list of gradients. Everything else, names and defaults included, is as in `torch.optim`, and a
test compares every one of them with it, step by step. The learning rate may be changed between
two steps: ``optimizer.lr = 0.01``.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_course.by_hand.inputs import check_floats


class ClassicalMomentum:
    """Gradient descent with momentum as the first papers and most tutorials write it.

    ``v = -lr * dw + momentum * v``, then ``w += v``: the learning rate is inside the velocity. As
    long as it does not change, the steps are those of `SGD`; after a change they are not.

    Source: B. T. Polyak, *Some methods of speeding up the convergence of iteration methods*
    (1964), in the notation of Sutskever et al. (2013).

    Shown in: chapter 6.

    Parameters
    ----------
    params : list of np.ndarray
        Float arrays of any shapes; `step` changes them in place.
    lr : float
        Learning rate, above 0.
    momentum : float
        Share of the velocity that is kept, from 0 to less than 1.

    Attributes
    ----------
    v : list of np.ndarray
        Velocities, shaped like ``params``: minus ``lr`` times those of `SGD`.

    Raises
    ------
    ValueError
        If a parameter or a setting is not as described.
    """

    def __init__(self, params: Sequence[np.ndarray], lr: float, momentum: float = 0.0) -> None:
        check_params(params)
        check_settings(lr=lr, momentum=momentum)
        self.params, self.lr, self.momentum = list(params), lr, momentum
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once.

        Parameters
        ----------
        grads : list of np.ndarray
            One finite gradient per parameter, of the same shape.

        Raises
        ------
        ValueError
            If a gradient is missing, of another shape, or not finite, or ``lr`` is no longer valid.
        """
        check_step(grads, self.params, self.lr)
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            v[...] = -self.lr * dw + self.momentum * v
            w += v


class SGD:
    """Gradient descent with momentum, Nesterov's momentum and weight decay, as `torch.optim.SGD`.

    ``v = momentum * v + dw``, then ``w -= lr * v``; with ``nesterov``, ``w -= lr * (dw + momentum *
    v)``. It is called stochastic because the gradients usually come from a mini-batch; the rule
    itself is not.

    Source: the note in the documentation of `torch.optim.SGD`; Sutskever et al., *On the
    importance of initialization and momentum in deep learning* (2013), for ``nesterov``.

    Shown in: chapter 6.

    Parameters
    ----------
    params : list of np.ndarray
        Float arrays of any shapes; `step` changes them in place.
    lr : float
        Learning rate, above 0.
    momentum : float
        Share of the velocity that is kept, from 0 to less than 1.
    nesterov : bool
        Step along the velocity as it will be after one more push by the same gradient; needs
        ``momentum`` above 0.
    weight_decay : float
        Lambda of the penalty ``lambda / 2 * (w**2).sum()``, whose gradient ``lambda * w`` is added.

    Attributes
    ----------
    v : list of np.ndarray
        Velocities, shaped like ``params``: decaying sums of the gradients.

    Raises
    ------
    ValueError
        If a parameter or a setting is not as described.
    """

    def __init__(
        self,
        params: Sequence[np.ndarray],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        check_params(params)
        check_settings(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
        self.params, self.lr = list(params), lr
        self.momentum, self.nesterov = momentum, nesterov
        self.weight_decay = weight_decay
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once.

        Parameters
        ----------
        grads : list of np.ndarray
            One finite gradient per parameter, of the same shape.

        Raises
        ------
        ValueError
            If a gradient is missing, of another shape, or not finite, or ``lr`` is no longer valid.
        """
        check_step(grads, self.params, self.lr)
        for w, dw, v in zip(self.params, grads, self.v, strict=True):
            dw = dw + self.weight_decay * w
            v[...] = self.momentum * v + dw
            w -= self.lr * (dw + self.momentum * v if self.nesterov else v)


class Adam:
    """Steps of about one learning rate in every direction, as `torch.optim.Adam`.

    ``m`` is a running mean of the gradients, ``v`` one of their squares; both start at 0 and are
    corrected for it. The step is ``lr * m / (sqrt(v) + eps)``, element by element.

    Source: D. P. Kingma and J. Ba, *Adam: A Method for Stochastic Optimization* (2015).

    Shown in: chapter 6.

    Parameters
    ----------
    params : list of np.ndarray
        Float arrays of any shapes; `step` changes them in place.
    lr : float
        Learning rate, above 0.
    betas : tuple of float
        ``beta1`` and ``beta2``, what ``m`` and ``v`` keep of themselves, from 0 to less than 1.
    eps : float
        Above 0; keeps a parameter whose gradients are all 0 from dividing by 0.

    Attributes
    ----------
    m, v : list of np.ndarray
        First and second moment, shaped like ``params``, not yet corrected.
    t : int
        Steps taken.

    Raises
    ------
    ValueError
        If a parameter or a setting is not as described.
    """

    def __init__(
        self,
        params: Sequence[np.ndarray],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        check_params(params)
        check_settings(lr=lr, betas=betas, eps=eps)
        self.params, self.lr = list(params), lr
        self.betas, self.eps, self.t = betas, eps, 0
        self.m = [np.zeros_like(w) for w in self.params]
        self.v = [np.zeros_like(w) for w in self.params]

    def step(self, grads: Sequence[np.ndarray]) -> None:
        """Move every parameter once.

        Parameters
        ----------
        grads : list of np.ndarray
            One finite gradient per parameter, of the same shape.

        Raises
        ------
        ValueError
            If a gradient is missing, of another shape, or not finite, or ``lr`` is no longer valid.
        """
        check_step(grads, self.params, self.lr)
        self.t += 1
        beta1, beta2 = self.betas
        for w, dw, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m[...] = beta1 * m + (1 - beta1) * dw
            v[...] = beta2 * v + (1 - beta2) * dw**2
            m_hat = m / (1 - beta1**self.t)
            v_hat = v / (1 - beta2**self.t)
            w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def check_params(params: Any) -> None:
    """Make sure that ``params`` is a list of arrays that an optimizer can change in place.

    Parameters
    ----------
    params : object
        What should be a list of writable float arrays, each given once.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    if not isinstance(params, (list, tuple)) or len(params) == 0:
        raise ValueError(
            f"params is {_kind(params)}, expected a list of arrays. "
            "A single array goes into a list too: [W]."
        )
    for number, w in enumerate(params):
        name = f"params[{number}]"
        check_floats(w, name)
        if not w.flags.writeable:
            raise ValueError(
                f"{name} is read-only, expected an array that can be changed in place. Usually it "
                "came from np.frombuffer or np.broadcast_to: hand in a .copy()."
            )
        if any(w is other for other in params[:number]):
            raise ValueError(
                f"{name} is an array that stands in the list before, expected each one once: it "
                "would be moved twice per step."
            )


def check_settings(**settings: Any) -> None:
    """Make sure that the settings of an optimizer are in their ranges.

    Parameters
    ----------
    **settings
        Any of ``lr``, ``momentum``, ``nesterov``, ``weight_decay``, ``betas``, ``eps``.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    for name in ("lr", "eps"):
        if name in settings and not (_is_number(settings[name]) and settings[name] > 0):
            raise ValueError(
                f"{name}={settings[name]!r}, expected a finite number above 0. A step goes against "
                "the gradient already: the rule has its own minus sign."
            )
    decay = settings.get("weight_decay", 0.0)
    if not (_is_number(decay) and decay >= 0):
        raise ValueError(
            f"weight_decay={decay!r}, expected a finite number, 0 or above. A negative one would "
            "make the weights grow."
        )
    momentum = settings.get("momentum", 0.0)
    if not (_is_number(momentum) and 0 <= momentum < 1):
        raise ValueError(
            f"momentum={momentum!r}, expected a number from 0 to less than 1. With 1 nothing ever "
            "slows down; were lr and momentum swapped?"
        )
    nesterov = settings.get("nesterov", False)
    if not isinstance(nesterov, (bool, np.bool_)) or (nesterov and momentum == 0):
        raise ValueError(
            f"nesterov={nesterov!r} with momentum={momentum!r}, expected True or False, and a "
            "momentum above 0 for True: without a velocity there is nothing to look ahead along."
        )
    betas = settings.get("betas", (0.0, 0.0))
    if not isinstance(betas, (list, tuple)) or len(betas) != 2:
        raise ValueError(f"betas={betas!r}, expected two numbers, as in betas=(0.9, 0.999).")
    if not all(_is_number(beta) and 0 <= beta < 1 for beta in betas):
        raise ValueError(
            f"betas={betas!r}, expected two numbers from 0 to less than 1. They say how much is "
            "kept; 1 would keep the zeros of the start for ever."
        )


def check_step(grads: Any, params: Sequence[np.ndarray], lr: Any) -> None:
    """Make sure that there is one usable gradient for every parameter.

    Parameters
    ----------
    grads : object
        What should be a list of finite float arrays, shaped like ``params``.
    params : sequence of np.ndarray
        The parameters that are to move.
    lr : object
        The learning rate, which may have been changed since the last step.

    Raises
    ------
    ValueError
        Naming what came, what was expected, and the usual cause.
    """
    check_settings(lr=lr)
    if not isinstance(grads, (list, tuple)):
        raise ValueError(
            f"grads is {_kind(grads)}, expected a list of {len(params)} arrays, one per parameter. "
            "A single gradient goes into a list too: [dW]."
        )
    if len(grads) != len(params):
        raise ValueError(
            f"grads holds {len(grads)} arrays, expected {len(params)}, one per parameter. Was the "
            "gradient of a bias forgotten?"
        )
    for number, (dw, w) in enumerate(zip(grads, params, strict=True)):
        name = f"grads[{number}]"
        check_floats(dw, name)
        if dw.shape != w.shape:
            raise ValueError(
                f"{name} has the shape {dw.shape}, expected {w.shape} as its parameter. A missing "
                ".T or a missing sum over the batch, or gradients in another order?"
            )


def _is_number(value: Any) -> bool:
    """Return whether ``value`` is a finite real number (True and False are none)."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, (bool, np.bool_))
        and math.isfinite(value)
    )


def _kind(value: Any) -> str:
    """Return what kind of thing stands where a list was expected."""
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return f"an empty {type(value).__name__}"
    return f"of type {type(value).__name__}"
