"""Execute the notebooks of the chapters, and keep their outputs for the book."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mnist_course.chapters import pair, places
from mnist_course.chapters.places import ChapterError
from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.progress import say


def execute_notebooks(
    names: Sequence[str] = (), force: bool = False, replace: bool = False
) -> list[Path]:
    """Derive the ``.ipynb`` of chapters from their scripts and run them, keeping the outputs.

    The outputs are what the book shows, so they come from real MNIST on a CPU. Running twice
    gives the same file. A notebook whose cells are those of its script is not run again.

    Parameters
    ----------
    names : sequence of str
        As for `find_chapters`.
    force : bool
        Run also what has not changed; do this after a change in the package.
    replace : bool
        Derive also notebooks into which somebody wrote, and keep a copy beside each. Otherwise
        nothing is run if there is one.

    Returns
    -------
    list of Path
        The notebooks that were written.

    Raises
    ------
    ChapterError
        If there is no MNIST, a notebook was edited by hand, or a cell fails.
    """
    chapters = places.find_chapters(names)
    digits = load_data()
    if not digits.is_mnist:
        raise ChapterError(
            "the outputs that the book shows come from real MNIST, and only the practice set is "
            "here. Set MNIST_COURSE_DATA to a folder with the four files."
        )
    if not replace:
        for path in chapters:
            pair.refuse_edited(path.with_suffix(".ipynb"), pair.derive_notebook(path))
    places.enter_environment(str(digits.folder), "cpu")
    written = []
    for path in chapters:
        target = path.with_suffix(".ipynb")
        notebook = pair.derive_notebook(path)
        edited = pair.was_edited(target, notebook)
        if not (force or edited) and _is_up_to_date(target, notebook):
            say(f"  {target.name:<32} unchanged")
            continue
        begun = time.perf_counter()
        _execute(path, notebook)
        _write(target, notebook, replace)
        written.append(target)
        say(f"  {target.name:<32} {time.perf_counter() - begun:5.1f} s")
    return written


def _is_up_to_date(target: Path, notebook: Any) -> bool:
    """Return whether a notebook has the cells of its script already."""
    try:
        return pair.same_cells(notebook, pair.read_notebook(target))
    except pair.UNREADABLE:
        return False


def executed_on() -> dict[str, Any]:
    """Return what decides the last digits of results here: the kind of processor, and how used.

    Returns
    -------
    dict
        Vector instructions that torch uses, whether there is a unit for bfloat16, the kernels of
        numpy's OpenBLAS, torch's threads and version.
    """
    import numpy  # noqa: F401 - so that its OpenBLAS is there to be asked
    import torch
    from threadpoolctl import threadpool_info

    from mnist_course.device import half_precision

    own = [p for p in threadpool_info() if "numpy" in p["filepath"]]  # scipy brings another
    return {
        "bfloat16_unit": half_precision(torch.device("cpu")) is not None,
        "blas": own[0].get("architecture") if own else None,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__.split("+")[0],
    }


def _execute(path: Path, notebook: Any) -> None:
    """Run all cells of a notebook, and note on what they ran."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        timeout=places.CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(places.NOTEBOOKS)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ChapterError(f"{path.name}: {click.unstyle(str(error))}") from None
    _refuse_warnings(path, notebook)
    notebook.metadata["mnist_course"]["executed_on"] = executed_on()


def _write(target: Path, notebook: Any, replace: bool) -> None:
    """Write an executed notebook; what somebody wrote into the old one meanwhile counts, too."""
    import nbformat

    if not replace:
        pair.refuse_edited(target, notebook)
    elif pair.was_edited(target, notebook):
        say(f"  {target.name} was edited by hand: kept as {pair.keep_copy(target).name}")
    with atomic_write(target) as file:
        file.write(nbformat.writes(notebook, version=4).encode() + b"\n")


def _refuse_warnings(path: Path, notebook: Any) -> None:
    """Make sure that no cell wrote to standard error: a reader would see the warning."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise ChapterError(f"{path.name} warns: {output.text}\nin the cell\n{cell.source}")
