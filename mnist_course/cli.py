"""The command line: ``python -m mnist_course data``, ``run`` and ``notebooks``."""

from __future__ import annotations

import os
import sys

import click


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
def notebooks(chapters: tuple[str, ...], force: bool) -> None:
    """Derive the notebooks of CHAPTERS from the scripts, and execute them on real MNIST."""
    from mnist_course.chapters import ChapterError, execute_notebooks
    from mnist_course.data import DataError

    try:
        execute_notebooks(chapters, force)
    except (ChapterError, DataError) as error:
        raise click.ClickException(str(error)) from None
