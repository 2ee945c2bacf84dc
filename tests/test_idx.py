"""Every IDX file is read right or refused by name; nothing else happens, whatever the bytes."""

import gzip
import io
import itertools
import os
import re
import struct
import time
import tracemalloc
import zipfile
import zlib

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_course.data.idx import IdxError, idx_header, parse_idx, read_idx, write_idx
from mnist_course.files import SaveError
from tests.conftest import idx_bytes, names_in

TYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
NEXT_STEP = re.compile(r"etch (it|the file) again|Check |Convert with")
quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

arrays = st.sampled_from(TYPES).flatmap(
    lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=0, max_dims=4, max_side=5))
)


def same(one, other):
    """Return whether two arrays are equal to the last bit, NaN included."""
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


# Right files ------------------------------------------------------------------------------------


@quick
@given(array=arrays, name=st.sampled_from(["file", "file.gz"]))
def test_what_is_written_is_read_back(tmp_path_factory, array, name):
    path = tmp_path_factory.getbasetemp() / name
    write_idx(path, array)
    assert same(read_idx(path), array)


@quick
@given(array=arrays)
def test_written_bytes_are_those_of_an_independent_writer(tmp_path_factory, array):
    path = tmp_path_factory.getbasetemp() / "written"
    write_idx(path, array)
    assert path.read_bytes() == idx_bytes(array)
    write_idx(path.with_suffix(".gz"), array)
    assert gzip.decompress(path.with_suffix(".gz").read_bytes()) == idx_bytes(array)


@quick
@given(array=arrays)
def test_an_independent_file_is_read_as_numpy_would(array):
    found = parse_idx(idx_bytes(array))
    body = idx_bytes(array)[4 + 4 * array.ndim :]
    expected = np.frombuffer(body, array.dtype.newbyteorder(">")).reshape(array.shape)
    assert found.dtype.isnative
    assert same(found, expected.astype(array.dtype))


@pytest.mark.parametrize("kind", TYPES)
def test_torchvision_reads_what_we_write_and_we_read_the_same(tmp_path, kind):
    from torchvision.datasets import mnist

    array = np.arange(-60, 60).astype(kind).reshape(2, 3, 20)
    write_idx(tmp_path / "file", array)
    theirs = mnist.read_sn3_pascalvincent_tensor(str(tmp_path / "file"), strict=False)
    assert theirs.dtype == mnist.SN3_PASCALVINCENT_TYPEMAP[idx_bytes(array)[2]]
    assert same(theirs.numpy(), read_idx(tmp_path / "file"))


def test_the_bytes_of_a_known_file_are_spelled_out(tmp_path):
    write_idx(tmp_path / "file", np.array([[1, -2, 3], [4, 5, 258]], np.int16))
    assert (tmp_path / "file").read_bytes().hex(" ", 2) == (
        "0000 0b02 0000 0002 0000 0003 0001 fffe 0003 0004 0005 0102"
    )


def test_numpy_order_and_strides_do_not_reach_the_file(tmp_path):
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    expected = idx_bytes(array)
    for view in (array.astype(">i4"), np.asfortranarray(array), array[::-1][::-1]):
        write_idx(tmp_path / "file", view)
        assert (tmp_path / "file").read_bytes() == expected
    write_idx(tmp_path / "file", array.T)
    assert same(read_idx(tmp_path / "file"), np.ascontiguousarray(array.T))


def test_writing_twice_gives_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    array = np.arange(100, dtype=np.uint8)
    write_idx(tmp_path / "one.gz", array)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    write_idx(tmp_path / "two.gz", array)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_the_array_is_the_callers_own(tmp_path):
    array = np.arange(6, dtype=np.float32)
    write_idx(tmp_path / "file", array)
    found = read_idx(tmp_path / "file")
    found += 1
    assert same(read_idx(tmp_path / "file"), array)


@pytest.mark.parametrize("kind", ["u1", "f8"])
def test_gzip_is_recognized_by_content_and_not_by_name(tmp_path, kind):
    array = np.arange(50).astype(kind)
    (tmp_path / "raw-name").write_bytes(gzip.compress(idx_bytes(array)))
    (tmp_path / "raw.gz").write_bytes(idx_bytes(array))
    assert same(read_idx(tmp_path / "raw-name"), array)
    assert same(read_idx(tmp_path / "raw.gz"), array)


def test_a_gzip_file_of_several_members_is_read_wherever_it_is_split():
    array = np.arange(40, dtype=np.uint8).reshape(5, 8)
    content = idx_bytes(array)
    for cut in range(len(content) + 1):
        packed = gzip.compress(content[:cut]) + gzip.compress(content[cut:])
        assert same(parse_idx(packed), array), f"split after byte {cut}"
    assert same(parse_idx(packed + bytes(512)), array), "padding after the last member"


def test_a_gzip_header_with_name_time_and_comment_is_fine(tmp_path):
    array = np.arange(9, dtype=np.uint8)
    buffer = io.BytesIO()
    with gzip.GzipFile("a-name", "wb", fileobj=buffer, mtime=1e9) as file:
        file.write(idx_bytes(array))
    assert same(parse_idx(buffer.getvalue()), array)


@pytest.mark.parametrize("kind", ["u8", "f2", "c8", "?", "i8", "U3", "O", "M8[s]"])
def test_a_type_that_idx_lacks_is_refused(tmp_path, kind):
    with pytest.raises(IdxError, match=r"IDX cannot hold .* elements.*\.astype"):
        write_idx(tmp_path / "file", np.zeros(3, kind))
    assert names_in(tmp_path) == []


def test_a_size_that_does_not_fit_is_refused():
    huge = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (2**32,), (0,))
    with pytest.raises(IdxError, match="must fit in 32 bits"):
        idx_header(huge)


def test_what_read_idx_would_not_take_is_not_written(tmp_path):
    array = np.full((1,) * 32, 7, np.uint8)
    write_idx(tmp_path / "file", array)
    assert same(read_idx(tmp_path / "file"), array)
    for ndim in (33, 64):
        with pytest.raises(IdxError, match=f"{ndim} dimensions, more than the 32"):
            write_idx(tmp_path / "other", np.full((1,) * ndim, 7, np.uint8))
    assert names_in(tmp_path) == ["file"]


def test_writing_where_one_may_not_is_a_save_error(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(SaveError):
        write_idx(tmp_path / "file", np.zeros(3, np.uint8))


def test_the_official_files_are_read_as_struct_reads_them(mnist_folder):
    from mnist_course.data import find_file

    path = find_file(mnist_folder, "t10k-images-idx3-ubyte")
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    images = read_idx(path)
    assert images.shape == struct.unpack(">III", content[4:16]) == (10_000, 28, 28)
    assert images.tobytes() == content[16:]
    for n, r, c in [(0, 7, 6), (9_999, 14, 14), (123, 20, 9)]:
        assert images[n, r, c] == content[16 + 784 * n + 28 * r + c]


# Faulty files -----------------------------------------------------------------------------------

GOOD = idx_bytes(np.arange(240, dtype=np.uint8).reshape(4, 6, 10))
ZIPPED = gzip.compress(GOOD, mtime=0)


def header(*sizes, code=8, ndim=None):
    return bytes([0, 0, code, len(sizes) if ndim is None else ndim]) + struct.pack(
        f">{len(sizes)}I", *sizes
    )


def zip_archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("file", GOOD)
    return buffer.getvalue()


def with_byte(content, index, value):
    changed = bytearray(content)
    changed[index] = value
    return bytes(changed)


FAULTS = {
    "empty": (b"", "empty"),
    "empty after unpacking": (gzip.compress(b""), "empty"),
    "3 bytes": (GOOD[:3], "not an IDX file"),
    "header only": (GOOD[:16], "holds 16"),
    "half a header": (GOOD[:9], "header of 3 dimensions takes 16 bytes, the file holds 9"),
    "truncated": (GOOD[:100], "promises 256 bytes .* holds 100"),
    "one byte short": (GOOD[:-1], "holds 255"),
    "trailing byte": (GOOD + b"\0", "holds more"),
    "trailing picture": (GOOD + bytes(60), "holds more"),
    "count too small": (header(3, 6, 10) + GOOD[16:], "holds more"),
    "count too large": (header(5, 6, 10) + GOOD[16:], "promises 316 bytes"),
    "no items but data": (header(0, 6, 10) + GOOD[16:], "holds more"),
    "wrong magic": (with_byte(GOOD, 0, 1), "begins with 01 00 08 03"),
    "little-endian magic": (GOOD[3::-1] + GOOD[4:], "begins with 03 08 00 00"),
    "type 0x0A": (with_byte(GOOD, 2, 0x0A), "unknown element type 0a"),
    "type 0x00": (with_byte(GOOD, 2, 0), "unknown element type 00"),
    "255 dimensions": (with_byte(GOOD, 3, 255), "255 dimensions"),
    "one dimension more": (with_byte(GOOD, 3, 4), "damaged|cut off|promises"),
    "2^32-1 pictures": (header(2**32 - 1, 28, 28) + bytes(100), "more than the"),
    "all sizes 2^32-1": (header(*[2**32 - 1] * 3), "more than the"),
    "2^32-1 doubles in 32 dimensions": (header(*[2**32 - 1] * 32, code=14), "more than the"),
    "nothing, times 2^64": (header(0, 2**32 - 1, 2**32 - 1), "more than the"),
    "a web page": (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
    "a web page in capitals": (b"<HTML><BODY>404</BODY></HTML>", "web page"),
    "a web page after a blank line": (b"\n\n  <!doctype html><html></html>", "web page"),
    "an XML error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "web page"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
    "a zip archive": (zip_archive(), "zip"),
    "an .npy file": (b"\x93NUMPY\x01\x00", "npy"),
    "text": (b"5,0,4,1,9,2\n", "not an IDX file"),
    "gzip cut in the header": (ZIPPED[:5], "gzip"),
    "gzip cut in the body": (ZIPPED[: len(ZIPPED) // 2], "gzip data is (cut off|damaged)"),
    "gzip without its checksum": (ZIPPED[:-8], "gzip data is (cut off|damaged)"),
    "gzip with a wrong checksum": (with_byte(ZIPPED, -5, ZIPPED[-5] ^ 1), "gzip data is damaged"),
    "gzip with a wrong length": (with_byte(ZIPPED, -1, 7), "gzip data is damaged"),
    "gzip of a web page": (gzip.compress(b"<html></html>"), "web page"),
    "gzip in gzip": (gzip.compress(ZIPPED), "gzip"),
    "gzip, then something else": (ZIPPED + b"rest", "gzip"),
    "gzip of a truncated file": (gzip.compress(GOOD[:100]), "promises 256 bytes .* holds 100"),
    "gzip of a file and one byte": (gzip.compress(GOOD + b"x"), "holds more"),
    "gzip, then a member with more": (ZIPPED + gzip.compress(b"more"), "holds more"),
    "the two bytes of gzip": (b"\x1f\x8b", "gzip"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused_with_its_name_and_the_next_step(tmp_path, fault):
    content, reason = FAULTS[fault]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(IdxError, match=reason) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert NEXT_STEP.search(str(caught.value)), caught.value
    assert path.read_bytes() == content, "reading changed the file"


def test_a_missing_file_a_folder_a_loop_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    else:
        (tmp_path / "pipe").mkdir()
    cases = {
        "missing": "does not exist",
        "folder/file": "does not exist",
        "folder": "exists but is not a file",
        "pipe": "exists but is not a file",
        "loop": "exists but is not a file",
        "dangling": "exists but is not a file",
    }
    for name, reason in cases.items():
        with pytest.raises(IdxError, match=f"{name} {reason}.*Check"):
            read_idx(tmp_path / name)


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    for name in ("x" * 5000, "nul\0byte"):
        with pytest.raises(IdxError, match="Check"):
            read_idx(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_a_file_that_may_not_be_read_is_refused(open_folder, as_somebody):
    path = open_folder / "inner" / "file"
    path.parent.mkdir()
    path.write_bytes(GOOD)
    for locked in (path, path.parent):
        locked.chmod(0)
        with as_somebody(), pytest.raises(IdxError, match=r"cannot be read: .*denied.*permissions"):
            read_idx(path)


def test_idx_error_is_a_value_error():
    assert issubclass(IdxError, ValueError)


# What a faulty file may cost --------------------------------------------------------------------


def peak_of(function):
    """Return the most memory that Python and numpy held at once, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(IdxError):
            function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sizes", [(2**30,), (2**32 - 1, 28, 28), (2**32 - 1,) * 3, (2**15, 2**15)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_enormous_header_costs_no_memory(sizes, pack):
    content = pack(header(*sizes) + bytes(1000))
    assert peak_of(lambda: parse_idx(content)) < 4e6


@pytest.mark.parametrize("promised", [3, 1_000_000])
def test_a_gzip_bomb_costs_next_to_nothing(tmp_path, promised):
    """A header that promises few bytes is followed by 2 GiB of zeros, all in 2 MB."""
    deflate = zlib.compressobj(9, wbits=-15)
    head = deflate.compress(header(promised)) + deflate.flush(zlib.Z_FULL_FLUSH)
    zeros = deflate.compress(bytes(2**24)) + deflate.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"")[:10] + head + zeros * 128 + deflate.flush() + bytes(8))
    assert path.stat().st_size < 3_000_000
    assert peak_of(lambda: read_idx(path)) < 20e6


@pytest.mark.parametrize("promised", [3, 1_000_000])
def test_a_huge_raw_file_with_a_small_header_is_not_loaded(tmp_path, promised):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(header(promised))
        file.truncate(2**32)  # sparse: takes no room on the disk
    assert peak_of(lambda: read_idx(path)) < 20e6


def test_a_hundred_thousand_empty_members_take_no_hour():
    packed = gzip.compress(b"", mtime=0) * 100_000 + ZIPPED
    begun = time.perf_counter()
    assert same(parse_idx(packed), parse_idx(GOOD))
    assert time.perf_counter() - begun < 10


def test_a_good_file_is_held_in_memory_once(tmp_path):
    array = np.zeros((1000, 100, 100), np.uint8)
    write_idx(tmp_path / "file", array)
    write_idx(tmp_path / "file.gz", array)
    for name in ("file", "file.gz"):
        tracemalloc.start()
        try:
            read_idx(tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < 2.2 * array.nbytes
        finally:
            tracemalloc.stop()


def test_the_limit_on_the_size_can_be_set():
    content = idx_bytes(np.zeros(1000, np.int32))
    assert parse_idx(content, max_bytes=4000).shape == (1000,)
    with pytest.raises(IdxError, match="4,000 bytes, more than the 3,999"):
        parse_idx(content, max_bytes=3999)


# Any bytes at all -------------------------------------------------------------------------------


def right_or_refused(content):
    """Read bytes and make sure that the outcome is an array that they describe, or an IdxError."""
    reply = ""
    try:
        found = parse_idx(content, max_bytes=2**20)
    except IdxError as error:
        reply = str(error)
    if reply:
        assert NEXT_STEP.search(reply), reply
        return False
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    assert content == idx_bytes(found)
    return True


@quick
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused_or_right(content):
    right_or_refused(content)


@quick
@given(
    code=st.sampled_from([8, 9, 11, 12, 13, 14, 10, 0]),
    sizes=st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=34),
    body=st.binary(max_size=64),
    pack=st.booleans(),
)
def test_random_headers_are_refused_or_right(code, sizes, body, pack):
    content = header(*sizes, code=code) + body
    right_or_refused(gzip.compress(content) if pack else content)


@quick
@given(
    array=arrays,
    pack=st.booleans(),
    edits=st.lists(
        st.tuples(st.sampled_from(["set", "cut", "insert"]), st.floats(0, 1), st.integers(0, 255)),
        max_size=4,
    ),
)
def test_mutated_files_are_refused_or_right(array, pack, edits):
    content = bytearray(gzip.compress(idx_bytes(array)) if pack else idx_bytes(array))
    for kind, place, value in edits:
        index = int(place * max(len(content) - 1, 0))
        if kind == "set" and content:
            content[index] = value
        elif kind == "cut":
            del content[index:]
        else:
            content.insert(index, value)
    assert right_or_refused(bytes(content)) or edits


def test_every_single_byte_of_a_header_counts():
    """Whatever one byte of the header becomes, the file is refused: sizes no longer fit."""
    for index, value in itertools.product(range(16), range(256)):
        content = with_byte(GOOD, index, value)
        if content != GOOD and index != 2:
            assert not right_or_refused(content), f"byte {index} set to {value}"


def test_validation_does_not_hang_on_assert(run_python, tmp_path):
    (tmp_path / "file").write_bytes(GOOD[:100])
    done = run_python(
        "from mnist_course.data.idx import IdxError, read_idx\n"
        "assert False, 'asserts are on'\n"
        "try:\n"
        f"    read_idx({str(tmp_path / 'file')!r})\n"
        "except IdxError as error:\n"
        "    print('refused', error)\n",
        "-O",
    )
    assert done.stdout.startswith("refused"), done.stderr
