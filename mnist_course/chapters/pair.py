"""The pair of a chapter: the script is the source, and the notebook is derived from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def derive_notebook(path: Path) -> Any:
    """Return the notebook of a chapter's script: same cells, no outputs, ids that never change.

    Parameters
    ----------
    path : Path
        ``notebooks/NN_name.py``.

    Returns
    -------
    nbformat.NotebookNode
        Ready to be executed or compared.
    """
    import jupytext

    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = hashlib.sha256(f"{path.stem}/{number}".encode()).hexdigest()[:8]
    notebook.metadata = {
        "jupytext": {
            "cell_metadata_filter": "tags,mystnb,-all",
            "notebook_metadata_filter": "kernelspec,-all",
        },
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


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
    return list(_cells(one)) == list(_cells(other))


def _cells(notebook: Any) -> Iterator[tuple[str, str, str]]:
    for cell in notebook.cells:
        yield cell.cell_type, cell.source, json.dumps(cell.metadata, sort_keys=True)
