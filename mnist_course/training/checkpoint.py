"""Keep a training run on disk: nothing destroys the file, and no damaged or hostile file passes.

A checkpoint is what `torch.save` writes, a zip archive, with the SHA-256 of all of it as the
archive's comment. `torch.load` opens it as any other; `load_checkpoint` verifies it first.

Taught in: chapter 9, "A run that survives".
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import platform
import signal
import tempfile
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from mnist_course.errors import UsageError
from mnist_course.files import SaveError, atomic_write

SEAL = b"sha256:"
SEAL_LENGTH = len(SEAL) + 64
PLAIN = (int, float, bool, str, type(None))
# Switches torch's guard against hostile files off where nobody passes weights_only.
UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class CheckpointError(UsageError):
    """A checkpoint cannot be used; the message names the file, the reason and the next step."""


class HasState(Protocol):
    """What a checkpoint can hold: models, optimizers, schedulers and a run's own numbers."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes during training."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take over what `state_dict` returned."""


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` to ``path`` in one step, and keep what stood there as ``path.previous``.

    Parameters
    ----------
    path : str or Path
        The file. Missing folders are made.
    content : mapping
        Tensors, numbers, strings, None, and lists and dicts of them; nothing else could be loaded
        again without running code from the file.

    Raises
    ------
    CheckpointError
        If a tensor holds NaN or infinity, or ``content`` something else than the above.
    SaveError
        If the file cannot be written. What stood there before is untouched.
    """
    path = Path(path)
    _refuse_unsafe(path)
    fault = _find_fault(content)
    if fault:
        raise CheckpointError(f"{path} was not written: {fault}.")
    archive = io.BytesIO()
    torch.save(dict(content), archive)
    _seal(archive)
    with atomic_write(path) as file:
        file.write(archive.getbuffer())
        file.flush()  # a full disk shows here, while the older files are still as they were
        if path.exists():
            _keep(path)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with all tensors on the CPU, or refuse the file.

    Parameters
    ----------
    path : str or Path
        A file that `save_checkpoint` wrote.

    Returns
    -------
    dict
        What was saved.

    Raises
    ------
    CheckpointError
        If the file is missing, cut short, damaged by a single bit, of another kind, made to run
        code, or holds weights that are not finite.
    """
    path = Path(path)
    try:
        return _parse(path, path.read_bytes())
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror}."
    except CheckpointError as error:
        reason = str(error)
    raise CheckpointError(f"{reason} {_next_step(path)}")


def previous_of(path: str | Path) -> Path:
    """Return where the checkpoint before the last one is kept.

    Parameters
    ----------
    path : str or Path
        The checkpoint.

    Returns
    -------
    Path
        The same name with ``.previous`` at its end.
    """
    return Path(f"{path}.previous")


def restore_model(model: nn.Module, state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """Put saved weights into ``model``: all of them, and only if every one fits.

    Parameters
    ----------
    model : nn.Module
        Built as the one that was saved; it stays on its device.
    state : mapping of str to torch.Tensor
        What its ``state_dict()`` was.
    path : str or Path
        Where it comes from, for the message.

    Raises
    ------
    CheckpointError
        If a name, a shape or a type differs. The model is unchanged then.
    """
    there, here = ({name: _form(t) for name, t in s.items()} for s in (state, model.state_dict()))
    for name in [*there, *here]:
        if there.get(name) != here.get(name):
            raise CheckpointError(
                f"{path} belongs to another model: {name} is {there.get(name, 'missing')} there "
                f"and {here.get(name, 'missing')} in yours. Build the model as it was when it was "
                "saved."
            )
    model.load_state_dict(state, strict=True)


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of everything that a model has learned: equal means equal to the last bit.

    Parameters
    ----------
    model : nn.Module
        On any device.

    Returns
    -------
    str
        64 hexadecimal digits.

    Notes
    -----
    Shown in: chapter 9.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class Keeper:
    """Keeps a run in a file: loads it, saves it every so many steps, and when it is interrupted.

    Use it as a context: inside, Ctrl-C waits for the end of the step or of the validation.

    Parameters
    ----------
    path : str or Path
        The checkpoint.
    parts : dict of str to object
        All that changes during training, by name; ``"model"`` must be among them.
    about : dict
        What the run depends on and does not change: seed, settings, data. Plain values only.
    every : int, optional
        Save after so many steps; None leaves it to the caller.
    conditions : dict, optional
        More of what the last bits depend on, such as the number of workers that load data.
    """

    def __init__(
        self,
        path: str | Path,
        parts: Mapping[str, HasState],
        about: Mapping[str, Any],
        every: int | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"save_every={every}: at least one step lies between two checkpoints.")
        self.path, self.parts, self.about, self.every = Path(path), parts, dict(about), every
        self.conditions = dict(conditions or {})
        self._interrupted = False
        self._handler: Any = None

    def open(self, resume: bool) -> str | None:
        """Begin a new file, or take over what the file holds.

        Parameters
        ----------
        resume : bool
            Whether the file may exist. If it does not, the run begins anew.

        Returns
        -------
        str or None
            A warning, if the conditions have changed on which the last bits depend.

        Raises
        ------
        CheckpointError
            If there is a file and ``resume`` is False, or the file is of another run or damaged.
        SaveError
            If nothing can be written there.
        """
        previous = previous_of(self.path)
        if self.path.exists() and resume:
            return self._resume()
        if self.path.exists() or self.path.is_symlink():
            raise CheckpointError(
                f"{self.path} exists, and is not overwritten. To go on with that run, resume it; "
                "to begin another, name another file."
            )
        if previous.exists():
            raise CheckpointError(
                f"{self.path} is missing, but the one before it, {previous}, is there. Rename it "
                "to go on from there, or name another file."
            )
        self.save()  # shows, before any work is done, that it can be done
        return None

    def save(self) -> None:
        """Write the checkpoint."""
        content = {"about": self.about, "made_with": self._made_with()}
        save_checkpoint(
            self.path, content | {name: part.state_dict() for name, part in self.parts.items()}
        )

    def after_step(self, step: int) -> None:
        """Save if it is time to, or if somebody pressed Ctrl-C.

        Parameters
        ----------
        step : int
            How many steps the run has made.

        Raises
        ------
        KeyboardInterrupt
            If somebody did, after the checkpoint has been written.
        """
        if self._interrupted or (self.every and step % self.every == 0):
            self.save()
        self.stop_if_interrupted(step)

    def stop_if_interrupted(self, step: int) -> None:
        """Stop if somebody pressed Ctrl-C; call it after `save`.

        Parameters
        ----------
        step : int
            How many steps the run has made.

        Raises
        ------
        KeyboardInterrupt
            If somebody did.
        """
        if self._interrupted:
            raise KeyboardInterrupt(f"stopped after step {step:,}; {self.path} holds the run")

    def __enter__(self) -> Keeper:
        """From here on, Ctrl-C waits for the next save; pressed twice, it does not wait."""
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if usual and threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._note_interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        """Give Ctrl-C its usual meaning back."""
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self._handler = None

    def _note_interrupt(self, *_: object) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def _resume(self) -> str | None:
        """Load the file into the parts; return what is different about this machine."""
        content = load_checkpoint(self.path)
        missing = [n for n in ("about", "made_with", *self.parts) if n not in content]
        if missing:
            raise CheckpointError(
                f"{self.path} does not hold a run that could be resumed: {', '.join(missing)} is "
                "missing. Name another file."
            )
        _check_same(self.path, content["about"], self.about)
        for name, part in self.parts.items():
            if isinstance(part, nn.Module):
                restore_model(part, content[name], self.path)
                continue
            try:
                part.load_state_dict(content[name])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CheckpointError(
                    f"{self.path} belongs to another run: its {name} does not fit ({error}). Build "
                    "everything as it was when it was saved."
                ) from None
        try:
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise SaveError(
                f"nothing can be written beside {self.path}: {error.strerror}. Copy it to a folder "
                "that you may write to."
            ) from None
        there, here = content["made_with"], self._made_with()
        changed = [f"{key} {there.get(key)} then, {here[key]} now" for key in here
                   if there.get(key) != here[key]]  # fmt: skip
        if changed:
            return (
                f"{self.path} was made under other conditions ({'; '.join(changed)}): the result "
                "will be as good, but not the same to the last bit"
            )
        return None

    def _made_with(self) -> dict[str, Any]:
        """Return on what the last bits of a result depend."""
        model = self.parts["model"]
        tensors = model.state_dict().values()
        where = next((t.device for t in tensors), torch.device("cpu"))
        hardware = platform.machine() + " " + torch.backends.cpu.get_cpu_capability()
        if where.type == "cuda":
            hardware = torch.cuda.get_device_name(where)
        return {
            "device": where.type,
            "hardware": hardware,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
            **self.conditions,
        }


def _form(value: Any) -> str:
    """Return shape and type of a tensor in words."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _check_same(path: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse to continue a run with other settings: it would end as neither of the two."""
    changed = [_contrast(key, there[key], here[key])
               for key in here if key in there and there[key] != here[key]]  # fmt: skip
    if changed:
        rest = f"; and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise CheckpointError(
            f"{path} belongs to another run: {'; '.join(changed[:3])}{rest}. Resume with the same "
            "settings, or name another file."
        )


def _contrast(key: str, there: Any, here: Any) -> str:
    """Say how two values differ; of texts of many lines, the first lines that do."""
    if isinstance(there, str) and isinstance(here, str):
        lines = zip_longest(there.splitlines(), here.splitlines(), fillvalue="nothing")
        there, here = next((a.strip(), b.strip()) for a, b in lines if a != b)
    return f"{key} is {there} there and {here} here"


def _keep(path: Path) -> None:
    """Give the file a second name, under which it stays when another takes its place."""
    previous = previous_of(path)
    try:
        previous.unlink(missing_ok=True)
        os.link(path, previous)
    except OSError:  # a disk without hard links: copy
        with atomic_write(previous) as file:
            file.write(path.read_bytes())


def _seal(archive: io.BytesIO) -> None:
    """Append the SHA-256 of a zip archive as its comment."""
    with archive.getbuffer() as view:
        view[-2:] = SEAL_LENGTH.to_bytes(2, "little")  # of the comment, in front of it
        digest = hashlib.sha256(view).hexdigest()
    archive.seek(0, io.SEEK_END)
    archive.write(SEAL + digest.encode())


def _refuse_unsafe(path: Path) -> None:
    """Refuse to touch a file while torch's guard is switched off."""
    if os.environ.get(UNSAFE, "0") not in ("", "0"):
        raise CheckpointError(
            f"{path} was not opened, because {UNSAFE} is set, which lets files run code "
            "wherever weights_only is left out. Unset it."
        )


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    """Return the content of a checkpoint's bytes; ``path`` is for the messages."""
    _refuse_unsafe(path)
    if not data.startswith(b"PK\x03\x04"):
        raise CheckpointError(f"{path} is not a checkpoint: it {_kind(data)}.")
    if data[-22:-18] == b"PK\x05\x06":
        raise CheckpointError(
            f"{path} carries no checksum: it was written by torch.save, not by this course."
        )
    digest = hashlib.sha256(memoryview(data)[:-SEAL_LENGTH]).hexdigest()
    if data[-SEAL_LENGTH:] != SEAL + digest.encode():
        raise CheckpointError(
            f"{path} is damaged: its {len(data):,} bytes do not match the checksum at its end."
        )
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than tensors and numbers, and may want to run code. It was not "
            "opened; do not open it in another way."
        ) from None
    except Exception as error:  # whatever a forged archive provokes
        raise CheckpointError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a checkpoint.")
    fault = _find_fault(content)
    if fault:
        raise CheckpointError(f"{path} is of no use: {fault}.")
    return content


def _kind(data: bytes) -> str:
    """Say what a file that is no zip archive looks like."""
    start = data[:512].lstrip().lower()
    if not data:
        return "is empty (0 bytes)"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page"
    if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")):
        return "is a picture"
    if data.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer; run git lfs pull"
    if data.startswith(b"\x80"):
        return "is a pickle, which may run code; do not open it"
    if b"\0" not in data[:512]:
        return "looks like text"
    return f"begins with the bytes {data[:4].hex(' ')}"


def _find_fault(content: Any, name: str = "") -> str | None:
    """Return what is wrong with the content of a checkpoint: NaN, infinity, unknown things."""
    if type(content) in PLAIN:
        return None
    if isinstance(content, torch.Tensor):
        # NaN and infinity survive in a sum, which is quicker to ask for.
        if content.sum().isfinite() or content.isfinite().all():
            return None
        return f"{name} holds NaN or infinity"
    if type(content) in (list, tuple):
        content = dict(enumerate(content))
    if type(content) not in (dict, Counter, OrderedDict):
        kind = type(content).__name__
        return f"{name} is a {kind}, and a checkpoint holds tensors and plain values only"
    faults = (_find_fault(value, f"{name} {key}".strip()) for key, value in content.items())
    return next(filter(None, faults), None)


def _next_step(path: Path) -> str:
    """Say what to do about a file that cannot be used."""
    previous = previous_of(path)
    with contextlib.suppress(CheckpointError, OSError):
        _parse(previous, previous.read_bytes())
        return f"The one before it, {previous}, is whole: rename it to {path.name} and resume."
    return "Move it away or name another file, and train again."
