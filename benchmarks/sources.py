"""The five source programs as they are written against the course's way, in one run.

    python -m benchmarks.sources [NAME ...] [--share X] [--rounds N]

Both sides (``benchmarks/programs.py``) take turns, a part of an epoch each, so that a busy machine
is unfair to both alike. Seconds are medians over the turns, for a whole epoch of 60,000 pictures:
on the clock, and of the processor (``cpu``). Everything goes to ``mnist_course/speed.json``, name
by name (of `NAMES`); all take about five minutes.

same work
    An epoch of each program against the same model, batch size and optimizer in the course.
rates, floor
    What this machine does at best, and how far above that the course is (``benchmarks/floor.py``).
same accuracy
    The whole source program, as many epochs as it has, against the fewest passes with which the
    course is as good. Both read their files; only the course's run ends with a test. What a
    process sets up once counts for neither.
reading
    The course reads and verifies the four gzipped files; gunzip alone; torchvision, unpacked.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from torch import nn
from torchvision import datasets

from benchmarks.floor import floor_row, rates
from benchmarks.measure_models import hardware
from benchmarks.programs import (
    PARTS,
    PROGRAMS,
    NeuralNetwork,
    in_batches,
    our_turn,
    per_batch,
    per_picture,
    prepared,
    source_turn,
)
from mnist_course.data import Digits, load_data
from mnist_course.data.digits import read_folder
from mnist_course.data.download import FILES
from mnist_course.data.idx import write_idx
from mnist_course.device import half_precision, set_seed
from mnist_course.files import atomic_write
from mnist_course.speed import STORED, format_speed, load_speed
from mnist_course.training.recipes import RECIPES, train

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Settings = tuple[float, int]  # how much of its usual share a turn takes, and how many rounds

NAMES = ("reading", *PROGRAMS, "S3", "floor")  # in this order: each uses those before it
TABLES = ("same_work", "same_accuracy", "reading", "two_processes", "compiled", "rates", "floor")
ORDER = (*PROGRAMS, "S3", *dict.fromkeys(program.quick for program in PROGRAMS.values()))


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
    network, model = NeuralNetwork(), in_batches()
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
        "recipe": "in numpy",
        "passes": 1,
        "our_accuracy": reached["ours"],
        "ours_cpu_s": found["ours_cpu_s"] + reading_s[1],
    }
    what = "784-200-10, one by one; ours: 200"
    return {"program": "S3", "what": what, "threads": 1, **found}, with_ratio(accuracy)


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


def reading(root: Path, rounds: int) -> Row:
    """Measure what it takes to read the digits from what `unpack` wrote."""
    paths = [root / f"{name}.gz" for name in FILES]
    turns: dict[str, Callable[[], object]] = {
        "ours": lambda: read_folder(root),
        "gunzip": lambda: [gzip.decompress(path.read_bytes()) for path in paths],
        "torchvision": lambda: [datasets.MNIST(str(root), train=part) for part in (True, False)],
    }
    return {"what": "four files", **take_turns(turns, rounds)}


def unpack(digits: Digits, root: Path) -> Path:
    """Write the raw files where torchvision looks; put the gzipped ones beside."""
    arrays = (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels)
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(root / "MNIST" / "raw" / name, array)
        packed = digits.folder / f"{name}.gz"
        if packed.exists():
            (root / packed.name).symlink_to(packed.resolve())
        else:
            write_idx(root / packed.name, array)
    return root


def add(tables: Tables, name: str, row: Row) -> None:
    """Put a row into a table, in the place of the one that it repeats; four digits are enough."""
    row = {key: float(f"{v:.4g}") if isinstance(v, float) else v for key, v in row.items()}
    known = [old for old in tables.get(name, []) if old.get("program", ORDER[0]) in ORDER]
    rows = {place(old): old for old in known}
    rows[place(row)] = row
    tables[name] = [rows[key] for key in sorted(rows)]


def place(row: Row) -> tuple[int, int]:
    """Return where in its table a row stands."""
    return row.get("threads", 0), ORDER.index(row["program"]) if "program" in row else 0


def measured_models(tables: Tables, threads: int) -> Iterator[tuple[str, nn.Module, str, float]]:
    """Yield name, model, number type and the course's seconds per epoch of what is stored.

    Those of its own recipes include what is not an epoch, such as a share of the test.
    """
    for row in tables.get("same_work", []):
        if row["threads"] == threads:
            ours = min(row["ours_s"], row["ours_cpu_s"])  # without what others took of the machine
            if row["program"] in PROGRAMS:
                model = RECIPES[PROGRAMS[row["program"]].recipe].model()
            else:
                model = nn.Sequential(nn.Flatten(), nn.Linear(784, 200), nn.Linear(200, 10))
            yield row["program"], model, "float32", ours
    for row in tables.get("same_accuracy", []):
        recipe = RECIPES.get(row["recipe"])
        if threads == 1 and recipe:
            half = recipe.half and half_precision(torch.device("cpu"))
            ours = (row["ours_cpu_s"] - tables["reading"][0]["ours_cpu_s"]) / row["passes"]
            yield row["recipe"], recipe.model(), "bfloat16" if half else "float32", ours


def add_floors(tables: Tables) -> None:
    """Measure the rates of this machine, and say how far above its floor each stored row is."""
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rate = rates()
        add(tables, "rates", {"threads": threads, **rate})
        for name, model, dtype, ours in measured_models(tables, threads):
            add(tables, "floor", floor_row(name, model, dtype, threads, rate, ours))


def measure(name: str, tables: Tables, digits: Digits, root: Path, settings: Settings) -> None:
    """Measure one of `NAMES`, and put its rows into the tables."""
    if name == "reading" or "reading" not in tables:
        add(tables, "reading", reading(root, settings[1]))
    if name == "reading":
        return
    if name == "floor":
        add_floors(tables)
        return
    read = tables["reading"][0]
    reading_s = read["torchvision_cpu_s"], read["ours_cpu_s"]
    torch.set_num_threads(1)
    if name == "S3":
        work, accuracy = in_numpy(digits, reading_s)
    else:
        work = same_work(name, digits, root, *settings)
        accuracy = same_accuracy(work, digits, reading_s)
        torch.set_num_threads(2)
        add(tables, "same_work", same_work(name, digits, root, *settings))
    add(tables, "same_work", work)
    add(tables, "same_accuracy", accuracy)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--share", default=1.0, help="How much of its usual part of an epoch a turn takes.")
@click.option("--rounds", default=5, help="Turns of each side.")
def main(names: tuple[str, ...], share: float, rounds: int) -> None:
    """Measure NAMES (default: all), store the results, and print the tables."""
    digits = load_data()
    if not digits.is_mnist:
        raise click.ClickException("speed is measured on real MNIST only")
    torch.set_num_threads(2)
    machine = hardware()
    speed = load_speed() if STORED.exists() else {}
    if speed.pop("machine", machine) != machine:
        speed = {}  # times of another machine have nothing to do here
    with tempfile.TemporaryDirectory() as folder:
        root = unpack(digits, Path(folder))
        for name in names or NAMES:
            click.echo(f"{name} ...")
            measure(name, speed, digits, root, (share, rounds))
            ordered = {key: speed[key] for key in TABLES if key in speed}
            with atomic_write(STORED) as file:
                stored = {"machine": machine, **ordered}
                file.write((json.dumps(stored, indent=1) + "\n").encode())
    click.echo("\n" + format_speed(load_speed()))


if __name__ == "__main__":
    main()
