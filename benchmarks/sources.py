"""The five source programs as they are written against the course's way, in one run.

    python -m benchmarks.sources [--share X] [--rounds N]

Both sides (``benchmarks/programs.py``) take turns, a part of an epoch each, so that a busy machine
is unfair to both alike. Seconds are medians over the turns, for a whole epoch of 60,000 pictures:
on the clock, and of the processor (``cpu``). Everything goes to ``mnist_course/speed.json``.

same work
    An epoch of each program against the same model, batch size and optimizer in the course.
rates, floor
    What this machine does at best, and how far above that the course is (``benchmarks/floor.py``).
same accuracy
    The whole source program, as many epochs as it has, against the fewest passes with which the
    course is as good. Both read their files; only the course's run ends with a test.
reading
    The course reads and verifies the four gzipped files; gunzip alone; torchvision, unpacked.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from torchvision import datasets

from benchmarks.floor import floor_row, rates
from benchmarks.measure_models import hardware
from benchmarks.programs import (
    PARTS,
    PROGRAMS,
    NeuralNetwork,
    our_turn,
    per_batch,
    per_picture,
    prepared,
    source_turn,
)
from mnist_course.by_hand.network import Linear, ReLU, Sequential
from mnist_course.data import Digits, load_data
from mnist_course.data.digits import read_folder
from mnist_course.data.download import FILES
from mnist_course.data.idx import write_idx
from mnist_course.device import half_precision, set_seed
from mnist_course.files import atomic_write
from mnist_course.speed import STORED, format_speed, load_speed
from mnist_course.training.recipes import RECIPES, train

Row = dict[str, Any]


def take_turns(
    turns: dict[str, Callable[[], object]], rounds: int, scale: float = 1.0
) -> dict[str, float]:
    """Let functions work in turns; return medians of their seconds, and the first two's ratio."""
    names = list(turns)
    found: dict[str, list[float]] = {f"{name}{c}_s": [] for c in ("", "_cpu") for name in names}
    for _ in range(rounds):
        for name in names:
            clock, cpu = time.perf_counter(), time.process_time()
            turns[name]()
            found[f"{name}_cpu_s"].append(scale * (time.process_time() - cpu))
            found[f"{name}_s"].append(scale * (time.perf_counter() - clock))
        names.reverse()  # neither is always the first
    row = {key: median(values) for key, values in found.items()}
    first, second = list(turns)[:2]
    row["ratio"] = row[f"{first}_s"] / row[f"{second}_s"]
    row["cpu_ratio"] = row[f"{first}_cpu_s"] / row[f"{second}_cpu_s"]
    return row


def same_work(name: str, digits: Digits, root: Path, share: float, rounds: int) -> Row:
    """Measure a source program in torch against the course, with the present threads."""
    program = PROGRAMS[name]
    set_seed(0)
    batch_size, num_examples = RECIPES[program.recipe].batch_size, len(digits.train_labels)
    num_steps = max(2, round(share * program.share * num_examples / batch_size))
    turns = {
        "source": source_turn(program, root, num_steps),
        "ours": our_turn(program, digits, num_steps),
    }
    for turn in turns.values():
        turn()  # the first time, much is set up
    found = take_turns(turns, rounds, num_examples / (num_steps * batch_size))
    row = {"program": name, "what": program.what, "threads": torch.get_num_threads()}
    return {**row, **found}


def in_numpy(digits: Digits, reading_s: tuple[float, float]) -> tuple[Row, Row]:
    """Measure one epoch of the tutorial in numpy against the course's: time, and accuracy."""
    rng = np.random.default_rng(0)
    network = NeuralNetwork()
    model = Sequential(Linear(784, 200, rng), ReLU(), Linear(200, 10, rng))
    theirs = per_picture(digits.train_images, digits.train_labels, network)
    ours = per_batch(digits.train_images, digits.train_labels, model)
    found = take_turns({"source": lambda: next(theirs), "ours": lambda: next(ours)}, PARTS, PARTS)
    images = digits.test_images.reshape(-1, 784)
    guesses = {
        "source": network.query(images / 255.0 * 0.99 + 0.01),
        "ours": model.forward(prepared(images)).argmax(axis=1),
    }
    reached = {key: 100 * float((g == digits.test_labels).mean()) for key, g in guesses.items()}
    accuracy = {
        "program": "S3",
        "epochs": 1,
        "accuracy": reached["source"],
        "source_cpu_s": found["source_cpu_s"] + reading_s[0],
        "recipe": "batches of 100",
        "passes": 1,
        "our_accuracy": reached["ours"],
        "ours_cpu_s": found["ours_cpu_s"] + reading_s[1],
    }
    what = "784-200-10, one by one; ours: 100"
    row = {"program": "S3", "what": what, "threads": 1, **found}
    return row, with_ratio(accuracy)


def with_ratio(row: Row) -> Row:
    """Return a row with the ratio of its seconds."""
    return {**row, "cpu_ratio": row["source_cpu_s"] / row["ours_cpu_s"]}


def same_accuracy(row: Row, digits: Digits, reading_s: tuple[float, float]) -> Row:
    """Find the fewest passes with which the course is as good as the whole source program.

    ``row`` is the one of the same work. The test digits choose the number of passes, of seed 0.
    """
    name, program = row["program"], PROGRAMS[row["program"]]
    for passes in range(1, RECIPES[program.quick].num_epochs + 1):
        begun = time.process_time()
        trained = train(program.quick, num_epochs=passes, digits=digits, log=None)
        spent = time.process_time() - begun
        assert trained.test is not None  # measured, since all training digits were used
        reached = 100 * trained.test.accuracy
        if reached >= program.accuracy:
            break
    else:
        raise click.ClickException(
            f"{program.quick} stays below the {program.accuracy} % of {name}"
        )
    return with_ratio(
        {
            "program": name,
            "epochs": program.num_epochs,
            "accuracy": program.accuracy,
            "source_cpu_s": program.num_epochs * row["source_cpu_s"] + reading_s[0],
            "recipe": program.quick,
            "passes": passes,
            "our_accuracy": reached,
            "ours_cpu_s": spent + reading_s[1],
        }
    )


def recipe_floor(row: Row, rate: dict[str, float], seconds: float) -> Row:
    """Return the floor of a pass by the course's recipe, a share of the test included."""
    recipe = RECIPES[row["recipe"]]
    half = recipe.half and half_precision(torch.device("cpu"))
    return floor_row(
        row["recipe"], recipe.model(), "bfloat16" if half else "float32", 1, rate, seconds
    )


def reading(folder: Path, root: Path, rounds: int) -> Row:
    """Measure what it takes to read the digits."""
    paths = [folder / f"{name}.gz" for name in FILES]
    turns: dict[str, Callable[[], object]] = {
        "ours": lambda: read_folder(folder),
        "gunzip": lambda: [gzip.decompress(path.read_bytes()) for path in paths],
        "torchvision": lambda: [datasets.MNIST(str(root), train=part) for part in (True, False)],
    }
    return {"what": "four files", **take_turns(turns, rounds)}


def unpack(digits: Digits, root: Path) -> Path:
    """Write the raw files where torchvision looks; return the folder of the gzipped ones."""
    arrays = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(root / "MNIST" / "raw" / name, array)
        packed = digits.folder / f"{name}.gz"
        if packed.exists():
            (root / packed.name).symlink_to(packed.resolve())
        else:
            write_idx(root / packed.name, array)
    return root


def rounded(value: Any) -> Any:
    """Return what is stored of a number: four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def store(machine: str, tables: dict[str, list[Row]]) -> None:
    """Write ``speed.json``."""
    short = {
        name: [{key: rounded(value) for key, value in row.items()} for row in rows]
        for name, rows in tables.items()
    }
    with atomic_write(STORED) as file:
        file.write((json.dumps({"machine": machine, **short}, indent=1) + "\n").encode())


def measure(digits: Digits, root: Path, share: float, rounds: int) -> dict[str, list[Row]]:
    """Return all tables."""
    names = ("same_work", "rates", "floor", "same_accuracy", "reading")
    tables: dict[str, list[Row]] = {name: [] for name in names}
    torch.set_num_threads(1)
    read = reading(unpack(digits, root), root, rounds)
    tables["reading"].append(read)
    reading_s = read["torchvision_cpu_s"], read["ours_cpu_s"]
    click.echo("in numpy ...")
    work, accuracy = in_numpy(digits, reading_s)
    tables["same_work"].append(work)
    tables["same_accuracy"].append(accuracy)
    for threads in (1, 2):
        click.echo(f"with {threads} thread{'s' * (threads > 1)} ...")
        torch.set_num_threads(threads)
        rate = rates()
        tables["rates"].append({"threads": threads, **rate})
        rows = [same_work(name, digits, root, share, rounds) for name in PROGRAMS]
        tables["same_work"] += rows
        tables["floor"] += [same_work_floor(row, rate) for row in rows]
        if threads == 1:
            for row in rows:
                reached = same_accuracy(row, digits, reading_s)
                tables["same_accuracy"].append(reached)
                pass_s = (reached["ours_cpu_s"] - reading_s[1]) / reached["passes"]
                tables["floor"].append(recipe_floor(reached, rate, pass_s))
    return tables


def same_work_floor(row: Row, rate: dict[str, float]) -> Row:
    """Return the floor of a row of the same work."""
    model = RECIPES[PROGRAMS[row["program"]].recipe].model()
    ours = min(row["ours_s"], row["ours_cpu_s"])  # without what others took of the machine
    return floor_row(row["program"], model, "float32", row["threads"], rate, ours)


@click.command()
@click.option("--share", default=1.0, help="How much of its usual part of an epoch a turn takes.")
@click.option("--rounds", default=5, help="Turns of each side.")
def main(share: float, rounds: int) -> None:
    """Measure everything, store it, and print it."""
    digits = load_data()
    if not digits.is_mnist:
        raise click.ClickException("speed is measured on real MNIST only")
    with tempfile.TemporaryDirectory() as folder:
        tables = measure(digits, Path(folder), share, rounds)
    torch.set_num_threads(2)
    store(hardware(), tables)
    click.echo(format_speed(load_speed()))


if __name__ == "__main__":
    main()
