"""Keep a run in a file while it goes on: load it, save it, and wait with Ctrl-C for a whole step.

Taught in: chapter 10, "A run that survives".
"""

from __future__ import annotations

import platform
import signal
import tempfile
import threading
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from mnist_course.files import SaveError
from mnist_course.training.checkpoint import (
    CheckpointError,
    load_checkpoint,
    previous_of,
    restore_model,
    save_checkpoint,
)


class HasState(Protocol):
    """What a checkpoint can hold: models, optimizers, schedulers and a run's own numbers."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes during training."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take over what `state_dict` returned."""


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
    writes : bool
        False where another process of the team writes the file, and this one only reads it.
    """

    def __init__(
        self,
        path: str | Path,
        parts: Mapping[str, HasState],
        about: Mapping[str, Any],
        every: int | None = None,
        conditions: Mapping[str, Any] | None = None,
        writes: bool = True,
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"save_every={every}: at least one step lies between two checkpoints.")
        self.path, self.parts, self.about, self.every = Path(path), parts, dict(about), every
        self.conditions, self.writes = dict(conditions or {}), writes
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
        if not self.writes:
            return None
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
        """Write the checkpoint; all processes of a team take part, and one of them writes."""
        content = {"about": self.about, "made_with": self._made_with()}
        content |= {name: part.state_dict() for name, part in self.parts.items()}
        if self.writes:
            save_checkpoint(self.path, content)

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
        device = next((t.device for t in tensors), torch.device("cpu"))
        hardware = platform.machine() + " " + torch.backends.cpu.get_cpu_capability()
        if device.type == "cuda":
            hardware = torch.cuda.get_device_name(device)
        return {
            "device": device.type,
            "hardware": hardware,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
            **self.conditions,
        }


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
