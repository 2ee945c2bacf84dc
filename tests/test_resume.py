"""A run that is interrupted and resumed ends with the same bits as one that was not."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from mnist_course.data import Batches
from mnist_course.device import seed_step
from mnist_course.errors import UsageError
from mnist_course.training import TrainingError, fit
from mnist_course.training.augment import RandomAffine
from mnist_course.training.checkpoint import CheckpointError, fingerprint, load_checkpoint
from mnist_course.training.recipes import one_cycle
from tests.conftest import ROOT

torch.set_num_threads(1)

NUM_EXAMPLES, NUM_EPOCHS = 90, 3
torch.manual_seed(0)
X = torch.randn(NUM_EXAMPLES, 1, 8, 8)
y = torch.randint(0, 3, (NUM_EXAMPLES,))


def make_batches():
    return Batches(X, y, 16, shuffle=True, seed=5)  # six batches, the last with ten examples


def make_loader(**options):
    return DataLoader(TensorDataset(X, y), 16, **{"shuffle": True, **options})


class Jittered(Dataset):
    """Every item is changed by all three kinds of random numbers when it is drawn."""

    def __len__(self):
        return NUM_EXAMPLES

    def __getitem__(self, index):
        shift = random.random() + np.random.rand() + torch.rand(1).item()  # noqa: NPY002
        return X[index] + 0.1 * shift, y[index]


class Noisy(Jittered):
    """Every item is changed by random numbers of the data set's own."""

    def __init__(self, own):
        self.own = own

    def __getitem__(self, index):
        return X[index] + 0.1 * torch.rand(1, generator=self.own), y[index]


def generator():
    return torch.Generator().manual_seed(9)


def make_sampled(sampler, num_examples=NUM_EXAMPLES):
    """A loader whose sampler has a generator of its own."""
    return make_loader(shuffle=False, sampler=sampler(range(num_examples), generator=generator()))


def make_weighted(first=0.1):
    weights = torch.linspace(first, 1, NUM_EXAMPLES)
    sampler = WeightedRandomSampler(weights, NUM_EXAMPLES, generator=generator())
    return make_loader(shuffle=False, sampler=sampler)


def make_batch_sampled():
    sampler = BatchSampler(RandomSampler(range(NUM_EXAMPLES), generator=generator()), 16, False)
    return DataLoader(TensorDataset(X, y), batch_sampler=sampler)


SOURCES = {
    "Batches": make_batches,
    "Batches in order": lambda: Batches(X, y, 16, shuffle=False),
    "DataLoader": make_loader,
    "DataLoader with a generator": lambda: make_loader(generator=torch.Generator().manual_seed(9)),
    "DataLoader with random items": lambda: DataLoader(Jittered(), 16, shuffle=True),
    "sampler with a generator": lambda: make_sampled(RandomSampler),
    "subset with a generator": lambda: make_sampled(SubsetRandomSampler),
    "weights with a generator": make_weighted,
    "batches of a sampler with a generator": make_batch_sampled,
    "data set with a generator": lambda: DataLoader(Noisy(generator()), 16, shuffle=True),
    "list of batches": lambda: list(Batches(X, y, 16, shuffle=False)),
}
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
    "Adam, its own loop": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, foreach=False),
}


def make_model():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout2d(0.3),
        nn.Flatten(),
        nn.Linear(144, 3),
    )


class Stopped(Exception):  # noqa: N818 - it is what happened
    """The power is cut."""


def run(path=None, *, stop=None, source="Batches", optimizer="momentum", scheduled=True,
        augment=None, valid=None, resume=True, save_every=None, seed=7, **options):  # fmt: skip
    """Make a run, or continue it; ``stop`` cuts the power after so many steps of this process."""
    torch.manual_seed(random.randrange(1000))  # whatever the process did before must not matter
    model = make_model()
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    scheduler = one_cycle(optimizer, NUM_EPOCHS * 6) if scheduled else None
    steps = 0

    def lightning(*_):
        nonlocal steps
        steps += 1
        if steps == stop:
            raise Stopped

    optimizer.register_step_post_hook(lightning)
    history = fit(
        model,
        optimizer,
        SOURCES[source](),
        valid or Batches(X, y, 50, shuffle=False),
        num_epochs=NUM_EPOCHS,
        scheduler=scheduler,
        augment=augment,
        seed=seed,
        checkpoint=path,
        resume=resume and path is not None,
        save_every=save_every,
        **{"log": None, **options},
    )
    return fingerprint(model), history


def rows(history):
    """Return what was measured, without the times."""
    return [history[name] for name in ("number", "train_loss", "train_accuracy", "valid_loss",
                                       "valid_accuracy", "lr")]  # fmt: skip


def in_pieces(path, stops, **options):
    for stop in stops:
        with pytest.raises(Stopped):
            run(path, stop=stop, **options)
    return run(path, **options)


# The same bits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "optimizer"),
    [*((source, "momentum") for source in SOURCES), *(("Batches", name) for name in OPTIMIZERS)],
)
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, source, optimizer):
    """Stopped in the first pass, between two saves, and again in the second pass."""
    options = {"source": source, "optimizer": optimizer, "augment": RandomAffine()}
    whole, history = run(**options)
    pieces, again = in_pieces(tmp_path / "run.pt", [4, 1, 9], save_every=2, **options)
    assert pieces == whole
    assert rows(again) == rows(history), "and it has measured the same"


@pytest.mark.parametrize("stop", [1, 5, 6, 7, 13, 18])
@pytest.mark.parametrize("save_every", [None, 1, 4])
def test_it_does_not_matter_where_a_run_stops(tmp_path, stop, save_every):
    whole, history = run()
    pieces, again = in_pieces(tmp_path / "run.pt", [stop], save_every=save_every)
    assert pieces == whole
    assert rows(again) == rows(history)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_that_load_data_are_no_obstacle(tmp_path, monkeypatch, num_workers):
    """Other processes draw the items; their random numbers are functions of the run, too."""
    load = partial(DataLoader, Jittered(), 16, shuffle=True, num_workers=num_workers)
    monkeypatch.setitem(SOURCES, "workers", load)
    whole, _ = run(source="workers")
    pieces, _ = in_pieces(tmp_path / "run.pt", [9], source="workers", save_every=2)
    assert pieces == whole


def test_another_number_of_workers_is_said(tmp_path, capsys, monkeypatch):
    for workers in (0, 2):
        monkeypatch.setitem(SOURCES, "workers", partial(make_loader, num_workers=workers))
        with pytest.raises(Stopped):
            run(tmp_path / "run.pt", stop=2, source="workers")
    assert "workers 0 then, 2 now" in capsys.readouterr().out


def test_a_run_with_a_checkpoint_is_the_run_without(tmp_path):
    assert run()[0] == run(tmp_path / "run.pt", save_every=1)[0]


def test_half_precision_is_resumed_as_exactly(tmp_path):
    whole, _ = run(half=torch.bfloat16)
    pieces, _ = in_pieces(tmp_path / "run.pt", [8], half=torch.bfloat16, save_every=3)
    assert pieces == whole


def test_another_seed_gives_other_bits():
    assert run(seed=7)[0] == run(seed=7)[0] != run(seed=8)[0]


def test_a_finished_run_is_only_loaded(tmp_path):
    whole, history = run(tmp_path / "run.pt")
    written = (tmp_path / "run.pt").read_bytes()
    again, told = run(tmp_path / "run.pt", stop=1)
    assert (again, told.epochs) == (whole, history.epochs)
    assert (tmp_path / "run.pt").read_bytes() == written


def test_without_a_scheduler_a_finished_run_may_be_made_longer(tmp_path, monkeypatch):
    run(tmp_path / "run.pt", scheduled=False)
    monkeypatch.setattr(sys.modules[__name__], "NUM_EPOCHS", 5)
    assert run(tmp_path / "run.pt", scheduled=False)[0] == run(scheduled=False)[0]
    run(tmp_path / "planned.pt")
    monkeypatch.setattr(sys.modules[__name__], "NUM_EPOCHS", 6)
    with pytest.raises(CheckpointError, match="num_epochs is 5 there and 6 here"):
        run(tmp_path / "planned.pt")


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("start", [0, 1, 4, 5, 6, 7])
def test_a_pass_can_begin_in_its_middle(shuffle, start):
    batches = Batches(X, y, 16, shuffle=shuffle, seed=5)
    batches.epoch = 3
    whole = list(batches)
    part = list(batches.one_pass(3, start=start))
    assert len(part) == max(0, 6 - start)
    for (X1, y1), (X2, y2) in zip(whole[start:], part, strict=True):
        assert torch.equal(X1, X2)
        assert torch.equal(y1, y2)
    assert batches.epoch == 4, "looking at a pass does not count as making it"


def test_a_step_has_its_own_numbers_whatever_came_before():
    def draw(seed, step):
        seed_step(seed, step)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    numbers = [draw(seed, step) for seed in range(5) for step in range(200)]
    assert len({number for drawn in numbers for number in drawn}) == 3 * len(numbers)
    random.shuffle(order := list(range(1000)))
    assert all(draw(*divmod(i, 200)) == numbers[i] for i in order)
    draw(2**32 - 1, 2**40)


# Other runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ({"seed": 8}, "seed is 7 there and 8 here"),
        ({"optimizer": "AdamW"}, "optimizer is SGD there and AdamW here"),
        ({"optimizer": "SGD"}, r"nesterov is True .* False"),
        ({"scheduled": False}, "scheduler is LambdaLR there and None here"),
        ({"augment": RandomAffine()}, r"augmentation is None there and RandomAffine\("),
        ({"about": {"recipe": "cnn"}}, "recipe is mlp there and cnn here"),
    ],
)
def test_other_settings_are_another_run(tmp_path, options, reply):
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        run(path, stop=3, about={"recipe": "mlp"}, save_every=1)
    written = path.read_bytes()
    with pytest.raises(CheckpointError, match=reply):
        run(path, **({"about": {"recipe": "mlp"}} | options))
    assert path.read_bytes() == written


def test_another_model_and_other_batches_are_another_run(tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        run(tmp_path / "run.pt", stop=3, save_every=1)
    monkeypatch.setitem(SOURCES, "Batches", lambda: Batches(X, y, 32, shuffle=True, seed=5))
    with pytest.raises(CheckpointError, match="batch size is 16 there and 32 here"):
        run(tmp_path / "run.pt")
    monkeypatch.undo()
    wider = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    monkeypatch.setattr(sys.modules[__name__], "make_model", lambda: wider)
    with pytest.raises(CheckpointError, match=r"layers is \(0\): Conv2d\(1, 4, .* \(0\): Flatten"):
        run(tmp_path / "run.pt")


OTHER_ORDERS = {
    "seed": (make_batches, lambda: Batches(X, y, 16, shuffle=True, seed=7),
             "order is shuffled with seed 5 there and shuffled with seed 7 here"),
    "not shuffled": (make_batches, lambda: Batches(X, y, 16, shuffle=False),
                     "order is shuffled with seed 5 there and not shuffled here"),
    "Batches": (make_loader, make_batches, r"order is RandomSampler\(.* there and shuffled with"),
    "shuffle": (make_loader, lambda: make_loader(shuffle=False),
                r"order is RandomSampler\(.*\) there and SequentialSampler\(\) here"),
    "replacement": (
        lambda: make_sampled(RandomSampler),
        lambda: make_sampled(partial(RandomSampler, replacement=True)),
        r"replacement=False.* there and .*replacement=True"),
    "weights": (make_weighted, lambda: make_weighted(first=0.2), "weights=.* there and .*weights="),
    "drop_last": (make_loader, lambda: make_loader(drop_last=True),
                  "drop_last is False there and True here"),
    "batch sampler": (make_loader, make_batch_sampled, "order is RandomSampler.* BatchSampler"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER_ORDERS)
def test_another_order_of_the_batches_is_another_run(tmp_path, monkeypatch, case):
    there, here, reply = OTHER_ORDERS[case]
    refused(tmp_path / "run.pt", monkeypatch, there, here, reply)


def with_another(kind, change):
    """Data of the same size; one number of one example, or one label, is another."""
    inputs, labels = X.clone(), y.clone()
    change(inputs, labels)
    if kind is Batches:
        return Batches(inputs, labels, 16, shuffle=True, seed=5)
    if kind is list:
        return list(Batches(inputs, labels, 16, shuffle=False))
    return DataLoader(TensorDataset(inputs, labels), 16, shuffle=True)


def first_pixel(inputs, labels):
    inputs[0, 0, 0, 0] += 1


def last_pixel(inputs, labels):
    inputs[-1, 0, 7, 7] += 1


def first_label(inputs, labels):
    labels[0] = (labels[0] + 1) % 3


def nothing(inputs, labels):
    pass


@pytest.mark.parametrize("change", [first_pixel, last_pixel, first_label])
@pytest.mark.parametrize("kind", [Batches, DataLoader, list])
def test_other_data_of_the_same_size_is_another_run(tmp_path, monkeypatch, kind, change):
    reply = r"SHA-256 of the first and last examples is [0-9a-f]{12} there and [0-9a-f]{12} here"
    refused(tmp_path / "run.pt", monkeypatch, lambda: with_another(kind, nothing),
            lambda: with_another(kind, change), reply)  # fmt: skip


def refused(path, monkeypatch, there, here, reply):
    """Begin a run with some batches; with others it is not resumed, and with equal ones it is."""
    monkeypatch.setitem(SOURCES, "changing", there)
    with pytest.raises(Stopped):
        run(path, stop=3, source="changing", save_every=1)
    written = path.read_bytes()
    monkeypatch.setitem(SOURCES, "changing", here)
    with pytest.raises(CheckpointError, match=f"belongs to another run: .*{reply}"):
        run(path, source="changing")
    assert path.read_bytes() == written
    monkeypatch.setitem(SOURCES, "changing", there)
    with pytest.raises(Stopped):
        run(path, stop=1, source="changing")


class Counted(Jittered):
    """Counts how often an item was drawn, as a cache or an open file would."""

    drawn = 0

    def __getitem__(self, index):
        self.drawn += 1
        return super().__getitem__(index)


def test_looking_at_the_data_leaves_the_data_set_as_it_was(tmp_path, monkeypatch):
    """A file that is opened for the look may not be the one that workers inherit."""
    data = Counted()
    monkeypatch.setitem(SOURCES, "counted", lambda: DataLoader(data, 16))
    with pytest.raises(Stopped):
        run(tmp_path / "run.pt", stop=3, source="counted")
    assert data.drawn == 3 * 16


INEXACT = {
    "persistent workers": (
        lambda: DataLoader(Jittered(), 16, num_workers=1, persistent_workers=True),
        "must begin every pass alike, .*: persistent_workers=False",
    ),
    "batches as they come": (
        lambda: DataLoader(Jittered(), 16, num_workers=2, in_order=False),
        "in the same order again: in_order=True",
    ),
    "numpy's generator": (
        lambda: DataLoader(Noisy(np.random.default_rng(0)), 16),
        r"generator of numpy's or Python's that it keeps to itself.* torch\.Generator",
    ),
    "Python's generator": (lambda: DataLoader(Noisy(random.Random(0)), 16), "keeps to itself"),
}


@pytest.mark.parametrize("case", INEXACT)
def test_batches_that_could_not_be_drawn_again_are_refused_with_a_checkpoint(
    tmp_path, monkeypatch, case
):
    make, reply = INEXACT[case]
    monkeypatch.setitem(SOURCES, "inexact", make)
    with pytest.raises(UsageError, match=reply):
        run(tmp_path / "run.pt", source="inexact")
    assert not (tmp_path / "run.pt").exists()


def test_validation_draws_the_same_numbers_after_an_interruption(tmp_path):
    """Its loader, too, may have a generator that goes on from pass to pass."""

    def valid():
        return DataLoader(Jittered(), 50, shuffle=True, generator=generator())

    whole, history = run(valid=valid())
    with pytest.raises(Stopped):
        run(tmp_path / "run.pt", stop=14, valid=valid())
    again, resumed = run(tmp_path / "run.pt", valid=valid())
    assert (again, rows(resumed)) == (whole, rows(history))


def test_what_a_checkpoint_needs_is_asked_for(tmp_path):
    for options, reply in [
        ({"checkpoint": tmp_path / "run.pt"}, "needs a seed: seed=0"),
        ({"resume": True}, r"need the name of a file: checkpoint="),
        ({"save_every": 10}, r"need the name of a file: checkpoint="),
    ]:
        model = make_model()
        optimizer = OPTIMIZERS["SGD"](model.parameters())
        with pytest.raises(ValueError, match=reply):
            fit(model, optimizer, make_batches(), num_epochs=1, log=None, **options)


def test_an_existing_file_is_not_overwritten_without_resume(tmp_path):
    run(tmp_path / "run.pt")
    written = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(CheckpointError, match="is not overwritten"):
        run(tmp_path / "run.pt", resume=False)
    assert (tmp_path / "run.pt").read_bytes() == written


def test_what_was_resumed_is_said(tmp_path, capsys):
    lines = []
    with pytest.raises(Stopped):
        run(tmp_path / "run.pt", stop=9, save_every=4)
    model = make_model()
    optimizer = OPTIMIZERS["momentum"](model.parameters())
    fit(model, optimizer, make_batches(), Batches(X, y, 50, shuffle=False), num_epochs=NUM_EPOCHS,
        scheduler=one_cycle(optimizer, NUM_EPOCHS * 6), seed=7, checkpoint=tmp_path / "run.pt",
        resume=True, log=lines.append)  # fmt: skip
    assert lines[0] == "resumed after step 8; finished epochs: 1"
    assert [line[:8] for line in lines[1:]] == ["epoch  2", "epoch  3"]
    model = make_model()
    fit(model, OPTIMIZERS["SGD"](model.parameters()), make_batches(), num_epochs=1, seed=7,
        checkpoint=tmp_path / "new.pt", resume=True, log=lines.append)  # fmt: skip
    assert lines[3].endswith("new.pt does not exist yet: a new run begins")
    assert capsys.readouterr().out == ""


# Faults keep the last good checkpoint ------------------------------------------------------------


def test_a_loss_that_explodes_leaves_a_finite_checkpoint(tmp_path):
    path = tmp_path / "run.pt"
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def raise_lr(*_):
        optimizer.param_groups[0]["lr"] = 1e38 if raise_lr.steps == 7 else 0.05
        raise_lr.steps += 1

    raise_lr.steps = 0
    optimizer.register_step_pre_hook(raise_lr)
    with pytest.raises((TrainingError, CheckpointError), match=r"lr=|NaN or infinity"):
        fit(model, optimizer, make_batches(), num_epochs=3, seed=0, checkpoint=path, save_every=1,
            log=None)  # fmt: skip
    content = load_checkpoint(path)
    assert all(t.isfinite().all() for t in content["model"].values())


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX signal")
def test_ctrl_c_waits_for_the_step_saves_and_says_so(tmp_path):
    path, steps = tmp_path / "run.pt", []
    before = signal.getsignal(signal.SIGINT)

    def augment(X):
        steps.append(len(X))
        if len(steps) == 8:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # the signal arrives in the middle of step 8
        return X

    with pytest.raises(KeyboardInterrupt, match=r"stopped after step 8; .*run\.pt holds the run"):
        run(path, augment=augment)
    assert signal.getsignal(signal.SIGINT) is before
    assert load_checkpoint(path)["run"]["step"] == 8
    resumed, _ = run(path, augment=augment)
    assert len(steps) == 18, "no step was made twice"
    assert resumed == run(augment=lambda X: X)[0]


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX signal")
@pytest.mark.parametrize("epoch", [1, NUM_EPOCHS])
def test_ctrl_c_during_a_validation_stops_after_it(tmp_path, epoch):
    """In the last validation no step would follow that could notice it."""
    path, lines = tmp_path / "run.pt", []

    class Interrupted(Batches):
        def __iter__(self):
            if self.epoch == epoch - 1:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            return super().__iter__()

    with pytest.raises(
        KeyboardInterrupt, match=rf"after step {6 * epoch}; .*run\.pt holds the run"
    ):
        run(path, valid=Interrupted(X, y, 50, shuffle=False), log=lines.append)
    content = load_checkpoint(path)["run"]
    assert (content["step"], len(content["history"])) == (6 * epoch, epoch)
    assert lines[-1].startswith(f"epoch {epoch:2d}"), "what was measured is said"
    assert run(path)[0] == run()[0]


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX signal")
def test_ctrl_c_twice_does_not_wait(tmp_path):
    def augment(X):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.pt", augment=augment)
    assert time.monotonic() - begun < 4
    assert load_checkpoint(tmp_path / "run.pt")["run"]["step"] == 0


def test_in_another_thread_signals_are_left_alone(tmp_path):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(tmp_path / "run.pt")))
    thread.start()
    thread.join()
    assert results[0][0] == run()[0]


# kill -9 -----------------------------------------------------------------------------------------

# A process that imports torch once, and then makes runs in copies of itself (as long as a test
# waits for torch, it could kill a hundred of them).
SERVER = """
import os, sys
import torch
import threading
import tqdm
torch.set_num_threads(1)
# Bars share a lock between processes, which a killed child would keep for ever, and a thread.
tqdm.tqdm.set_lock(threading.RLock())
tqdm.tqdm.monitor_interval = 0
from tests.test_resume import kill_run
kill_run(None)  # loads what is loaded on first use
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        print("run", kill_run(line.strip()), flush=True)
        os._exit(0)
    print("pid", child, flush=True)
    os.waitpid(child, 0)
    print("end", flush=True)
"""


def kill_run(path):
    """Make a run of 60 steps that saves after each; return its fingerprint."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Dropout(), nn.Linear(200, 3)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    with contextlib.redirect_stdout(sys.stderr):
        fit(
            model,
            optimizer,
            make_batches(),
            num_epochs=10 if path else 1,
            scheduler=one_cycle(optimizer, 60),
            augment=RandomAffine(),
            seed=11,
            checkpoint=path,
            save_every=1 if path else None,
            resume=path is not None,
            log=None,
        )
    return fingerprint(model)


class Server:
    """Starts runs, and kills them after a while."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SERVER],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def run(self, path, seconds=None, in_save=False):
        """Return the fingerprint of a run, or None if it was killed.

        The kill comes after ``seconds``, or in the first save from then on.
        """
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        answers = [self.process.stdout.readline().split()]
        pid = None
        while answers[-1][0] != "end":
            if answers[-1][0] == "pid":
                pid = int(answers[-1][1])
                if seconds is not None:
                    time.sleep(seconds)
                    end = time.monotonic() + 0.5  # the run may be over
                    while in_save and time.monotonic() < end:
                        if any(path.parent.glob(f".{path.name}*.part")):
                            break
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            answers.append(self.process.stdout.readline().split())
        return next((answer[1] for answer in answers if answer[0] == "run"), None)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def _expect(self, word):
        line = self.process.stdout.readline()
        if line.strip() != word:
            raise RuntimeError(f"the server said {line!r}")


def kill_and_resume(server, folder, num_kills, seed):
    """Kill runs and resume them until ``num_kills`` kills came in time.

    The moments are random; every second kill waits for the first save from there on.

    Returns how many runs ended, how many with the right bits, how many kills came during a save.
    """
    rng = random.Random(seed)
    begun = time.monotonic()
    expected = server.run(folder / "whole.pt")
    usual = time.monotonic() - begun
    kills = runs = right = inside = 0
    while kills < num_kills:
        runs += 1
        path = folder / f"run{runs}.pt"
        ended = None
        while ended is None:
            # At most so many that every run is sure to end.
            seconds = rng.uniform(0, usual / 3) if kills < num_kills else None
            ended = server.run(path, seconds, in_save=kills % 2 == 0)
            if ended is None:
                kills += 1
                halves = list(folder.glob(f".{path.name}*.part"))
                inside += bool(halves)
                for half in halves:
                    half.unlink()
        right += ended == expected
    return runs, right, inside


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_twenty_kills_and_twenty_resumes_end_with_the_same_bits(tmp_path):
    server = Server()
    try:
        runs, right, inside = kill_and_resume(server, tmp_path, num_kills=20, seed=0)
    finally:
        server.close()
    assert right == runs >= 1
    assert inside >= 3, "the kills came between the saves: little was tested"
