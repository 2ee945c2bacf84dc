"""A chapter's MyST as plain Markdown, which every notebook front renders; and what is folded there.

The script is written in MyST, for the book. JupyterLab shows MyST's marks as text, so a notebook
gets what they stand for: numbers, names and links instead of roles, a line in bold instead of a
box, a caption below its figure. Cells are folded by JupyterLab's own metadata, from the same tags
that fold them in the book.
"""

import copy
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_course.chapters.places import ChapterError

# Tags that fold a cell's source, and the line that JupyterLab then shows of it.
SOURCE_FOLDED = {
    "remove-cell": "# The numbers of the text, checked",
    "hide-input": "# The drawing code",
    "hide-cell": "# The book's own code",
}
SOLUTION_FOLDED = "# The solution's code"
OUTPUT_FOLDED = {"hide-output", "hide-cell"}
SOLUTIONS = "## Solutions"
EXERCISE = re.compile(r"^:::\{exercise\}\n:label: ([\w-]+)\n(.*?)\n:::$", re.MULTILINE | re.DOTALL)
SOLUTION = re.compile(r"^:::\{solution-start\} ([\w-]+)\n:class: dropdown\n:::$", re.MULTILINE)
EQUATION = re.compile(r"\$\$([^$]*?)\$\$ \((eq-[\w-]+)\)")
ROLE = re.compile(r"\{(ref|numref|eq|cite|term)\}`(?:([^`<]+?)\s*<([\w-]+)>|([^`]+))`")
# Labels, ends of boxes, and figures that move: those need the page.
DROPPED = re.compile(
    r"^(\([\w-]+\)=|:::\{solution-end\}\n:::)$\n?|^:::\{living\} \w+\n(?:(?!:::).*\n)*:::$\n*",
    re.MULTILINE,
)
# What is numbered, as it stands in a script, with the label as its group.
NUMBERED = (r'"name": "(fig-[\w-]+)"', r"^# :label: (ex-[\w-]+)", r"\$\$ \((eq-[\w-]+)\)")
LEFT_OVER = re.compile(r"^:::.*$|\{[a-z]+\}`|^\([\w-]+\)=", re.MULTILINE)


@dataclass(frozen=True)
class Labels:
    """What the labels of the course stand for: ``numbers`` as in "6.2", ``files`` to link to."""

    numbers: dict[str, str]
    files: dict[str, str]


def read_labels(notebooks: Path) -> Labels:
    """Return what the labels in a folder of chapters stand for.

    Parameters
    ----------
    notebooks : Path
        The folder of the scripts.

    Returns
    -------
    Labels
        Figures, exercises and formulas count from 1 in each chapter, as in the book.
    """
    numbers, files = {}, {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.py")):
        text = path.read_text(encoding="utf-8")
        for pattern in NUMBERED:
            for count, label in enumerate(re.findall(pattern, text, re.MULTILINE), start=1):
                numbers[label] = f"{int(path.stem[:2])}.{count}"
        for label in re.findall(r"^# \(([\w-]+)\)=$", text, re.MULTILINE):
            files[label] = f"{path.stem}.ipynb"
    return Labels(numbers, files)


def to_plain(text: str, labels: Labels) -> str:
    """Return the Markdown of a cell without MyST's marks.

    Parameters
    ----------
    text : str
        MyST, of the kinds that the chapters use.
    labels : Labels
        Of all chapters.

    Returns
    -------
    str
        Empty if there was nothing but marks.

    Raises
    ------
    ChapterError
        If a mark is left over: then it has to be added here.
    """
    number = labels.numbers
    text = EXERCISE.sub(lambda m: f"**Exercise {number.get(m[1], '')}.** {m[2]}", text)
    text = SOLUTION.sub(lambda m: f"**Solution of exercise {number.get(m[1], '')}.**", text)
    text = EQUATION.sub(lambda m: f"$${m[1]}\\tag{{{number.get(m[2], '')}}}$$", text)
    text = DROPPED.sub("", text)
    text = ROLE.sub(lambda m: _role(m[1], m[2] or m[4], m[3] or m[4], labels), text).strip()
    code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    if left := LEFT_OVER.search(code):
        raise ChapterError(f"no notebook front renders {left[0]!r}; teach chapters/plain.py to")
    return text


def _role(kind: str, shown: str, label: str, labels: Labels) -> str:
    """Return what a role shows, for example ``[chapter 4](04_softmax_regression.ipynb)``."""
    if kind == "cite":
        return "[" + "; ".join(cited(key.strip()) for key in label.split(",")) + "]"
    if kind == "numref":
        return f"Fig. {labels.numbers.get(label, '')}"
    if kind == "eq":
        return f"({labels.numbers.get(label, '')})"
    return f"[{shown}]({labels.files[label]})" if label in labels.files else shown


@functools.cache
def _works() -> Any:
    """Return the works of the bibliography, by key."""
    from pybtex.database import parse_file

    from mnist_course.chapters.places import ROOT

    return parse_file(str(ROOT / "book" / "references.bib")).entries


def cited(key: str) -> str:
    """Return a work as it is cited in a text.

    Parameters
    ----------
    key : str
        In ``book/references.bib``.

    Returns
    -------
    str
        For example ``"LeCun et al., 1998"``.
    """
    work = _works()[key]
    people = work.persons.get("author") or work.persons.get("editor") or []
    names = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in people]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return ", ".join(filter(None, (who, work.fields.get("year"))))


def for_fronts(notebook: Any, labels: Labels) -> Any:
    """Return a notebook for JupyterLab and others: plain Markdown, captions, folded cells.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With MyST in its cells.
    labels : Labels
        Of all chapters.

    Returns
    -------
    nbformat.NotebookNode
        A new one. Its code cells are the same, in the same order.
    """
    made = copy.deepcopy(notebook)
    made.cells = []
    solutions = False
    for cell in copy.deepcopy(notebook.cells):
        if cell.cell_type != "markdown":
            _fold(cell, solutions)
            made.cells += [cell, *_caption(cell, labels)]
            continue
        solutions = solutions or cell.source.startswith(SOLUTIONS)
        cell.source = to_plain(cell.source, labels)
        heading = cell.source.startswith(SOLUTIONS)
        if heading:  # alone in its cell, so that all the rest is folded below it
            rest = cell.source.removeprefix(SOLUTIONS).strip()
            first = _markdown(cell, SOLUTIONS, "h")
            first.metadata["jp-MarkdownHeadingCollapsed"] = True
            made.cells.append(first)
            cell.source = rest
        if cell.source:
            made.cells.append(cell)
    return made


def _markdown(cell: Any, source: str, suffix: str) -> Any:
    """Return a new Markdown cell that goes with another one."""
    import nbformat

    made = nbformat.v4.new_markdown_cell(source)
    made["id"] = f"{cell['id']}{suffix}"
    return made


def _caption(cell: Any, labels: Labels) -> list[Any]:
    """Return the caption of a cell's figure, as a cell of its own."""
    figure = cell.metadata.get("mystnb", {}).get("figure")
    if not figure:
        return []
    number = labels.numbers.get(figure["name"], "")
    text = f"**Fig. {number}.** *{to_plain(figure['caption'], labels)}*"
    return [_markdown(cell, text, "c")]


def _fold(cell: Any, solution: bool) -> None:
    """Fold a code cell as its tags say; in a solution its source is folded, too."""
    tags = cell.metadata.get("tags", [])
    lines = [SOURCE_FOLDED[tag] for tag in tags if tag in SOURCE_FOLDED]
    lines += [SOLUTION_FOLDED] if solution else []
    folded = {}
    if lines:
        folded["source_hidden"] = True
        cell.source = f"{lines[0]}\n{cell.source}"
    if OUTPUT_FOLDED.intersection(tags):
        folded["outputs_hidden"] = True
    if folded:
        cell.metadata["jupyter"] = folded
