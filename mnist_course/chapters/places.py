"""Where the chapters lie, which of them is meant, and the environment in which they run."""

import os
from collections.abc import Sequence
from pathlib import Path

from mnist_course.errors import CourseError
from mnist_course.threads import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "_build" / "run"  # a log, the figures and a record of every chapter that ran
# A cell that takes longer is taken for an endless loop. One that trains takes a minute on a good
# processor, and several on a slow one that has something else to do.
CELL_SECONDS = 300


class ChapterError(CourseError, RuntimeError):
    """A chapter cannot be found or run; the message names it and the next step."""


def find_chapters(names: Sequence[str] = ()) -> list[Path]:
    """Return the scripts of the chapters, in order.

    Parameters
    ----------
    names : sequence of str
        Numbers or names (``"4"``, ``"04"``, ``"04_softmax_regression"``); none means all.

    Returns
    -------
    list of Path
        ``notebooks/NN_name.py``.

    Raises
    ------
    ChapterError
        If there are no chapters here, or one of the names fits none.
    """
    found = sorted(path for path in NOTEBOOKS.glob("[0-9][0-9]_*.py") if "." not in path.stem)
    if not found:
        raise ChapterError(
            f"there are no chapters in {NOTEBOOKS}: the course runs from a clone of its "
            "repository. Clone it, and run this there."
        )
    if not names:
        return found
    picked = []
    for name in names:
        wanted = Path(name).stem
        wanted = f"{int(wanted):02d}" if wanted.isdecimal() else wanted
        fits = [path for path in found if path.stem == wanted or path.stem[:2] == wanted]
        if not fits:
            known = ", ".join(path.stem for path in found)
            raise ChapterError(f"there is no chapter {name!r}; there are {known}")
        picked += fits
    return picked


def chapter_environment(data: str) -> dict[str, str]:
    """Return the environment in which a chapter runs, as script or as notebook.

    Parameters
    ----------
    data : str
        What ``MNIST_COURSE_DATA`` is to be.

    Returns
    -------
    dict
        A copy of this process's environment, with the settings that make runs repeatable.
    """
    environment = {**SETTINGS, **os.environ}  # a reader who chose something else keeps it
    # A backend named in the environment would reach the kernels and lose the figures there.
    environment.pop("MPLBACKEND", None)
    environment.update(
        MNIST_COURSE_DATA=data,
        MNIST_COURSE_ANNOUNCED="1",
        MNIST_COURSE_FIGURES=str(RUNS / "figures"),
        MNIST_COURSE_PROGRESS="lines",
        PYTHONHASHSEED="0",
        PYTHONIOENCODING="utf-8",
    )
    return environment


def enter_environment(data: str, device: str) -> None:
    """Put this process, and the kernels that it starts, into `chapter_environment`.

    Parameters
    ----------
    data : str
        What ``MNIST_COURSE_DATA`` is to be.
    device : str
        What ``MNIST_COURSE_DEVICE`` is to be.
    """
    os.environ.pop("MPLBACKEND", None)  # what the environment lacks has to be taken away here
    os.environ.update(chapter_environment(data), MNIST_COURSE_DEVICE=device)
