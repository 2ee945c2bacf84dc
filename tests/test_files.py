"""atomic_write leaves the old file or the new one, whatever happens in between."""

import errno
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import time

import pytest

from mnist_course import files
from mnist_course.files import SaveError, atomic_write, looks_like, sha256_of
from tests.conftest import ROOT, names_in

OLD, NEW = b"old " * 1000, b"new " * 1000


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(OLD)
    return path


def write(path, content=NEW):
    with atomic_write(path) as file:
        file.write(content)


def test_the_new_content_replaces_the_old_and_nothing_else_stays(old_file):
    write(old_file)
    assert old_file.read_bytes() == NEW
    assert names_in(old_file.parent) == [old_file.name]


def test_missing_folders_are_made(tmp_path):
    write(tmp_path / "a" / "b" / "file.bin")
    assert (tmp_path / "a" / "b" / "file.bin").read_bytes() == NEW


def test_a_reader_sees_the_old_content_until_the_end(old_file):
    with atomic_write(old_file) as file:
        file.write(NEW)
        file.flush()
        assert old_file.read_bytes() == OLD
    assert old_file.read_bytes() == NEW


def test_what_a_killed_process_left_is_removed_when_it_is_old(old_file):
    names = [f".{old_file.name}.old.part", f".{old_file.name}.new.part", ".other.bin.old.part"]
    for name in names:
        old_file.with_name(name).write_bytes(b"half")
    for name in (names[0], names[2]):
        os.utime(old_file.with_name(name), (time.time() - 7200,) * 2)
    write(old_file)
    assert names_in(old_file.parent) == sorted([old_file.name, *names[1:]])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_in_the_block_keeps_the_old_file_and_passes_through(old_file, error):
    def interrupted():
        with atomic_write(old_file) as file:
            file.write(NEW)
            raise error

    with pytest.raises(error):
        interrupted()
    assert old_file.read_bytes() == OLD
    assert names_in(old_file.parent) == [old_file.name]


def test_an_error_of_something_else_is_not_blamed_on_the_file(old_file):
    def read_another():
        with atomic_write(old_file) as file:
            file.write((old_file.parent / "missing.txt").read_bytes())

    with pytest.raises(FileNotFoundError, match=r"missing\.txt") as caught:
        read_another()
    assert not isinstance(caught.value, SaveError)
    assert old_file.read_bytes() == OLD
    assert names_in(old_file.parent) == [old_file.name]


def test_the_umask_of_the_process_is_never_touched(old_file, monkeypatch):
    monkeypatch.delattr(os, "umask")  # for a moment, other threads would write with another
    write(old_file)
    assert old_file.read_bytes() == NEW


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_a_plain_open(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "atomic")
        (tmp_path / "plain").write_bytes(b"")
        assert os.umask(umask) == umask, "the umask of the process was changed"
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "plain")}
    assert modes == {0o666 & ~umask}


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_says_so(old_file, monkeypatch, place):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os if place == "fsync" else files.Path, place, full)
    with pytest.raises(
        SaveError, match=r"No space left.*older file.* is untouched.*Free some space"
    ):
        write(old_file)
    assert old_file.read_bytes() == OLD
    assert names_in(old_file.parent) == [old_file.name]


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
def test_a_write_that_the_system_cuts_short_keeps_the_old_file(old_file, run_python):
    done = run_python(
        "import resource, sys\n"
        "from mnist_course.files import SaveError, atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        f"    with atomic_write({str(old_file)!r}) as file:\n"
        "        file.write(bytes(100_000))\n"
        "except SaveError as error:\n"
        "    print(error)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{old_file} was not written: File too large" in done.stdout
    assert old_file.read_bytes() == OLD
    assert names_in(old_file.parent) == [old_file.name]


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "file.bin").mkdir()
    with pytest.raises(SaveError, match=r"file\.bin was not written: Is a directory"):
        write(tmp_path / "file.bin")
    assert names_in(tmp_path) == ["file.bin"]


def test_a_file_in_the_place_of_a_folder_is_refused(old_file):
    with pytest.raises(SaveError, match="was not written"):
        write(old_file / "below" / "file.bin")
    assert old_file.read_bytes() == OLD


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_is_refused_with_the_next_step(
    open_folder, as_somebody, mode
):
    path = open_folder / "inner" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(OLD)
    path.parent.chmod(mode)
    with as_somebody(), pytest.raises(SaveError, match=r"denied.*choose a folder"):
        write(path)
    path.parent.chmod(0o755)
    assert path.read_bytes() == OLD


WRITER = """
import sys
from mnist_course.files import atomic_write
path, content = sys.argv[1], {"A": b"A" * 4_000_000, "B": b"B" * 4_000_000}
print("ready", flush=True)
while True:
    for letter in content:
        with atomic_write(path) as file:
            for start in range(0, 4_000_000, 500_000):
                file.write(content[letter][start : start + 500_000])
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_twenty_kills_inside_a_write_leave_a_whole_file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"A" * 4_000_000)
    caught, seed = 0, random.Random(0)
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        with child:
            child.stdout.readline()
            time.sleep(seed.uniform(0, 0.03))
            os.kill(child.pid, signal.SIGKILL)
        content = path.read_bytes()
        assert content in (b"A" * 4_000_000, b"B" * 4_000_000)
        halves = [name for name in names_in(tmp_path) if name != path.name]
        caught += bool(halves)  # the kill came while the temporary file was being written
        for name in halves:
            (tmp_path / name).unlink()
    assert caught >= 5, "the kills came between the writes: nothing was tested"


# What files are -----------------------------------------------------------------------------------

HEADS = {
    b"": "empty",
    b"\n <!DOCTYPE html>": "web page",
    b"<HTML>": "web page",
    b'<?xml version="1.0"?>': "xml",
    b"<svg xmlns=": "svg",
    b"%PDF-1.7": "pdf",
    b"%!PS-Adobe": "postscript",
    b"version https://git-lfs.github.com/spec/v1": "git lfs",
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff\xe0": "jpeg",
    b"GIF89a": "gif",
    b"BM\x36": "bmp",
    b"RIFF\x24\0\0\0WEBP": "riff",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"\0\0\0\x18ftypheic": "heic",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b\x08": "gzip",
    b"\x93NUMPY\x01": "npy",
    b"\x80\x04\x95": "pickle",
    b"pk, bm, gif8 and riff are letters": "text",
    b"  \x89PNG": "text",
    b"\0\0\x08\x03": "unknown",
}


@pytest.mark.parametrize("head", HEADS, ids=HEADS.get)
def test_a_file_is_known_by_how_it_begins(head):
    assert looks_like(head) == HEADS[head]


def test_only_the_beginning_counts():
    assert looks_like(b"a" * 512 + b"\0") == "text"


def test_the_hash_of_parts_is_that_of_the_whole():
    assert sha256_of(b"ab", bytearray(b"c")) == hashlib.sha256(b"abc").hexdigest()
    assert sha256_of() == hashlib.sha256(b"").hexdigest()
