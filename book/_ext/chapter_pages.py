"""Make the chapters' pages: MyST from the scripts, outputs from the notebooks, their own numbers.

A notebook holds plain Markdown, which every front renders. Its page needs more: boxes, labels,
citations. They stand in the script, and the notebook's code cells are the script's, in the same
order, so this step joins the script's cells with the notebook's outputs. Figures, formulas and
exercises are numbered by the chapter in the file's name, "6.2".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from mnist_course.chapters import for_fronts, read_labels, read_script

CHAPTER = re.compile(r"notebooks/(\d\d)_\w+$")
PROMPTS = {
    "hide-input": "Show the drawing code",
    "hide-output": "Show what comes out",
    "hide-cell": "Show the book's code and what it prints",
}
OPEN_ANSWER = "Answer it in the notebook"


def use_script(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the script's text where the notebook's plain text is about to be read."""
    if CHAPTER.match(docname):
        script = Path(app.srcdir, f"{docname}.py")
        labels = read_labels(script.parent)
        content[0] = nbformat.writes(
            join(read_script(script), nbformat.reads(content[0], 4), labels)
        )


def join(page: Any, executed: Any, labels: Any) -> Any:
    """Return a script's cells with a notebook's outputs, and what the page shows of them.

    Parameters
    ----------
    page, executed : nbformat.NotebookNode
        From the script, and as it was executed.
    labels : Labels
        Of all chapters.

    Returns
    -------
    nbformat.NotebookNode
        ``page``, completed.
    """
    derived, ran, code = (
        [cell for cell in notebook.cells if cell.cell_type == "code"]
        for notebook in (for_fronts(page, labels), executed, page)
    )
    if [cell.source for cell in ran] != [cell.source for cell in derived]:
        raise ExtensionError("a notebook is not that of its script; run: make notebooks")
    for cell, done in zip(code, ran, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    exercises = False
    for cell in page.cells:
        if cell.cell_type == "markdown":
            heading = re.search(r"^## (\w+)", cell.source, re.MULTILINE)
            exercises = heading[1] == "Exercises" if heading else exercises
        else:
            _show(cell, exercises)
    page.metadata = executed.metadata
    return page


def _show(cell: Any, exercise: bool) -> None:
    """Say what folds a code cell, and what the bar of the fold reads."""
    tags = cell.metadata.setdefault("tags", [])
    if "your-turn" in tags:  # what a check says of an open answer helps in the notebook alone
        tags.append("remove-output")
    if exercise and not tags:
        tags.append("hide-cell")
        prompt: str | None = OPEN_ANSWER
    else:
        prompt = next((PROMPTS[tag] for tag in tags if tag in PROMPTS), None)
    if prompt:
        cell.metadata.setdefault("mystnb", {})["code_prompt_show"] = prompt


def number_by_chapter(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Count anew in each chapter what Sphinx numbers, behind the chapter's own number."""
    for docname, kinds in env.toc_fignumbers.items():
        if chapter := CHAPTER.match(docname):
            for numbers in kinds.values():
                ordered = sorted(numbers, key=numbers.__getitem__)
                numbers.update({label: (int(chapter[1]), i) for i, label in enumerate(ordered, 1)})
    return []


def setup(app: Sphinx) -> dict[str, Any]:
    """Join before a page is read; number after Sphinx has."""
    app.connect("source-read", use_script)
    app.connect("env-get-updated", number_by_chapter, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
