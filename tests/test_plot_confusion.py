"""The confusion matrix shows the counts it should, in the cells where they belong."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.image import AxesImage

mpl.use("Agg")

import matplotlib.pyplot as plt

from mnist_course import plots


def _texts(figure):
    """Return what stands in each cell, as {(row, column): text}."""
    texts = {}
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        texts[int(row), int(column)] = text.get_text()
    plt.close(figure)
    return texts


def test_rows_are_labels_and_columns_are_predictions():
    labels, predictions = [0, 0, 0, 1, 2, 2], [0, 1, 1, 1, 2, 0]
    texts = _texts(plots.plot_confusion(labels, predictions, num_classes=3))
    assert texts == {(0, 0): "1", (0, 1): "2", (1, 1): "1", (2, 2): "1", (2, 0): "1"}


def test_counts_agree_with_scikit_learn_and_a_class_never_said_shows_a_zero():
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 500).astype(np.uint8)
    predictions = np.where(rng.random(500) < 0.7, labels, rng.integers(0, 9, 500))
    predictions[predictions == 4] = 5
    texts = _texts(plots.plot_confusion(labels, predictions))
    expected = confusion_matrix(labels, predictions, labels=range(10))
    for (row, column), count in np.ndenumerate(expected):
        shown = texts.get((row, column), "")
        assert shown == (str(count) if count or row == column else "")
    assert texts[4, 4] == "0"


def test_worse_mistakes_are_darker_and_the_diagonal_does_not_set_the_scale():
    labels = [0] * 1000 + [1] * 8 + [2] * 5
    predictions = [0] * 1000 + [0] * 6 + [2] * 2 + [2] * 5
    figure = plots.plot_confusion(labels, predictions, num_classes=3)
    (image,) = (child for child in figure.axes[0].get_children() if isinstance(child, AxesImage))
    assert image.get_array().max() == 6
    assert image.norm.vmax == 6
    colors = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert same_color(colors["6"], "white")
    assert same_color(colors["2"], "black")
    plt.close(figure)


def test_torch_tensors_are_welcome():
    torch = pytest.importorskip("torch")
    texts = _texts(plots.plot_confusion(torch.tensor([0, 1]), torch.tensor([0, 0]), 2))
    assert texts == {(0, 0): "1", (1, 0): "1", (1, 1): "0"}


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        ([0, 1], [0]),
        ([0, 1], [0, 10]),
        ([0, -1], [0, 1]),
        ([0, 1], [[0, 1], [1, 0]]),
        ([0, 1], [0.5, 1.0]),
        ([], []),
    ],
)
def test_what_is_not_one_class_per_label_is_refused(labels, predictions):
    with pytest.raises(ValueError, match="expected"):
        plots.plot_confusion(labels, predictions)
