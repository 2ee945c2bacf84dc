"""Keep a training run on disk: nothing destroys the file, and no damaged or hostile file passes.

A checkpoint is what `torch.save` writes, a zip archive, with the SHA-256 of all of it as the
archive's comment. `torch.load` opens it as any other; `load_checkpoint` verifies it first.

Taught in: chapter 10, "A run that survives".
"""

import contextlib
import hashlib
import io
import os
import pickle
from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_course.errors import UsageError
from mnist_course.files import atomic_write, looks_like

SEAL = b"sha256:"
SEAL_LENGTH = len(SEAL) + 64
DEEPEST = 20  # levels of lists and dicts; those of an optimizer are five
PLAIN = (int, float, bool, str, type(None))
# Switches torch's guard against hostile files off where nobody passes weights_only.
UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class CheckpointError(UsageError):
    """A checkpoint cannot be used; the message names the file, the reason and the next step."""


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
    Shown in: chapter 10.
    """
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _form(value: Any) -> str:
    """Return shape and type of a tensor in words."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


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


LOOKS = {
    "empty": "is empty (0 bytes)",
    **dict.fromkeys(("web page", "xml", "svg"), "is a web page"),
    **dict.fromkeys(("png", "jpeg", "gif"), "is a picture"),
    "git lfs": "is a Git LFS pointer; run git lfs pull",
    "pickle": "is a pickle, which may run code; do not open it",
    "text": "looks like text",
}


def _kind(data: bytes) -> str:
    """Say what a file that is no zip archive looks like."""
    return LOOKS.get(looks_like(data), f"begins with the bytes {data[:4].hex(' ')}")


def _find_fault(content: Any, name: str = "", seen: dict[int, bool] | None = None) -> str | None:
    """Return what is wrong with the content of a checkpoint: NaN, infinity, unknown things.

    ``seen`` says of every list and dict that was met, by identity, whether we are still in it.
    """
    if type(content) in PLAIN:
        return None
    if isinstance(content, torch.Tensor):
        # NaN and infinity survive in a sum, which is quicker to ask for.
        if content.sum().isfinite() or content.isfinite().all():
            return None
        return f"{name} holds NaN or infinity"
    seen = {} if seen is None else seen
    if id(content) in seen:  # a forged file can repeat what it holds without growing
        return f"{name} holds itself" if seen[id(content)] else None
    parts = dict(enumerate(content)) if type(content) in (list, tuple) else content
    if type(parts) not in (dict, Counter, OrderedDict):
        kind = type(content).__name__
        return f"{name} is a {kind}, and a checkpoint holds tensors and plain values only"
    if sum(seen.values()) == DEEPEST:
        return f"{name} lies more than {DEEPEST} levels deep"
    seen[id(content)] = True
    faults = (_find_fault(value, f"{name} {key}".strip(), seen) for key, value in parts.items())
    fault = next(filter(None, faults), None)
    seen[id(content)] = False
    return fault


def _next_step(path: Path) -> str:
    """Say what to do about a file that cannot be used."""
    previous = previous_of(path)
    with contextlib.suppress(CheckpointError, OSError):
        _parse(previous, previous.read_bytes())
        return f"The one before it, {previous}, is whole: rename it to {path.name} and resume."
    return "Move it away or name another file, and train again."
