"""What the checks of chapter 6, "From gradients to steps", accept."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_course.by_hand.optimizers import SGD, Adam
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("06.factor")


@exercise("06.rmsprop")
def rmsprop(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for alpha, eps in ((0.9, 1e-8), (0.5, 0.3)):
        w, g = rng.normal(size=(2, 3, 2))
        v = rng.random((3, 2))
        got_w, got_v = _pair(call(answer, w, v, g, 0.1, alpha, eps))
        square = alpha * v + (1 - alpha) * g**2
        expect_array(
            got_v,
            square,
            slips=[
                (alpha * v + (1 - alpha) * g, "v: the mean is one of squares, g ** 2"),
                (alpha * v + g**2, "v: the new square counts 1 - alpha"),
                ((1 - alpha) * v + alpha * g**2, "v: it keeps alpha of itself"),
                (v, "v: return the new one, which has seen this gradient"),
            ],
        )
        expect_array(
            got_w,
            w - 0.1 * g / (np.sqrt(square) + eps),
            slips=[
                (w + 0.1 * g / (np.sqrt(square) + eps), "w: a step goes against the gradient"),
                (w - 0.1 * g / (square + eps), "w: divide by the root of v"),
                (w - 0.1 * g / (np.sqrt(v) + eps), "w: take the new v, which has seen g"),
                (w - 0.1 * g / np.sqrt(square + eps), "w: eps stands outside the root"),
                (-0.1 * g / (np.sqrt(square) + eps), "w: that is the step; add it to w"),
            ],
        )


in_data("06.step", "06.keep", "06.first", "06.halve")


@exercise("06.uncorrected")
def uncorrected(answer: Any) -> None:
    t = np.arange(1, 10_001)
    lengths = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    longest = [float(t[lengths.argmax()]), float(lengths.max())]
    value = as_array(answer)
    if value.shape == (2,) and np.isfinite(value).all():
        number, length = (float(part) for part in value)
        if number == longest[0] - 1 and abs(length - longest[1]) < 0.01 * longest[1]:
            raise Wrong("the length is right; the first step has the number 1, not 0")
        for lr in (0.001, 0.01, 0.1):
            if number == longest[0] and abs(length - lr * longest[1]) < 0.01 * lr * longest[1]:
                raise Wrong(
                    "the number is right; the length is asked in units of the learning rate: "
                    "divide by it"
                )
    expect_array(
        answer,
        longest,
        rtol=0.005,
        slips=[
            ([1, lengths[0]], "that is the first step, and longer ones follow"),
            (longest[::-1], "the other way round: first the number of the step"),
            ([10_000, lengths[-1]], "that is the last step you tried, not the longest"),
        ],
    )


@exercise("06.break")
def break_it(answer: Any) -> None:
    grads = as_array(answer).astype(float)
    if grads.ndim != 1 or grads.size == 0:
        raise Wrong(f"expected a list of numbers, got an array of shape {grads.shape}")
    if grads.size > 10_000:
        raise Wrong(f"these are {grads.size:,} gradients; at most 10,000 are allowed")
    if not np.isfinite(grads).all() or np.abs(grads).max() > 1e100:
        raise Wrong(
            "use finite gradients of a reasonable size; far above eps their scale does not matter"
        )
    w, last = np.zeros(1), np.zeros(1)
    optimizer = Adam([w])
    for dw in grads:
        last[:] = w
        optimizer.step([np.array([dw])])
    length = float(np.abs(w - last)[0]) / optimizer.lr
    others = float(np.abs(grads[:-1]).max(initial=0))
    shout = float(np.abs(grads[-1]))
    if not length >= 2 and grads.size > 1 and shout > 1e-6 and shout >= 100 * others:
        raise Wrong(
            f"the last step is {length:.2f} learning rates long. The idea is right; the silence is "
            "too short: the bias correction divides v by 1 - 0.999^t, and while t is small that "
            "makes up for the silence. Wait longer"
        )
    if not length >= 2:
        raise Wrong(
            f"the last step is {length:.2f} learning rates long; what would make the usual size of "
            "the gradients look small?"
        )


def _pair(result: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what the learner's step returned as two arrays."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong("return two things: the new parameter and the new velocity")
    return as_array(result[0]), as_array(result[1])


# What the new velocity would be, of the old one v, the gradient dw and the two rates.
_VELOCITIES: dict[str, Callable[..., Any]] = {
    "the classical velocity points downhill: it takes away the gradient": (
        lambda v, dw, lr, last_lr: 0.8 * v * (lr / last_lr) + lr * dw
    ),
    "this is the plain rule; the old velocity is still in units of the old rate": (
        lambda v, dw, lr, last_lr: 0.8 * v - lr * dw
    ),
    "the factor is upside down: the velocity holds the old rate, divide by that": (
        lambda v, dw, lr, last_lr: 0.8 * v * (last_lr / lr) - lr * dw
    ),
    "only the old velocity needs the new unit; the gradient gets the new rate already": (
        lambda v, dw, lr, last_lr: (0.8 * v - lr * dw) * (lr / last_lr)
    ),
    "the gradient of this step gets the new rate": (
        lambda v, dw, lr, last_lr: 0.8 * v * (lr / last_lr) - last_lr * dw
    ),
    "the gradient of this step gets the new rate, and so does the old velocity": (
        lambda v, dw, lr, last_lr: 0.8 * v - last_lr * dw
    ),
}


@exercise("06.correction")
def correction(answer: Any) -> None:
    rng = np.random.default_rng(0)
    rates = [0.1, 0.1, 0.01, 0.01, 0.03, 0.3, 0.2]
    w, v, last_lr = rng.normal(size=(3, 2)), np.zeros((3, 2)), rates[0]
    torch_w = w.copy()
    optimizer = SGD([torch_w], lr=rates[0], momentum=0.8)
    for number, lr in enumerate(rates, start=1):
        dw = rng.normal(size=(3, 2))
        optimizer.lr = lr
        optimizer.step([dw.copy()])
        got_w, got_v = _pair(call(answer, w, v, dw, lr, last_lr, 0.8))
        for reply, slip in _VELOCITIES.items():
            wrong_w = w + slip(v, dw, lr, last_lr)
            same = got_w.shape == w.shape and np.allclose(got_w, wrong_w, rtol=1e-4, atol=1e-6)
            if same and not np.allclose(wrong_w, torch_w):
                raise Wrong(f"step {number}, where lr goes from {last_lr} to {lr}: {reply}")
        theirs = optimizer.v[0]
        if got_v.shape == theirs.shape and np.allclose(got_v, theirs, rtol=1e-4, atol=1e-6):
            raise Wrong(
                "that is PyTorch's velocity; the function gets and returns the classical one, "
                "which already contains the learning rate"
            )
        try:
            expect_array(got_w, torch_w)
            expect_array(got_v, -lr * optimizer.v[0])
        except Wrong as wrong:
            raise Wrong(f"step {number}, lr {lr} after {last_lr}: {wrong}") from None
        w, v, last_lr = torch_w.copy(), -lr * optimizer.v[0], lr


@exercise("06.curvature")
def curvature(answer: Any) -> None:
    rng = np.random.default_rng(0)
    for values in ([5.0, 1.0], [0.3, 0.1, 0.02], [40.0, 20.0, 3.0, 1.0, 0.5, 0.0]):
        axes = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
        H, c = axes @ np.diag(values) @ axes.T, rng.normal(size=len(values))
        w = rng.normal(size=len(values))

        def gradient(w: Any, H: np.ndarray = H, c: np.ndarray = c) -> np.ndarray:
            return H @ np.asarray(w, dtype=float) - c

        result = call(answer, gradient, w)
        value = as_array(result)
        if value.size == len(values):
            raise Wrong("that may be the direction; its curvature is asked, one number")
        if value.size == 1 and value.dtype.kind in "iuf":
            number = float(value.reshape(())[()])
            if not np.isfinite(number) or abs(number) > 1e6:
                raise Wrong(f"{number:.3g} cannot be: scale H u to length 1 in every round")
            if 0.9 * values[0] <= number < 0.99 * values[0]:
                raise Wrong(f"{number:.4g} is nearly the largest curvature; repeat more often")
        expect_number(
            result,
            values[0],
            rtol=0.01,
            slips=[
                (2 / values[0], "that is the largest stable learning rate; the curvature is asked"),
                (values[-1], "that is the smallest curvature"),
                (sum(values), "that is the sum of all curvatures"),
                (float(np.linalg.norm(gradient(w))), "that is the length of the gradient"),
            ],
        )
