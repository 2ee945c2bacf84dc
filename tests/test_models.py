"""The networks of the course: parameters and shapes by arithmetic, and what makes each of them."""

import itertools
import math

import pytest
import torch
from torch import nn

from mnist_course.training import models


def _dense(*sizes):
    """Parameters of dense layers: a weight for each pair, a bias for each output."""
    return sum(a * b + b for a, b in itertools.pairwise(sizes))


def _stage(channels_in, channels_out, k):
    """Parameters of a convolution without biases and of its normalization's scale and mean."""
    return channels_in * channels_out * k * k + 2 * channels_out


def _small(a, b, c):
    return _stage(1, a, 5) + _stage(a, b, 3) + _stage(b, c, 3) + _dense(9 * c, 10)


def _best(a, b, c):
    return _small(a, b, c) + _stage(a, a, 3) + _stage(b, b, 3)


MODELS = {
    "softmax_regression": (models.softmax_regression, _dense(784, 10)),
    "five_layer_mlp": (models.five_layer_mlp, _dense(784, 512, 256, 128, 64, 10)),
    "three_layer_mlp": (models.three_layer_mlp, _dense(784, 256, 64, 10)),
    "two_conv_cnn": (
        models.two_conv_cnn,
        (10 * 25 + 10) + (20 * 10 * 9 + 20) + _dense(20 * 10 * 10, 500, 10),
    ),
    "small_cnn": (models.small_cnn, _small(16, 32, 64)),
    "small_cnn wide": (lambda: models.small_cnn((32, 64, 128)), _small(32, 64, 128)),
    "best_cnn": (models.best_cnn, _best(24, 48, 96)),
    "best_cnn narrow": (lambda: models.best_cnn((4, 6, 8)), _best(4, 6, 8)),
}
# What stands after each convolution, pooling and dense layer of one image.
SHAPES = {
    "two_conv_cnn": [(10, 24, 24), (10, 12, 12), (20, 10, 10), (500,), (10,)],
    "small_cnn": [(16, 14, 14), (32, 14, 14), (32, 7, 7), (64, 7, 7), (64, 3, 3), (10,)],
    "best_cnn": [
        (24, 14, 14),
        (24, 14, 14),
        (48, 14, 14),
        (48, 7, 7),
        (48, 7, 7),
        (96, 7, 7),
        (96, 3, 3),
        (10,),
    ],
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", MODELS)
def test_as_many_parameters_as_arithmetic_says(name):
    make, expected = MODELS[name]
    assert models.count_parameters(make()) == expected


def test_the_numbers_that_the_course_quotes():
    quoted = {
        "softmax_regression": 7_850,
        "five_layer_mlp": 575_050,
        "three_layer_mlp": 218_058,
        "two_conv_cnn": 1_007_590,
        "small_cnn": 29_434,
        "best_cnn": 87_490,
    }
    for name, number in quoted.items():
        assert MODELS[name][1] == number
        assert f"{number:,} parameters" in getattr(models, name).__doc__


def test_fixed_parameters_are_not_counted():
    model = models.small_cnn()
    model[0].weight.requires_grad_(False)
    assert models.count_parameters(model) == 29_434 - 16 * 25


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_images_become_ten_finite_logits(name, batch_size):
    model = MODELS[name][0]().eval()
    with torch.no_grad():
        logits = model(torch.randn(batch_size, 1, 28, 28))
    assert logits.shape == (batch_size, 10)
    assert logits.isfinite().all()
    sums = logits.exp().sum(dim=1)
    assert not torch.allclose(sums, torch.ones(batch_size), atol=1e-3), "logits, no probabilities"


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_the_layers(name):
    Z, shapes = torch.randn(2, 1, 28, 28), []
    for layer in MODELS[name][0]():
        Z = layer(Z)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.Linear)):
            shapes.append(tuple(Z.shape[1:]))
    assert shapes == SHAPES[name]


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name):
    model = MODELS[name][0]()
    loss = nn.functional.cross_entropy(model(torch.randn(8, 1, 28, 28)), torch.arange(8))
    assert abs(loss.item() - math.log(10)) < 1.2, "an untrained network guesses"
    loss.backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["two_conv_cnn", "small_cnn", "best_cnn"])
def test_channels_last_changes_the_layout_and_no_value(name):
    model, X = MODELS[name][0]().double().eval(), torch.randn(4, 1, 28, 28).double()
    with torch.no_grad():
        expected = model(X)
        model = model.to(memory_format=torch.channels_last)
        torch.testing.assert_close(model(X.to(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("make", [models.small_cnn, models.best_cnn])
def test_a_convolution_before_a_normalization_has_no_bias(make):
    layers = list(make())
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is None
    assert isinstance(layers[1], (nn.BatchNorm2d, nn.MaxPool2d))


@pytest.mark.parametrize("make", [models.small_cnn, models.best_cnn])
def test_in_evaluation_an_answer_does_not_depend_on_the_rest_of_the_batch(make):
    model = make()
    model(torch.randn(64, 1, 28, 28))  # one training step's worth of running means
    X = torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        assert not torch.allclose(model(X)[:2], model(X[:2]), atol=1e-3)
        model.eval()
        torch.testing.assert_close(model(X)[:2], model(X[:2]), atol=1e-5, rtol=1e-5)


def test_two_calls_give_two_different_models():
    first, second = models.best_cnn(), models.best_cnn()
    assert not torch.equal(first[0].weight, second[0].weight)


def test_the_published_slip_is_the_last_layer_only():
    right, wrong = models.three_layer_mlp(), models.three_layer_mlp(relu_on_logits=True)
    assert isinstance(right[-1], nn.Linear)
    assert isinstance(wrong[-1], nn.ReLU)
    assert len(wrong) == len(right) + 1
    assert (wrong(torch.randn(20, 1, 28, 28)) >= 0).all()


def test_softmax_regression_starts_as_published():
    layer = models.softmax_regression()[1]
    assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert abs(layer.weight.mean().item()) < 5e-4
    assert (layer.bias == 0).all()


def test_mlp_has_dropout_between_its_layers_and_takes_its_rate():
    for rate in (0.0, 0.35):
        rates = [layer.p for layer in models.mlp(rate) if isinstance(layer, nn.Dropout)]
        assert len(rates) >= 1
        assert set(rates) == {rate}
    model = models.mlp()
    assert model(torch.randn(3, 1, 28, 28)).shape == (3, 10)
    dense = [layer for layer in model if isinstance(layer, nn.Linear)]
    sizes = [dense[0].in_features, *(layer.out_features for layer in dense)]
    assert models.count_parameters(model) == _dense(*sizes)
    assert (sizes[0], sizes[-1]) == (784, 10)
