"""Figures that a hand can move: ``{living} NAME`` puts ``_static/living/NAME.js`` on a page.

The text of the directive is the caption. What the figures need of the data is written into the
built book from the course's own arrays, real MNIST or the practice set.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mnist_course.data import load_data

FOLDER = "living"
NEEDS = {  # what only one page has to load
    "train": ["living/sprite"],
    "cover": ["draw/network", "draw/weights_file", "draw/weights"],
}
NUM_TRAIN, NUM_TEST = 1_200, 400  # digits of the sprite


class Living(SphinxDirective):
    """One figure; hidden until its script has built it."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the frame, and the caption in it."""
        name = self.arguments[0]
        if not Path(self.env.srcdir, "book", "_static", FOLDER, f"{name}.js").exists():
            raise self.error(f"there is no book/_static/{FOLDER}/{name}.js")
        on_page = self.env.metadata[self.env.docname].setdefault(FOLDER, [])
        on_page.append(name)
        caption = nodes.container(classes=["living-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [
            nodes.raw(
                "",
                f'<figure class="living" id="living-{name}" data-living="{name}" hidden>'
                '<div class="living-stage"></div><figcaption>',
                format="html",
            ),
            caption,
            nodes.raw("", "</figcaption></figure>", format="html"),
        ]


def add_scripts(app: Sphinx, pagename: str, template: str, context: Any, doctree: Any) -> None:
    """Load the library, the data and the page's figures, on pages that have some."""
    names = app.env.metadata.get(pagename, {}).get(FOLDER, [])
    if names and doctree is not None:
        app.add_css_file(f"{FOLDER}/living.css")
        needed = [file for name in names for file in NEEDS.get(name, [])]
        own = [f"{FOLDER}/{name}" for name in ("living", "data", *names)]
        for file in (*own[:2], *needed, *own[2:]):
            app.add_js_file(f"{file}.js")


def write_data(app: Sphinx, error: Exception | None) -> None:
    """Write ``_static/living/data.js`` once the book stands."""
    if error is None and app.builder.format == "html":
        for name, content in (("data", figures_data()), ("sprite", {"sprite": sprite()})):
            text = f"Object.assign(Living.data, {json.dumps(content)});\n"
            Path(app.outdir, "_static", FOLDER, f"{name}.js").write_text(text, encoding="utf-8")


def figures_data() -> dict[str, Any]:
    """Return what figures show of the data: the valley of chapter 6, a digit of each kind."""
    digits = load_data()
    images, labels = digits.train_images, digits.train_labels
    pick = (labels == 0) | (labels == 1)
    x = images[pick].mean(axis=(1, 2)) / images.mean()
    y = np.where(labels[pick] == 0, 1.0, -1.0)
    A = np.column_stack([x, np.ones(len(x))])  # (M, 2)
    H, r = A.T @ A / len(x), A.T @ y / len(x)
    pick = np.flatnonzero(pick)[:24]  # zeros and ones as points: ink, and ink of the middle
    middle = images[pick, 10:18, 10:18].mean(axis=(1, 2)) / 255
    whole = images[pick].mean(axis=(1, 2)) / 255
    clouds = np.stack([whole / whole.std(), middle / middle.std(), labels[pick]], axis=1)
    first = [int(np.flatnonzero(labels == k)[0]) for k in range(10)]
    return {
        "valley": {"H": H.tolist(), "r": r.tolist(), "best": np.linalg.solve(H, r).tolist()},
        "file": {"pixels": images[0].ravel().tolist(), "count": len(images)},
        "clouds": clouds.round(3).tolist(),
        "digits": [images[n].ravel().tolist() for n in first],
    }


def sprite() -> dict[str, Any]:
    """Return digits to train on in the page, and test digits behind them: one a row of a PNG."""
    digits = load_data()
    parts = [
        (digits.train_images[:NUM_TRAIN], digits.train_labels[:NUM_TRAIN]),
        (digits.test_images[:NUM_TEST], digits.test_labels[:NUM_TEST]),
    ]
    rows, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    file = io.BytesIO()
    Image.fromarray(rows.reshape(len(rows), -1)).save(file, "PNG", optimize=True)
    return {
        "png": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
        "labels": "".join(map(str, labels)),
        "numTrain": len(parts[0][1]),
    }


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known; write the data after everything else."""
    app.add_directive("living", Living)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_data)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
