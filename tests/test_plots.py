"""Figures of a training run: one curve a column, and a clear error where there is none."""

import matplotlib.pyplot as plt
import pytest

from mnist_course.plots import plot_history
from mnist_course.training import History


@pytest.fixture(autouse=True)
def without_a_window():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


class Rows(dict):
    """A history of three epochs."""

    def __init__(self, valid):
        super().__init__(number=[1, 2, 3], train_loss=[3, 2, 1], train_accuracy=[0.5, 0.6, 0.7])
        self.update(valid_loss=[4, 3, 2] if valid else [None] * 3)
        self.update(valid_accuracy=[0.4, 0.5, 0.6] if valid else [None] * 3)


def test_a_history_is_dashed_for_training_and_solid_for_validation():
    loss, accuracy = plot_history({"one": Rows(True), "": Rows(False)}).axes
    drawn = [
        (line.get_label(), line.get_linestyle(), list(line.get_ydata())) for line in loss.lines
    ]
    assert drawn == [
        ("one, training", "--", [3, 2, 1]),
        ("one, validation", "-", [4, 3, 2]),
        ("training", "--", [3, 2, 1]),
    ]
    assert list(accuracy.lines[0].get_ydata()) == [50, 60, 70]
    colors = [line.get_color() for line in loss.lines]
    assert colors[0] == colors[1] != colors[2]


@pytest.mark.parametrize(
    ("histories", "words"),
    [
        ({"one": Rows(True), "other": History()}, "history 'other' holds no epoch"),
        ({"": History()}, "history '' holds no epoch"),
        ({}, "no history"),
    ],
)
def test_a_history_without_an_epoch_is_an_error_that_says_so(histories, words):
    with pytest.raises(ValueError, match=f"{words}.*train first"):
        plot_history(histories)
