"""The optimizers written by hand take the same steps as `torch.optim`, for hundreds of steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_course.by_hand.optimizers import SGD, Adam, ClassicalMomentum

NUM_STEPS = 200
# Rounding after 200 steps, relative to the largest number in play.
TOLERANCE = {np.float64: 1e-11, np.float32: 1e-5}

shapes = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=3)
dtypes = st.sampled_from([np.float64, np.float32])
seeds = st.integers(0, 2**32 - 1)
rates = st.floats(1e-4, 0.5)
momenta = st.floats(0, 0.99)
decays = st.one_of(st.just(0.0), st.floats(0, 0.1))
scales = st.sampled_from([0.0, 1e-6, 1.0, 1e4])  # of the gradients; 0 means all of them zero
# Not below: torch computes m + (dw - m) * (1 - beta1), which cancels where beta1 is 1e-8.
betas = st.tuples(st.one_of(st.just(0.0), st.floats(0.1, 0.99)), st.floats(0.9, 0.9999))


def make_params(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    return [np.array(rng.normal(size=shape), dtype=dtype) for shape in shapes]


def make_grads(params, rng, scale):
    """Draw gradients that are zero for a whole parameter now and then."""
    grads = [rng.normal(scale=scale, size=w.shape) if scale else 0 * w for w in params]
    return [
        np.array(dw if rng.random() < 0.9 else 0 * dw, w.dtype)
        for dw, w in zip(grads, params, strict=True)
    ]


def walk_beside_torch(make_ours, make_theirs, params, seed, scale, changes=()):
    """Give both the same gradients; return the largest gap, relative to the largest parameter.

    ``changes`` holds factors for the learning rate, spread evenly over the steps.
    """
    rng = np.random.default_rng(seed)
    twins = [torch.nn.Parameter(torch.tensor(w)) for w in params]
    ours, theirs = make_ours(params), make_theirs(twins)
    lr, gap, largest = ours.lr, 0.0, 1.0
    for step in range(NUM_STEPS):
        if changes:
            now = lr * changes[step * len(changes) // NUM_STEPS]
            ours.lr = theirs.param_groups[0]["lr"] = now
        grads = make_grads(params, rng, scale)
        ours.step(grads)
        for twin, dw in zip(twins, grads, strict=True):
            twin.grad = torch.tensor(dw)
        theirs.step()
        for w, twin in zip(params, twins, strict=True):
            other = twin.detach().numpy()
            gap = max(gap, np.abs(w - other).max())
            largest = max(largest, np.abs(other).max())
    return gap / largest


lr_changes = st.lists(st.sampled_from([0.01, 0.1, 0.5, 1.0, 3.0]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(shapes, dtypes, seeds, scales, rates, momenta, st.booleans(), decays, lr_changes)
def test_sgd_is_torch_sgd(shapes, dtype, seed, scale, lr, momentum, nesterov, decay, changes):
    options = {"lr": lr, "momentum": momentum, "weight_decay": decay}
    options["nesterov"] = nesterov and momentum > 0
    gap = walk_beside_torch(
        lambda params: SGD(params, **options),
        lambda params: torch.optim.SGD(params, **options),
        make_params(shapes, dtype, seed),
        seed,
        scale,
        changes,
    )
    assert gap < TOLERANCE[dtype]


@settings(max_examples=40, deadline=None)
@given(shapes, dtypes, seeds, scales, rates, betas, st.sampled_from([1e-8, 1e-4]), lr_changes)
def test_adam_is_torch_adam(shapes, dtype, seed, scale, lr, betas, eps, changes):
    options = {"lr": lr, "betas": betas, "eps": eps}
    gap = walk_beside_torch(
        lambda params: Adam(params, **options),
        lambda params: torch.optim.Adam(params, **options),
        make_params(shapes, dtype, seed),
        seed,
        scale,
        changes,
    )
    assert gap < TOLERANCE[dtype]


@settings(max_examples=20, deadline=None)
@given(shapes, dtypes, seeds, rates, momenta)
def test_classical_momentum_is_torch_sgd_while_the_rate_stays(shapes, dtype, seed, lr, momentum):
    gap = walk_beside_torch(
        lambda params: ClassicalMomentum(params, lr, momentum),
        lambda params: torch.optim.SGD(params, lr, momentum),
        make_params(shapes, dtype, seed),
        seed,
        1.0,
    )
    assert gap < TOLERANCE[dtype]


@settings(max_examples=20, deadline=None)
@given(shapes, seeds, rates, st.floats(0.3, 0.99))
def test_classical_momentum_parts_from_torch_when_the_rate_changes(shapes, seed, lr, momentum):
    gap = walk_beside_torch(
        lambda params: ClassicalMomentum(params, lr, momentum),
        lambda params: torch.optim.SGD(params, lr, momentum),
        make_params(shapes, np.float64, seed),
        seed,
        1.0,
        [1.0, 0.1],
    )
    assert gap > 1e-6 * lr


@settings(max_examples=20, deadline=None)
@given(shapes, seeds, rates, momenta)
def test_classical_velocity_is_minus_lr_times_torchs(shapes, seed, lr, momentum):
    one, two = (make_params(shapes, np.float64, seed) for _ in range(2))
    classical, pytorch = ClassicalMomentum(one, lr, momentum), SGD(two, lr, momentum)
    rng = np.random.default_rng(seed)
    for _ in range(NUM_STEPS):
        grads = make_grads(one, rng, 1.0)
        classical.step(grads)
        pytorch.step(grads)
    for v, other in zip(classical.v, pytorch.v, strict=True):
        np.testing.assert_allclose(v, -lr * other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_on_a_steady_slope_momentum_lengthens_the_step_to_the_geometric_sum(momentum):
    w, last = np.zeros(1), np.zeros(1)
    optimizer = SGD([w], lr=0.01, momentum=momentum)
    for _ in range(3_000):
        last[:] = w
        optimizer.step([np.array([2.0])])
    assert np.isclose(last - w, 0.01 * 2 / (1 - momentum))


@settings(max_examples=30, deadline=None)
@given(rates, st.floats(1e-3, 1e30), st.sampled_from([-1, 1]), betas)
def test_the_first_step_of_adam_is_lr_long_whatever_the_gradient(lr, size, sign, betas):
    w = np.zeros(3)
    Adam([w], lr, betas).step([np.full(3, sign * size)])
    assert np.allclose(w, -sign * lr, rtol=2e-5, atol=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("make", [SGD, Adam, ClassicalMomentum])
def test_zero_gradients_move_nothing_and_make_no_nan(make, dtype):
    params = make_params([(3, 2), ()], dtype, 0)
    before = [w.copy() for w in params]
    optimizer = make(params, 0.1)
    for _ in range(5):
        optimizer.step([np.zeros_like(w) for w in params])
    for w, old in zip(params, before, strict=True):
        assert np.array_equal(w, old)


@pytest.mark.parametrize("make", [SGD, Adam, ClassicalMomentum])
def test_parameters_change_in_place_and_gradients_do_not(make):
    W, b = make_params([(2, 3), (2,)], np.float32, 0)
    old, grads = W.copy(), make_params([(2, 3), (2,)], np.float32, 1)
    kept = [dw.copy() for dw in grads]
    optimizer = make([W, b], 0.1)
    for _ in range(3):
        optimizer.step(grads)
    assert optimizer.params[0] is W
    assert not np.allclose(W, old)
    assert W.dtype == np.float32
    for dw, copy in zip(grads, kept, strict=True):
        assert np.array_equal(dw, copy)


def test_several_parameters_move_as_each_would_alone():
    together, alone = (make_params([(3, 2), (4,)], np.float64, 0) for _ in range(2))
    first, rest = Adam(together, 0.1), [Adam([w], 0.1) for w in alone]
    rng = np.random.default_rng(1)
    for _ in range(20):
        grads = make_grads(together, rng, 1.0)
        first.step(grads)
        for one, dw in zip(rest, grads, strict=True):
            one.step([dw])
    for w, other in zip(together, alone, strict=True):
        assert np.array_equal(w, other)


@pytest.mark.parametrize("gradient", [1e3, 1.0, 1e-3])
def test_nesterov_in_its_own_form_is_the_same_walk_seen_from_the_place_ahead(gradient):
    """Sutskever's form measures the slope at w + mu v; PyTorch's parameters are that place."""
    curvature, lr, momentum = np.array([1.0, 0.1]), 0.3, 0.9
    w, v = np.full(2, gradient), np.zeros(2)
    ahead = w.copy()
    optimizer = SGD([ahead], lr, momentum, nesterov=True)
    for _ in range(NUM_STEPS):
        v = momentum * v - lr * curvature * (w + momentum * v)
        w = w + v
        optimizer.step([curvature * ahead])
        np.testing.assert_allclose(ahead, w + momentum * v, rtol=1e-9, atol=1e-12 * gradient)


# Bad input: one ValueError that says what came, what was expected, and the usual cause ------------

READ_ONLY = np.frombuffer(np.ones(2).tobytes())
W = np.ones((2, 3))


@pytest.mark.parametrize("make", [SGD, Adam, ClassicalMomentum])
@pytest.mark.parametrize(
    ("params", "said"),
    [
        (W, [r"one array of shape \(2, 3\)", "list of arrays", r"\[W\]"]),
        ([], ["empty list", "list of arrays"]),
        (None, ["NoneType", "list of arrays"]),
        ({"W": W}, ["dict", "list of arrays"]),
        ([W, 3.0], [r"params\[1\]", "float", "numpy array"]),
        ([torch.ones(2)], [r"params\[0\]", "Tensor", "numpy"]),
        ([np.ones(2, int)], [r"params\[0\]", "int64", "floats"]),
        ([W, np.array([1.0, np.nan])], [r"params\[1\]", "NaN"]),
        ([np.ones((0, 3))], [r"params\[0\]", "empty"]),
        ([W, READ_ONLY], [r"params\[1\]", "read-only", "in place", "copy"]),
        ([W, W], [r"params\[1\]", "before", "once"]),
    ],
)
def test_parameters_that_cannot_be_moved_are_refused(make, params, said):
    with pytest.raises(ValueError, match=said[0]) as caught:
        make(params, 0.1)
    for words in said:
        caught.match(words)


@pytest.mark.parametrize("make", [SGD, Adam, ClassicalMomentum])
@pytest.mark.parametrize("lr", [0, -0.1, np.nan, np.inf, "0.1", None, True, [0.1]])
def test_learning_rates_that_make_no_sense_are_refused(make, lr):
    with pytest.raises(ValueError, match=r"lr=.*above 0.*minus sign"):
        make([W.copy()], lr)
    optimizer = make([W.copy()], 0.1)
    optimizer.lr = lr
    with pytest.raises(ValueError, match=r"lr=.*above 0"):
        optimizer.step([W])


@pytest.mark.parametrize("make", [SGD, ClassicalMomentum])
@pytest.mark.parametrize("momentum", [1.0, 1.5, -0.1, np.nan, "0.9", None, True])
def test_momentum_outside_its_range_is_refused(make, momentum):
    with pytest.raises(ValueError, match=r"momentum=.*0 to less than 1.*swapped"):
        make([W.copy()], 0.1, momentum)


@pytest.mark.parametrize(
    ("make", "settings", "said"),
    [
        (SGD, {"nesterov": True}, "nesterov=True.*momentum=0.0.*above 0"),
        (SGD, {"nesterov": 1, "momentum": 0.9}, "nesterov=1.*True or False"),
        (SGD, {"weight_decay": -0.1}, "weight_decay=-0.1.*0 or above.*grow"),
        (SGD, {"weight_decay": np.nan}, "weight_decay=nan"),
        (Adam, {"betas": 0.9}, r"betas=0.9.*two numbers.*\(0.9, 0.999\)"),
        (Adam, {"betas": (0.9,)}, "two numbers"),
        (Adam, {"betas": (0.9, 1.0)}, r"betas=\(0.9, 1.0\).*less than 1.*zeros"),
        (Adam, {"betas": (-0.1, 0.9)}, "betas=.*from 0"),
        (Adam, {"betas": ("a", 0.9)}, "betas=.*two numbers"),
        (Adam, {"eps": 0}, "eps=0.*above 0"),
    ],
)
def test_other_settings_outside_their_range_are_refused(make, settings, said):
    with pytest.raises(ValueError, match=said):
        make([W.copy()], 0.1, **settings)


@pytest.mark.parametrize("make", [SGD, Adam, ClassicalMomentum])
@pytest.mark.parametrize(
    ("grads", "said"),
    [
        (np.ones((2, 3)), [r"one array of shape \(2, 3\)", "list of 2 arrays", r"\[dW\]"]),
        (None, ["NoneType", "list of 2"]),
        ([np.ones((2, 3))], ["1 arrays", "expected 2", "bias"]),
        ([np.ones((2, 3))] * 3, ["3 arrays", "expected 2"]),
        ([np.ones((3, 2)), np.ones(2)], [r"grads\[0\]", r"\(3, 2\)", r"\(2, 3\)", r"\.T"]),
        ([np.ones((2, 3)), np.ones((2, 1))], [r"grads\[1\]", r"\(2, 1\)", r"\(2,\)"]),
        ([np.ones((2, 3)), 1.0], [r"grads\[1\]", "float", "numpy array"]),
        ([np.ones((2, 3)), torch.ones(2)], [r"grads\[1\]", "Tensor"]),
        ([np.ones((2, 3), int), np.ones(2)], [r"grads\[0\]", "int64", "floats"]),
        ([np.full((2, 3), np.nan), np.ones(2)], [r"grads\[0\]", "NaN", "learning rate"]),
        ([np.ones((2, 3)), np.array([1, np.inf])], [r"grads\[1\]", "infinity"]),
    ],
)
def test_gradients_that_do_not_fit_are_refused_and_move_nothing(make, grads, said):
    params = [W.copy(), np.ones(2)]
    optimizer = make(params, 0.1)
    with pytest.raises(ValueError, match=said[0]) as caught:
        optimizer.step(grads)
    for words in said:
        caught.match(words)
    assert np.array_equal(params[0], W) and np.array_equal(params[1], np.ones(2))
    optimizer.step([W, np.ones(2)])  # the refused step has left no trace
    fresh = [W.copy(), np.ones(2)]
    make(fresh, 0.1).step([W, np.ones(2)])
    assert np.array_equal(params[0], fresh[0])
