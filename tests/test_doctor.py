"""The doctor leaves no trace, survives any program, and says what it saw."""

import hashlib
import json
import pickle
import random
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course import cli, doctor
from mnist_course.data import Batches
from mnist_course.doctor import (
    CHECKS,
    CannotLook,
    Finding,
    Report,
    examine,
    examine_program,
    load_program,
)
from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import OK, PROBLEM, WARNING, WORDS, ok
from tests.programs.healthy import with_dropout
from tests.programs.parts import dense, evaluate, loaders, program, tensors, train_epoch, train_step


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


# No trace ----------------------------------------------------------------------------------------


def fingerprint(program, *more):
    """Return a hash of all that an examination could change."""
    model, optimizer = program.model, program.optimizer
    parts = [
        {name: (t.numpy().tobytes(), t.requires_grad) for name, t in model.state_dict().items()},
        [(q.requires_grad, None if q.grad is None else q.grad.numpy().tobytes())
         for q in model.parameters()],
        [(name, part.training) for name, part in model.named_modules()],
        [(id(q), None if q.grad is None else id(q.grad)) for q in model.parameters()],
        _plain(optimizer.state_dict()),
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002 - learners use it
        torch.get_rng_state().numpy().tobytes(),
        torch.is_grad_enabled(),
        *more,
    ]  # fmt: skip
    return hashlib.sha256(pickle.dumps(parts)).hexdigest()


def _plain(value):
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def used(model, optimizer):
    """Return a program that has trained for a while, and stands in the middle of things."""
    made = program(model, optimizer)
    train_epoch(model, F.cross_entropy, optimizer, made.train_loader)
    model.eval()
    model[1].train()
    return made


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_model_optimizer_and_random_numbers_are_untouched(kind):
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(),
        nn.Linear(32, 10),
    )  # fmt: skip
    extra = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    examined = used(model, kind(model.parameters(), lr=0.01, **extra))
    before = fingerprint(examined)
    assert examine_program(examined).healthy
    assert fingerprint(examined) == before
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        examine_program(examined)
        assert not torch.is_grad_enabled()
    assert fingerprint(examined) == before


def test_loaders_stand_where_they_stood():
    X, y, X_test, y_test = tensors()
    generator = torch.Generator().manual_seed(7)
    loader = DataLoader(TensorDataset(X, y), 64, shuffle=True, generator=generator)
    batches = Batches(X_test, y_test, 50, shuffle=True)
    batches.epoch = 3
    examined = program(dense(784, 16, 10), train_loader=loader, test_loader=batches)
    state = generator.get_state()
    first = next(iter(loader))[1]
    generator.set_state(state)
    examine_program(examined)
    assert batches.epoch == 3
    assert torch.equal(generator.get_state(), state)
    assert torch.equal(next(iter(loader))[1], first)
    assert torch.equal(X, tensors()[0])


class Counting:
    """A loader with random numbers and a counter of its own."""

    def __init__(self):
        self.rng, self.legacy = np.random.default_rng(1), np.random.RandomState(1)
        self.python, self.passes = random.Random(1), 0

    def __iter__(self):
        self.passes += 1
        X, y = tensors()[:2]
        self.python.random(), self.legacy.rand()
        order = torch.from_numpy(self.rng.permutation(len(y)))
        return iter([(X[rows], y[rows]) for rows in order.split(64)])


def test_counters_and_generators_of_a_home_made_loader_are_put_back():
    loader = Counting()
    expected = Counting()
    assert examine_program(program(dense(784, 16, 10), train_loader=loader)).healthy
    assert loader.passes == 0
    for one, two in ((loader, expected),):
        assert one.rng.random() == two.rng.random()
        assert one.legacy.rand() == two.legacy.rand()
        assert one.python.random() == two.python.random()


def test_a_step_that_trains_a_global_model_is_found_and_undone():
    model = dense(784, 16, 10)
    optimizer = torch.optim.Adam(model.parameters())

    def step(_, loss_fn, __, X, y):
        train_step(model, loss_fn, optimizer, X, y)

    examined = program(model, optimizer, train_step=step, train_epoch=None)
    before = fingerprint(examined)
    report = examine_program(examined)
    assert [f.check for f in report.problems] == ["step"]
    assert "another model" in report["step"].title
    assert fingerprint(examined) == before


def test_nothing_is_taken_from_an_iterator():
    pairs = iter([(tensors()[0][:64], tensors()[1][:64])] * 3)
    report = examine_program(program(dense(784, 16, 10), train_loader=pairs))
    assert report.problems[0].check == "data"
    assert "only once" in report["data"].title
    assert len(list(pairs)) == 3


def test_a_model_that_cannot_be_copied_is_examined_itself_and_put_back():
    model = dense(784, 16, 10)
    model.kept = model[1].weight * 2  # a tensor that was computed: deepcopy refuses it
    examined = program(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    before = fingerprint(examined)
    assert examine_program(examined).healthy
    assert fingerprint(examined) == before


def test_a_model_that_changes_its_input_does_not_change_the_data():
    class InPlace(nn.Sequential):
        def forward(self, X):
            return super().forward(X.sub_(0.1))

    X, y, X_test, y_test = (part.clone() for part in tensors())
    examined = program(
        InPlace(dense(784, 16, 10)),
        train_loader=Batches(X, y, 64, shuffle=True),
        test_loader=Batches(X_test, y_test, 100, shuffle=False),
    )
    examine_program(examined)
    assert torch.equal(X, tensors()[0])
    assert torch.equal(X_test, tensors()[2])


def test_what_the_learners_functions_print_is_not_shown(capsys):
    def step(*args):
        print("a line of the learner's")
        train_step(*args)

    examine_program(program(dense(784, 16, 10), train_step=step))
    assert capsys.readouterr().out == ""


# Bad input ---------------------------------------------------------------------------------------


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, X):
        raise ZeroDivisionError("on purpose")


def two_halves():
    return [(tensors()[0][:64], tensors()[1][:64]), (tensors()[0][64:128], tensors()[1][64:128])]


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        ({"model": Raises}, "forward", "ZeroDivisionError: on purpose (test_doctor.py, line "),
        ({"train_loader": list}, "data", "0 batches from a list"),
        ({"train_loader": lambda: None}, "data", "'NoneType' object is not iterable"),
        ({"train_loader": lambda: [{"X": 1, "y": 2}]}, "data", "keys 'X', 'y'"),
        ({"train_loader": lambda: [(1, 2, 3)]}, "data", "a tuple of 3 parts"),
        ({"train_loader": lambda: [(np.zeros(3), np.zeros(3))]}, "data", "numpy.ndarray"),
        ({"train_loader": lambda: [(torch.zeros(3, 2), torch.zeros(2))]}, "data", "(3, 2), y (2,)"),
        ({"test_loader": lambda: [None]}, "data", "a NoneType"),
        ({"loss_fn": lambda: nn.CrossEntropyLoss(reduction="none")}, "loss", "the shape (64,)"),
        ({"loss_fn": lambda: lambda out, y: 0.5}, "loss", "it is a float"),
        ({"loss_fn": lambda: lambda out, y: out.nothing}, "loss", "no attribute 'nothing'"),
        ({"loss_fn": lambda: lambda out, y: out.sum() / 0}, "loss", "inf"),
        ({"loss_fn": lambda: lambda out, y: F.mse_loss(out[:, :1], y.float())}, "loss", "size"),
        ({"loss_fn": lambda: lambda out, y: out.argmax(1).float().mean()}, "gradient", "empty"),
        ({"model": lambda: nn.Linear}, "data", "it is a type"),
        ({"model": nn.Flatten}, "data", "0 tensors"),
        ({"model": lambda: nn.LSTM(28, 10)}, "forward", "ValueError: LSTM"),
        ({"model": lambda: dense(784, 10).double()}, "forward", "dtype"),
    ],
)  # fmt: skip
def test_bad_input_is_a_finding_and_no_traceback(change, check, words):
    change = {name: make() for name, make in change.items()}
    examined = program(dense(784, 10))
    for name, value in change.items():
        setattr(examined, name, value)
    report = examine_program(examined)
    assert report.problems[0].check == check
    assert words in report[check].evidence
    assert not [f for f in report.findings if "stumbled" in f.evidence]
    assert len(report.findings) == len(CHECKS)
    json.loads(report.to_json())


@pytest.mark.parametrize("flat", [False, True])
def test_one_score_per_example_is_no_lost_batch_axis(flat):
    X, y, X_test, y_test = tensors()
    data = X, (y > 4).float(), X_test, (y_test > 4).float()
    if not flat:
        data = data[0], data[1][:, None], data[2], data[3][:, None]
    model = nn.Sequential(dense(784, 1), nn.Flatten(0)) if flat else dense(784, 1)
    examined = program(model, loss_fn=nn.BCEWithLogitsLoss(), data=data)
    report = examine_program(examined)
    assert [f.check for f in report.problems] == ["forward"]
    assert "one score per example" in report["forward"].title
    assert "BCEWithLogitsLoss may be right" in report["forward"].meaning


def test_dropout_of_probability_zero_is_no_difference_between_the_modes():
    report = examine_program(program(dense(784, 16, 10, dropout=1e-9)))
    assert "differ by Dropout" in report["modes"].evidence
    model = dense(784, 16, 10, dropout=1e-9)
    model[3].p = 0.0
    report = examine_program(program(model))
    assert "no layer depends on the mode" in report["modes"].evidence


def test_rounding_errors_are_reported_without_their_digits():
    class Rounded(nn.Module):
        def __init__(self, error):
            super().__init__()
            self.dense, self.error = dense(784, 16, 10), error

        def forward(self, X):
            return self.dense(X) * (1 + self.error * len(X) / 64)

    seen = examine_program(program(Rounded(1e-6)))["rows"]
    assert seen.verdict == OK
    assert seen.evidence.startswith("outputs change by < 0.001 % without")
    assert "by 0.0" in examine_program(program(Rounded(4e-4)))["rows"].evidence


def test_an_evaluation_may_hand_over_all_batches_at_once():
    @torch.no_grad()
    def measure(model, loader):
        X, y = (torch.cat(parts) for parts in zip(*loader, strict=True))
        right = model.eval()(X).argmax(1) == y
        model.train()
        return right.float().mean()

    report = examine_program(program(dense(784, 16, 10), evaluate=measure))
    assert report.healthy
    assert "33 picked examples" in report["average"].evidence


@pytest.mark.parametrize("name", ["train_step", "train_epoch", "evaluate"])
def test_functions_of_the_learner_that_raise_are_findings(name):
    def raises(*args):
        raise RuntimeError("mine")

    own = {"train_step": None, "train_epoch": None, "evaluate": None, name: raises}
    report = examine_program(program(with_dropout().model, **own))
    assert len(report.problems) == 1
    assert "RuntimeError: mine (test_doctor.py, line " in report.problems[0].evidence


def test_optimizers_of_ones_own_are_no_reason_to_fail():
    class Descent:
        def __init__(self, params):
            self.params = list(params)

        def zero_grad(self):
            for q in self.params:
                q.grad = None

        def step(self):
            with torch.no_grad():
                for q in self.params:
                    q -= 0.1 * q.grad

    model = dense(784, 16, 10)
    report = examine_program(program(model, Descent(model.parameters())))
    assert report.healthy
    assert report["optimizer"].verdict == "not looked"


def test_without_functions_the_loop_is_not_looked_at():
    X, _ = loaders()
    model = dense(784, 16, 10)
    report = examine(
        model, F.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1), X, None, log=None
    )
    assert report.healthy
    left = {f.check for f in report.findings if f.verdict == "not looked"}
    assert left == {"preparation", "leak", "pairing", "step", "zero-grad", "train-mode",
                    "reported", "eval-mode", "average"}  # fmt: skip


def test_a_check_that_stumbles_is_a_finding(monkeypatch):
    def stumble(_):
        raise KeyError("oops")

    monkeypatch.setattr("mnist_course.doctor.report.CHECKS", [Check("own", stumble)])
    report = examine_program(program(dense(784, 10)))
    assert report["own"].verdict == "not looked"
    assert "stumbled over KeyError: 'oops'" in report["own"].evidence


def test_parts_on_several_devices():
    model = dense(784, 10)
    model.register_buffer("mask", torch.ones(10, device="meta"))
    report = examine_program(program(model))
    assert "several devices" in report["device"].title
    model = dense(784, 10)
    examined = program(model, loss_fn=nn.CrossEntropyLoss(torch.ones(10, device="meta")))
    assert "the loss lies on another device" in examine_program(examined)["device"].title


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_with_data_on_the_cpu():
    model = dense(784, 32, 10, dropout=0.2).cuda()

    def step(model, loss_fn, optimizer, X, y):
        train_step(model, loss_fn, optimizer, X.cuda(), y.cuda())

    def measure(model, loader):
        return evaluate(model, [(X.cuda(), y.cuda()) for X, y in loader])

    before = torch.cuda.get_rng_state()
    report = examine_program(program(model, train_step=step, train_epoch=None, evaluate=measure))
    assert report.healthy, report
    assert "has to be moved" in report["device"].evidence
    assert torch.equal(torch.cuda.get_rng_state(), before)
    unmoved = examine_program(program(model, train_step=train_step, train_epoch=None))
    assert [f.check for f in unmoved.problems] == ["step", "eval-mode"]
    on_gpu = program(model, data=tuple(part.cuda() for part in tensors()))
    assert examine_program(on_gpu).healthy


# Programs that end, or do not come back ----------------------------------------------------------


@pytest.fixture
def hurry(monkeypatch):
    """Wait for no call longer than a moment."""
    monkeypatch.setattr("mnist_course.doctor.theirs.LONGEST_CALL", 3.0)


def exits(*args):
    sys.exit(0)


def loops(*args):
    end = time.monotonic() + 30  # then the test fails, and does not hang
    while time.monotonic() < end:
        pass
    raise TimeoutError("nobody has ended this")


def swallows(model, *args):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:  # noqa: SIM105
            model(tensors()[0][:64]).sum().backward()
        except:  # noqa: E722 - a beginner's habit
            pass
    raise TimeoutError("nobody has ended this")


ENDS = {
    exits: ("ends the program", "SystemExit (test_doctor.py, line "),
    loops: ("does not come back", "did not come back within 3 s (test_doctor.py, line "),
    swallows: ("does not come back", "did not come back within 3 s ("),
}


@pytest.mark.parametrize("function", ENDS)
@pytest.mark.parametrize(
    ("name", "check", "what"),
    [
        ("train_step", "step", "your step"),
        ("train_epoch", "step", "your step"),
        ("evaluate", "eval-mode", "your evaluation"),
    ],
)
def test_functions_that_end_the_program_or_never_end_are_findings(
    hurry, name, check, what, function
):
    own = {"train_step": None, "train_epoch": None, "evaluate": None, name: function}
    examined = program(dense(784, 10), **own)
    before = fingerprint(examined)
    report = examine_program(examined)
    assert [f.check for f in report.problems + report.warnings] == [check]
    title, seen = ENDS[function]
    assert report[check].title == f"{what} {title}"
    assert seen in report[check].evidence
    assert fingerprint(examined) == before


class Ends(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.layer, self.how = nn.Linear(784, 10), how

    def forward(self, X):
        return self.how(self.layer, X)


class Stream:
    def __init__(self, how):
        self.how = how

    def __iter__(self):
        yield from two_halves()
        self.how(dense(784, 10))


@pytest.mark.parametrize("how", [exits, loops])
@pytest.mark.parametrize(
    ("part", "make", "check", "what"),
    [
        ("model", Ends, "forward", "the model"),
        ("loss_fn", lambda how: how, "loss", "the loss"),
        ("train_loader", Stream, "data", "train_loader"),
    ],
)
def test_parts_that_end_the_program_or_never_end_are_findings(hurry, part, make, check, what, how):
    examined = program(dense(784, 10))
    setattr(examined, part, make(how))
    report = examine_program(examined)
    assert report.problems[0].check == check
    assert report[check].title == f"{what} {ENDS[how][0]}"
    assert not [f for f in report.findings if "stumbled" in f.evidence]


@pytest.mark.parametrize(("how", "words"), [(exits, "ends"), (loops, "does not come back")])
def test_an_optimizer_that_ends_the_program_or_never_ends_is_a_finding(monkeypatch, how, words):
    monkeypatch.setattr("mnist_course.doctor.patient.LONGEST_CALL", -17.0)  # 20 s are for training
    model = dense(784, 10)
    kind = type("Own", (torch.optim.SGD,), {"step": lambda self: how()})
    optimizer = kind(model.parameters(), lr=0.1)
    report = examine_program(program(model, optimizer, train_step=None, train_epoch=None))
    assert report.problems[0].check == "overfit"
    assert report["overfit"].title.startswith(f"the program {words}")


def test_what_a_function_has_switched_off_does_not_blind_the_checks_after_it():
    def step(*args):
        torch.set_grad_enabled(False)
        sys.exit()

    def measure(model, loader):
        model.eval()
        right = [(model(X).argmax(1) == y).float() for X, y in loader]
        return torch.cat(right).mean().item()

    report = examine_program(program(dense(784, 10), train_step=step, evaluate=measure))
    assert [f.check for f in report.problems] == ["step"]
    assert [f.check for f in report.warnings] == ["eval-mode"]
    assert torch.is_grad_enabled()


def test_whoever_interrupts_is_obeyed_and_the_program_is_put_back():
    def interrupted(*args):
        raise KeyboardInterrupt

    examined = program(dense(784, 10), evaluate=interrupted)
    before = fingerprint(examined)
    with pytest.raises(KeyboardInterrupt):
        examine_program(examined)
    assert fingerprint(examined) == before


# The report --------------------------------------------------------------------------------------


def test_every_finding_has_its_words_and_all_words_are_used():
    source = "".join(path.read_text() for path in Path(doctor.__file__).parent.glob("*.py"))
    keys = set(re.findall(r'(?:problem|warning|Trouble)\(\s*"([a-z-]+)"', source))
    assert len(keys) > 60
    assert keys <= set(WORDS.sections())
    left = [key for key in WORDS.sections() if f'"{key}"' not in source]
    assert left == []
    for key in set(WORDS.sections()) - {"hints"}:
        assert WORDS[key]["title"]
        assert set(WORDS[key]) <= {"title", "means", "try"}


def small_report():
    findings = [
        Finding(OK, "", "all is well", check="one"),
        Finding(PROBLEM, "too large", "it is 7 " * 20, "that is bad", "make it smaller", "two"),
        Finding(WARNING, "odd", "it is 5", "hm", check="three"),
        Finding("not looked", "", "no loader", check="four"),
        Finding("not looked", "", "no loader", check="five"),
    ]
    return Report(findings, 1200, 300, 1.5)


def test_report_as_text():
    text = str(small_report())
    lines = text.splitlines()
    assert lines[0] == "1 problem, 1 warning; looked at 1,200 training and 300 test examples"
    assert lines[1] == "● one            all is well"
    assert lines[2] == "✗ two            PROBLEM: too large"
    assert "    try    make it smaller" in lines
    assert lines[-1] == "○ not looked at (no loader): four, five"
    assert max(map(len, lines)) <= 80
    assert str(Report([Finding(OK, "", "x", check="a")], 1, 1)).startswith("healthy; ")


def test_report_as_data():
    report = small_report()
    assert [f.check for f in report.problems] == ["two"]
    assert [f.check for f in report.warnings] == ["three"]
    assert not report.healthy
    assert report["two"].remedy == "make it smaller"
    with pytest.raises(KeyError, match="there are one, two"):
        report["nonsense"]
    assert repr(report) == "<Report: two, three>"
    data = json.loads(report.to_json())
    assert data["healthy"] is False
    assert data["findings"][1]["check"] == "two"
    assert set(data) == {"healthy", "findings", "num_train", "num_test", "seconds"}


def test_examine_prints_the_report_and_returns_it(capsys):
    made = program(dense(784, 16, 10))
    report = examine(
        made.model, made.loss_fn, made.optimizer, made.train_loader, made.test_loader,
        train_step=made.train_step, train_epoch=made.train_epoch, evaluate=made.evaluate,
    )  # fmt: skip
    assert capsys.readouterr().out == f"{report}\n"
    again = examine_program(made)
    assert str(again) == str(report)


def test_every_check_asks_a_question_and_needs_only_earlier_ones():
    known = set()
    for one in CHECKS:
        assert one.question.endswith("?")
        assert set(one.needs) <= known
        assert one.look.__doc__
        known.add(one.name)
    assert len(known) == len(CHECKS) >= 25


# The command -------------------------------------------------------------------------------------


def command(*arguments):
    return CliRunner().invoke(cli.main, ["doctor", *arguments])


def test_command_exit_status_tells_healthy_from_ill_and_from_nothing_to_look_at():
    done = command("tests.programs.healthy:zero_start")
    assert (done.exit_code, done.output.splitlines()[0][:8]) == (0, "healthy;")
    done = command("tests.programs.mutants:not_shuffled")
    assert done.exit_code == 1
    assert "WARNING: the training data is not shuffled" in done.output
    done = command("tests.programs.sources:published_4", "--json")
    assert done.exit_code == 2
    assert "NameError: name 'init' is not defined" in done.output
    assert "Traceback" not in done.output


def test_command_as_json():
    done = command("tests.programs.mutants:not_shuffled", "--json")
    data = json.loads(done.output)
    assert [f["check"] for f in data["findings"] if f["verdict"] == "warning"] == ["shuffle"]


FACTORY = """
from tests.programs.parts import dense, loaders, program, train_step, evaluate
import sys, time, torch, torch.nn.functional as F

def parts():
    model = dense(784, 10)
    return model, F.cross_entropy, torch.optim.SGD(model.parameters(), lr=0.05), *loaders()

def five(): return parts()
def eight(): return *parts(), train_step, None, evaluate
def without_test(): return parts()[:4]
def mapping():
    names = ("model", "loss_fn", "optimizer", "train_loader", "test_loader")
    return dict(zip(names, parts()))
def wrong_names(): return {"network": 1}
def number(): return 5
def nothing(): pass
def leaves(): raise SystemExit(3)
def loops():
    end = time.monotonic() + 60
    while time.monotonic() < end: pass
def exits_in_evaluate():
    def leave(*args): sys.exit(0)
    return *parts(), train_step, None, leave
value = 5
"""


def test_command_never_ends_as_the_program_does(tmp_path, monkeypatch):
    monkeypatch.setattr("mnist_course.doctor.program.LONGEST_FACTORY", 1.0)
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    done = command(f"{path}:exits_in_evaluate")
    assert done.exit_code == 1
    assert "PROBLEM: your evaluation ends the program" in done.output
    done = command(f"{path}:leaves")
    assert done.exit_code == 2
    assert "raises SystemExit: 3 (mine.py, line " in done.output
    done = command(f"{path}:loops")
    assert done.exit_code == 2
    assert "did not come back within 1 s (mine.py, line " in done.output
    path.write_text("import sys\nsys.exit(0)\n")
    done = command(f"{path}:five")
    assert done.exit_code == 2
    assert "cannot be imported: SystemExit: 0 (mine.py, line 2)" in done.output


def test_factories_in_a_file_may_return_several_forms(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    for name in ("five", "eight", "without_test", "mapping"):
        made = load_program(f"{path}:{name}")
        assert isinstance(made.model, nn.Module)
        assert (made.train_step is not None) == (name == "eight")
    for name, words in {
        "wrong_names": "unexpected keyword argument",
        "number": "returns a int; expected",
        "nothing": "returns a NoneType; expected",
        "leaves": "raises SystemExit: 3",
        "value": "has no function 'value'; it has",
        "absent": "has no function 'absent'; it has",
    }.items():
        with pytest.raises(CannotLook, match="mine") as caught:
            load_program(f"{path}:{name}")
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_colon", "expected module:factory"),
        (":factory", "expected module:factory"),
        ("nonsense.module:factory", "No module named 'nonsense'"),
        ("missing.py:factory", "no file missing.py"),
    ],
)
def test_what_cannot_be_found(name, words):
    with pytest.raises(CannotLook) as caught:
        load_program(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ok_is_short():
    assert ok("fine") == Finding(OK, "", "fine")
