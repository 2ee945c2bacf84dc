"""Write files so that no reader ever sees half of one; hash them; say what they look like."""

import contextlib
import glob
import hashlib
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mnist_course.errors import CourseError

LEFTOVER_SECONDS = 3600.0  # a temporary file that rests this long belongs to a dead process

# How files begin. Of text, blanks in front and capitals do not matter.
_TEXT = {
    b"<!doctype": "web page",
    b"<html": "web page",
    b"<?xml": "xml",
    b"<svg": "svg",
    b"%pdf": "pdf",
    b"%!ps": "postscript",
    b"version https://git-lfs": "git lfs",
}
_BINARY = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"RIFF": "riff",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"\x93NUMPY": "npy",
    b"\x80": "pickle",
}
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


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
        If the folder is read-only, the disk is full, or ``path`` is a folder. Other errors of the
        block, such as that of a missing file which it reads, pass through.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.urandom(6).hex()}.part"
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_remove, temporary)
        with _blaming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path.parent, f".{glob.escape(path.name)}.*.part")
            raw = _Raw(temporary, path)
        with io.BufferedWriter(raw) as file:
            yield file
            with _blaming(path):
                file.flush()
                os.fsync(file.fileno())
        with _blaming(path):
            temporary.replace(path)


class _Raw(io.FileIO):
    """A new file that says which one was not written, and of no other that it was not."""

    def __init__(self, temporary: Path, path: Path) -> None:
        super().__init__(temporary, "xb")
        self.path = path

    def write(self, data: Any) -> int:
        with _blaming(self.path):
            return super().write(data)


@contextlib.contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn what the system says into the error of a file that was not written."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(
            f"{path} was not written: {reason}; an older file of that name is untouched. "
            "Free some space or choose a folder that you may write to, then try again."
        ) from error


def _remove(path: Path) -> None:
    """Delete a file if there is one."""
    with contextlib.suppress(OSError):
        path.unlink()


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


def sha256_of(*parts: bytes | bytearray | memoryview) -> str:
    """Return the SHA-256 of bytes.

    Parameters
    ----------
    *parts : bytes
        Hashed as if they were one.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def looks_like(head: bytes) -> str:
    """Say what a file seems to be, by its first bytes and whatever its name says.

    Parameters
    ----------
    head : bytes
        How it begins; 512 bytes are enough, and no more are looked at.

    Returns
    -------
    str
        ``"empty"``, ``"web page"``, ``"xml"``, ``"svg"``, ``"pdf"``, ``"postscript"``,
        ``"git lfs"`` (a pointer to a file), ``"png"``, ``"jpeg"``, ``"gif"``, ``"bmp"``,
        ``"riff"`` (as WebP is), ``"tiff"``, ``"heic"``, ``"zip"``, ``"gzip"``, ``"npy"``,
        ``"pickle"``, ``"text"`` (anything without a zero byte), or ``"unknown"``.
    """
    head = head[:512]
    if not head:
        return "empty"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC:
        return "heic"
    text = head.lstrip().lower()
    for table, start in ((_TEXT, text), (_BINARY, head)):
        for beginning, kind in table.items():
            if start.startswith(beginning):
                return kind
    return "unknown" if b"\0" in head else "text"
