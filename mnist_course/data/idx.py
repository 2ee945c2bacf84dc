"""Read and write IDX files, the format in which MNIST was published (numpy only).

An IDX file is a magic number (two zero bytes, a type code, the number of dimensions), one
big-endian 32-bit size per dimension, and then the elements in row-major order, big-endian too.

Taught in: chapter 1, "Four files of bytes".
"""

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mnist_course.errors import CourseError
from mnist_course.files import atomic_write, looks_like

DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_BYTES = 2**30  # MNIST's largest file holds 47 MB; a header that promises more than 1 GiB lies
MAX_DIMENSIONS = 32  # what every numpy in use can hold

# What people find under the name of a data file.
WEB_PAGE = "a web page (an error page saved under this name?)"
IMPOSTORS = {
    "web page": WEB_PAGE,
    "xml": WEB_PAGE,
    "git lfs": "a Git LFS pointer, not the file it points to",
    "zip": "a zip archive",
    "png": "a PNG picture",
    "npy": "a .npy file",
    "gzip": "gzip data once more (packed twice?)",
}


class IdxError(CourseError, ValueError):
    """An IDX file is missing, unreadable or malformed; the message names it and the next step."""


def read_idx(path: str | Path, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Read one IDX file, gzipped or not.

    Nothing is allocated before the header has been checked, and no more is unpacked than the
    header promises, so a damaged or hostile file costs an error and not the machine's memory.

    Parameters
    ----------
    path : str or Path
        The file. Whether it is gzipped is read off its first two bytes, not off its name.
    max_bytes : int
        Refuse a file whose header promises more data than this.

    Returns
    -------
    np.ndarray
        A writable array of its own, in the machine's byte order, with one axis per dimension.

    Raises
    ------
    IdxError
        If the file is missing, not a plain file, unreadable, or not exactly one IDX array.
    """
    path = Path(path)
    try:
        if not path.is_file():
            kind = "exists but is not a file" if os.path.lexists(path) else "does not exist"
            raise IdxError(f"{path} {kind}. Check the folder and the name.")
        with path.open("rb") as file:
            return _read(file, str(path), max_bytes)
    except OSError as error:
        raise IdxError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from None


def parse_idx(content: bytes, name: str = "data", max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Turn the bytes of an IDX file, gzipped or not, into an array.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        What error messages call it.
    max_bytes : int
        Refuse a header that promises more data than this.

    Returns
    -------
    np.ndarray
        A writable array in the machine's byte order.

    Raises
    ------
    IdxError
        If the bytes are not exactly one IDX array.
    """
    return _read(io.BytesIO(content), name, max_bytes)


def idx_header(array: np.ndarray) -> bytes:
    """Return the header that an IDX file of ``array`` starts with.

    Parameters
    ----------
    array : np.ndarray
        An array of one of the six element types.

    Returns
    -------
    bytes
        Magic number and sizes, ``4 + 4 * array.ndim`` bytes.

    Raises
    ------
    IdxError
        If the element type, the number of dimensions or a size has no place in an IDX header.
    """
    codes = [code for code, dtype in DTYPES.items() if array.dtype == dtype.newbyteorder("=")]
    if not codes:
        allowed = ", ".join(dtype.newbyteorder("=").name for dtype in DTYPES.values())
        raise IdxError(
            f"IDX cannot hold {array.dtype} elements, only {allowed}. Convert with .astype() first."
        )
    if array.ndim > MAX_DIMENSIONS:
        raise IdxError(f"{array.ndim} dimensions, more than the {MAX_DIMENSIONS} of `read_idx`.")
    if any(size >= 2**32 for size in array.shape):
        raise IdxError(f"IDX cannot hold the shape {array.shape}: a size must fit in 32 bits.")
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[0], array.ndim, *array.shape)


def write_idx(path: str | Path, array: np.ndarray) -> None:
    """Write ``array`` as an IDX file; gzip it if the name ends in ``.gz``.

    The same array gives the same bytes every time (no time stamp in the gzip header), and the
    file appears complete or not at all.

    Parameters
    ----------
    path : str or Path
        Where to write; a missing folder is made.
    array : np.ndarray
        uint8, int8, int16, int32, float32 or float64, at most 32 dimensions.

    Raises
    ------
    IdxError
        If the array does not fit the format.
    SaveError
        If the file cannot be written; an older file of that name is untouched then.
    """
    array = np.asarray(array)
    header = idx_header(array.astype(array.dtype.newbyteorder("="), copy=False))
    body = array.astype(array.dtype.newbyteorder(">"), copy=False).tobytes()
    content = header + body
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    with atomic_write(path) as file:
        file.write(content)


def _read(file: BinaryIO, name: str, max_bytes: int) -> np.ndarray:
    """Read an open IDX file, and never more of it than its header promises, plus one byte."""
    packed = looks_like(file.read(2)) == "gzip"
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    try:
        start = stream.read(4 + 4 * MAX_DIMENSIONS)  # the longest header; elements may follow
        dtype, shape, header_size = _parse_header(start, name)
        # A size of 0 must not hide the others: numpy refuses the shape that they make.
        size = math.prod(max(n, 1) for n in shape) * dtype.itemsize
        if size > max_bytes:
            raise IdxError(
                f"{name}: the header promises {shape} elements, {size:,} bytes, more than the "
                f"{max_bytes:,} that are allowed. The header is damaged; fetch the file again."
            )
        expected = header_size + math.prod(shape) * dtype.itemsize
        buffer = bytearray(memoryview(start)[: expected + 1])
        # Piece by piece, because room for all that a header promises would be made in advance.
        while len(buffer) <= expected and (
            piece := stream.read(min(2**20, expected + 1 - len(buffer)))
        ):
            buffer += piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IdxError(
            f"{name}: the gzip data is damaged or cut off ({error}). Fetch the file again."
        ) from None
    if len(buffer) != expected:
        found = f"{len(buffer):,}" if len(buffer) < expected else "more"
        raise IdxError(
            f"{name}: the header promises {expected:,} bytes ({shape} elements after {header_size} "
            f"bytes of header), the file holds {found}. It is cut off or mixed up; fetch it again."
        )
    elements = np.frombuffer(buffer, dtype=dtype, offset=header_size).reshape(shape)
    return elements.astype(dtype.newbyteorder("="), copy=False)  # no copy for bytes


def _parse_header(start: bytes, name: str) -> tuple[np.dtype, tuple[int, ...], int]:
    """Return element type, shape and header size, or say what is wrong with the first bytes."""
    if not start:
        raise IdxError(f"{name} is empty (0 bytes). Fetch it again.")
    if what := IMPOSTORS.get(looks_like(start)):
        raise IdxError(f"{name} is not an IDX file but {what}. Fetch it again.")
    if len(start) < 4 or start[:2] != b"\0\0":
        raise IdxError(
            f"{name} is not an IDX file: it begins with {start[:4].hex(' ')}, and an IDX file "
            "begins with 00 00, a type code and the number of dimensions. Fetch it again."
        )
    code, ndim = start[2], start[3]
    if code not in DTYPES:
        known = ", ".join(f"{c:02x}" for c in DTYPES)
        raise IdxError(
            f"{name}: unknown element type {code:02x} (third byte; known are {known}). "
            "The header is damaged; fetch the file again."
        )
    if ndim > MAX_DIMENSIONS:
        raise IdxError(
            f"{name}: {ndim} dimensions (fourth byte), more than {MAX_DIMENSIONS}. "
            "The header is damaged; fetch the file again."
        )
    header_size = 4 + 4 * ndim
    if len(start) < header_size:
        raise IdxError(
            f"{name}: the header of {ndim} dimensions takes {header_size} bytes, the file holds "
            f"{len(start)}. It is cut off; fetch it again."
        )
    return DTYPES[code], struct.unpack_from(f">{ndim}I", start, 4), header_size
