"""The hinge loss written by hand equals PyTorch's: value, gradient, penalty, and the bend."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_course.by_hand import losses


@st.composite
def _batches(draw):
    """Scores and labels of random shapes, with batches of one and with one or two classes.

    ``kind`` decides where the scores lie: near 0; up to ±1000; on quarters, where many leads are
    exactly the margin; or all in one place. They are rounded such that differences are exact in
    either dtype: otherwise a lead within one rounding of the margin could fall on the other side
    for PyTorch, which adds in another order.
    """
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    kind = draw(st.sampled_from(["normal", "large", "quarters", "equal"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = {
        "normal": np.round(1024 * rng.normal(size=shape)) / 1024,
        "large": np.round(64 * rng.uniform(-1000, 1000, shape)) / 64,
        "quarters": rng.integers(-8, 9, shape) / 4,
        "equal": np.full(shape, rng.integers(-9999, 9999) / 64),
    }[kind]
    margin = draw(st.sampled_from([1.0, 0.0, 0.25, 10.0]))
    return scores.astype(dtype), rng.integers(0, shape[1], shape[0]), margin


def _torch_loss(Z, labels, margin):
    """PyTorch divides by the number of classes; we do not."""
    return Z.shape[1] * F.multi_margin_loss(Z, torch.tensor(labels), margin=margin)


def _by_definition(scores, labels, margin):
    """The formula, word for word, with loops and Python's own numbers."""
    total = 0.0
    for row, y in zip(scores.tolist(), labels.tolist(), strict=True):
        total += sum(max(0.0, z - row[y] + margin) for j, z in enumerate(row) if j != y)
    return total / len(labels)


@settings(max_examples=150, deadline=None)
@given(_batches())
def test_value_equals_torch_and_the_definition(batch):
    scores, labels, margin = batch
    loss = losses.hinge_loss(scores, labels, margin)
    rtol = 1e-5 if scores.dtype == np.float32 else 1e-12
    theirs = _torch_loss(torch.tensor(scores), labels, margin).item()
    np.testing.assert_allclose(loss, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(loss, _by_definition(scores, labels, margin), rtol=rtol, atol=rtol)


@settings(max_examples=150, deadline=None)
@given(_batches())
def test_gradient_equals_autograd_also_at_the_bend(batch):
    scores, labels, margin = batch
    Z = torch.tensor(scores, requires_grad=True)
    _torch_loss(Z, labels, margin).backward()
    gradient = losses.hinge_loss_gradient(scores, labels, margin)
    assert gradient.dtype == scores.dtype
    assert gradient.shape == scores.shape
    np.testing.assert_allclose(gradient, Z.grad.numpy(), atol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_gradient_equals_finite_differences(batch_size, num_classes, seed):
    rng = np.random.default_rng(seed)
    scores = 2 * rng.normal(size=(batch_size, num_classes))
    labels = rng.integers(0, num_classes, batch_size)
    step = 1e-6
    right = scores[np.arange(batch_size), labels][:, None]
    if (np.abs(scores - right + 1) < 10 * step).any():
        return  # too near to the bend, where there is no slope
    for index in np.ndindex(*scores.shape):
        up, down = scores.copy(), scores.copy()
        up[index] += step
        down[index] -= step
        slope = losses.hinge_loss(up, labels) - losses.hinge_loss(down, labels)
        expected = losses.hinge_loss_gradient(scores, labels)[index]
        assert slope / (2 * step) == pytest.approx(expected, abs=1e-7)


def test_the_three_photos():
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    labels = np.arange(3)
    one_by_one = [losses.hinge_loss(scores[[i]], labels[[i]]) for i in range(3)]
    np.testing.assert_allclose(one_by_one, [2.9, 0, 12.9])
    assert losses.hinge_loss(scores, labels) == pytest.approx(15.8 / 3)
    counts = 3 * losses.hinge_loss_gradient(scores, labels)
    np.testing.assert_allclose(counts, [[-1, 1, 0], [0, 0, 0], [1, 1, -2]])


@pytest.mark.parametrize("num_classes", [1, 2, 10, 1000])
def test_equal_scores_cost_the_number_of_wrong_classes(num_classes):
    scores, labels = np.full((3, num_classes), 0.5), np.zeros(3, dtype=int)
    assert losses.hinge_loss(scores, labels) == num_classes - 1


def test_at_the_bend_the_flat_side_is_taken():
    scores, labels = np.array([[3.0, 2.0, 2.5]]), np.array([0])  # a lead of 1 and one of 0.5
    np.testing.assert_array_equal(losses.hinge_loss_gradient(scores, labels), [[-1, 0, 1]])


def test_labels_may_be_the_bytes_of_the_files():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(20, 10)), rng.integers(0, 10, 20)
    for function in (losses.hinge_loss, losses.hinge_loss_gradient):
        expected = function(scores, labels)
        np.testing.assert_array_equal(function(scores, labels.astype(np.uint8)), expected)


def test_inputs_are_left_as_they_were():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(3, 4)), np.array([0, 1, 2])
    before = scores.copy(), labels.copy()
    losses.hinge_loss(scores, labels)
    losses.hinge_loss_gradient(scores, labels)
    assert np.array_equal(scores, before[0])
    assert np.array_equal(labels, before[1])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.floats(1e-6, 10), st.integers(0, 2**32 - 1))
def test_penalty_is_the_weight_decay_of_torch(num_classes, num_features, weight_decay, seed):
    W = np.random.default_rng(seed).normal(size=(num_classes, num_features))
    parameter = torch.tensor(W, requires_grad=True)
    penalty = weight_decay / 2 * (parameter**2).sum()
    assert losses.l2_penalty(W, weight_decay) == pytest.approx(penalty.item())
    (slope,) = torch.autograd.grad(penalty, parameter)
    np.testing.assert_allclose(slope.numpy(), weight_decay * W)  # what the docstring promises
    optimizer = torch.optim.SGD([parameter], lr=1.0, weight_decay=weight_decay)
    parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # a step of length 1 that only the penalty takes
    np.testing.assert_allclose(parameter.detach().numpy(), W - weight_decay * W, atol=1e-12)


def test_no_decay_costs_nothing():
    assert losses.l2_penalty(np.ones((2, 3)), 0) == 0


GOOD, LABELS = np.zeros((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        (np.zeros(3), LABELS, r"scores has the shape \(3,\)"),
        (np.zeros((2, 3, 1)), LABELS, r"shape \(2, 3, 1\)"),
        (np.zeros((2, 3), dtype=np.uint8), LABELS, "uint8"),
        (np.zeros((2, 3), dtype=int), LABELS, "int64"),
        ([[0.0, 1.0]], LABELS, "list"),
        (torch.zeros(2, 3), LABELS, "Tensor"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "empty"),
        (np.array([[0.0, np.nan, 0.0]] * 2), LABELS, "NaN"),
        (np.array([[0.0, np.inf, 0.0]] * 2), LABELS, "infinity"),
        (GOOD, np.array([0, 3]), "0 to 3"),
        (GOOD, np.array([-1, 0]), "-1 to 0"),
        (GOOD, np.array([0.0, 1.0]), "float64"),
        (GOOD, [0, 1], "list"),
        (GOOD, np.array([[0], [1]]), r"\(2, 1\)"),
        (GOOD, np.eye(3, dtype=int)[:2], r"\(2, 3\)"),
        (GOOD, np.array([0]), r"\(1,\)"),
    ],
)
def test_bad_input_is_one_error_that_says_what_came(scores, labels, expected):
    for function in (losses.hinge_loss, losses.hinge_loss_gradient):
        with pytest.raises(ValueError, match=expected):
            function(scores, labels)


@pytest.mark.parametrize("margin", [-1.0, float("nan"), float("inf"), "1", None, np.ones(3)])
def test_bad_margin_is_one_error_that_names_it(margin):
    for function in (losses.hinge_loss, losses.hinge_loss_gradient):
        with pytest.raises(ValueError, match="margin is"):
            function(GOOD, LABELS, margin)


@pytest.mark.parametrize(
    ("W", "weight_decay", "expected"),
    [
        (GOOD, -0.1, "weight_decay is -0.1"),
        (GOOD, float("nan"), "weight_decay is nan"),
        (GOOD, None, "weight_decay is None"),
        (0.1, GOOD, "W is of type float"),  # the two in the wrong order
        (np.zeros((2, 3), dtype=int), 0.1, "int64"),
        (np.array([[np.nan]]), 0.1, "NaN"),
        (torch.zeros(2, 3), 0.1, "Tensor"),
    ],
)
def test_bad_penalty_input_is_one_error_that_says_what_came(W, weight_decay, expected):
    with pytest.raises(ValueError, match=expected):
        losses.l2_penalty(W, weight_decay)
