"""Which exercises the learner has solved, as her saved notebooks show it.

Nothing is recorded elsewhere: what a check printed stands under its cell, and is read from there.
"""

import json
import re
from pathlib import Path

from mnist_course.exercises.judge import MARKS, OPEN, SOLUTION, exercise_names
from mnist_course.table import format_rows

LINE = re.compile(rf"^([{''.join(MARKS.values())}]) (\d\d\.[\w-]+): (.*)$", re.MULTILINE)


def solved_exercises(folder: Path) -> dict[str, str]:
    """Return for every exercise of the course whether it is open, right or wrong.

    Parameters
    ----------
    folder : Path
        Where the notebooks lie. Chapters that are not there, or not readable, count as open.

    Returns
    -------
    dict of str to str
        Exercise, as in ``"04.shift"``, to ``"open"``, ``"right"`` or ``"wrong"``: what its check
        said when the notebook was last run and saved.
    """
    statuses = {mark: status for status, mark in MARKS.items()}
    found = dict.fromkeys(exercise_names(), OPEN)
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        if "." in path.stem:  # a copy, as of `notebooks --replace` or of nbconvert
            continue
        for mark, name, reply in LINE.findall(_printed(path)):
            if name in found and reply != SOLUTION:  # the book's own answer is not hers
                found[name] = statuses[mark]
    return found


def format_solved(found: dict[str, str]) -> str:
    """Return the progress as text, one line per chapter.

    Parameters
    ----------
    found : dict of str to str
        As `solved_exercises` returns it.

    Returns
    -------
    str
        A row of marks per chapter, the names of what is to do, and the count.
    """
    rows = []
    for chapter in sorted({name.split(".")[0] for name in found}):
        mine = {name: status for name, status in found.items() if name.startswith(f"{chapter}.")}
        marks = "".join(MARKS[status] for status in mine.values())
        solved = sum(status == "right" for status in mine.values())
        left = [name.split(".")[1] for name, status in mine.items() if status != "right"]
        to_do = f"to do: {', '.join(left)}" if left else "all solved"
        rows.append([f"chapter {int(chapter):2d}", marks, f"{solved:2d} of {len(mine):2d}", to_do])
    lines = format_rows(rows, "<<<<", widths=(11, 12, 10), gap=" ")
    solved = sum(status == "right" for status in found.values())
    return "\n".join([*lines, "", f"{solved} of {len(found)} exercises with a check solved"])


def _printed(path: Path) -> str:
    """Return everything that the cells of a notebook printed, or nothing if it cannot be read."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "".join(
            "".join(output.get("text", []))
            for cell in cells
            for output in cell.get("outputs", [])
            if output.get("name") == "stdout"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
