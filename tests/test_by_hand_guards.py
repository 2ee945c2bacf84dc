"""The decorator itself: it follows its rules in order, and leaves all else to the function."""

from pathlib import Path

import numpy as np
import pytest

from mnist_course.by_hand import guards, words
from mnist_course.by_hand.calibration import reliability
from mnist_course.by_hand.guards import guarded
from mnist_course.by_hand.losses import cross_entropy, hinge_loss, softmax
from mnist_course.by_hand.network import Linear, ReLU, numerical_gradient


@guarded(X="B D inputs", W="O D scores", b="O biases")
def linear(X, W, b=None, scale=1.0):
    """Return the scores of a layer."""
    return scale * (X @ W.T) + b


X, W, b = np.ones((4, 3)), np.ones((2, 3)), np.ones(2)


def test_a_guarded_function_is_the_function_with_its_name_and_its_help():
    assert linear.__name__ == "linear"
    assert linear.__doc__ == "Return the scores of a layer."
    np.testing.assert_array_equal(linear(X, W, b), linear.__wrapped__(X, W, b))
    np.testing.assert_array_equal(linear(b=b, W=W, X=X, scale=2.0), 2 * linear(X, W, b) - 1)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((X[0], W, b), {}),
        ((X[:, :2], W, b), {}),
        ((X, W.T, b), {}),
        ((X, W, b[:1]), {}),
        ((X, W), {"b": b[:1]}),
        ((X, W), {}),  # a default is looked at, too
        ((), {"b": b[:, None], "W": W, "X": X}),
    ],
)
def test_a_letter_is_one_length_for_all_arguments_however_they_are_given(args, kwargs):
    with pytest.raises(ValueError, match=r"expected|need biases"):
        linear(*args, **kwargs)
    assert linear(X, W, b).shape == (4, 2)  # nothing is left over from a call that was refused
    assert linear(X[:1, :2], W[:, :2], b).shape == (1, 2)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((X, X), {}), ((X,), {"logits": X}), ((), {"scores": X})]
)
def test_a_call_that_python_refuses_stays_a_type_error(args, kwargs):
    with pytest.raises(TypeError):
        softmax(*args, **kwargs)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found_anywhere(dtype, bad):
    for place in (0, 19_999, 31_415):
        h = np.zeros((200, 200), dtype)
        h.flat[place] = bad
        for array in (h, h.T, h[:, ::-1]):
            with pytest.raises(ValueError, match="NaN or infinity"):
                ReLU().forward(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_numbers_are_finite_although_their_squares_are_not(dtype):
    h = np.full((100, 200), np.finfo(dtype).max)
    with np.errstate(all="raise"):
        assert ReLU().forward(h).shape == h.shape
        assert ReLU().forward(-h).shape == h.shape


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.uint64])
def test_labels_of_every_whole_type_are_compared_with_the_number_of_classes(dtype):
    scores, labels = np.zeros((3, 4)), np.array([0, 3, 1], dtype)
    assert cross_entropy(scores, labels) == pytest.approx(np.log(4))
    for wrong in (4, np.iinfo(dtype).max, np.iinfo(dtype).min or 5):
        labels[1] = wrong
        with pytest.raises(ValueError, match="there are 4 classes: 0 to 3"):
            cross_entropy(scores, labels)


def test_what_is_kept_of_the_way_forward_counts_not_what_came_first():
    layer = Linear(3, 2, np.random.default_rng(0))
    layer.forward(np.ones((5, 3), np.float32))
    layer.forward(np.ones((7, 3), np.float32))
    assert layer.backward(np.ones((7, 2), np.float32)).shape == (7, 3)
    with pytest.raises(ValueError, match=r"\(5, 2\), expected \(7, 2\)"):
        layer.backward(np.ones((5, 2), np.float32))


def test_a_single_number_is_no_input_of_a_layer():
    with pytest.raises(ValueError, match=r"shape \(\), expected \(B, H\)"):
        ReLU().forward(np.array(1.0))


def test_the_first_fault_in_the_order_of_the_rules_is_named():
    with pytest.raises(ValueError, match="scores has the shape"):
        hinge_loss(np.zeros(3), np.array([9.5]), -1)
    with pytest.raises(ValueError, match="labels are float64"):
        hinge_loss(np.zeros((1, 3)), np.array([9.5]), -1)
    with pytest.raises(ValueError, match="margin is -1"):
        hinge_loss(np.zeros((1, 3)), np.array([1]), -1)


@pytest.mark.parametrize(
    ("probs", "labels", "said"),
    [
        (np.full(3, 0.3), np.array([0]), r"probs has the shape \(3,\), expected \(N, K\)"),
        (np.full((2, 3), np.nan), np.array([0, 1]), "probs holds NaN"),
        (np.full((2, 3), 0.3), np.array([0]), r"labels have the shape \(1,\), expected \(2,\)"),
        (np.full((2, 3), 0.3), np.array([0, 3]), "labels run from 0 to 3"),
    ],
)
def test_calibration_is_guarded(probs, labels, said):
    with pytest.raises(ValueError, match=said):
        reliability(probs, labels)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("fails_at", [1, 2, 5])
def test_a_gradient_that_could_not_be_measured_leaves_x_where_it_was(error, fails_at):
    x, calls = np.array([1.0, 2.0, 3.0]), []

    def f(x):
        calls.append(x.copy())
        if len(calls) == fails_at:
            raise error
        return float((x**2).sum())

    with pytest.raises(error):
        numerical_gradient(f, x)
    assert len(calls) == fails_at
    np.testing.assert_array_equal(x, [1, 2, 3])


def test_every_rule_has_its_words_and_every_word_is_used():
    source = Path(guards.__file__).read_text()
    for word in words.WORDS:
        assert f'"{word}"' in source, word
    assert set(guards.RULES) - set(words.WORDS) == {"floats", "noted"}  # have no words of their own
