"""How fast the course is beside the programs that it grew out of, and beside the machine.

The numbers are made by ``python -m benchmarks.sources`` and stored in ``speed.json`` beside this
file. Nothing is typed in by hand.
"""

import json
from pathlib import Path
from typing import Any

from mnist_course.table import format_rows

STORED = Path(__file__).with_name("speed.json")


def load_speed(path: Path = STORED) -> dict[str, Any]:
    """Return what was measured.

    Parameters
    ----------
    path : Path
        The file that ``benchmarks/sources.py`` wrote.

    Returns
    -------
    dict of str to Any
        Under ``"machine"`` hardware and software in one line; under every other name a table:
        a list of rows, dicts with the same keys. A key in ``_s`` holds seconds.
    """
    speed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return speed


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
            cells = [[v if isinstance(v, str) else f"{v:,g}" for v in r.values()] for r in rows]
            head = [key.replace("_", " ") for key in rows[0]]
            align = "".join("<" if isinstance(v, str) else ">" for v in rows[0].values())
            lines += [title.replace("_", " "), *format_rows([head, *cells], align), ""]
    return "\n".join([*lines, f"Measured on {speed['machine']}."])
