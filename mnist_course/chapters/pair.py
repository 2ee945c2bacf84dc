"""The pair of a chapter: the script is the source, and the notebook is derived from it.

Derivation runs in this direction only. Readers write into the notebook, and what they wrote there
is theirs: `was_edited` finds it, and it is kept when a notebook is derived anew.
"""

import hashlib
import itertools
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_course.chapters.places import ChapterError
from mnist_course.chapters.plain import for_fronts, read_labels

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
KEPT_METADATA = ("mystnb", "tags")  # of a cell; editors add their own


def read_script(path: Path) -> Any:
    """Return the cells of a chapter's script, in MyST as they are written, with lasting ids.

    Parameters
    ----------
    path : Path
        ``notebooks/NN_name.py``.

    Returns
    -------
    nbformat.NotebookNode
        What the book renders, but for the outputs.
    """
    import jupytext

    notebook = jupytext.read(path)
    taken: set[str] = set()
    for cell in notebook.cells:
        cell["id"] = next(new for new in _ids(path.stem, cell) if new not in taken)
        taken.add(cell["id"])
    return notebook


def derive_notebook(path: Path) -> Any:
    """Return the notebook of a chapter's script: no outputs, plain Markdown, folded cells.

    Parameters
    ----------
    path : Path
        ``notebooks/NN_name.py``.

    Returns
    -------
    nbformat.NotebookNode
        Ready to be executed or compared. Its metadata hold a hash of its cells.
    """
    notebook = for_fronts(read_script(path), read_labels(path.parent))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = {
        "jupytext": {
            "cell_metadata_filter": "tags,mystnb,-all",
            "notebook_metadata_filter": "kernelspec,-all",
        },
        "kernelspec": kernel,
        "language_info": {"name": "python"},
        "mnist_course": {"cells": hash_cells(notebook)},
    }
    return notebook


def _ids(chapter: str, cell: Any) -> Iterator[str]:
    """Yield ids for a cell, made from its text: the first, and others if an equal cell has it."""
    for count in itertools.count():
        text = f"{chapter}/{cell.cell_type}/{count}/{cell.source}"
        yield hashlib.sha256(text.encode()).hexdigest()[:8]


def same_cells(one: Any, other: Any) -> bool:
    """Return whether two notebooks have the same cells.

    Parameters
    ----------
    one, other : nbformat.NotebookNode
        For example, one derived from a script and one read from a file.

    Returns
    -------
    bool
        Whether kind, source and metadata of all cells are equal; outputs do not matter.
    """
    cells = [[(c.cell_type, c.source, c.metadata) for c in book.cells] for book in (one, other)]
    return cells[0] == cells[1]


def hash_cells(notebook: Any) -> str:
    """Return a hash of what somebody wrote into a notebook's cells.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With or without outputs.

    Returns
    -------
    str
        16 hexadecimal digits. Outputs, ids, empty cells and what editors add by themselves do not
        matter.
    """
    written = []
    for cell in notebook.cells:
        if cell.source.strip():
            metadata = cell.get("metadata", {})
            kept = {name: metadata[name] for name in KEPT_METADATA if metadata.get(name)}
            written.append((cell.cell_type, cell.source.rstrip(), kept))
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:16]


def read_notebook(path: Path) -> Any:
    """Return a notebook as it lies there, in the newest format.

    Parameters
    ----------
    path : Path
        ``notebooks/NN_name.ipynb``, as whatever program left it.

    Returns
    -------
    nbformat.NotebookNode
        Its cells may lack ids.
    """
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some programs write cells without ids
        return nbformat.read(path, as_version=4)


def was_edited(target: Path, derived: Any) -> bool:
    """Return whether a notebook holds cells that were written into it by hand.

    Parameters
    ----------
    target : Path
        ``notebooks/NN_name.ipynb``, as whatever program left it.
    derived : nbformat.NotebookNode
        What its script gives now.

    Returns
    -------
    bool
        True if its cells are neither those that were derived when it was written (its metadata
        tell) nor those of the script as it is now, or if it cannot be read.
    """
    if not target.exists():
        return False
    try:
        notebook = read_notebook(target)
        known = notebook.metadata.get("mnist_course", {}).get("cells")
        return hash_cells(notebook) not in (known, hash_cells(derived))
    except UNREADABLE:
        return True


def refuse_edited(target: Path, derived: Any) -> None:
    """Refuse to go on where writing a notebook anew would lose what was written into it.

    Parameters
    ----------
    target, derived
        As for `was_edited`.

    Raises
    ------
    ChapterError
        If it was edited by hand.
    """
    if was_edited(target, derived):
        raise ChapterError(
            f"{target.name} holds cells that were written into it by hand, not derived from "
            f"{target.stem}.py. Move it away to keep it, or add --replace: that keeps a copy of "
            f"it as {target.stem}.yours.ipynb and derives it anew."
        )


def keep_copy(target: Path) -> Path:
    """Copy a notebook to a new file beside it: ``NN_name.yours.ipynb``, or ``.yours-2``, ....

    Parameters
    ----------
    target : Path
        ``notebooks/NN_name.ipynb``.

    Returns
    -------
    Path
        The copy. No earlier one is touched.

    Raises
    ------
    ChapterError
        If it cannot be read or the copy cannot be written.
    """
    for count in itertools.count(1):
        copy = target.with_suffix(".yours.ipynb" if count == 1 else f".yours-{count}.ipynb")
        if copy.exists():
            continue
        try:
            content = target.read_bytes()
            with copy.open("xb") as file:  # fails rather than overwrite one that appears meanwhile
                file.write(content)
        except OSError as error:
            raise ChapterError(
                f"{target.name} could not be kept as {copy.name}: {error.strerror}. It is as it "
                "was; free some space or choose a folder that you may write to."
            ) from None
        break
    return copy
