"""Read thousands of made photographs, and count: right, refused, wrong and sure of it.

The tests read a few of each kind on every run; this is the long form::

    python -m benchmarks.photos --digits 150 --write book/photos.csv

Half of the digits are MNIST's test digits, which no network of the course has seen; the others are
drawn in the style that `handwriting` keeps out of tuning. The seed is not the one that the
preparation was tuned with.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from mnist_course.data import load_data
from mnist_course.files import atomic_write
from mnist_course.photo import PhotoError, from_image, handwriting, prepare, scenes
from mnist_course.recognizer import Recognizer
from mnist_course.table import format_rows
from tests.soak.scenes import KINDS, make_scene

TO_REFUSE = ("two digits", "blank", "blank in shadow", "all one color")
SEED = 2_718_281
READ_ONE = """
import sys, time
from pathlib import Path
from PIL import Image
from scipy import ndimage
from mnist_course.photo import prepare, read_photo
Image.init()
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
before = peak()
begun = time.perf_counter()
prepare(read_photo(sys.argv[1]))
seconds = time.perf_counter() - begun
print(f"{seconds:.2f} s, {(peak() - before) / 1024:.0f} MB more memory")
"""


@dataclass
class Tally:
    """What came of the scenes of one kind."""

    right: int = 0
    refused: int = 0
    wrong: int = 0
    sure_and_wrong: int = 0
    seconds: list[float] = field(default_factory=list)

    def percentages(self) -> list[str]:
        """Return four columns of the table, with one decimal."""
        counts = [self.right, self.refused, self.wrong, self.sure_and_wrong]
        return [f"{100 * count / len(self.seconds):.1f}" for count in counts]

    def row(self, kind: str) -> list[str]:
        """Return one row of the table."""
        milliseconds = 1000 * float(np.median(self.seconds))
        return [kind, f"{len(self.seconds)}", *self.percentages(), f"{milliseconds:.0f}"]


def read_scenes(kind: str, count: int, recognizer: Recognizer, mnist_only: bool) -> Tally:
    """Make ``count`` scenes of a kind and read them."""
    digits, tally = load_data(), Tally()
    for k in range(count):
        rng = np.random.default_rng([SEED, list(KINDS).index(kind), k])
        if mnist_only or k % 2:
            index = rng.integers(len(digits.test_labels))
            source, label = digits.test_images[index], int(digits.test_labels[index])
        else:
            source = label = int(rng.integers(10))
        picture = make_scene(kind, source, rng, held_out=True)
        begun = time.perf_counter()
        try:
            image = prepare(from_image(picture)).image
        except PhotoError:
            tally.refused += 1
        else:
            probabilities = recognizer.probabilities(image[None])[0]
            right = int(probabilities.argmax()) == label and kind not in TO_REFUSE
            tally.right += right
            tally.wrong += not right
            tally.sure_and_wrong += not right and float(probabilities.max()) > 0.9
        tally.seconds.append(time.perf_counter() - begun)
    return tally


def large_photo() -> str:
    """Read a photo of 12 megapixels in a process of its own; return seconds and megabytes."""
    rng = np.random.default_rng(0)
    ink = handwriting.place(handwriting.draw_digit(5, rng, height=1200), (3000, 4000), (0.4, 0.6))
    picture = scenes.photograph(ink, rng, light=scenes.gradient(ink.shape, rng), noise=0.02)
    file = io.BytesIO()
    scenes.to_image(picture).save(file, "JPEG", quality=92)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        path.write_bytes(file.getvalue())
        command = [sys.executable, "-c", READ_ONE, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def print_row(cells: list[str]) -> None:
    """Print one row of the table as soon as it is there."""
    [line] = format_rows([cells], "<>>>>>>", widths=(22, 6, 9, 9, 9, 9, 9), gap="")
    print(line, flush=True)


@click.command()
@click.argument("kinds", nargs=-1, type=click.Choice(list(KINDS)), metavar="[KIND]...")
@click.option("--digits", default=150, show_default=True, help="Of each kind.")
@click.option("--mnist", is_flag=True, help="MNIST digits only, none drawn.")
@click.option("--write", metavar="FILE", help="The table for the book, as CSV.")
def main(kinds: tuple[str, ...], digits: int, mnist: bool, write: str | None) -> None:
    """Print the table, of all kinds if none is named."""
    recognizer = Recognizer()
    print_row(["kind", "n", "right %", "refused", "wrong", "sure", "ms"])
    lines = [["kind", "what it is", "read %", "refused %", "misread %", "sure and misread %"]]
    for kind in kinds or KINDS:
        tally = read_scenes(kind, digits, recognizer, mnist)
        print_row(tally.row(kind))
        lines.append([kind, KINDS[kind], *tally.percentages()])
    if write:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        with atomic_write(write) as file:
            file.write(text.getvalue().encode())
    print("A photo of 12 megapixels:", large_photo())


if __name__ == "__main__":
    main()
