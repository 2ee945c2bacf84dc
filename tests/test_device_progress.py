"""The device, the seeds, the bar for people and the plain lines for logs."""

import io
import platform
import random
import re
import sys

import numpy as np
import pytest
import torch

from mnist_course import progress as module
from mnist_course.device import VARIABLE, describe, pick_device, set_seed
from mnist_course.errors import UsageError
from mnist_course.progress import HEADLINE, headline, in_notebook, progress, say, someone_watches

# Device -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_at_hand_is_chosen(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    for unset in ("", "  "):
        monkeypatch.setenv(VARIABLE, unset)
        assert pick_device() == torch.device(expected)


def test_the_variable_overrides_the_choice(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(VARIABLE, " cpu ")
    assert pick_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["warp", "cuda:99", "gpu", "mps:5", "3.5"])
def test_a_device_that_is_not_here_is_refused_with_the_next_step(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    pattern = rf"{VARIABLE}={re.escape(name)} does not work here \(.+\)\. Unset it"
    with pytest.raises(ValueError, match=pattern) as caught:
        pick_device()
    assert "\n" not in str(caught.value)


def test_cuda_without_cuda_is_refused(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    monkeypatch.setenv(VARIABLE, "cuda")
    with pytest.raises(ValueError, match="set it to cpu"):
        pick_device()


@pytest.mark.parametrize(("num_threads", "words"), [(1, "1 thread"), (2, "2 threads")])
def test_the_line_about_the_device_names_processor_threads_and_torch(
    monkeypatch, num_threads, words
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: num_threads)
    line = describe(torch.device("cpu"))
    assert line.startswith(f"cpu ({platform.machine()}, {words}), torch ")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", line.rsplit(" ", 1)[1])
    assert "+" not in line, "the build does not matter to a reader"


def test_seeding_makes_all_three_sources_repeat_themselves():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    set_seed(3)
    first = draw()
    assert all(one != other for one, other in zip(first, draw(), strict=True))
    set_seed(3)
    assert draw() == first
    set_seed(4)
    assert all(one != other for one, other in zip(first, draw(), strict=True))
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    assert draw() == first


# Progress ---------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("wish", "terminal", "expected"),
    [
        ("", False, False),
        ("", True, True),
        (" ", True, True),
        ("lines", True, False),
        ("bar", False, True),
    ],
)
def test_bars_are_for_terminals_unless_somebody_wishes_otherwise(
    monkeypatch, wish, terminal, expected
):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", wish)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert someone_watches() is expected


@pytest.mark.parametrize("wish", ["off", "nonsense", "Bar"])
def test_another_wish_is_refused_with_those_that_there_are(monkeypatch, wish):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", wish)
    with pytest.raises(UsageError, match=rf"^MNIST_COURSE_PROGRESS={wish}: expected bar or lines"):
        list(progress(range(3), "counting"))


def test_this_is_no_notebook():
    assert not in_notebook()


def test_a_kernel_is_recognized(monkeypatch):
    class ZMQInteractiveShell:
        pass

    class Terminal:
        pass

    for shell, expected in ((ZMQInteractiveShell(), True), (Terminal(), False), (None, False)):

        class IPython:
            get_ipython = staticmethod(lambda shell=shell: shell)

        monkeypatch.setitem(sys.modules, "IPython", IPython)
        assert in_notebook() is expected
        monkeypatch.setenv("MNIST_COURSE_PROGRESS", "")
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        assert someone_watches() is expected


@pytest.mark.parametrize("wish", ["lines", "bar"])
def test_the_items_come_through_unchanged(monkeypatch, capfd, wish):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", wish)
    things = [object() for _ in range(5)]
    assert list(progress(iter(things), "things", total=5)) == things
    printed = capfd.readouterr()
    assert printed.out == "", "a bar does not belong into the output"
    assert ("things" in printed.err) is (wish == "bar")
    assert printed.err.isascii()


def test_lines_for_a_log_carry_no_trace_of_a_bar(monkeypatch, capfd):
    monkeypatch.setenv("MNIST_COURSE_PROGRESS", "lines")
    for number in progress(range(2), "counting"):
        say(f"line {number} ●")
    headline("97.3 ± 0.3 %")
    printed = capfd.readouterr()
    assert printed.out == f"line 0 ●\nline 1 ●\n{HEADLINE}97.3 ± 0.3 %\n"
    assert printed.err == ""


def test_a_line_is_written_at_once(monkeypatch):
    flushed = []

    class Output(io.StringIO):
        def flush(self):
            flushed.append(self.getvalue())

    monkeypatch.setattr(sys, "stdout", Output())
    module.say("now")
    assert flushed[-1] == "now\n"
