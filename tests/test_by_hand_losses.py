"""Softmax and cross-entropy written by hand equal PyTorch's, value and gradient."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist_course.by_hand import losses


@st.composite
def _batches(draw):
    """Random logits, from moderate to ±1000, with labels; batch 1 and one class included."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 12)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    elements = st.floats(-1000, 1000, width=32)
    logits = draw(arrays(dtype, shape, elements=elements))
    labels = draw(arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    return logits, labels


def _tolerance(logits):
    """Floats near 1000 carry fewer digits after the point."""
    return 2e-4 if logits.dtype == np.float32 else 1e-10


@settings(max_examples=200, deadline=None)
@given(_batches())
def test_values_equal_torch(batch):
    logits, labels = batch
    Z, y = torch.tensor(logits), torch.tensor(labels)
    atol = _tolerance(logits)
    np.testing.assert_allclose(losses.softmax(logits), torch.softmax(Z, 1).numpy(), atol=atol)
    np.testing.assert_allclose(losses.softmax(logits).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        losses.log_softmax(logits), F.log_softmax(Z, 1).numpy(), atol=atol, rtol=1e-5
    )
    np.testing.assert_allclose(
        losses.cross_entropy(logits, labels), F.cross_entropy(Z, y).item(), atol=atol, rtol=1e-5
    )


@settings(max_examples=200, deadline=None)
@given(_batches())
def test_gradient_equals_autograd(batch):
    logits, labels = batch
    Z = torch.tensor(logits, requires_grad=True)
    F.cross_entropy(Z, torch.tensor(labels)).backward()
    gradient = losses.cross_entropy_gradient(logits, labels)
    assert gradient.dtype == logits.dtype
    np.testing.assert_allclose(gradient, Z.grad.numpy(), atol=_tolerance(logits))


def test_gradient_equals_finite_differences():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 5)), np.array([0, 4, 2])
    step = 1e-6
    for index in np.ndindex(*logits.shape):
        up, down = logits.copy(), logits.copy()
        up[index] += step
        down[index] -= step
        slope = losses.cross_entropy(up, labels) - losses.cross_entropy(down, labels)
        expected = losses.cross_entropy_gradient(logits, labels)[index]
        assert slope / (2 * step) == pytest.approx(expected, abs=1e-8)


def test_inputs_are_left_as_they_were():
    logits = np.random.default_rng(0).normal(size=(3, 4))
    before = logits.copy()
    losses.cross_entropy_gradient(logits, np.array([0, 1, 2]))
    assert np.array_equal(logits, before)


GOOD, LABELS = np.zeros((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        (np.zeros(3), LABELS, "shape \\(3,\\)"),
        (np.zeros((2, 3), dtype=np.uint8), LABELS, "uint8"),
        ([[0.0, 1.0]], LABELS, "list"),
        (torch.zeros(2, 3), LABELS, "Tensor"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "empty"),
        (np.array([[0.0, np.nan, 0.0]] * 2), LABELS, "NaN"),
        (np.array([[0.0, np.inf, 0.0]] * 2), LABELS, "infinity"),
        (GOOD, np.array([0, 3]), "0 to 3"),
        (GOOD, np.array([-1, 0]), "-1 to 0"),
        (GOOD, np.array([0.0, 1.0]), "float64"),
        (GOOD, np.array([[0], [1]]), "\\(2, 1\\)"),
        (GOOD, np.eye(3, dtype=int)[:2], "\\(2, 3\\)"),
        (GOOD, np.array([0]), "\\(1,\\)"),
    ],
)
def test_bad_input_is_one_error_that_says_what_came(logits, labels, expected):
    with pytest.raises(ValueError, match=expected):
        losses.cross_entropy(logits, labels)
    with pytest.raises(ValueError, match=expected):
        losses.cross_entropy_gradient(logits, labels)
