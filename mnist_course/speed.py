"""How fast the course is beside the programs that it grew out of, and beside the machine.

The numbers are made by the programs in ``benchmarks`` and stored in ``speed.json`` beside this
file, or in ``gpu.json``. Nothing is typed in by hand.
"""

import json
from pathlib import Path
from typing import Any

from mnist_course.table import format_rows

STORED = Path(__file__).with_name("speed.json")
GPU = Path(__file__).with_name("gpu.json")  # by benchmarks/on_gpu.py, elsewhere


def load_speed(path: Path = STORED) -> dict[str, Any]:
    """Return what was measured.

    Parameters
    ----------
    path : Path
        `STORED` or `GPU`.

    Returns
    -------
    dict of str to Any
        Under ``"machine"`` hardware and software in one line; under every other name a table:
        a list of rows, dicts with the same keys. A key in ``_s`` holds seconds.
    """
    speed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return speed


def format_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return one table as text, the names of its columns first.

    Parameters
    ----------
    rows : list of dict
        One of the tables of `load_speed`.

    Returns
    -------
    list of list of str
        Numbers with three digits, or whole.
    """
    names = [key.replace("_", " ") for key in rows[0]]
    return [names, *([_cell(value) for value in row.values()] for row in rows)]


def _cell(value: Any) -> str:
    if isinstance(value, float) and value < 1000:
        return f"{value:.3g}"
    return value if isinstance(value, str) else f"{value:,.0f}"


def format_speed(speed: dict[str, Any]) -> str:
    """Return all tables as text for the terminal.

    Parameters
    ----------
    speed : dict of str to Any
        As `load_speed` returns it.

    Returns
    -------
    str
        Several lines.
    """
    lines = []
    for title, rows in speed.items():
        if title != "machine":
            align = "".join("<" if isinstance(v, str) else ">" for v in rows[0].values())
            lines += [title.replace("_", " "), *format_rows(format_cells(rows), align), ""]
    return "\n".join([*lines, f"Measured on {speed['machine']}."])
