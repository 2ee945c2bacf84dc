"""What the checks of chapter 10, "A run that survives", accept."""

import io
import itertools
import os
import random
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from mnist_course.exercises.expect import call
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise
from mnist_course.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

in_data("10.place", "10.order", "10.size", "10.velocity", "10.loader")


def _seed(function: Any, seed: int, step: int) -> int:
    """Return the seed that the learner's function makes, as a whole number."""
    value = call(function, seed, step)
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)) and np.size(value) == 1:
        value = value.item()
    if type(value) is not int:
        raise Wrong(f"a seed is a whole number, got {value!r}: use int(...) or //")
    if not 0 <= value < 2**32:
        raise Wrong(f"my_step_seed({seed}, {step}) is {value}, not from 0 to 2**32 - 1")
    return value


@exercise("10.seeds")
def seeds(answer: Any) -> None:
    runs = [(seed, step) for seed in (0, 1, 2, 11, 12, 1000) for step in range(400)]
    runs += [(seed, step) for seed in (0, 1, 2, 1000) for step in (999, 1000, 1001, 100_000)]
    runs += [(seed, step) for seed in (10_000, 65_536) for step in (1, 23, 65_536, 1_000_000)]
    first: dict[int, tuple[int, int]] = {}
    for seed, step in runs:
        value = _seed(answer, seed, step)
        other = first.setdefault(value, (seed, step))
        if other != (seed, step):
            both = f"run {other[0]}, step {other[1]} and run {seed}, step {step}"
            raise Wrong(f"{both} both get {value}")
    random.seed(random.random())
    torch.rand(3)
    for run in runs[:50]:
        if first.get(_seed(answer, *run)) != run:
            raise Wrong(f"my_step_seed{run} is another number when it is asked again")
    _expect_no_march(answer)


def _expect_no_march(function: Any) -> None:
    """Refuse neighbors that are shifted copies of each other: two such runs walk in step."""
    gaps: set[int] = set()
    for seed in (0, 1, 2):
        row = [_seed(function, seed, step) for step in range(40)]
        gaps |= {(b - a) % 2**32 for a, b in itertools.pairwise(row)}
    far = _collision(function, gaps.pop()) if len(gaps) == 1 else None
    if far:
        raise Wrong(far)


def _collision(function: Any, stride: int) -> str | None:
    """Look for a collision of a seed that grows by ``stride`` with every step."""
    start = {seed: _seed(function, seed, 0) for seed in range(200)}
    for seed in range(1, 200):
        distance = (start[seed] - start[0]) % 2**32
        steps, left = divmod(distance, stride) if stride else (0, 1)
        if not left and 0 < steps <= 10_000_000 and _seed(function, 0, steps) == start[seed]:
            return f"run 0, step {steps} and run {seed}, step 0 get the same seed"
    return None


NEW = b"new, all of it"


class _Writer:
    """What is handed to the learner's function as ``write``, and what it saw meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[bytes] = []  # in the file while it was being written
        self.renamed: list[bytes] = []  # in what was moved over it
        self.elsewhere = False  # whether that lay in another folder

    def good(self, file: Any) -> None:
        file.write(NEW[:5])
        file.flush()
        self.seen.append(self.path.read_bytes() if self.path.exists() else b"")
        file.write(NEW[5:])

    def bad(self, file: Any) -> None:
        file.write(b"half")
        file.flush()
        raise MemoryError("in the middle")

    def watched(self, real: Any) -> Any:
        def move(source: Any, target: Any, **options: Any) -> Any:
            self.renamed.append(Path(source).read_bytes())
            self.elsewhere |= Path(source).resolve().parent != self.path.resolve().parent
            return real(source, target, **options)

        return move


def _expect_new(answer: Any, path: Path) -> None:
    """Judge a write that goes well."""
    writer = _Writer(path)
    with (
        mock.patch("os.replace", writer.watched(os.replace)),
        mock.patch("os.rename", writer.watched(os.rename)),
    ):
        try:
            _call_save(answer, path, writer.good)
        except FileNotFoundError:
            raise Wrong(
                "a file was missing: after the rename nothing has the other name any more; "
                "unlink(missing_ok=True) does not mind"
            ) from None
    if not writer.seen:
        raise Wrong("your function did not call write")
    if path.read_bytes() != NEW:
        raise Wrong(f"afterwards the file holds {path.read_bytes()!r}, not what was written")
    if writer.renamed and writer.renamed[-1] != NEW:
        raise Wrong("you renamed it before all of it was written: close or flush the file first")
    if writer.seen[0] != b"old":
        raise Wrong("while it was being written, the old file was not there any more")
    if writer.elsewhere:
        raise Wrong(
            "the new file was written into another folder: only within one file system is a rename "
            "a single step"
        )


def _expect_old(answer: Any, path: Path) -> None:
    """Judge a write that fails in the middle."""
    try:
        _call_save(answer, path, _Writer(path).bad)
    except MemoryError:
        pass
    else:
        raise Wrong("write raised an error, and the caller did not hear of it")
    if not path.exists() or path.read_bytes() != NEW:
        raise Wrong("when write fails in the middle, the old file must stay as it was")
    rest = [found.name for found in path.parent.iterdir() if found != path]
    if rest:
        raise Wrong(f"when write fails, {rest[0]} is left beside the file: use try and finally")


@exercise("10.write")
def write(answer: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, fresh = Path(folder) / "run.pt", Path(folder) / "first.pt"
        path.write_bytes(b"old")
        _expect_new(answer, path)
        _expect_old(answer, path)
        _call_save(answer, fresh, _Writer(fresh).good)
        if not fresh.exists() or fresh.read_bytes() != NEW:
            raise Wrong("it must work, too, when there is no old file yet")


def _call_save(function: Any, path: Path, write: Any) -> None:
    """Call the learner's function, which need not return anything."""

    def returning(path: Path, write: Any) -> Any:
        result = function(path, write)
        return result if result is ... else True

    if not callable(function):
        call(function)  # says so
    call(returning, path, write)


@exercise("10.forge")
def forge(answer: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        for number in range(3):
            weight = torch.arange(1.0, 7.0 + number)
            save_checkpoint(path, {"model": {"weight": weight}, "step": 40 + number})
            good = path.read_bytes()
            forged = call(answer, good)
            if isinstance(forged, io.BytesIO):
                forged = forged.getvalue()
            if not isinstance(forged, (bytes, bytearray)):
                raise Wrong(f"expected bytes, got {type(forged).__name__}")
            if forged == good:
                raise Wrong("these are the same bytes as before")
            path.write_bytes(forged)
            _expect_forged(path, weight, step=40 + number)
            path.unlink()


def _expect_forged(path: Path, weight: torch.Tensor, step: int) -> None:
    """Make sure that the file loads, and differs from the genuine one in the sign of the weight."""
    try:
        content = load_checkpoint(path)
    except CheckpointError as error:
        reason, hint = str(error).split(": ")[-1].split(". ")[0], ""
        if "written by torch.save" in reason:
            hint = "; seal it as the page seals the greeting"
        elif "checksum" in reason:
            hint = "; the seal is the SHA-256 of all bytes before it, in 64 digits"
        raise Wrong(f"load_checkpoint noticed: {reason}{hint}") from None
    model = content.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("weight"), torch.Tensor):
        raise Wrong('it loads, but holds no content["model"]["weight"] any more')
    if torch.equal(model["weight"], weight):
        raise Wrong("it loads, but the weights are as before")
    if not torch.equal(model["weight"], -weight):
        raise Wrong("it loads, but not every weight has the opposite sign of before")
    if content.get("step") != step:
        raise Wrong("a good forger leaves everything else as it was; the step is gone")
