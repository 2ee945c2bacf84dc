"""Write the weights file of the draw-a-digit page into the built book.

The weights come with the package, as arrays that Python reads; the page needs them as a script (see
``book/_static/draw/weights_file.js``). They are derived, so they are not committed a second time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from mnist_course.recognizer import WeightsError, find_weights, save_page


def write_weights(app: Sphinx, error: Exception | None) -> None:
    """Write ``_static/draw/weights.js`` once the book stands."""
    if error is None and app.builder.format == "html":
        target = Path(app.outdir, "_static", "draw", "weights.js")
        try:
            save_page(target, find_weights())
        except WeightsError as reason:
            raise ExtensionError(f"no weights for the draw-a-digit page: {reason}") from None


def setup(app: Sphinx) -> dict[str, Any]:
    """Run after everything else is written."""
    app.connect("build-finished", write_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
