"""Whatever the encoding of the output, no command and no chapter stops at a character."""

import io
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from mnist_course import cli, printing
from mnist_course.exercises.judge import MARKS
from tests.conftest import ROOT

ENCODINGS = ["cp1252", "ascii", "gbk", "cp932", "cp437", "latin-1"]


class Output(io.TextIOWrapper):
    """What Python makes of a redirection, with what was written into it."""

    def __init__(self, encoding, errors="strict"):
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors)

    @property
    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def printed(monkeypatch, output, text):
    monkeypatch.setattr(sys, "stdout", output)
    printing.allow_any_text()
    print(text, end="")
    return output.text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_character_can_be_printed(monkeypatch, encoding):
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x30000, 7)]))
    text = printed(monkeypatch, Output(encoding), everything)
    assert len(text) > len(everything) / 2


def test_what_is_lacking_gets_a_stand_in(monkeypatch):
    text = "○ ● ✗ 3 × 3, 0–9, 97.3 ± 0.3 %, -0.5 → 1, é, …, 1/√B, x², ½"
    assert printed(monkeypatch, Output("ascii"), text) == (
        "o * x 3 x 3, 0-9, 97.3 +- 0.3 %, -0.5 -> 1, e, ..., 1/?B, x2, 1?2"
    )
    assert printed(monkeypatch, Output("cp1252"), "● é ±") == "* é ±", "only what is lacking"


def test_the_marks_stay_apart(monkeypatch):
    assert len({*printed(monkeypatch, Output("ascii"), "".join(MARKS.values()))}) == len(MARKS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_encoding_that_has_everything_is_left_alone(monkeypatch, encoding):
    output = Output(encoding)
    assert printed(monkeypatch, output, "●√") == "●√"
    assert output.errors == "strict"


def test_who_has_chosen_is_left_alone(monkeypatch):
    assert printed(monkeypatch, Output("ascii", "backslashreplace"), "●") == "\\u25cf"


@pytest.mark.parametrize("output", [None, io.StringIO()])
def test_what_is_no_redirection_is_left_alone(monkeypatch, output):
    monkeypatch.setattr(sys, "stdout", output)
    printing.allow_any_text()


def run(encoding, *arguments, **environment):
    """Run Python with an output in an encoding; return what it printed, its errors and its end."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": encoding,
            "MNIST_COURSE_ANNOUNCED": "1",
            **environment,
        },
        capture_output=True,
    )
    return done.stdout.decode(encoding), done.stderr.decode(encoding), done.returncode


@pytest.mark.parametrize("encoding", ENCODINGS[:4])
@pytest.mark.parametrize(
    ("name", "words"), [("exercises", "to do: share, hill"), ("results", "CNN, ours, best")]
)
def test_tables_are_printed_in_every_encoding(encoding, name, words):
    printed, errors, status = run(encoding, "-m", "mnist_course", name)
    assert (errors, status) == ("", 0)
    assert words in printed


@pytest.mark.parametrize("encoding", ["cp1252", "gbk"])
def test_the_doctor_speaks_in_every_encoding(encoding):
    program = "tests.programs.mutants:not_shuffled"
    printed, errors, status = run(encoding, "-m", "mnist_course", "doctor", program)
    assert (errors, status) == ("", 1)
    assert "WARNING: the training data is not shuffled" in printed


@pytest.mark.parametrize("encoding", ["ascii", "cp932"])
def test_a_chapter_runs_as_a_script_in_every_encoding(tmp_path, encoding):
    chapter = ROOT / "notebooks" / "01_idx_data.py"
    places = {"MNIST_COURSE_DATA": "practice", "MNIST_COURSE_FIGURES": str(tmp_path)}
    printed, errors, status = run(encoding, chapter, **places)
    assert (errors, status) == ("", 0)
    assert "01.size" in printed
    assert "Headline: " in printed


@pytest.mark.parametrize("name", ["", *cli.main.commands])
def test_every_help_is_ascii(name):
    help_ = CliRunner().invoke(cli.main, [name, "-h"] if name else ["-h"])
    assert help_.output.isascii()
