"""Every figure of the course has one look, and is drawn here if two chapters need it.

Functions return the `matplotlib` figure; `show` displays it in a notebook and saves it when a
chapter runs as a script.
"""

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mnist_course.progress import in_notebook, say

FIGURES = "MNIST_COURSE_FIGURES"  # where scripts save their figures
STYLE = Path(__file__).with_name("course.mplstyle")
# Blue for right and negative, vermillion for wrong and positive: safe for color-blind readers.
BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
DIVERGING = "RdBu_r"  # 0 is white, positive red, negative blue


def use_course_style() -> None:
    """Give all figures that follow the look of the course.

    Outside a notebook the figures go to files, so no window system is needed.
    """
    if in_notebook():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")  # twice the pixels at the same size: sharp on every screen
    else:
        matplotlib.use("Agg")
    plt.style.use(STYLE)


def show(figure: Figure, name: str) -> None:
    """Show a finished figure: in the notebook, or as a file when the chapter is a script.

    Parameters
    ----------
    figure : Figure
        What to show; it is closed afterwards.
    name : str
        For the file ``_build/figures/CHAPTER-name.png`` that a script writes (another folder can
        be named in ``MNIST_COURSE_FIGURES``).
    """
    if in_notebook():
        from IPython.display import display

        display(figure)
    else:
        folder = Path(os.environ.get(FIGURES) or Path("_build", "figures"))
        folder.mkdir(parents=True, exist_ok=True)
        chapter = Path(sys.argv[0]).stem or "figure"
        path = folder / f"{chapter}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png"
        figure.savefig(path)
        say(f"[figure] {path}")
    plt.close(figure)


def show_image(ax: Axes, image: ArrayLike, title: str = "", color: str = "black") -> None:
    """Draw one digit, white on black, without axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    image : array_like
        ``(28, 28)`` or anything that has 784 elements; any scale.
    title : str
        What stands above it.
    color : str
        Of the title.
    """
    pixels = np.asarray(image, dtype=float)
    if pixels.ndim != 2:
        pixels = pixels.reshape(28, 28)
    ax.imshow(pixels, cmap="gray")
    ax.set_axis_off()
    if title:
        ax.set_title(title, color=color, loc="center", fontsize=10)


def plot_digits(
    images: ArrayLike, titles: Sequence[object] | None = None, columns: int = 10
) -> Figure:
    """Draw digits in a grid.

    Parameters
    ----------
    images : array_like
        ``(N, 28, 28)`` or ``(N, 1, 28, 28)``, any scale.
    titles : sequence, optional
        One per image, for example the labels.
    columns : int
        How many stand in a row.

    Returns
    -------
    Figure
        The grid.
    """
    images = np.asarray(images)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = 1.05 if titles is not None else 0.8
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.8 * columns, height * rows), squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for index, image in enumerate(images):
        title = str(titles[index]) if titles is not None else ""
        show_image(axes.flat[index], image, title)
    return figure


def plot_predictions(
    images: ArrayLike, labels: ArrayLike, predictions: ArrayLike, columns: int = 10
) -> Figure:
    """Draw digits with label and prediction; a wrong one is marked in color, frame and words.

    Parameters
    ----------
    images : array_like
        ``(N, 28, 28)`` or ``(N, 1, 28, 28)``.
    labels, predictions : array_like
        ``(N,)`` digits.
    columns : int
        How many stand in a row.

    Returns
    -------
    Figure
        The grid: "7" over a right answer, "5 for a 6" over a six taken for a five.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    wrong = labels != predictions
    titles = [
        f"{p} for a {y}" if w else f"{p}"
        for y, p, w in zip(labels, predictions, wrong, strict=True)
    ]
    figure = plot_digits(images, titles, columns)
    for ax, is_wrong in zip(figure.axes, wrong, strict=False):
        if is_wrong:
            ax.title.set_color(ORANGE)
            ax.set_axis_on()
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color=ORANGE, linewidth=3)
    return figure


def plot_weights(weights: ArrayLike, titles: Sequence[object], columns: int = 5) -> Figure:
    """Draw rows of weights as pictures: red adds to a score, blue takes away.

    Parameters
    ----------
    weights : array_like
        ``(K, 784)``, one row per picture.
    titles : sequence
        One per row.
    columns : int
        How many stand in a row.

    Returns
    -------
    Figure
        The pictures, on one common scale with a color bar.
    """
    rows_of_pixels = np.asarray(weights, dtype=float).reshape(-1, 28, 28)
    # A few extreme weights would wash out all others, so the scale ends where 99.5 % are.
    limit = np.percentile(np.abs(rows_of_pixels), 99.5)
    rows = -(-len(rows_of_pixels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.35 * columns + 0.6, 1.5 * rows), squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, picture, title in zip(axes.flat, rows_of_pixels, titles, strict=False):
        drawn = ax.imshow(picture, cmap=DIVERGING, vmin=-limit, vmax=limit)
        ax.set_title(str(title), loc="center", fontsize=10)
    figure.colorbar(drawn, ax=axes, shrink=0.8, label="weight", extend="both")
    return figure


def plot_history(
    histories: dict[str, Any], columns: Sequence[str] = ("loss", "accuracy")
) -> Figure:
    """Draw curves of loss and accuracy, training dashed and validation solid.

    Parameters
    ----------
    histories : dict of str to History
        One color each; the key goes into the legend.
    columns : sequence of str
        ``"loss"``, ``"accuracy"`` or both, one panel each.

    Returns
    -------
    Figure
        The panels.

    Raises
    ------
    ValueError
        If there is no history, or one of them holds no epoch.
    """
    empty = [name for name, history in histories.items() if not history["number"]]
    if empty or not histories:
        which = f"the history {empty[0]!r} holds" if empty else "there is no history, and so"
        raise ValueError(f"{which} no epoch to draw: train first, for one epoch at least.")
    figure, axes = plt.subplots(1, len(columns), figsize=(3.6 * len(columns), 3.1), squeeze=False)
    colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for ax, column in zip(axes.flat, columns, strict=True):
        for (name, history), color in zip(histories.items(), colors, strict=False):
            _plot_curves(ax, column, f"{name}, " if name else "", history, color)
        ax.set_xlabel("epoch")
        ax.set_title("accuracy in %" if column == "accuracy" else column)
    axes.flat[0].legend()
    return figure


def _plot_curves(ax: Axes, column: str, label: str, history: Any, color: str) -> None:
    """Draw one column of a history, dashed, and solid what was measured on validation data."""
    factor = 100 if column == "accuracy" else 1
    epochs = history["number"]
    marker = "o" if len(epochs) < 30 else ""
    for part, style in (("train", "--"), ("valid", "-")):
        values = history[f"{part}_{column}"]
        if values[0] is not None:
            values = [factor * value for value in values]
            what = f"{label}{'training' if part == 'train' else 'validation'}"
            ax.plot(epochs, values, style, color=color, marker=marker, label=what)


def plot_confusion(labels: ArrayLike, predictions: ArrayLike, num_classes: int = 10) -> Figure:
    """Draw how often each class was taken for each other: one row per right class.

    Parameters
    ----------
    labels, predictions : array_like
        ``(N,)`` whole numbers, 0 to ``num_classes - 1``.
    num_classes : int
        How many rows and columns there are.

    Returns
    -------
    Figure
        Counts. The diagonal, where answers are right, is blue; a mistake is the darker orange the
        more often it was made; what never happened is left empty.

    Raises
    ------
    ValueError
        If there is not one prediction per label, or one of them is not a class.
    """
    rows, columns = np.asarray(labels), np.asarray(predictions)
    if rows.ndim != 1 or rows.shape != columns.shape or not rows.size:
        raise ValueError(
            f"got labels of shape {rows.shape} and predictions of shape {columns.shape}; expected "
            "(N,) both. Logits need argmax(1) first."
        )
    low, high = min(rows.min(), columns.min()), max(rows.max(), columns.max())
    if {rows.dtype.kind, columns.dtype.kind} - set("iu") or low < 0 or high >= num_classes:
        raise ValueError(
            f"got {rows.dtype} and {columns.dtype} from {low} to {high}; expected whole numbers "
            f"from 0 to {num_classes - 1}."
        )
    counts = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(counts, (rows, columns), 1)
    mistakes = np.where(np.eye(num_classes, dtype=bool), 0, counts)
    side = 0.5 * num_classes
    figure, ax = plt.subplots(figsize=(side + 0.7, side))
    ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, mistakes.max()))
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if mistakes[row, column] > 0.6 * mistakes.max() else "black"
        if row == column:
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=BLUE))
            color = "white"
        if count or row == column:
            ax.text(column, row, f"{count:d}", ha="center", va="center", color=color, fontsize=9)
    ax.set(xticks=range(num_classes), yticks=range(num_classes))
    ax.set(xlabel="what the model says", ylabel="what it is")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


def plot_stages(pictures: Sequence[Sequence[tuple[str, ArrayLike]]]) -> Figure:
    """Draw how pictures were prepared: one row each, stages of one name below each other.

    Parameters
    ----------
    pictures : sequence of sequence of (title, image)
        For every picture its stages; images are ``(H, W)`` or ``(H, W, 3)`` in 0..1.

    Returns
    -------
    Figure
        The rows.
    """
    order: list[str] = []  # the first title is that of a picture, the others are of stages
    for stages in pictures:
        place = 0
        for title, _ in stages[1:]:
            if title not in order:
                order.insert(place, title)
            place = order.index(title) + 1
    figure, axes = plt.subplots(
        len(pictures),
        1 + len(order),
        figsize=(1.65 * (1 + len(order)), 1.95 * len(pictures)),
        squeeze=False,
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for row, stages in zip(axes, pictures, strict=True):
        for number, (title, image) in enumerate(stages):
            ax = row[1 + order.index(title) if number else 0]
            # Photos are shrunk to what the figure can show, or a small PNG would take megabytes.
            pixels = np.asarray(image)
            step = max(1, max(pixels.shape[:2]) // 600)
            ax.imshow(np.clip(pixels[::step, ::step], 0, 1), cmap="gray", vmin=0, vmax=1)
            ax.set_axis_on()
            ax.set(xticks=[], yticks=[])
            ax.set_title(textwrap.fill(title, 20), loc="center", fontsize=9)
    return figure
