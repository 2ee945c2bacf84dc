"""The command line: ``python -m mnist_course data``, ``run`` and ``notebooks``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mnist_course.recognizer import Answer

MOST_DRAWN = 30  # pictures in one figure of stages


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mnist-course")
def main() -> None:
    """MNIST from the Bytes Up: find the data, run the chapters."""


@main.command()
def data() -> None:
    """Find, fetch and verify the four MNIST files, and say where they are.

    The exit status is 0 for verified MNIST, 1 if what is there cannot be used, and 3 if only the
    practice set is at hand.
    """
    from mnist_course.data import VARIABLE, DataError, load_data

    if os.environ.get(VARIABLE):
        click.echo(f"{VARIABLE} is {os.environ[VARIABLE]}")
    try:
        digits = load_data()
    except DataError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{digits.source} in {digits.folder}")
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        click.echo(f"  {part:<13} {getattr(digits, part).shape}")
    if not digits.is_mnist:
        click.echo("To get real MNIST: connect to the network and run this again, or set")
        click.echo(f"{VARIABLE} to a folder that holds the four files.")
        sys.exit(3)
    click.echo("SHA-256 of all four files verified.")


@main.command()
@click.argument("chapters", nargs=-1)
@click.option("--force", is_flag=True, help="Run also what has not changed since its last run.")
def run(chapters: tuple[str, ...], force: bool) -> None:
    """Run CHAPTERS (numbers or names; default: all) as scripts, and print a closing table."""
    from mnist_course.chapters import ChapterError, format_table, run_chapters
    from mnist_course.data import DataError

    try:
        runs = run_chapters(chapters, force)
    except (ChapterError, DataError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"\n{format_table(runs)}\n")
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
    from mnist_course.chapters import ChapterError, execute_notebooks
    from mnist_course.data import DataError

    try:
        execute_notebooks(chapters, force, replace)
    except (ChapterError, DataError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--model", required=True, metavar="NAME", help="Which; --model help lists them.")
@click.option("--epochs", type=click.IntRange(min=0), help="Passes; default: the recipe's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option(
    "--valid",
    type=click.IntRange(min=0),
    default=0,
    help="Set so many training digits aside and measure those, to choose by; the test digits are "
    "then left alone.",
)
@click.option("--checkpoint", metavar="FILE", help="Keep the run in FILE, so that it survives.")
@click.option("--resume", is_flag=True, help="Go on from FILE; begin anew if there is none.")
@click.option(
    "--save-every",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Steps between two checkpoints.",
)
def train(
    model: str,
    epochs: int | None,
    seed: int,
    valid: int,
    checkpoint: str | None,
    resume: bool,
    save_every: int,
) -> None:
    """Train a network of the course, and print its accuracy on the test digits as the last line.

    With --checkpoint the run may be interrupted at any moment, even by a power cut. The same
    command with --resume goes on from there, and ends with the same weights to the last bit.
    """
    from mnist_course.files import SaveError
    from mnist_course.training import recipes

    if model not in recipes.RECIPES:
        known = "\n".join(f"  {key:<13} {r.title}" for key, r in recipes.RECIPES.items())
        if model == "help":
            click.echo(known)
            return
        raise click.UsageError(f"there is no model {model!r}. There are\n{known}")
    if resume and not checkpoint:
        raise click.UsageError("--resume needs --checkpoint FILE")
    try:
        trained = recipes.train(
            model,
            num_epochs=epochs,
            seed=seed,
            num_valid=valid,
            checkpoint=checkpoint,
            save_every=save_every if checkpoint else None,
            resume=resume,
        )
    except (ValueError, SaveError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt as interrupt:
        reason = str(interrupt) or "stopped"
        hint = "add --resume to the same command to go on" if checkpoint else "nothing was kept"
        click.echo(f"{reason}; {hint}.", err=True)
        sys.exit(130)
    if trained.test:
        click.echo(f"test accuracy {100 * trained.test.accuracy:.2f} %")
    elif trained.history.epochs:
        click.echo(f"validation accuracy {100 * trained.history['valid_accuracy'][-1]:.2f} %")


@main.command()
def results() -> None:
    """Print what every model of the course reached: the table of the results page."""
    from mnist_course.results import format_results, load_results

    click.echo(format_results(load_results()))


@main.command()
def exercises() -> None:
    """Show which exercises are solved, as the saved notebooks tell."""
    from mnist_course.chapters import NOTEBOOKS
    from mnist_course.exercises.solved import format_solved, solved_exercises

    click.echo(format_solved(solved_exercises(NOTEBOOKS)))


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
    from mnist_course import recognizer

    try:
        network = recognizer.Recognizer(weights)
    except recognizer.WeightsError as error:
        raise _wrong_use(error) from None
    names = [click.format_filename(path) for path in pictures]
    width = max(len("file"), *(len(name) for name in names))
    if not as_json:
        click.echo(f"{'file':<{width}}  digit  probability  runner-up")
    num_refused = 0
    drawn: list[list[tuple[str, Any]]] = []
    for path, name, answer in zip(pictures, names, network.recognize_many(pictures), strict=True):
        click.echo(_as_json(path, answer) if as_json else f"{name:<{width}}  {_as_row(answer)}")
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
    the package are written for the page of the built book.
    """
    from mnist_course import recognizer
    from mnist_course.data import DataError
    from mnist_course.files import SaveError

    page = page or (None if checkpoint else "_build/html/_static/draw/weights.js")
    if checkpoint and not to and not (page and checkpoint.endswith(".npz")):
        to = str(Path(checkpoint).with_suffix(".npz"))
    try:
        made = recognizer.find_weights(checkpoint)
        for path, write in ((to, recognizer.save_weights), (page, recognizer.save_page)):
            if path:
                click.echo(f"wrote {write(path, made)}")
    except (DataError, SaveError, ValueError) as error:
        raise _wrong_use(error) from None
    click.echo(recognizer.describe(made))


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
    from mnist_course.doctor import CannotLook, examine_program, load_program

    try:
        report = examine_program(load_program(program))
    except CannotLook as error:
        raise _wrong_use(error) from None
    click.echo(report.to_json() if as_json else str(report))
    sys.exit(0 if report.healthy else 1)


def _as_json(path: str, answer: Answer) -> str:
    """Return an answer as one JSON object; 0.9999 is as sure as it gets."""
    probability = None if answer.digit is None else min(round(answer.probability, 4), 0.9999)
    content = {"file": path, "digit": answer.digit, "probability": probability}
    return json.dumps(content | {"reason": answer.reason})


def _as_row(answer: Answer) -> str:
    """Return an answer as the rest of a row of the table."""
    if answer.digit is None:
        return f"{'-':>5}  {answer.reason}"
    probability = ">0.999" if answer.probability > 0.999 else f"{answer.probability:.3f}"
    row = f"{answer.digit:>5}  {probability:>11}"
    row += f"  {answer.runner_up} ({answer.runner_up_probability:.3f})"
    remarks = ["unsure"] if answer.unsure else []
    remarks += answer.prepared.notes if answer.prepared else []
    return f"{row}  {'; '.join(remarks)}".rstrip()


def _draw_stages(rows: list[list[tuple[str, Any]]], path: str) -> None:
    """Write a figure of how the first pictures were prepared."""
    from mnist_course import plots
    from mnist_course.files import SaveError, atomic_write

    plots.use_course_style()
    try:
        with atomic_write(path) as file:
            plots.plot_stages(rows).savefig(file, format="png")
    except SaveError as error:
        raise _wrong_use(error) from None
    pictures = "1 picture" if len(rows) == 1 else f"{len(rows)} pictures"
    click.echo(f"The stages of {pictures} are in {path}.", err=True)


def _wrong_use(error: Exception) -> click.ClickException:
    """Return what makes the command line print an error in one line and exit with 2."""
    exception = click.ClickException(str(error))
    exception.exit_code = 2  # type: ignore[misc]
    return exception
