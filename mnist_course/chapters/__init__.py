"""The chapters: found, run as scripts, and made into notebooks whose outputs are kept."""

from mnist_course.chapters.notebooks import execute_notebooks
from mnist_course.chapters.pair import derive_notebook, same_cells
from mnist_course.chapters.places import (
    CELL_SECONDS,
    NOTEBOOKS,
    ROOT,
    RUNS,
    ChapterError,
    chapter_environment,
    enter_environment,
    find_chapters,
)
from mnist_course.chapters.scripts import Run, format_table, run_chapters

__all__ = [
    "CELL_SECONDS",
    "NOTEBOOKS",
    "ROOT",
    "RUNS",
    "ChapterError",
    "Run",
    "chapter_environment",
    "derive_notebook",
    "enter_environment",
    "execute_notebooks",
    "find_chapters",
    "format_table",
    "run_chapters",
    "same_cells",
]
