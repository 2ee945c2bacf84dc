"""Run the chapters as scripts, one after the other."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mnist_course.chapters import places
from mnist_course.chapters.places import ChapterError
from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.progress import HEADLINE, progress, say
from mnist_course.table import format_rows


@dataclasses.dataclass(frozen=True)
class Run:
    """How running one chapter as a script ended."""

    chapter: str
    key: str  # hash of everything that the result depends on
    ok: bool
    seconds: float
    headline: str


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
    chapters = places.find_chapters(names)
    digits = load_data()  # once for all: what is found here is handed to every chapter
    environment = places.chapter_environment(str(digits.folder) if digits.is_mnist else "practice")
    where = _describe_device()
    runs = []
    for path in progress(chapters, "chapters", unit="chapter"):
        key = _key(path, digits.source, where)
        old = _last_run(path.stem)
        if not force and old is not None and old.ok and old.key == key:
            say(f"  {path.stem:<26} unchanged, {old.seconds:.0f} s when it ran")
            runs.append(old)
            continue
        runs.append(_run_script(path, key, environment))
    return runs


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
    rows = [["chapter", "seconds", "result"]]
    for run in runs:
        failed = f"FAILED, see {_log(run.chapter).relative_to(places.ROOT)}"
        rows.append([run.chapter, f"{run.seconds:.1f}", run.headline if run.ok else failed])
    head, *lines = format_rows(rows, "<><", widths=(25, 7))
    return "\n".join([head, "-" * 78, *lines])


def _log(chapter: str) -> Path:
    return places.RUNS / f"{chapter}.log"


def _run_script(path: Path, key: str, environment: dict[str, str]) -> Run:
    """Run one chapter in a process of its own, and record how it went."""
    places.RUNS.mkdir(parents=True, exist_ok=True)
    log = _log(path.stem)
    begun = time.perf_counter()
    with log.open("wb") as output:
        status = subprocess.run(
            [sys.executable, str(path)],
            cwd=places.ROOT,
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
    with atomic_write(places.RUNS / f"{path.stem}.json") as file:
        file.write(json.dumps(dataclasses.asdict(run), indent=1).encode())
    return run


def _last_run(chapter: str) -> Run | None:
    """Return the record of the last run of a chapter, if there is one that can be read."""
    try:
        return Run(**json.loads((places.RUNS / f"{chapter}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _key(path: Path, source: str, where: str) -> str:
    """Return a hash of what the result of a chapter depends on."""
    package = places.ROOT / "mnist_course"
    inside = sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    digest = hashlib.sha256("\0".join([source, where, sys.version]).encode())
    for file in (path, places.ROOT / "requirements.txt", *inside):
        content = file.read_bytes()
        digest.update(f"\0{file.relative_to(places.ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _describe_device() -> str:
    """Return what the chapters will compute on, as the device that is really there."""
    from mnist_course.device import describe, pick_device

    try:
        return describe(pick_device())
    except ValueError as error:
        raise ChapterError(str(error)) from None
