"""What the checks of chapter 5, "Backwards through the network", accept."""

import math
from typing import Any

import numpy as np

from mnist_course.by_hand.network import numerical_gradient
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise
from mnist_course.time_limit import TooLong


@exercise("05.layer")
def layer(answer: Any) -> None:
    rng = np.random.default_rng(5)
    for size in (4, 1, 6):
        X, dZ = rng.standard_normal((size, 3)), rng.standard_normal((size, 2))
        expect_array(
            call(answer, X, dZ),
            dZ.T @ X,
            slips=[
                (
                    X.T @ dZ,
                    "that has the shape (D, K); the weights have one row per output, (K, D)",
                ),
                (
                    dZ.T @ X / size,
                    "the sum over the examples, not their mean: dZ holds that already",
                ),
                (np.outer(dZ[0], X[0]), "that is one example's share; add up the roads of all"),
            ],
        )


in_data("05.relative", "05.edge", "05.zeros", "05.mean")


@exercise("05.tanh")
def tanh(answer: Any) -> None:
    if not isinstance(answer, type):
        raise Wrong("hand in the class Tanh itself, without brackets behind its name")
    layer = call(answer)
    wrong_place = "the slope belongs to h, kept from the way forward; da multiplies it"
    rng = np.random.default_rng(5)
    for shape in ((1, 1), (3, 4)):
        h, da = 2 * rng.standard_normal(shape), rng.standard_normal(shape)
        slips = [
            (1 / (1 + np.exp(-h)), "that is the sigmoid"),
            (np.maximum(h, 0), "that is the ReLU"),
        ]
        expect_array(call(layer.forward, h), np.tanh(h), slips=slips)
        a = np.tanh(h)
        slips = [
            (1 - np.tanh(da) ** 2, wrong_place),
            (da * (1 - np.tanh(da) ** 2), wrong_place),
            (1 - a**2, "that is the slope; multiply it by da, the gradient that comes back"),
            (da * a * (1 - a), "a (1 - a) is the slope of the sigmoid"),
            (da * (1 - h**2), "the slope is 1 - a², with a = tanh h, not with h"),
            (da * (1 - a), "the square is missing: 1 - a²"),
            (da * a, "that hands on da times a; the slope of tanh is 1 - a²"),
            (da * (1 - np.tanh(a) ** 2), "tanh was taken twice: what forward kept is a already"),
            (-da * (1 - a**2), "the sign is turned: 1 - a², not a² - 1"),
        ]
        try:
            got = call(layer.backward, da)
        except AttributeError as error:
            raise Wrong(
                f"backward raised AttributeError: {error}; did forward keep what backward needs?"
            ) from None
        expect_array(got, da * (1 - a**2), slips=slips)


@exercise("05.blind")
def blind(answer: Any) -> None:
    rng = np.random.default_rng(5)
    a_wrong_one = False
    for size in (1, 1, 4, 7):
        X, W = rng.standard_normal((size, 3)), rng.standard_normal((2, 3))
        dZ = rng.standard_normal((size, 2))
        got = call(answer, X, W, dZ)
        if not isinstance(got, (tuple, list)) or len(got) != 3:
            raise Wrong("expected three arrays: return dX, dW, db")
        right = {"dX": dZ @ W, "dW": dZ.T @ X, "db": dZ.sum(axis=0)}
        for (name, target), array in zip(right.items(), got, strict=True):
            value = as_array(array)
            if value.shape != target.shape:
                raise Wrong(
                    f"a look at the shapes finds it: for a batch of {size}, {name} has the shape "
                    f"{value.shape} instead of {target.shape}"
                )
            if not np.isfinite(value).all():
                raise Wrong(f"{name} holds NaN or infinity; anybody would notice")
            same = np.allclose(value, target, rtol=1e-4, atol=1e-6)
            if size == 1 and not same:
                raise Wrong(f"a check with a batch of one finds it: {name} is wrong there")
            a_wrong_one |= not same
    if not a_wrong_one:
        raise Wrong("this one is right for larger batches, too; the exercise is to break it")


def _neuron(value: Any) -> tuple[dict[str, tuple[Any, float]], Any]:
    """Build the neuron of the chapter from the learner's values, with the right gradients."""
    x1, w1, x2, w2, b = (value(v) for v in (2.0, 0.5, -1.0, 1.5, 0.5))
    error = (x1 * w1 + x2 * w2 + b).sigmoid() + value(-1.0)
    right = {"w1": (w1, -0.25), "w2": (w2, 0.125), "b": (b, -0.125), "x1": (x1, -0.0625)}
    return right, error * error * value(0.5)


def _expect_gradients(what: str, leaves: dict[str, tuple[Any, float]], hint: str = "") -> None:
    """Compare the gradients that the learner's backward left behind."""
    for name, (leaf, right) in leaves.items():
        got = as_array(leaf.grad)
        if got.size != 1:
            raise Wrong(f"{what}: a grad is one number, yours has the shape {got.shape}")
        found = float(got.reshape(()))
        if not math.isclose(found, right, rel_tol=1e-4):
            reply = f"{what}: the grad of {name} should be {right:.5g}, yours is {found:.5g}"
            raise Wrong(f"{reply}. {hint}" if hint else reply)


@exercise("05.value")
def value(answer: Any) -> None:
    def build(*numbers: float) -> list[Any]:
        return [call(answer, number) for number in numbers]

    def expect_data(what: str, result: Any, right: float) -> None:
        if not hasattr(result, "data"):
            raise Wrong(f"{what} should be a Value with a data, got {type(result).__name__}")
        expect_number(result.data, right, unit=f" for {what}")

    def differentiate(result: Any) -> None:
        call(lambda: (result.backward(), True)[1])

    x, y = build(3.0, -2.0)
    expect_data("x + y with x = 3, y = -2", call(lambda: x + y), 1.0)
    product = call(lambda: x * y)
    expect_data("x * y with x = 3, y = -2", product, -6.0)
    expect_data("the sigmoid of 0", call(build(0.0)[0].sigmoid), 0.5)

    differentiate(product)
    if math.isclose(float(as_array(x.grad).reshape(-1)[0]), 3.0, rel_tol=1e-4):
        raise Wrong("x * y with x = 3, y = -2: a times hands on the *other* input")
    complete = "Is the grad of a value complete before the value hands it on?"
    what = "x * y with x = 3, y = -2"
    _expect_gradients(what, {"x": (x, -2.0), "y": (y, 3.0)}, hint=complete)
    (x,) = build(3.0)
    differentiate(call(lambda: x * x))
    if math.isclose(float(as_array(x.grad).reshape(-1)[0]), 3.0, rel_tol=1e-4):
        raise Wrong("x * x with x = 3: the gradients of both roads must be added, += and not =")
    _expect_gradients("x * x with x = 3", {"x": (x, 6.0)})
    leaves, loss = call(lambda: _neuron(answer))
    differentiate(loss)
    _expect_gradients("the neuron of this chapter", leaves)

    a, b = build(0.7, 1.3)
    differentiate(call(lambda: _tangle(a, b)))
    da, db = _TANGLED
    leaves = {"a": (a, da), "b": (b, db)}
    _expect_gradients("values that are used again and again", leaves, hint=complete)
    _expect_one_walk(build(1.0)[0])


def _expect_one_walk(x: Any) -> None:
    """Differentiate 40 doublings: 40 sums, and 2**40 roads through them."""

    def double() -> Any:
        total = x
        for _ in range(40):
            total = total + total
        return total

    total = call(double)
    try:
        call(lambda: (total.backward(), True)[1], seconds=2)
    except Wrong as wrong:
        if isinstance(wrong.__cause__, TooLong):
            raise Wrong(
                "right, but it walks every road by itself. Through x = x + x, 40 times over, there "
                "are 2**40 of them. To collect at each value first, and walk on once, is what "
                "backpropagation saves"
            ) from None
        raise
    _expect_gradients("x doubled 40 times", {"x": (x, 2.0**40)})


def _tangle(a: Any, b: Any) -> Any:
    """Use c before and after d is made of it, so that a wrong order of walking shows."""
    c = a * b
    d = c + a
    e = d * c
    return (e + d) * (e.sigmoid() + c) * a


def _tangle_of(numbers: np.ndarray) -> float:
    a, b = numbers
    c = a * b
    d = c + a
    e = d * c
    return float((e + d) * (1 / (1 + np.exp(-e)) + c) * a)


_TANGLED = numerical_gradient(_tangle_of, np.array([0.7, 1.3]))
