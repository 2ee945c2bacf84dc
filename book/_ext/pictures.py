"""Bring figures of the chapters to the prose pages, as they stand in the executed notebooks.

A page such as the landing page shows what the course makes, and no picture is committed: this step
takes the stored output of a labeled cell and writes it to ``book/_static/figures`` before the book
is read.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

WANTED = ("fig-bytes-to-answer", "fig-softmax-predictions")


def stored_figures(notebooks: Path) -> dict[str, bytes]:
    """Return the PNG of every labeled figure in the executed notebooks.

    Parameters
    ----------
    notebooks : Path
        The folder of the ``.ipynb`` files.

    Returns
    -------
    dict of str to bytes
        Label to PNG.
    """
    figures = {}
    for path in sorted(notebooks.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
            for output in cell.get("outputs", []):
                png = output.get("data", {}).get("image/png")
                if name and png:
                    figures[name] = base64.b64decode("".join(png))
    return figures


def write_pictures(app: Sphinx) -> None:
    """Write the wanted figures, and leave alone what has not changed."""
    figures = stored_figures(Path(app.srcdir, "notebooks"))
    folder = Path(app.srcdir, "book", "_static", "figures")
    folder.mkdir(parents=True, exist_ok=True)
    for name in WANTED:
        if name not in figures:
            raise ExtensionError(f"no notebook holds the figure {name}; run: make notebooks")
        path = folder / f"{name}.png"
        if not path.exists() or path.read_bytes() != figures[name]:
            path.write_bytes(figures[name])


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before the pages are read."""
    app.connect("builder-inited", write_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
