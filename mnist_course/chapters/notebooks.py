"""Execute the notebooks of the chapters, and keep their outputs for the book."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_course.chapters.pair import derive_notebook, same_cells
from mnist_course.chapters.places import (
    CELL_SECONDS,
    NOTEBOOKS,
    ChapterError,
    enter_environment,
    find_chapters,
)
from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.progress import say


def execute_notebooks(names: Sequence[str] = (), force: bool = False) -> list[Path]:
    """Derive the ``.ipynb`` of chapters from their scripts and run them, keeping the outputs.

    The outputs are what the book shows, so they come from real MNIST on a CPU. Running twice
    gives the same file. A notebook whose cells are those of its script is not run again.

    Parameters
    ----------
    names : sequence of str
        As for `find_chapters`.
    force : bool
        Run also what has not changed; do this after a change in the package.

    Returns
    -------
    list of Path
        The notebooks that were written.

    Raises
    ------
    ChapterError
        If there is no MNIST, or a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    chapters = find_chapters(names)
    digits = load_data()
    if not digits.is_mnist:
        raise ChapterError(
            "the outputs that the book shows come from real MNIST, and only the practice set is "
            "here. Set MNIST_COURSE_DATA to a folder with the four files."
        )
    enter_environment(str(digits.folder), "cpu")
    written = []
    for path in chapters:
        target = path.with_suffix(".ipynb")
        notebook = derive_notebook(path)
        if not force and target.exists() and same_cells(notebook, nbformat.read(target, 4)):
            say(f"  {target.name:<32} unchanged")
            continue
        begun = time.perf_counter()
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ChapterError(f"{path.name}: {_without_colors(str(error))}") from None
        _refuse_warnings(path, notebook)
        with atomic_write(target) as file:
            file.write(nbformat.writes(notebook, version=4).encode() + b"\n")
        written.append(target)
        say(f"  {target.name:<32} {time.perf_counter() - begun:5.1f} s")
    return written


def _refuse_warnings(path: Path, notebook: Any) -> None:
    """Make sure that no cell wrote to standard error: a reader would see the warning."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise ChapterError(f"{path.name} warns: {output.text}\nin the cell\n{cell.source}")


def _without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
