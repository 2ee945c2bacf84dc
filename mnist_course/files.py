"""Write files so that no reader ever sees half of one, and no failure destroys an old one."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mnist_course.errors import CourseError

LEFTOVER_SECONDS = 3600.0  # a temporary file that rests this long belongs to a dead process


class SaveError(CourseError, OSError):
    """A file could not be written; the message names it, says why, and what is still intact."""


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open ``path`` for writing in one step: all of it, or nothing.

    The bytes go to a temporary file in the same folder, which is flushed to disk and then
    renamed over ``path``. Whatever interrupts this, ``path`` holds either its old content or the
    complete new one.

    Parameters
    ----------
    path : str or Path
        The file to write. Missing parent folders are made.

    Yields
    ------
    BinaryIO
        The open temporary file.

    Raises
    ------
    SaveError
        If the folder is read-only, the disk is full, or ``path`` is a folder.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, f".{glob.escape(path.name)}.*.part")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private to the user (0600); give the mode a plain open() would give.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(
            f"{path} was not written: {reason}; an older file of that name is untouched. "
            "Free some space or choose a folder that you may write to, then try again."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Delete the temporary files of processes that were killed while they wrote.

    Parameters
    ----------
    folder : Path
        Where to look.
    pattern : str
        What their names look like; younger files may be in use, and stay.
    """
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()
