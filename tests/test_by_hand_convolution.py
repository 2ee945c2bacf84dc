"""Convolution and pooling written by hand equal PyTorch's and scipy's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from mnist_course.by_hand import convolution


@st.composite
def _layers(draw):
    """Sizes, stride and padding of a convolution through which at least one window fits."""
    k = draw(st.integers(1, 5))
    padding = draw(st.integers(0, 3))
    smallest = max(1, k - 2 * padding)
    size = draw(st.integers(smallest, 9)), draw(st.integers(smallest, 9))
    batch, channels, filters = (draw(st.integers(1, 3)) for _ in range(3))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    X = rng.normal(size=(batch, channels, *size)).astype(dtype)
    W = rng.normal(size=(filters, channels, k, k)).astype(dtype)
    b = rng.normal(size=filters).astype(dtype)
    return X, W, b, draw(st.integers(1, 3)), padding


@settings(max_examples=150, deadline=None)
@given(_layers())
def test_convolution_equals_torch(layer):
    X, W, b, stride, padding = layer
    expected = F.conv2d(*map(torch.from_numpy, (X, W, b)), stride, padding).numpy()
    found = convolution.conv2d(X, W, b, stride, padding)
    assert found.shape == expected.shape
    assert found.dtype == X.dtype
    atol = 2e-5 if X.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found, expected, atol=atol)


@settings(max_examples=100, deadline=None)
@given(_layers(), st.integers(1, 4))
def test_max_pooling_equals_torch(layer, size):
    X = layer[0]
    if min(X.shape[2:]) < size:
        with pytest.raises(ValueError, match="window of size"):
            convolution.max_pool2d(X, size)
        return
    expected = F.max_pool2d(torch.from_numpy(X), size).numpy()
    np.testing.assert_array_equal(convolution.max_pool2d(X, size), expected)


@settings(max_examples=50, deadline=None)
@given(_layers())
def test_windows_are_the_parts_of_the_image(layer):
    X, W, _, stride, _ = layer
    size = min(W.shape[2], *X.shape[2:])
    found = convolution.windows(X, size, stride)
    for r in range(found.shape[2]):
        for c in range(found.shape[3]):
            top, left = r * stride, c * stride
            part = X[:, :, top : top + size, left : left + size]
            np.testing.assert_array_equal(found[:, :, r, c], part)
    unfolded = F.unfold(torch.from_numpy(X), size, stride=stride).numpy()
    assert found.shape[2] * found.shape[3] == unfolded.shape[2]


def test_it_is_a_cross_correlation():
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(9, 8)), rng.normal(size=(3, 3))
    found = convolution.conv2d(image[None, None], kernel[None, None], np.zeros(1))[0, 0]
    np.testing.assert_allclose(found, signal.correlate2d(image, kernel, "valid"), atol=1e-12)
    assert not np.allclose(found, signal.convolve2d(image, kernel, "valid"))


def test_inputs_stay_as_they_are_and_windows_cannot_be_written():
    X, W, b = np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), np.ones(1)
    convolution.conv2d(X, W, b, padding=1)
    assert (X == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        convolution.windows(X, 2)[0] = 5


X, W, b = np.ones((2, 3, 5, 6)), np.ones((4, 3, 3, 3)), np.ones(4)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((X[0], W, b), r"\(3, 5, 6\), expected \(B, C, H, W\).*X\[:, None\]"),
        ((X.astype(int), W, b), "int64 elements, expected floats"),
        ((torch.ones(2, 3, 5, 6), W, b), "Tensor, expected a numpy array"),
        ((X * np.nan, W, b), "NaN or infinity"),
        ((X[:0], W, b), "empty"),
        ((X, W[:, :2], b), "images 3 channels; expected"),
        ((X, W[..., :2], b), "a square of weights"),
        ((X, W[0], b), r"filters have the shape \(3, 3, 3\)"),
        ((X, W, b[:3]), r"4 filters need biases of shape \(4,\), got \(3,\)"),
        ((X, W, b[:, None]), "need biases"),
        ((X, W, b, 0), "stride of at least 1"),
        ((X, W, b, 1, -1), "padding=-1"),
        ((X[:, :, :2], W, b), "window of size 3 at stride 1 on images of 2×6"),
    ],
)
def test_bad_input_is_one_error_that_says_what_came(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        convolution.conv2d(*arguments)
