"""Every layer and every network by hand: its gradients are autograd's, and those of the definition.

All comparisons are in float64, tensor by tensor, with biases that are not zero.
"""

import itertools
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_course.by_hand.losses import cross_entropy, cross_entropy_gradient
from mnist_course.by_hand.network import (
    Layer,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    numerical_gradient,
    sigmoid,
)

forty = settings(deadline=None, max_examples=40, derandomize=True)
ten = settings(forty, max_examples=10)
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
TORCH = {Sigmoid: torch.sigmoid, ReLU: torch.relu}


def close(ours, theirs):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12)


def close_to_measured(ours, measured):
    assert ours.shape == measured.shape
    np.testing.assert_allclose(ours, measured, rtol=1e-5, atol=1e-7)


def linear(in_features, out_features, rng):
    layer = Linear(in_features, out_features, rng, dtype=np.float64)
    layer.b[:] = rng.standard_normal(out_features)  # zeros hide errors
    return layer


def network(widths, kinds, seed):
    """Return a network of linear layers with nonlinearities of ``kinds`` between them."""
    rng = np.random.default_rng(seed)
    layers = []
    for number, (before, after) in enumerate(itertools.pairwise(widths)):
        layers.append(linear(before, after, rng))
        if number < len(kinds):
            layers.append(kinds[number]())
    return Sequential(*layers), rng


def torch_forward(model, X):
    """Return what PyTorch computes with the parameters of ``model``, and the leaves."""
    leaves = [torch.tensor(X, requires_grad=True)]
    H = leaves[0]
    for layer in model.layers:
        if isinstance(layer, Linear):
            W, b = (torch.tensor(p, requires_grad=True) for p in layer.parameters())
            leaves += [W, b]
            H = F.linear(H, W, b)
        else:
            H = TORCH[type(layer)](H)
    return H, leaves


# Layers --------------------------------------------------------------------------------------


@forty
@given(sizes, sizes, sizes, seeds)
def test_linear_agrees_with_autograd_and_with_the_definition(B, D, K, seed):
    rng = np.random.default_rng(seed)
    layer = linear(D, K, rng)
    X, dZ = rng.standard_normal((B, D)), rng.standard_normal((B, K))
    leaves = [torch.tensor(a, requires_grad=True) for a in (X, layer.W, layer.b)]
    Z = F.linear(*leaves)
    Z.backward(torch.tensor(dZ))

    close(layer.forward(X), Z)
    dX = layer.backward(dZ)
    for ours, leaf in zip((dX, *layer.gradients()), leaves, strict=True):
        close(ours, leaf.grad)

    def loss(_):
        return float((layer.forward(X) * dZ).sum())

    for ours, array in zip((dX, layer.dW, layer.db), (X, layer.W, layer.b), strict=True):
        close_to_measured(ours, numerical_gradient(loss, array))


@pytest.mark.parametrize("kind", [Sigmoid, ReLU])
@forty
@given(sizes, sizes, seeds)
def test_nonlinearities_agree_with_autograd_and_with_the_definition(kind, B, H, seed):
    rng = np.random.default_rng(seed)
    h, da = 3 * rng.standard_normal((B, H)), rng.standard_normal((B, H))
    assume(np.abs(h).min() > 1e-3)  # a difference across the bend of a ReLU is no slope
    leaf = torch.tensor(h, requires_grad=True)
    a = TORCH[kind](leaf)
    a.backward(torch.tensor(da))

    layer = kind()
    close(layer.forward(h), a)
    dh = layer.backward(da)
    close(dh, leaf.grad)
    close_to_measured(dh, numerical_gradient(lambda h: float((layer.forward(h) * da).sum()), h))
    assert layer.parameters() == layer.gradients() == []


def test_relu_takes_the_slope_zero_at_zero_as_pytorch_does():
    leaf = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    torch.relu(leaf).sum().backward()
    layer = ReLU()
    layer.forward(np.array([[0.0, -0.0, 0.0]]))
    assert np.array_equal(layer.backward(np.ones((1, 3))), leaf.grad.numpy())


# Networks ------------------------------------------------------------------------------------


@forty
@given(
    st.lists(sizes, min_size=2, max_size=5),
    st.lists(st.sampled_from([Sigmoid, ReLU]), min_size=3, max_size=3),
    sizes,
    seeds,
)
def test_networks_agree_with_autograd_for_cross_entropy(widths, kinds, B, seed):
    model, rng = network(widths, kinds[: len(widths) - 2], seed)
    X, y = rng.standard_normal((B, widths[0])), rng.integers(0, widths[-1], B)
    logits = model.forward(X)
    Z, leaves = torch_forward(model, X)
    close(logits, Z)
    loss = F.cross_entropy(Z, torch.tensor(y))
    np.testing.assert_allclose(cross_entropy(logits, y), loss.item(), rtol=1e-9, atol=1e-12)
    loss.backward()
    dX = model.backward(cross_entropy_gradient(logits, y))
    assert len(model.parameters()) == len(model.gradients()) == len(leaves) - 1
    for ours, leaf in zip((dX, *model.gradients()), leaves, strict=True):
        close(ours, leaf.grad)


@forty
@given(st.lists(sizes, min_size=2, max_size=4), sizes, seeds)
def test_networks_agree_with_autograd_for_a_squared_error_behind_sigmoids(widths, B, seed):
    kinds = [Sigmoid] * (len(widths) - 1)  # at the output, too
    model, rng = network(widths, kinds, seed)
    X, T = rng.standard_normal((B, widths[0])), rng.uniform(0.01, 0.99, (B, widths[-1]))
    o = model.forward(X)
    O_torch, leaves = torch_forward(model, X)
    close(o, O_torch)
    ((O_torch - torch.tensor(T)) ** 2 / 2).sum().backward()
    dX = model.backward(o - T)
    for ours, leaf in zip((dX, *model.gradients()), leaves, strict=True):
        close(ours, leaf.grad)


@ten
@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(1, 4), seeds)
def test_networks_agree_with_the_definition(widths, B, seed):
    model, rng = network(widths, [Sigmoid, ReLU], seed)
    X, y = rng.standard_normal((B, widths[0])), rng.integers(0, widths[-1], B)

    def loss(_):
        return float(cross_entropy(model.forward(X), y))

    logits = model.forward(X)
    kinks = [layer for layer in model.layers if isinstance(layer, ReLU)]
    for relu in kinks:
        before = Sequential(*model.layers[: model.layers.index(relu)])
        assume(np.abs(before.forward(X)).min() > 1e-3)
    model.forward(X)
    dX = model.backward(cross_entropy_gradient(logits, y))
    gradients = [g.copy() for g in model.gradients()]
    for ours, array in zip((dX, *gradients), (X, *model.parameters()), strict=True):
        close_to_measured(ours, numerical_gradient(loss, array))


def test_network_of_the_chapter_on_a_batch_of_one_and_of_many():
    for B in (1, 32):
        model, rng = network([784, 200, 10], [ReLU], 5)
        X, y = rng.standard_normal((B, 784)), rng.integers(0, 10, B)
        Z, leaves = torch_forward(model, X)
        F.cross_entropy(Z, torch.tensor(y)).backward()
        dX = model.backward(cross_entropy_gradient(model.forward(X), y))
        for ours, leaf in zip((dX, *model.gradients()), leaves, strict=True):
            close(ours, leaf.grad)


def test_one_class_has_nothing_to_learn():
    model, rng = network([3, 4, 1], [ReLU], 0)
    X, y = rng.standard_normal((5, 3)), np.zeros(5, np.int64)
    dX = model.backward(cross_entropy_gradient(model.forward(X), y))
    assert cross_entropy(model.forward(X), y) == 0
    assert not any(gradient.any() for gradient in (dX, *model.gradients()))


def test_gradient_of_a_batch_is_the_sum_of_those_of_its_examples():
    model, rng = network([6, 5, 4], [Sigmoid], 1)
    X, dZ = rng.standard_normal((7, 6)), rng.standard_normal((7, 4))
    sums = [np.zeros_like(p) for p in model.parameters()]
    for i in range(7):
        model.forward(X[[i]])
        model.backward(dZ[[i]])
        for total, gradient in zip(sums, model.gradients(), strict=True):
            total += gradient
    model.forward(X)
    model.backward(dZ)
    for total, gradient in zip(sums, model.gradients(), strict=True):
        np.testing.assert_allclose(gradient, total, rtol=1e-12, atol=1e-14)


def test_networks_can_be_nested_and_parameters_are_changed_in_place():
    rng = np.random.default_rng(0)
    inner = Sequential(linear(4, 3, rng), Sigmoid())
    model = Sequential(inner, linear(3, 2, rng))
    X, y = rng.standard_normal((8, 4)), np.arange(8) % 2
    before = cross_entropy(model.forward(X), y)
    for _ in range(20):
        model.backward(cross_entropy_gradient(model.forward(X), y))
        for p, dp in zip(model.parameters(), model.gradients(), strict=True):
            p -= 0.5 * dp
    assert cross_entropy(model.forward(X), y) < before
    assert all(p is q for p, q in zip(inner.parameters(), model.parameters()[:2], strict=True))


def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    model = Sequential(Linear(4, 3, rng), Sigmoid(), Linear(3, 3, rng), ReLU(), Linear(3, 2, rng))
    X, y = rng.standard_normal((5, 4)).astype(np.float32), np.arange(5) % 2
    logits = model.forward(X)
    dX = model.backward(cross_entropy_gradient(logits, y))
    for array in (logits, dX, *model.parameters(), *model.gradients()):
        assert array.dtype == np.float32


def test_inputs_and_gradients_that_come_in_are_not_changed():
    model, rng = network([4, 3, 2], [ReLU], 0)
    X, dZ = rng.standard_normal((5, 4)), rng.standard_normal((5, 2))
    X_before, dZ_before = X.copy(), dZ.copy()
    model.forward(X)
    model.backward(dZ)
    assert np.array_equal(X, X_before)
    assert np.array_equal(dZ, dZ_before)


def test_initial_weights_keep_the_size_of_their_inputs():
    layer = Linear(784, 400, np.random.default_rng(0), dtype=np.float64)
    assert layer.W.shape == (400, 784)
    assert not layer.b.any()
    assert abs(layer.W.std() * np.sqrt(784) - 1) < 0.01
    X = np.random.default_rng(1).standard_normal((200, 784))
    assert abs(layer.forward(X).std() - 1) < 0.05
    again = Linear(784, 400, np.random.default_rng(0), dtype=np.float64)
    assert np.array_equal(layer.W, again.W)


# The sigmoid ---------------------------------------------------------------------------------


@forty
@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e4, 1e4)))
def test_sigmoid_agrees_with_pytorch(z):
    np.testing.assert_allclose(
        sigmoid(z), torch.sigmoid(torch.tensor(z)).numpy(), rtol=1e-12, atol=1e-300
    )


def test_saturated_sigmoids_do_not_overflow():
    h = np.array([[-1000.0, -30.0, 0.0, 30.0, 1000.0]])
    leaf = torch.tensor(h, requires_grad=True)
    torch.sigmoid(leaf).sum().backward()
    layer = Sigmoid()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        a = layer.forward(h)
        dh = layer.backward(np.ones_like(h))
    assert a[0, 0] == 0
    assert a[0, -1] == 1
    np.testing.assert_allclose(dh, leaf.grad.numpy(), rtol=1e-6, atol=1e-300)
    assert dh[0, 0] == dh[0, -1] == 0


# Finite differences --------------------------------------------------------------------------


@forty
@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3), elements=st.floats(-2, 2)))
def test_numerical_gradient_of_a_cubic(x):
    kept = x.copy()
    measured = numerical_gradient(lambda x: float((x**3).sum()), x)
    np.testing.assert_allclose(measured, 3 * x**2, rtol=1e-6, atol=1e-8)
    assert np.array_equal(x, kept), "x is restored"


def test_numerical_gradient_looks_to_both_sides():
    measured = numerical_gradient(lambda x: float((x**2).sum()), np.array([3.0]), step=0.5)
    np.testing.assert_allclose(measured, [6.0], rtol=1e-12)  # exact for a parabola


# What is refused -----------------------------------------------------------------------------


def small():
    return network([3, 4, 2], [ReLU], 0)[0]


@pytest.mark.parametrize(
    "layer", [small(), linear(3, 2, np.random.default_rng(0)), Sigmoid(), ReLU()]
)
def test_backward_before_forward_is_refused(layer):
    with pytest.raises(RuntimeError, match=r"backward before forward.*Call forward first"):
        layer.backward(np.ones((5, 2)))


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((5, 3), np.uint8), r"uint8.*expected floats.*images / 255"),
        (np.zeros((5, 3), np.int64), r"int64.*expected floats"),
        (np.zeros(3), r"\(3,\), expected \(B, 3\).*\[None\]"),
        (np.zeros((5, 1, 3)), r"\(5, 1, 3\), expected \(B, 3\).*reshape"),
        (np.zeros((5, 4)), r"\(5, 4\), expected \(B, 3\).*layer before"),
        (np.zeros((3, 5)), r"\(3, 5\), expected \(B, 3\).*transpose"),
        (np.zeros((0, 3)), r"empty.*slice"),
        (np.full((5, 3), np.nan), r"NaN or infinity.*learning rate"),
        (np.full((5, 3), np.inf), r"NaN or infinity"),
        ([[0.0, 1.0, 2.0]], r"list, expected a numpy array"),
        (torch.zeros(5, 3), r"Tensor, expected a numpy array.*detach"),
    ],
)
def test_wrong_inputs_are_refused_with_a_cause(X, words):
    with pytest.raises(ValueError, match=words):
        small().forward(X)


@pytest.mark.parametrize("kind", [Sigmoid, ReLU])
@pytest.mark.parametrize(
    "h", [np.zeros(3), np.zeros((2, 3), int), np.full((2, 3), np.nan), np.zeros((0, 3))]
)
def test_nonlinearities_refuse_the_same(kind, h):
    with pytest.raises(ValueError, match="the input of the layer"):
        kind().forward(h)


@pytest.mark.parametrize(
    ("dZ", "words"),
    [
        (np.zeros((5, 3)), r"\(5, 3\), expected \(5, 2\)"),
        (np.zeros((2, 5)), r"\(2, 5\), expected \(5, 2\)"),
        (np.zeros((4, 2)), r"\(4, 2\), expected \(5, 2\).*another batch"),
        (np.zeros(2), r"\(2,\), expected \(5, 2\)"),
        (np.zeros((5, 2), int), r"int64.*expected floats"),
        (np.full((5, 2), np.nan), r"NaN"),
    ],
)
def test_wrong_gradients_are_refused_with_a_cause(dZ, words):
    model = small()
    model.forward(np.zeros((5, 3)))
    with pytest.raises(ValueError, match=words):
        model.backward(dZ)


@pytest.mark.parametrize("kind", [Sigmoid, ReLU])
def test_a_gradient_that_would_broadcast_is_refused(kind):
    layer = kind()
    layer.forward(np.zeros((5, 3)))
    for shape in ((1, 3), (5, 1), (3,)):
        with pytest.raises(ValueError, match=re.escape("expected (5, 3)")):
            layer.backward(np.ones(shape))


@pytest.mark.parametrize("size", [0, -1, 2.0, True, (28, 28), "784"])
def test_wrong_sizes_are_refused(size):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="in_features is"):
        Linear(size, 10, rng)
    with pytest.raises(ValueError, match="out_features is"):
        Linear(10, size, rng)


def test_float32_is_refused_where_it_would_measure_rounding():
    with pytest.raises(ValueError, match=r"float32, expected float64.*dtype=np.float64"):
        numerical_gradient(lambda x: float(x.sum()), np.ones(3, np.float32))
    with pytest.raises(ValueError, match="NaN or infinity"):
        numerical_gradient(lambda x: float(x.sum()), np.full(3, np.nan))


def test_layer_has_nothing_to_train():
    assert Layer().parameters() == Layer().gradients() == []
