"""The device, the seeds, the bar for people and the plain lines for logs."""

import contextlib
import io
import platform
import random
import re
import sys

import numpy as np
import pytest
import torch

from mnist_course import device
from mnist_course import progress as module
from mnist_course.device import VARIABLE, describe, half_precision, pick_device, set_seed
from mnist_course.errors import UsageError
from mnist_course.progress import HEADLINE, headline, in_notebook, progress, say, someone_watches

# Device -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_at_hand_is_chosen(monkeypatch, cuda, mps, expected):
    pretend(monkeypatch, cuda, mps)
    for unset in ("", "  "):
        monkeypatch.setenv(VARIABLE, unset)
        assert pick_device() == torch.device(expected)


@pytest.mark.parametrize(
    ("cuda", "mps", "broken", "expected"),
    [
        (True, False, {"cuda"}, "cpu"),
        (True, True, {"cuda"}, "mps"),
        (False, True, {"mps"}, "cpu"),
        (True, True, {"cuda", "mps"}, "cpu"),
    ],
)
def test_a_device_that_is_there_and_does_not_work_is_passed_over_with_one_line(
    monkeypatch, capsys, cuda, mps, broken, expected
):
    """A card too old for this build of torch is available, and fails in its first kernel."""
    pretend(monkeypatch, cuda, mps, broken)
    monkeypatch.setenv(VARIABLE, "")
    for _ in range(3):  # chapters, recipes and the command line all ask
        assert pick_device() == torch.device(expected)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{name} is there, but does not work (no kernel image is available): computing elsewhere."
        for name in ("cuda", "mps")
        if name in broken
    ]


def pretend(monkeypatch, cuda, mps, broken=()):
    """Make devices available; whether they work is decided by what they are asked to compute."""
    ones = torch.ones

    def on_pretended(*shape, device):
        if device.type in broken:
            raise RuntimeError("no kernel image is available\nand more that nobody reads")
        return ones(*shape)

    device._first_that_works.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "ones", on_pretended)


def test_a_chosen_device_that_does_not_compute_is_refused(monkeypatch):
    pretend(monkeypatch, cuda=True, mps=False, broken={"cuda"})
    monkeypatch.setenv(VARIABLE, "cuda")
    with pytest.raises(ValueError, match=r"does not work here \(no kernel image is available\)"):
        pick_device()


@pytest.mark.parametrize(("card", "expected"), [("cuda:0", None), ("cuda:1", torch.bfloat16)])
def test_half_precision_is_asked_of_the_card_in_question(monkeypatch, card, expected):
    """Of two cards the second may be the newer one."""
    current = [0]

    @contextlib.contextmanager
    def on(card):
        current[0] = card.index
        yield
        current[0] = 0

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[0] > 0)
    assert half_precision(torch.device(card)) is expected


def test_half_precision_on_a_cpu_is_a_matter_of_amx(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert half_precision(torch.device("cpu")) is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert half_precision(torch.device("cpu")) is None
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")  # it is private
    assert half_precision(torch.device("cpu")) is half_precision(torch.device("mps")) is None


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
