"""The command line: data, chapters, training, reading pictures, examining programs, settings."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_course import __version__
from mnist_course.errors import UsageError, as_course_error
from mnist_course.progress import say
from mnist_course.table import format_rows
from mnist_course.training.recipe_names import RECIPE_NAMES

if TYPE_CHECKING:
    from mnist_course.recognizer import Answer

MOST_DRAWN = 30  # pictures in one figure of stages
VARIABLES = {
    "MNIST_COURSE_DATA": "a folder with the four files, or: practice",
    "MNIST_COURSE_DEVICE": "cpu, cuda, cuda:1 or mps; else the best that is there",
    "MNIST_COURSE_FIGURES": "where scripts save figures; else _build/figures",
    "MNIST_COURSE_PROGRESS": "bar or lines; else a bar where somebody watches",
}
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "matplotlib", "jupytext", "click")

SETTINGS = "\n".join(format_rows([["", *pair] for pair in VARIABLES.items()], "<<<"))
EPILOG = f"""\b
Exit status:
  0  it worked; all pictures were read; the program is healthy
  1  it did not work; a picture was refused; the doctor found something
  2  wrong use: a name, a number or a file that does not fit
  3  only the practice set is at hand (data)

\b
Settings, as environment variables (`config` shows them):
{SETTINGS}

\b
Completion of commands, options and models with the tabulator (zsh, fish alike):
  eval "$(_MNIST_COURSE_COMPLETE=bash_source mnist-course)"
"""
CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


class Commands(click.Group):
    """The commands; what a user can put right is told in one line, and not as a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command, and end with the exit status of what went wrong."""
        try:
            return super().main(*args, **options)
        except Exception as error:
            told = as_course_error(error)
            if told is None:
                raise
            click.echo(f"Error: {told}", err=True)
            sys.exit(told.exit_code)


@click.group(cls=Commands, context_settings=CONTEXT, epilog=EPILOG)
@click.version_option(__version__)
def main() -> None:
    """MNIST from the Bytes Up: find the data, run the chapters, train networks, read pictures."""


@main.command()
def data() -> None:
    """Find, fetch and verify the four MNIST files, and say where they are.

    MNIST_COURSE_DATA may name their folder. The exit status is 0 for verified MNIST, 1 if what is
    there cannot be used, and 3 if only the practice set is at hand.
    """
    from mnist_course.data import VARIABLE, load_data

    if os.environ.get(VARIABLE):
        say(f"{VARIABLE} is {os.environ[VARIABLE]}")
    digits = load_data()
    say(f"{digits.source} in {digits.folder}")
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        say(f"  {part:<13} {getattr(digits, part).shape}")
    if not digits.is_mnist:
        say("To get real MNIST: connect to the network and run this again, or set")
        say(f"{VARIABLE} to a folder that holds the four files.")
        sys.exit(3)
    say("SHA-256 of all four files verified.")


@main.command()
@click.argument("chapters", nargs=-1)
@click.option("--force", is_flag=True, help="Run also what has not changed since its last run.")
def run(chapters: tuple[str, ...], force: bool) -> None:
    """Run CHAPTERS (numbers or names; default: all) as scripts, and print a closing table."""
    from mnist_course.chapters import format_table, run_chapters

    runs = run_chapters(chapters, force)
    say(f"\n{format_table(runs)}\n")
    sys.exit(0 if all(run.ok for run in runs) else 1)


@main.command()
@click.argument("chapters", nargs=-1)
@click.option("--force", is_flag=True, help="Execute also notebooks whose cells have not changed.")
@click.option("--replace", is_flag=True, help="Replace also notebooks edited by hand; keep a copy.")
def notebooks(chapters: tuple[str, ...], force: bool, replace: bool) -> None:
    """Derive the notebooks of CHAPTERS from the scripts, and execute them on real MNIST.

    A notebook into which somebody wrote is not overwritten. With --replace, a copy named
    NN_name.yours.ipynb is kept beside it.
    """
    from mnist_course.chapters import execute_notebooks

    execute_notebooks(chapters, force, replace)


@main.command()
@click.option("--model", required=True, type=click.Choice(RECIPE_NAMES), help="See `results`.")
@click.option(
    "--epochs", "num_epochs", type=click.IntRange(min=1), help="Passes; default: the recipe's."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0)
@click.option("--device", help="Instead of the one in MNIST_COURSE_DEVICE, or of the best.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the layers; default: what recipe and hardware are made for.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Digits per step, of all processes; default: the recipe's. The learning rate stays.",
)
@click.option(
    "--valid",
    "num_valid",
    type=click.IntRange(min=0),
    default=0,
    help="Training digits to set aside.",
)
@click.option("--checkpoint", metavar="FILE", help="Keep the run in FILE, so that it survives.")
@click.option("--resume", is_flag=True, help="Go on from FILE; begin anew if there is none.")
@click.option(
    "--save-every", type=click.IntRange(min=1), default=500, help="Steps between two checkpoints."
)
def train(
    model: str, device: str | None, checkpoint: str | None, save_every: int, **options: Any
) -> None:
    """Train a network of the course, and print its accuracy on the test digits as the last line.

    The first line says device, seed and data. With --valid, so many training digits are set aside
    and measured, to choose by, and the test digits are left alone. With --checkpoint the run may
    be interrupted at any moment, even by a power cut. The same command with --resume goes on from
    there, and ends with the same weights to the last bit.

    \b
    Several processes share the work, here two:
      torchrun --standalone --nproc-per-node 2 -m mnist_course train --model cnn
    """  # noqa: D301 - click wants the escape itself
    if options["resume"] and not checkpoint:
        raise click.UsageError("--resume needs --checkpoint FILE")
    from mnist_course.data import load_data
    from mnist_course.device import VARIABLE, describe, pick_device
    from mnist_course.training import parallel, recipes

    if device:
        os.environ[VARIABLE] = device
    with parallel.joined(pick_device) as team:
        digits = load_data()
        several = f", {team.size} processes" if team.size > 1 else ""
        say(f"{describe(team.device)}{several}, seed {options['seed']}, {digits.source}")
        if checkpoint:
            options |= {"checkpoint": checkpoint, "save_every": save_every}
        try:
            trained = recipes.train(model, digits=digits, team=team, **options)
        except KeyboardInterrupt as interrupt:
            hint = "add --resume to the same command to go on" if checkpoint else "nothing was kept"
            if team.leads:
                click.echo(f"{str(interrupt) or 'stopped'}; {hint}.", err=True)
            sys.exit(130)
        if trained.test:
            say(f"test accuracy {100 * trained.test.accuracy:.2f} %")
        else:
            say(f"validation accuracy {100 * trained.history['valid_accuracy'][-1]:.2f} %")


@main.command()
def results() -> None:
    """Print what every model of the course reached, and how fast: the results page's tables."""
    from mnist_course.results import format_results, load_results
    from mnist_course.speed import GPU, format_speed, load_speed

    speed = [format_speed(load_speed()), format_speed(load_speed(GPU))]
    say("\n\n".join([format_results(load_results()), *speed]))


@main.command()
def exercises() -> None:
    """Show which exercises are solved, as the saved notebooks tell."""
    from mnist_course.chapters import NOTEBOOKS, find_chapters
    from mnist_course.exercises.solved import format_solved, solved_exercises

    find_chapters()  # without a clone there is nothing to be solved
    say(format_solved(solved_exercises(NOTEBOOKS)))


@main.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.option("--stages", metavar="FILE.png", help="Draw how every picture was prepared.")
@click.option("--weights", metavar="FILE.npz", help="Use your own network instead of ours.")
def predict(
    pictures: tuple[str, ...], as_json: bool, stages: str | None, weights: str | None
) -> None:
    """Read the digit in every PICTURE: a photo, a scan or a drawing of one digit.

    A picture that cannot be read does not keep the others from being read. The exit status is 0
    if all were read, 1 if some were refused (blank, two digits, not a picture), and 2 if nothing
    could be tried. An answer with a low probability is marked as unsure; it counts as read.
    """
    from mnist_course.recognizer import Recognizer

    network = Recognizer(weights)
    names = [click.format_filename(path) for path in pictures]
    width = max(map(len, ["file", *names]))
    if not as_json:
        say(_row(width, "file", "digit", "probability", "runner-up"))
    num_refused = 0
    drawn: list[list[tuple[str, Any]]] = []
    for path, name, answer in zip(pictures, names, network.recognize_many(pictures), strict=True):
        say(_as_json(path, answer) if as_json else _row(width, name, *_cells(answer)))
        num_refused += answer.digit is None
        if stages and answer.prepared and len(drawn) < MOST_DRAWN:
            drawn.append([(stage.name, stage.array) for stage in answer.prepared.stages])
    if stages and drawn:
        _draw_stages(drawn, stages)
    sys.exit(1 if num_refused else 0)


@main.command()
@click.argument("checkpoint", required=False)
@click.option("--to", metavar="FILE.npz", help="Default: the checkpoint's name with .npz.")
@click.option("--page", metavar="FILE.js", help="Also write them for the draw-a-digit page.")
def weights(checkpoint: str | None, to: str | None, page: str | None) -> None:
    """Turn the CHECKPOINT of a run into weights that `predict --weights` can use.

    The probabilities are calibrated on the digits that the run set aside, and the network is
    measured on the test digits. CHECKPOINT may also be a weights file. Without it, the weights of
    the package are written, to whatever --to and --page name.
    """
    from mnist_course import recognizer

    if not (checkpoint or to or page):
        raise click.UsageError("name a CHECKPOINT, or, for the package's weights, a --page FILE.js")
    if checkpoint and not to and not (page and checkpoint.endswith(".npz")):
        to = str(Path(checkpoint).with_suffix(".npz"))
    made = recognizer.find_weights(checkpoint)
    for path, write in ((to, recognizer.save_weights), (page, recognizer.save_page)):
        if path:
            say(f"wrote {write(path, made)}")
    say(recognizer.describe(made))


@main.command()
@click.argument("program")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def doctor(program: str, as_json: bool) -> None:
    """Examine the training program that a factory returns, and print a report.

    PROGRAM is module:factory or path/to/file.py:factory. The factory takes no arguments and
    returns (model, loss_fn, optimizer, train_loader, test_loader), and then, if you like, your own
    train_step, train_epoch and evaluate. The exit status is 0 if it is healthy, 1 if there are
    findings, and 2 if there was nothing to examine.
    """
    from mnist_course.doctor import examine_program, load_program

    report = examine_program(load_program(program))
    say(report.to_json() if as_json else str(report))
    sys.exit(0 if report.healthy else 1)


@main.command()
def config() -> None:
    """Show what the course works with: places, device, versions, variables."""
    from mnist_course.data import cache_dir
    from mnist_course.device import describe, pick_device

    try:
        device = describe(pick_device())
    except UsageError as error:
        device = str(error)
    rows = [
        ["package", f"{__version__}, {Path(__file__).parent}"],
        ["Python", f"{platform.python_version()}, {sys.executable}"],
        ["device", device],
        ["data", os.environ.get("MNIST_COURSE_DATA") or str(cache_dir() / "mnist")],
        ["cache", str(cache_dir())],
        ["figures", os.environ.get("MNIST_COURSE_FIGURES") or str(Path("_build", "figures"))],
        *([name, _version(name)] for name in PACKAGES),
        *([name, os.environ.get(name) or "not set"] for name in VARIABLES),
    ]
    say("\n".join(format_rows(rows, "<<")))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _as_json(path: str, answer: Answer) -> str:
    """Return an answer as one JSON object; 0.9999 is as sure as it gets."""
    probability = None if answer.digit is None else min(round(answer.probability, 4), 0.9999)
    content = {"file": path, "digit": answer.digit, "probability": probability}
    return json.dumps(content | {"reason": answer.reason})


def _cells(answer: Answer) -> list[str]:
    """Return an answer as the rest of a row of the table."""
    if answer.digit is None:
        return ["-", answer.reason]
    probability = ">0.999" if answer.probability > 0.999 else f"{answer.probability:.3f}"
    remarks = ["unsure"] if answer.unsure else []
    remarks += answer.prepared.notes if answer.prepared else []
    runner_up = f"{answer.runner_up} ({answer.runner_up_probability:.3f})"
    return [f"{answer.digit}", probability, f"{runner_up}  {'; '.join(remarks)}"]


def _row(width: int, *cells: str) -> str:
    """Return one line of the table of `predict`, whose first column is so wide."""
    align = "<>><" if len(cells) == 4 else "<><"  # a reason stands in the place of two numbers
    return format_rows([cells], align, (width, 5, 11)[: len(cells) - 1])[0]


def _draw_stages(rows: list[list[tuple[str, Any]]], path: str) -> None:
    """Write a figure of how the first pictures were prepared."""
    from mnist_course import plots
    from mnist_course.files import atomic_write

    plots.use_course_style()
    with atomic_write(path) as file:
        plots.plot_stages(rows).savefig(file, format="png")
    pictures = "1 picture" if len(rows) == 1 else f"{len(rows)} pictures"
    click.echo(f"The stages of {pictures} are in {path}.", err=True)
