"""Inject faults for as long as you like, and count what comes of it.

The tests do a little of each on every run; this is the long form::

    python -m tests.soak.faults --files 100000 --rounds 50 --kills 200

It needs no network and no MNIST: a server on this machine serves four small files in its place.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mnist_course import files
from mnist_course.data import digits, download, practice
from mnist_course.data.idx import IdxError, parse_idx, read_idx, write_idx
from tests import test_data, test_download, test_idx
from tests.conftest import (
    ROOT,
    LocalServer,
    at_once,
    idx_bytes,
    make_small_mnist,
    names_in,
    pin_in_a_child,
)

Row = tuple[str, str, str]  # what was done, what came of it, what should


# Goal 1: any bytes at all -----------------------------------------------------------------------


def fuzzed_files(count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` files: noise, headers that lie, and good files that were damaged."""
    rng = random.Random(seed)
    kinds = ["u1", "i1", "i2", "i4", "f4", "f8"]
    good = [
        idx_bytes(np.arange(np.prod(shape)).astype(kind).reshape(shape))
        for kind in kinds
        for shape in [(), (0,), (7,), (3, 4), (2, 3, 4), (1, 2, 3, 2)]
    ]
    good += [gzip.compress(content) for content in good]
    for number in range(count):
        way = number % 4
        if way == 0:
            content = bytearray(rng.randbytes(rng.randrange(200)))
        elif way == 1:
            ndim = rng.choice([0, 1, 2, 3, 4, 33, 255])
            sizes = [rng.choice([0, 1, 2, 3, 2**16, 2**31, 2**32 - 1]) for _ in range(ndim)]
            code = rng.choice([8, 9, 11, 12, 13, 14, 10, rng.randrange(256)])
            content = bytearray([0, 0, code, ndim]) + struct.pack(f">{ndim}I", *sizes)
            content += rng.randbytes(rng.randrange(64))
        else:
            content = bytearray(rng.choice(good))
            for _ in range(rng.randrange(1, 4)):
                place = rng.randrange(len(content) + 1)
                edit = rng.randrange(4)
                if edit == 0:
                    del content[place:]
                elif edit == 1:
                    content[place:place] = rng.randbytes(rng.randrange(1, 9))
                elif edit == 2:
                    del content[place : place + rng.randrange(1, 9)]
                elif place < len(content):
                    content[place] ^= 1 << rng.randrange(8)
        yield bytes(content)


def fuzz_idx(count: int, seed: int) -> list[Row]:
    """Read fuzzed files, and compare every array that comes out with an independent writer."""
    outcomes: Counter[str] = Counter()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    begun, before = time.perf_counter(), _memory("VmRSS")
    for content in fuzzed_files(count, seed):
        try:
            array = parse_idx(content)
        except IdxError:
            outcomes["refused"] += 1
            continue
        except Exception as error:
            outcomes[f"{type(error).__name__}: {error}"] += 1
            continue
        plain = content
        if content[:2] == b"\x1f\x8b":
            plain = gzip.decompress(content)
        outcomes["right" if idx_bytes(array) == plain else "WRONG"] += 1
    seconds, memory = time.perf_counter() - begun, (_memory("VmHWM") - before) / 2**20
    return [
        (
            f"{count:,} fuzzed IDX files ({seconds:.0f} s)",
            ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.most_common()),
            "only right or refused",
        ),
        ("  peak extra memory", f"{memory:.0f} MB", "150 MB or less"),
    ]


def _memory(field: str) -> int:
    """Return what Linux says about the memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


# Goal 2: faulty files ---------------------------------------------------------------------------


def read_faulty_files() -> list[Row]:
    """Read every faulty file of the tests, alone and in the place of one of the four."""
    silent, unnamed, helpless, count = 0, 0, 0, 0
    served = {name: parse_idx(content) for name, content in make_small_mnist()[1].items()}
    arrays = {name.removesuffix(".gz"): array for name, array in served.items()}

    def judge(read: Callable[[], object], path: Path) -> None:
        nonlocal silent, unnamed, helpless, count
        count += 1
        try:
            read()
            silent += 1
        except (IdxError, digits.DataError) as error:
            unnamed += str(path) not in str(error)
            helpless += not test_data.NEXT_STEP.search(str(error))

    with _small_mnist() as folder:
        for content, _ in test_idx.FAULTS.values():
            path = folder / "alone"
            path.write_bytes(content)
            judge(lambda path=path: read_idx(path), path)  # type: ignore[misc]
        for name, make, _ in test_data.IMPOSTORS.values():
            path = folder / f"{name}.gz"
            good = path.read_bytes()
            write_idx(path, make(arrays))
            judge(lambda: digits.read_folder(folder), path)
            path.write_bytes(good)
    return [
        (f"{count} faulty files", f"{silent} accepted", "0"),
        ("  messages without the file's name", str(unnamed), "0"),
        ("  messages without a next step", str(helpless), "0"),
    ]


@contextlib.contextmanager
def _small_mnist() -> Iterator[Path]:
    """Pin the four small files, and yield a folder that holds them."""
    pinned, served = make_small_mnist()
    before = dict(download.FILES)
    download.FILES.update(pinned)
    try:
        with tempfile.TemporaryDirectory() as name:
            for file, content in served.items():
                Path(name, file).write_bytes(content)
            yield Path(name)
    finally:
        download.FILES.update(before)


# Goal 3: hostile mirrors ------------------------------------------------------------------------


def ask_hostile_mirrors() -> list[Row]:
    """Ask each hostile mirror with the limits that readers have; all at the same time."""
    results: dict[str, dict[str, Any]] = {}
    with _small_mnist(), tempfile.TemporaryDirectory() as base, _server() as server:

        def attack(number: int, fault: str) -> None:
            hostile = server.mirror(f"hostile{number}", test_download.BAD[fault][0])
            result: dict[str, Any] = {"alone": "nothing", "left": 0}
            alone, helped = Path(base, f"alone{number}"), Path(base, f"helped{number}")
            begun = time.monotonic()
            try:
                download.download(alone, [hostile])
                result["alone"] = "WRONG: accepted"
            except download.DownloadError as error:
                result["alone"] = "refused" if hostile in str(error) else "WRONG: not named"
            except Exception as error:
                result["alone"] = f"WRONG: {type(error).__name__}"
            result["seconds alone"] = time.monotonic() - begun
            result["left"] = len(names_in(alone)) if alone.exists() else 0
            begun = time.monotonic()
            try:
                download.download(helped, [hostile, server.good()])
                right = {path.name: path.read_bytes() for path in helped.iterdir()} == server.files
                result["helped"] = "right" if right else "WRONG: other bytes"
            except Exception as error:
                result["helped"] = f"WRONG: {type(error).__name__}: {error}"
            result["seconds helped"] = time.monotonic() - begun
            results[fault] = result

        attacks = [
            threading.Thread(target=attack, args=case) for case in enumerate(test_download.BAD)
        ]
        for thread in attacks:
            thread.start()
        for thread in attacks:
            thread.join()

    def tally(key: str) -> str:
        counts = Counter(result[key] for result in results.values())
        return ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())

    slowest = {
        key: max(result[f"seconds {key}"] for result in results.values())
        for key in ("alone", "helped")
    }
    return [
        (f"{len(results)} hostile mirrors, alone", tally("alone"), "all refused"),
        ("  slowest error", f"{slowest['alone']:.0f} s", "60 s or less"),
        ("  files left behind", str(sum(r["left"] for r in results.values())), "0"),
        (f"{len(results)} hostile mirrors beside a good one", tally("helped"), "all right"),
        ("  slowest download", f"{slowest['helped']:.0f} s", "60 s or less"),
    ]


@contextlib.contextmanager
def _server() -> Iterator[LocalServer]:
    """Run the server of the tests, serving the four small files."""
    with LocalServer() as server:
        server.files = make_small_mnist()[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()


# Goal 4: preparation ----------------------------------------------------------------------------


def _preparation(cache: Path, mirror: str, way: str = "") -> str:
    """Return code that prepares the data in ``cache`` and prints how many examples it has."""
    return (
        f"{pin_in_a_child(make_small_mnist()[0])}"
        "from pathlib import Path\n"
        "from mnist_course.data import digits, download\n"
        f"digits.cache_dir = lambda: Path({str(cache)!r})\n"
        f"digits.download = lambda folder: download.download(folder, [{mirror!r}])\n"
        f"{'import scipy.ndimage, sklearn.datasets' if way else ''}\n"
        "WAIT\n"
        "print(len(digits.load_data().train_labels))\n"
    )


def _in_pieces(handler: Any) -> None:
    """Serve a file in pieces, so that a kill or another process can come between."""
    handler.start(length=len(handler.content))
    for start in range(0, len(handler.content), 8_000):
        handler.send(handler.content[start : start + 8_000])
        handler.wait(0.02)


@contextlib.contextmanager
def _prepared_here(cache: Path, mirror: str, way: str) -> Iterator[None]:
    """Let `digits.load_data` of this process use ``cache`` and ``mirror``, and sweep at once."""
    changes = [
        mock.patch.object(digits, "cache_dir", return_value=cache),
        mock.patch.object(digits, "download", lambda folder: download.download(folder, [mirror])),
        mock.patch.object(files, "LEFTOVER_SECONDS", -1.0),
        mock.patch.dict(os.environ, MNIST_COURSE_DATA=way, MNIST_COURSE_ANNOUNCED="1"),
    ]
    with contextlib.ExitStack() as stack:
        for change in changes:
            stack.enter_context(change)
        yield


def prepare_at_once(rounds: int) -> list[Row]:
    """Let two, then four processes prepare the same folder at the same moment."""
    rows = []
    with _server() as server:
        mirror = server.mirror("slow", _in_pieces)
        for count in (2, 4):
            failed, wrong = 0, 0
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as cache:
                    done = at_once(
                        _preparation(Path(cache), mirror),
                        count,
                        timeout=300,
                        MNIST_COURSE_DATA="",
                        MNIST_COURSE_ANNOUNCED="",
                    )
                    failed += sum(child != ("60\n", "", 0) for child in done)
                    wrong += names_in(Path(cache, "mnist")) != sorted(server.files)
            rows.append(
                (
                    f"{rounds} x {count} processes at once",
                    f"{failed} of {rounds * count} failed, {wrong} of {rounds} folders wrong",
                    "0 and 0",
                )
            )
    return rows


def kill_preparations(kills: int, seed: int) -> list[Row]:
    """Kill processes while they prepare the data, then load it; half download, half make it."""
    rng = random.Random(seed)
    rows: list[Row] = []
    downloaded = sorted(make_small_mnist()[1])
    made = sorted([*downloaded, practice.MANIFEST])
    ways = [("", 60, "mnist", downloaded), ("practice", practice.NUM_TRAIN, "practice", made)]
    with _small_mnist(), _server() as server, tempfile.TemporaryDirectory() as base:
        mirror = server.mirror("slow", _in_pieces)
        for way, expected, folder, held in ways:
            in_time, right, clean, count = 0, 0, 0, kills // 2
            whole = Path(base, f"{way}-whole")
            usual = _run_for(_preparation(whole, mirror, way), way, None)
            for number in range(count):
                cache = Path(base, f"{way}-{number}")
                seconds = rng.uniform(0, usual)
                in_time += _run_for(_preparation(cache, mirror, way), way, seconds) == seconds
                with _prepared_here(cache, server.good(), way):
                    right += len(digits.load_data().train_labels) == expected
                clean += names_in(cache / folder) == held
            what = "while the practice set was made" if way else "while files were downloaded"
            rows += [
                (f"{count} kills {what}", f"{right} right afterwards", f"{count}"),
                ("  kills that came in time", str(in_time), "most"),
                ("  folders without leftovers", str(clean), f"{count}"),
            ]
    return rows


def _run_for(code: str, way: str, seconds: float | None) -> float:
    """Run ``code``, kill it after ``seconds`` if it is not done, and return how long it ran."""
    child = subprocess.Popen(
        [sys.executable, "-c", code.replace("WAIT\n", "print('ready', flush=True); input()\n")],
        cwd=ROOT,
        env={**os.environ, "MNIST_COURSE_DATA": way, "MNIST_COURSE_ANNOUNCED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the pipes to the process are missing")
        child.stdout.readline()
        child.stdin.write("go\n")
        child.stdin.flush()
        begun = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child.pid, signal.SIGKILL)
        finished = child.stdout.readline() != ""
        return time.monotonic() - begun if finished or seconds is None else seconds


def repair_halves() -> list[Row]:
    """Cut each of the four files in the cache at nine places, and load the data."""
    repaired = 0
    with _small_mnist() as cache, _server() as server:
        folder = cache / "mnist"
        folder.mkdir()
        for name, content in server.files.items():
            for ninth in range(9):
                for file, good in server.files.items():
                    (folder / file).write_bytes(good)
                (folder / name).write_bytes(content[: len(content) * ninth // 9])
                with _prepared_here(cache, server.good(), ""):
                    repaired += digits.load_data().is_mnist
    return [("36 half files in the cache", f"{repaired} repaired", "36")]


def main() -> None:
    """Run the parts that were asked for, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--files", type=int, default=100_000, help="fuzzed IDX files")
    parser.add_argument("--rounds", type=int, default=50, help="times 2, and times 4 processes")
    parser.add_argument("--kills", type=int, default=200, help="kills during preparation")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parts: list[Callable[[], list[Row]]] = [
        lambda: fuzz_idx(arguments.files, arguments.seed),
        read_faulty_files,
        ask_hostile_mirrors,
        lambda: prepare_at_once(arguments.rounds),
        lambda: kill_preparations(arguments.kills, arguments.seed),
        repair_halves,
    ]
    print(f"{'what was done':<46} {'what came of it':<52} goal\n{'-' * 120}")
    for part in parts:
        for done, outcome, goal in part():
            print(f"{done:<46} {outcome:<52} {goal}", flush=True)


if __name__ == "__main__":
    main()
