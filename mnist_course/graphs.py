"""Draw a computation as a graph: values flow forward along its edges, gradients flow back.

Forward is blue and solid, backward is vermillion and dashed, so that the two can be told apart
without the colors.

Taught in: chapter 5, "Backwards through the network".
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch

from mnist_course.plots import BLUE, DIVERGING, GRAY, ORANGE

Edge = tuple[str, str]
RADIUS = 0.25  # of a node, in inches, as all lengths here
GAP = 0.045  # between the line of an edge and its two arrows
SOLID, DASHED = "-", (0, (3.2, 1.6))
INK, PAPER, TINT = "#333333", "white", "#e8eef2"


def parse_edges(chains: str) -> list[Edge]:
    """Return the edges that lines such as ``"x → × → L"`` describe.

    Parameters
    ----------
    chains : str
        One chain of nodes per line, joined by ``→``.

    Returns
    -------
    list of (str, str)
        Every edge once, in order.

    Raises
    ------
    ValueError
        If a line has no arrow.
    """
    edges: list[Edge] = []
    for line in chains.strip().splitlines():
        nodes = [node.strip() for node in line.split("→")]
        if len(nodes) < 2:
            raise ValueError(f"{line.strip()!r} is not a chain: expected nodes joined by →.")
        edges += [edge for edge in itertools.pairwise(nodes) if edge not in edges]
    return edges


def draw_graph(
    chains: str,
    places: Mapping[str, tuple[float, float]],
    forward: Mapping[str, float],
    backward: Mapping[Any, float] | None = None,
    *,
    names: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    decimals: int = 4,
    spacing: tuple[float, float] = (1.15, 0.78),
) -> Figure:
    """Draw a graph of operations with the numbers that flow along its edges.

    Parameters
    ----------
    chains : str
        The edges, one chain a line: ``"x → × → L"``. A node whose name ends in a colon and more
        (``×:1``) is drawn without it, so that there can be two of a kind. Nodes where no edge
        ends, or where none begins, are values and become boxes; the others are operations.
    places : mapping of str to (float, float)
        Column and row of every node; rows count upward.
    forward : mapping of str to float
        The value that leaves a node, by its name.
    backward : mapping, optional
        The gradient that comes back to a node, by its name, or by (start, end) where a node
        feeds two others.
    names : mapping, optional
        What the value that leaves a node is called: ``{"σ": "a"}`` writes ``a = 0.5``.
    notes : mapping, optional
        A remark to stand under a node, such as the slope of the operation.
    decimals : int
        After the point, at most.
    spacing : tuple of float
        Inches from column to column and from row to row.

    Returns
    -------
    Figure
        The drawing.

    Raises
    ------
    ValueError
        If a node has no place, or an edge has no value or no gradient.
    """
    edges = parse_edges(chains)
    nodes = dict.fromkeys(itertools.chain(*edges))
    spots = {node: np.multiply(_find(places, "place", node), spacing) for node in nodes}
    low = np.subtract(np.min(list(spots.values()), axis=0), (0.45, 0.8))
    high = np.add(np.max(list(spots.values()), axis=0), (0.45, 0.45))
    figure = plt.figure(figsize=tuple(high - low), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_axis_off()

    for start, end in edges:
        value, gradient = _number(_find(forward, "value", start), decimals), None
        if names and start in names:
            value = f"${names[start]}$ = {value}"
        if backward is not None:
            key = (start, end) if (start, end) in backward else start
            gradient = _number(_find(backward, "gradient", key), decimals)
        _draw_edge(ax, spots[start], spots[end], value, gradient)
    starts, ends = (set(nodes) for nodes in zip(*edges, strict=True))
    for node, spot in spots.items():
        _draw_node(ax, spot, node.split(":")[0], is_value=not (node in starts and node in ends))
        if notes and node in notes:
            x, y = spot
            ax.text(x, y - 0.33, notes[node], ha="center", va="top", color=GRAY, fontsize=10)
    _draw_legend(figure, backward is not None)
    return figure


def draw_sum(parts: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Draw small matrices with their numbers, joined by plus signs, and their sum.

    Parameters
    ----------
    parts : sequence of np.ndarray
        Matrices ``(K, D)``.
    titles : sequence of str
        One per part, and one for the sum.

    Returns
    -------
    Figure
        The equation as a picture.
    """
    matrices = [*parts, np.sum(parts, axis=0)]
    rows, columns = matrices[0].shape
    limit = 1.6 * np.abs(matrices).max()  # pale enough for black numbers
    size = (1.5 * len(matrices) + 0.3, 0.42 * rows + 0.75)
    figure, axes = plt.subplots(1, len(matrices), figsize=size)
    for position, (ax, matrix, title) in enumerate(zip(axes, matrices, titles, strict=True)):
        ax.imshow(matrix, cmap=DIVERGING, vmin=-limit, vmax=limit)
        ax.set_title(title, loc="center", fontsize=10)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set(visible=True, color=GRAY)
        for row, column in np.ndindex(rows, columns):
            text = f"{matrix[row, column] + 0.0:g}".replace("-", "−")  # -0.0 + 0.0 is 0.0
            ax.text(column, row, text, ha="center", va="center", fontsize=9.5)
        if position:
            sign = "=" if position == len(parts) else "+"
            ax.text(-0.17, 0.5, sign, transform=ax.transAxes, ha="center", va="center", fontsize=14)
    return figure


def _find(known: Mapping[Any, Any], kind: str, key: Any) -> Any:
    """Look up what belongs to a node or an edge, or say what is missing."""
    if key not in known:
        raise ValueError(f"there is no {kind} for {key!r}; there is one for {list(known)}")
    return known[key]


def _draw_node(ax: Axes, spot: np.ndarray, name: str, is_value: bool) -> None:
    """Draw a box for a value, a disk for an operation, with its name inside."""
    x, y = spot
    if is_value:
        width, height = 2 * RADIUS - 0.06, 2 * RADIUS - 0.12
        box = FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.07",
        )
        box.set(facecolor=PAPER, edgecolor=INK, linewidth=1.3, zorder=3)
        ax.add_patch(box)
    else:
        disk = Circle((x, y), RADIUS)
        disk.set(facecolor=TINT, edgecolor=INK, linewidth=1.3, zorder=3)
        ax.add_patch(disk)
    size = 12 if len(name) < 3 else 9.5
    ax.text(x, y, _label(name), ha="center", va="center", fontsize=size, zorder=4)


def _label(name: str) -> str:
    """Return ``x1`` as a letter with an index, one letter in italics, all else as it is."""
    if len(name) == 2 and name[0].isalpha() and name[1].isdigit():
        return f"${name[0]}_{name[1]}$"
    return f"${name}$" if len(name) == 1 and name.isascii() and name.isalpha() else name


def _draw_edge(
    ax: Axes, start: np.ndarray, end: np.ndarray, value: str, gradient: str | None
) -> None:
    """Draw the arrow of an edge and its number; with a gradient, a second arrow back."""
    along = (end - start) / np.linalg.norm(end - start)
    up = np.array([-along[1], along[0]])  # to the left of the direction of travel
    first, last = start + along * (RADIUS + 0.03), end - along * (RADIUS + 0.03)
    middle = first + 0.47 * (last - first)
    lift = GAP * up if gradient is not None else 0 * up
    _draw_arrow(ax, first + lift, last + lift, BLUE, SOLID)
    if gradient is not None:
        _draw_arrow(ax, last - lift, first - lift, ORANGE, DASHED)
    steep = abs(along[1]) > 0.9  # then the numbers stand beside the edge, else they lie along it
    angle = 0.0 if steep else float(np.degrees(np.arctan2(along[1], along[0])))
    for text, color, side in ((value, BLUE, 1), (gradient, ORANGE, -1)):
        x, y = middle + side * (0.1 if steep else 0.15) * up
        ax.text(
            x,
            y,
            text or "",
            color=color,
            rotation=angle,
            rotation_mode="anchor",
            ha=("right" if up[0] * side < 0 else "left") if steep else "center",
            va="center_baseline" if steep else "center",
            fontsize=11,
            zorder=5,
        )


def _draw_arrow(ax: Axes, start: np.ndarray, end: np.ndarray, color: str, style: Any) -> None:
    """Draw a line that ends in a solid head, whatever the style of the line."""
    along = (end - start) / np.linalg.norm(end - start)
    up = np.array([-along[1], along[0]])
    neck = end - 0.1 * along
    ax.plot(*zip(start, neck, strict=True), color=color, linewidth=1.5, linestyle=style, zorder=2)
    ax.fill(*zip(end, neck + 0.042 * up, neck - 0.042 * up, strict=True), color=color, zorder=2)


def _number(value: float, decimals: int) -> str:
    """Return a number with no idle zeros and a proper minus sign."""
    text = f"{value:.{decimals}f}".rstrip("0")
    text = f"{text}0" if text.endswith(".") else text
    return text.replace("-", "" if float(text) == 0 else "−")


def _draw_legend(figure: Figure, with_gradients: bool) -> None:
    """Say in words which arrows are which."""
    words: list[tuple[str, str, Any]] = [("solid, forward: the value", BLUE, SOLID)]
    if with_gradients:
        gradient = "dashed, backward: the gradient of $L$ with respect to that value"
        words.append((gradient, ORANGE, DASHED))
    handles = [
        Line2D([], [], color=color, linewidth=1.5, linestyle=style, label=label)
        for label, color, style in words
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2, fontsize=10, handlelength=2.6)
