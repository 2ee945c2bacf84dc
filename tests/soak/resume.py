"""Kill runs, damage checkpoints and fill disks for as long as you like, and count what comes of it.

The tests do a little of each on every run; this is the long form::

    python -m tests.soak.resume --kills 200 --saves 60 --flips 2000 --disks 50

It needs Linux or macOS, no network and no MNIST, and takes some five minutes. ``--seconds`` also
measures what guards, seeds and checkpoints cost a training step.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from mnist_course.data import Batches
from mnist_course.training import fit, models
from mnist_course.training.checkpoint import (
    UNSAFE,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from tests.conftest import ROOT
from tests.test_checkpoint import hostile, make_model, sealed_bytes
from tests.test_resume import Server, kill_and_resume

Row = tuple[str, str, str]  # what was done, what came of it, what should
NUM_WEIGHTS = 8_000_000  # 32 MB

SAVER = """
import os, sys
import torch
from mnist_course.training.checkpoint import save_checkpoint
torch.set_num_threads(1)
weights = torch.zeros(int(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    way, path = line.split()
    child = os.fork()
    if child == 0:
        print("pid", os.getpid(), flush=True)
        while True:
            if way == "plain":
                torch.save({"weights": weights}, path)
            else:
                save_checkpoint(path, {"weights": weights})
    os.waitpid(child, 0)
"""


def kill_runs(kills: int, seed: int) -> list[Row]:
    """Kill runs, every second time in a save, resume them, and compare the bits in the end."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        runs, right, inside = kill_and_resume(server, Path(folder), kills, seed)
    server.close()
    return [
        (f"{kills} kills and as many resumes", f"{right} of {runs} runs with equal bits", "all"),
        ("  kills in the middle of a save", str(inside), "many"),
    ]


def kill_savers(saves: int, seed: int) -> list[Row]:
    """Kill a process that saves 32 MB again and again over a good file, at random moments."""
    rng, rows = random.Random(seed), []
    child = subprocess.Popen(
        [sys.executable, "-c", SAVER, str(NUM_WEIGHTS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child, tempfile.TemporaryDirectory() as folder:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the pipes to the process are missing")
        child.stdout.readline()
        for way, name in (("plain", "torch.save"), ("ours", "save_checkpoint")):
            path, lost = Path(folder, f"{way}.pt"), 0
            for _ in range(saves):
                save_checkpoint(path, {"weights": torch.ones(NUM_WEIGHTS)})
                child.stdin.write(f"{way} {path}\n")
                child.stdin.flush()
                pid = int(child.stdout.readline().split()[1])
                time.sleep(rng.uniform(0, 0.3))
                os.kill(pid, signal.SIGKILL)
                try:
                    torch.load(path, weights_only=True)
                except Exception:
                    lost += 1
                for half in Path(folder).glob(".*.part"):
                    half.unlink()
            goal = "0" if way == "ours" else "no goal: this is the usual way"
            rows.append((f"{saves} kills while {name} saves", f"{lost} files lost", goal))
        child.stdin.close()
    return rows


def flip_bits(flips: int, seed: int) -> list[Row]:
    """Flip one random bit of a checkpoint at a time."""
    rng = random.Random(seed)
    model = make_model(num_hidden=2_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.pt")
        save_checkpoint(path, {"model": model.state_dict()})
        good = path.read_bytes()
        outcomes: dict[str, Counter[str]] = {"torch.load": Counter(), "load_checkpoint": Counter()}
        for _ in range(flips):
            data = bytearray(good)
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            for name, load in (
                ("torch.load", lambda p: torch.load(p, weights_only=True)),
                ("load_checkpoint", load_checkpoint),
            ):
                try:
                    model.load_state_dict(load(path)["model"])
                    outcomes[name]["loaded"] += 1
                except CheckpointError:
                    outcomes[name]["refused"] += 1
                except Exception as error:
                    outcomes[name][type(error).__name__] += 1
    return [
        (
            f"{flips} flipped bits, {name}",
            ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common()),
            f"{flips} refused" if name == "load_checkpoint" else "no goal",
        )
        for name, counts in outcomes.items()
    ]


def offer_payloads() -> list[Row]:
    """Offer files that run code when they are opened, in six ways."""
    ran = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(6):
            target, path = Path(folder, f"owned{number}"), Path(folder, f"run{number}.pt")
            sealed, variable = number % 2, ("", "1", "true")[number // 2]
            path.write_bytes(sealed_bytes(hostile(target)) if sealed else hostile(target))
            os.environ[UNSAFE] = variable
            try:
                load_checkpoint(path)
            except CheckpointError:
                refused += 1
            ran += target.exists()
        del os.environ[UNSAFE]
    return [("6 files that want to run code", f"{ran} ran, {refused} refused", "0 and 6")]


FULL = """
import resource, sys
import torch
from mnist_course.training.checkpoint import save_checkpoint
from mnist_course.files import SaveError
path, limits = sys.argv[1], [int(word) for word in sys.argv[2:]]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in limits:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        save_checkpoint(path, {"weights": torch.rand(100_000)})
    except SaveError:
        print("refused")
"""


def fill_disks(disks: int, seed: int) -> list[Row]:
    """Save where a file may not grow beyond a random size; on a real small disk, too, as root."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.pt")
        save_checkpoint(path, {"weights": torch.zeros(10)})
        good = path.read_bytes()
        limits = [str(rng.randrange(400_000)) for _ in range(disks)]
        done = subprocess.run(
            [sys.executable, "-c", FULL, path, *limits],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        refused, intact = done.stdout.count("refused"), path.read_bytes() == good
        rest = [p.name for p in Path(folder).iterdir() if p.name.endswith(".part")]
    outcome = f"{refused} refused, the file {'intact' if intact else 'LOST'}, {len(rest)} left over"
    return [(f"{disks} disks that are full", outcome, f"{disks}, intact, 0")]


def measure_seconds() -> list[Row]:
    """Compare `fit` with a bare loop, interleaved, one thread: medians of processor time."""
    torch.set_num_threads(1)
    rows = []
    for name, batch_size, count in (
        ("softmax_regression", 256, 30_720),
        ("mlp", 128, 10_240),
        ("small_cnn", 128, 5_120),
    ):
        X, y = torch.randn(count, 1, 28, 28), torch.randint(0, 10, (count,))
        seconds: dict[str, list[float]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for number in range(8):
                for way in ("bare", "guards", "guards and seeds", "and checkpoints"):
                    model = getattr(models, name)()
                    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, fused=True)
                    batches = Batches(X, y, batch_size, shuffle=True)
                    options = {} if way == "guards" else {"seed": 0}
                    if way == "and checkpoints":
                        options |= {"checkpoint": Path(folder, f"{number}.pt"), "save_every": 500}
                    begun = time.process_time()
                    if way == "bare":
                        for inputs, labels in batches:
                            loss = torch.nn.functional.cross_entropy(model(inputs), labels)
                            optimizer.zero_grad()
                            loss.backward()
                            optimizer.step()
                    else:
                        fit(model, optimizer, batches, num_epochs=1, log=None, **options)
                    if number:
                        seconds.setdefault(way, []).append(time.process_time() - begun)
        usual = sorted(seconds["bare"])[3]
        shown = ", ".join(f"{way} {sorted(s)[3] / usual:.2f}" for way, s in seconds.items())
        rows.append((f"a pass of {name}, {1000 * usual:.0f} ms", shown, "near 1"))
    return rows


def main() -> None:
    """Run the parts that were asked for, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--kills", type=int, default=200, help="kills of runs")
    parser.add_argument("--saves", type=int, default=60, help="kills of processes that save")
    parser.add_argument("--flips", type=int, default=2_000, help="flipped bits")
    parser.add_argument("--disks", type=int, default=50, help="full disks")
    parser.add_argument("--seconds", action="store_true", help="measure what it costs")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parts = [
        (arguments.kills, lambda: kill_runs(arguments.kills, arguments.seed)),
        (arguments.saves, lambda: kill_savers(arguments.saves, arguments.seed)),
        (arguments.flips, lambda: flip_bits(arguments.flips, arguments.seed)),
        (arguments.flips, offer_payloads),
        (arguments.disks, lambda: fill_disks(arguments.disks, arguments.seed)),
        (arguments.seconds, measure_seconds),
    ]
    print(f"{'what was done':<40} {'what came of it':<66} goal\n{'-' * 120}")
    for wanted, part in parts:
        for done, outcome, goal in part() if wanted else []:
            print(f"{done:<40} {outcome:<66} {goal}", flush=True)


if __name__ == "__main__":
    main()
