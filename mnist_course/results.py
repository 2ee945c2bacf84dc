"""What every model of the course reached, measured over several runs: the results page.

The numbers are made by ``python -m benchmarks.measure_models`` and stored in ``results.json``
beside this file. Nothing is typed in by hand.

Shown on: the results page of the book.
"""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_course.table import format_rows

STORED = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Result:
    """The runs of one recipe.

    Attributes
    ----------
    name : str
        The key of the recipe, as in ``python -m mnist_course train --model NAME``.
    title : str
        What it is, in a few words.
    num_parameters, num_epochs, num_examples : int
        Size of the model, passes over the data, training images.
    seeds : tuple of int
        One per run.
    test_accuracy : tuple of float
        Percent of the 10,000 test images, one per run, measured once, after the last step.
    seconds : tuple of float
        Of one core, for the whole run from the files to the test; on a GPU, on the clock.
    measured_on : str
        Hardware and software.
    """

    name: str
    title: str
    num_parameters: int
    num_epochs: int
    num_examples: int
    seeds: tuple[int, ...]
    test_accuracy: tuple[float, ...]
    seconds: tuple[float, ...]
    measured_on: str

    @property
    def mean(self) -> float:
        """Mean test accuracy in percent."""
        return statistics.fmean(self.test_accuracy)

    @property
    def sd(self) -> float:
        """Standard deviation of the test accuracy over the runs, with n - 1."""
        return statistics.stdev(self.test_accuracy) if len(self.test_accuracy) > 1 else 0.0

    def __str__(self) -> str:
        """Return mean and spread in one phrase."""
        return f"{self.mean:.2f} ± {self.sd:.2f} % ({len(self.seeds)} runs)"


def load_results(path: Path = STORED) -> dict[str, Result]:
    """Return the stored results by the name of their recipe.

    Parameters
    ----------
    path : Path
        The file that ``benchmarks/measure_models.py`` wrote.

    Returns
    -------
    dict of str to Result
        In the order of the results page.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {name: _result(name, row) for name, row in stored.items()}


def _result(name: str, row: dict[str, Any]) -> Result:
    """Return one stored row as a `Result`."""
    lists = {key: tuple(row[key]) for key in ("seeds", "test_accuracy", "seconds")}
    return Result(**{"name": name, **row, **lists})


def table(results: dict[str, Result]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the results page as text.

    Parameters
    ----------
    results : dict of str to Result
        As `load_results` returns them.

    Returns
    -------
    head : list of str
        Names of the columns.
    rows : list of list of str
        One row per result, one entry per column.
    """
    head = ["name", "what it is", "parameters", "epochs", "test accuracy", "runs", "seconds"]
    rows = [
        [
            r.name,
            r.title,
            f"{r.num_parameters:,}",
            f"{r.num_epochs}",
            f"{r.mean:.2f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{r.sd:.2f}\N{NO-BREAK SPACE}%",
            f"{len(r.seeds)}",
            f"{statistics.median(r.seconds):.0f}",
        ]
        for r in results.values()
    ]
    return head, rows


def format_results(results: dict[str, Result]) -> str:
    """Return the results as a table for the terminal.

    Parameters
    ----------
    results : dict of str to Result
        As `load_results` returns them.

    Returns
    -------
    str
        Several lines.
    """
    head, rows = table(results)
    lines = format_rows([head, *rows], "<<>>>>>")
    hardware = sorted({r.measured_on for r in results.values()})
    return "\n".join([*lines, "", *(f"Measured on {text}." for text in hardware)])
