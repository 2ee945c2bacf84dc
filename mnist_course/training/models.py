"""The networks of the course: those of the tutorials it grew out of, and its own.

Every function returns a new model with random weights that maps ``(B, 1, 28, 28)`` images to
``(B, 10)`` logits: scores, not probabilities; the softmax is part of the loss.

Taught in: chapters 4, 7, 8 and 9.
"""

from itertools import pairwise

from torch import nn

from mnist_course.data import NUM_CLASSES

NUM_PIXELS = 28 * 28


def softmax_regression() -> nn.Sequential:
    """Return the single layer of chapter 4: 784 pixels to 10 logits.

    Its weights are drawn from N(0, 0.01²) and its biases are 0, as in the tutorial whose table
    chapter 4 reproduces.

    Returns
    -------
    nn.Sequential
        7,850 parameters.
    """
    layer = nn.Linear(NUM_PIXELS, NUM_CLASSES)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Flatten(), layer)


def five_layer_mlp() -> nn.Sequential:
    """Return a tutorial's perceptron 784-512-256-128-64-10 with ReLU (chapter 7).

    Returns
    -------
    nn.Sequential
        575,050 parameters.
    """
    return _mlp([NUM_PIXELS, 512, 256, 128, 64, NUM_CLASSES])


def three_layer_mlp(relu_on_logits: bool = False) -> nn.Sequential:
    """Return a tutorial's perceptron 784-256-64-10 with ReLU (chapter 7).

    Parameters
    ----------
    relu_on_logits : bool
        True puts a ReLU after the last layer too, as the tutorial published it. A class whose
        logits are negative for every image then gets no gradient, and stays silent unless the
        layers below happen to lift it; chapter 7 shows how often that happens.

    Returns
    -------
    nn.Sequential
        218,058 parameters.
    """
    model = _mlp([NUM_PIXELS, 256, 64, NUM_CLASSES])
    return model.append(nn.ReLU()) if relu_on_logits else model


def mlp(dropout: float = 0.2) -> nn.Sequential:
    """Return the course's own perceptron 784-512-256-10: ReLU, and dropout against overfitting.

    Parameters
    ----------
    dropout : float
        Share of the hidden units that each training step leaves out (Srivastava et al., 2014).

    Returns
    -------
    nn.Sequential
        535,818 parameters.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(NUM_PIXELS, 512),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(256, NUM_CLASSES),
    )


def two_conv_cnn() -> nn.Sequential:
    """Return a tutorial's convolutional network: two convolutions, two dense layers (chapter 9).

    The tutorial ends in a ``log_softmax`` and then uses a loss that applies it again, which
    changes nothing (the logarithm of a softmax is its own log-softmax). Here it ends in logits.

    Returns
    -------
    nn.Sequential
        1,007,590 parameters.
    """
    return nn.Sequential(
        nn.Conv2d(1, 10, kernel_size=5),  # (B, 10, 24, 24)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 10, 12, 12)
        nn.Conv2d(10, 20, kernel_size=3),  # (B, 20, 10, 10)
        nn.ReLU(),
        nn.Flatten(),  # (B, 2000)
        nn.Linear(2000, 500),
        nn.ReLU(),
        nn.Linear(500, NUM_CLASSES),  # (B, 10)
    )


def small_cnn(channels: tuple[int, int, int] = (16, 32, 64)) -> nn.Sequential:
    """Return the course's small convolutional network, quick to train and to run (chapter 9).

    Parameters
    ----------
    channels : tuple of int
        How many feature maps each of the three stages has.

    Returns
    -------
    nn.Sequential
        29,434 parameters with 16, 32 and 64 channels.
    """
    a, b, c = channels
    return nn.Sequential(
        *_stage(1, a, 5, stride=2),  # (B, a, 14, 14)
        *_stage(a, b, 3, pool=True),  # (B, b, 7, 7)
        *_stage(b, c, 3, pool=True),  # (B, c, 3, 3)
        nn.Flatten(),
        nn.Linear(c * 9, NUM_CLASSES),  # (B, 10)
    )


def best_cnn(channels: tuple[int, int, int] = (24, 48, 96)) -> nn.Sequential:
    """Return the course's best network: the small one, twice as deep where images are large.

    Parameters
    ----------
    channels : tuple of int
        How many feature maps each of the three stages has.

    Returns
    -------
    nn.Sequential
        Five convolutions and one dense layer: 87,490 parameters with 24, 48 and 96 channels.
    """
    a, b, c = channels
    return nn.Sequential(
        *_stage(1, a, 5, stride=2),  # (B, a, 14, 14)
        *_stage(a, a, 3),  # (B, a, 14, 14)
        *_stage(a, b, 3, pool=True),  # (B, b, 7, 7)
        *_stage(b, b, 3),  # (B, b, 7, 7)
        *_stage(b, c, 3, pool=True),  # (B, c, 3, 3)
        nn.Flatten(),
        nn.Linear(c * 9, NUM_CLASSES),  # (B, 10)
    )


def count_parameters(model: nn.Module) -> int:
    """Return how many numbers training adjusts.

    Parameters
    ----------
    model : nn.Module
        Any model.

    Returns
    -------
    int
        The elements of all parameters that take a gradient.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _mlp(sizes: list[int]) -> nn.Sequential:
    """Return dense layers of these sizes with a ReLU between every two of them."""
    layers: list[nn.Module] = [nn.Flatten()]
    for num_inputs, num_outputs in pairwise(sizes):
        layers += [nn.Linear(num_inputs, num_outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _stage(
    num_inputs: int, num_outputs: int, kernel_size: int, *, stride: int = 1, pool: bool = False
) -> list[nn.Module]:
    """Return convolution, pooling if asked for, batch normalization and ReLU.

    The pooling stands before the normalization because everything after it then works on a
    quarter of the numbers.
    """
    padding = kernel_size // 2
    convolution = nn.Conv2d(num_inputs, num_outputs, kernel_size, stride, padding, bias=False)
    pooling = [nn.MaxPool2d(2)] if pool else []
    return [convolution, *pooling, nn.BatchNorm2d(num_outputs), nn.ReLU()]
