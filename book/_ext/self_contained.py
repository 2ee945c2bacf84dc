"""Make the built book need nothing but itself: bring MathJax, drop what would call other hosts.

MathJax comes from the PyPI package ``sphinx-mathjax-offline``, of which one file is copied into the
built site. The launch buttons (Binder, Colab) need a public address of the repository; they are
added when the clone has a remote on GitHub, and left out otherwise. Thebe, which would run code on
other people's machines, is taken out of every page.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

MATHJAX = "tex-svg-full.js"  # all TeX macros and the fonts in one file


def find_mathjax() -> Path:
    """Return the path of `MATHJAX` inside the installed package."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in Path(folder).rglob(MATHJAX):
            return path
    raise ExtensionError(
        f"{MATHJAX} is missing; install what requirements.txt names (sphinx-mathjax-offline)."
    )


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy MathJax into the built site."""
    if error is None and app.builder.format == "html":
        target = Path(app.outdir, "_static", "mathjax", MATHJAX)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(find_mathjax(), target)


def github_repository(root: Path) -> str | None:
    """Return the web address of the clone's remote if that is on GitHub."""
    answer = subprocess.run(
        ["git", "-C", str(root), "remote", "get-url", "origin"], capture_output=True, text=True
    )
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?$", answer.stdout.strip())
    return f"https://github.com/{match[1]}" if match else None


def add_launch_buttons(app: Sphinx, config: Config) -> None:
    """Tell the theme where the repository is, if it is anywhere."""
    repository = github_repository(Path(app.srcdir))
    if repository:
        config.html_theme_options.update(
            repository_url=repository,
            repository_branch="main",
            use_repository_button=True,
            launch_buttons={
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        )


def drop_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Leave Thebe's scripts out of a page; Jupyter Book adds them even where they are not used."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script.filename} {script.attributes.get('body', '')}".lower()
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the steps to Sphinx's events."""
    app.connect("config-inited", add_launch_buttons)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
