"""A progress bar for people, plain lines for logs, and the headline of a chapter."""

import os
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

from mnist_course.errors import UsageError

T = TypeVar("T")
VARIABLE = "MNIST_COURSE_PROGRESS"
HEADLINE = "Headline: "


def in_notebook() -> bool:
    """Return whether this code runs in a Jupyter kernel."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


def someone_watches() -> bool:
    """Return whether to draw progress bars: in a terminal and in JupyterLab, not into a log.

    ``MNIST_COURSE_PROGRESS=lines`` turns them off, ``=bar`` on.

    Raises
    ------
    UsageError
        If the variable says something else.
    """
    wish = os.environ.get(VARIABLE, "").strip()
    if wish not in ("", "lines", "bar"):
        raise UsageError(
            f"{VARIABLE}={wish}: expected bar or lines. Unset it to have a bar where somebody "
            "watches."
        )
    return wish == "bar" if wish else in_notebook() or sys.stderr.isatty()


def progress(items: Iterable[T], description: str, **options: Any) -> Iterable[T]:
    """Iterate over ``items`` behind a bar that vanishes when it is done.

    Parameters
    ----------
    items : iterable
        What to go through.
    description : str
        What the bar is called.
    **options
        Passed on to tqdm (``total``, ``unit``, …).

    Returns
    -------
    iterable
        The same items.
    """
    # ASCII, because not every Windows terminal can draw tqdm's blocks.
    return tqdm(
        items,
        desc=description,
        leave=False,
        ascii=True,
        disable=not someone_watches(),
        dynamic_ncols=True,
        **options,
    )


def say(line: str) -> None:
    """Print a line to standard output without tearing a bar that is being drawn.

    Parameters
    ----------
    line : str
        What to print.
    """
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


def headline(result: str) -> None:
    """Print the one result that a chapter is remembered by; ``make course`` collects them.

    Parameters
    ----------
    result : str
        For example ``"92.4 % of the test digits"``.
    """
    say(f"{HEADLINE}{result}")
