"""Run the chapters: as scripts, one after the other, or as notebooks whose outputs are kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.progress import HEADLINE, progress, say

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "_build" / "run"  # a log, the figures and a record of every chapter that ran
CELL_SECONDS = 110  # a cell that takes longer is taken for an endless loop


class ChapterError(RuntimeError):
    """A chapter cannot be found or run; the message names it and the next step."""


@dataclasses.dataclass(frozen=True)
class Run:
    """How running one chapter as a script ended."""

    chapter: str
    key: str  # hash of everything that the result depends on
    ok: bool
    seconds: float
    headline: str


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
    found = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
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


def run_chapters(names: Sequence[str] = (), force: bool = False) -> list[Run]:
    """Run chapters as scripts, in order, with one line each; a failing one does not stop the rest.

    A chapter whose text, package, data and device are those of its last good run is not run
    again. Its output goes to ``_build/run/NN_name.log``, its figures to ``_build/run/figures``.

    Parameters
    ----------
    names : sequence of str
        As for `find_chapters`.
    force : bool
        Run also what has not changed.

    Returns
    -------
    list of Run
        One per chapter.

    Raises
    ------
    ChapterError, DataError
        Before anything runs.
    """
    chapters = find_chapters(names)
    digits = load_data()  # once for all: what is found here is handed to every chapter
    environment = chapter_environment(str(digits.folder) if digits.is_mnist else "practice")
    runs = []
    for path in progress(chapters, "chapters", unit="chapter"):
        key = _key(path, digits.source, environment)
        old = _last_run(path.stem)
        if not force and old is not None and old.ok and old.key == key:
            say(f"  {path.stem:<26} unchanged, {old.seconds:.0f} s when it ran")
            runs.append(old)
            continue
        runs.append(_run_script(path, key, environment))
    return runs


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
    environment = os.environ.copy()
    # A backend named in the environment would reach the kernels and lose the figures there.
    environment.pop("MPLBACKEND", None)
    environment.update(
        MNIST_COURSE_DATA=data,
        MNIST_COURSE_ANNOUNCED="1",
        MNIST_COURSE_FIGURES=str(RUNS / "figures"),
        MNIST_COURSE_PROGRESS="lines",
        # Threads that spin while they wait make a busy machine several times slower.
        OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        # The matrices are small: a second BLAS thread would mostly wait for the first.
        OPENBLAS_NUM_THREADS=os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        PYTHONHASHSEED="0",
        PYTHONIOENCODING="utf-8",
    )
    return environment


def format_table(runs: Sequence[Run]) -> str:
    """Return the closing table of `run_chapters`.

    Parameters
    ----------
    runs : sequence of Run
        One per chapter.

    Returns
    -------
    str
        A line per chapter: name, seconds, headline result or where to find the log.
    """
    lines = [f"{'chapter':<26} {'seconds':>7}  result", "-" * 78]
    for run in runs:
        result = run.headline if run.ok else f"FAILED, see {_log(run.chapter).relative_to(ROOT)}"
        lines.append(f"{run.chapter:<26} {run.seconds:7.1f}  {result}")
    return "\n".join(lines)


def _log(chapter: str) -> Path:
    return RUNS / f"{chapter}.log"


def _run_script(path: Path, key: str, environment: dict[str, str]) -> Run:
    """Run one chapter in a process of its own, and record how it went."""
    RUNS.mkdir(parents=True, exist_ok=True)
    log = _log(path.stem)
    begun = time.perf_counter()
    with log.open("wb") as output:
        status = subprocess.run(
            [sys.executable, str(path)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ).returncode
    seconds = time.perf_counter() - begun
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    results = [line.removeprefix(HEADLINE) for line in lines if line.startswith(HEADLINE)]
    run = Run(path.stem, key, status == 0, seconds, results[-1] if results else "")
    if run.ok:
        say(f"  {path.stem:<26} {seconds:5.1f} s")
    else:
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        say(f"  {path.stem:<26} FAILED after {seconds:.1f} s: {last}")
    with atomic_write(RUNS / f"{path.stem}.json") as file:
        file.write(json.dumps(dataclasses.asdict(run), indent=1).encode())
    return run


def _last_run(chapter: str) -> Run | None:
    """Return the record of the last run of a chapter, if there is one that can be read."""
    try:
        return Run(**json.loads((RUNS / f"{chapter}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _key(path: Path, source: str, environment: dict[str, str]) -> str:
    """Return a hash of what the result of a chapter depends on."""
    parts = [path.read_bytes(), source.encode(), sys.version.encode()]
    parts += [p.read_bytes() for p in sorted((ROOT / "mnist_course").rglob("*.py"))]
    parts += [(ROOT / "requirements.txt").read_bytes()]
    parts += [environment.get("MNIST_COURSE_DEVICE", "").encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


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


# Notebooks ---------------------------------------------------------------------------------------


def derive_notebook(path: Path) -> Any:
    """Return the notebook of a chapter's script: same cells, no outputs, ids that never change.

    Parameters
    ----------
    path : Path
        ``notebooks/NN_name.py``.

    Returns
    -------
    nbformat.NotebookNode
        Ready to be executed or compared.
    """
    import jupytext

    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = hashlib.sha256(f"{path.stem}/{number}".encode()).hexdigest()[:8]
    notebook.metadata = {
        "jupytext": {
            "cell_metadata_filter": "tags,mystnb,-all",
            "notebook_metadata_filter": "kernelspec,-all",
        },
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def execute_notebooks(names: Sequence[str] = (), force: bool = False) -> list[Path]:
    """Derive the ``.ipynb`` of chapters from their scripts and run them, keeping the outputs.

    The outputs are what the book shows, so they come from real MNIST on a CPU. Running twice
    gives the same file. A notebook whose cells are those of its script is not run again.

    Parameters
    ----------
    names : sequence of str
        As for `find_chapters`.
    force : bool
        Run also what has not changed; do this after a change in the package.

    Returns
    -------
    list of Path
        The notebooks that were written.

    Raises
    ------
    ChapterError
        If there is no MNIST, or a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    chapters = find_chapters(names)
    digits = load_data()
    if not digits.is_mnist:
        raise ChapterError(
            "the outputs that the book shows come from real MNIST, and only the practice set is "
            "here. Set MNIST_COURSE_DATA to a folder with the four files."
        )
    enter_environment(str(digits.folder), "cpu")
    written = []
    for path in chapters:
        target = path.with_suffix(".ipynb")
        notebook = derive_notebook(path)
        if not force and target.exists() and same_cells(notebook, nbformat.read(target, 4)):
            say(f"  {target.name:<32} unchanged")
            continue
        begun = time.perf_counter()
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ChapterError(f"{path.name}: {_without_colors(str(error))}") from None
        _refuse_warnings(path, notebook)
        with atomic_write(target) as file:
            file.write(nbformat.writes(notebook, version=4).encode() + b"\n")
        written.append(target)
        say(f"  {target.name:<32} {time.perf_counter() - begun:5.1f} s")
    return written


def same_cells(one: Any, other: Any) -> bool:
    """Return whether two notebooks have the same cells.

    Parameters
    ----------
    one, other : nbformat.NotebookNode
        For example, one derived from a script and one read from a file.

    Returns
    -------
    bool
        Whether kind, source and metadata of all cells are equal; outputs do not matter.
    """
    return list(_cells(one)) == list(_cells(other))


def _cells(notebook: Any) -> Iterator[tuple[str, str, str]]:
    for cell in notebook.cells:
        yield cell.cell_type, cell.source, json.dumps(cell.metadata, sort_keys=True)


def _refuse_warnings(path: Path, notebook: Any) -> None:
    """Make sure that no cell wrote to standard error: a reader would see the warning."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise ChapterError(f"{path.name} warns: {output.text}\nin the cell\n{cell.source}")


def _without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
