"""Two processes train what one trains, survive a death, and say once what is wrong."""

import os
import subprocess
import sys

import pytest
import torch

from mnist_course.data import Batches
from mnist_course.errors import UsageError
from mnist_course.training.history import Evaluation
from mnist_course.training.parallel import ALONE, Team, joined
from tests import team as program
from tests.conftest import ROOT

torch.set_num_threads(1)


def start(*args, die="0", restarts=0):
    """Let torchrun start two processes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DIE": die, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launch, f"--max-restarts={restarts}", *map(str, args)],
        capture_output=True, text=True, env=environment, timeout=180, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("team")


@pytest.fixture(scope="module")
def plain(folder):
    """A run of two processes that nothing happens to, until they disagree at its end."""
    return start("-m", "tests.team", folder, "plain")


@pytest.fixture(scope="module")
def killed(folder):
    """The same run, of which process 1 is killed in the middle of its second pass."""
    return start("-m", "tests.team", folder, "killed", die="1", restarts=1)


def test_two_processes_end_where_one_does(plain, folder):
    """Also with a last batch of five, of which one gets three: then means need weights."""
    model = program.make_model()
    history = program.train(model)
    for rank in (0, 1):
        weights, *columns = torch.load(folder / f"plain{rank}.pt")
        for name, tensor in model.state_dict().items():
            assert torch.allclose(weights[name], tensor, rtol=1e-10, atol=1e-12)
        for column, name in zip(
            columns, ("train_loss", "train_accuracy", "valid_loss"), strict=True
        ):
            assert column == pytest.approx(history[name], rel=1e-10)


def test_a_killed_process_brings_the_run_to_the_same_bits(plain, killed, folder):
    assert killed.returncode == 0, killed.stderr
    for rank in (0, 1):
        whole, losses = torch.load(folder / f"plain-end{rank}.pt")
        again, same_losses = torch.load(folder / f"killed-end{rank}.pt")
        assert losses == same_losses
        assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_the_processes_hold_the_same_weights(plain, folder):
    first, second = (torch.load(folder / f"plain-end{rank}.pt")[0] for rank in (0, 1))
    learned = [name for name in first if "running" not in name and "num_" not in name]
    assert learned and all(torch.equal(first[name], second[name]) for name in learned)


def test_one_process_prints(plain, killed):
    assert plain.stdout.count("plain: 3 passes") == 1
    assert killed.stdout.count("killed: 3 passes") == 1


def test_what_is_wrong_is_told_once_with_the_number_of_the_process(plain):
    assert plain.returncode == 1
    told = [line for line in plain.stderr.splitlines() if line.startswith("Error in process")]
    assert len(told) == 1
    assert "process 1 has color blue, and process 0 has red" in told[0]


def test_alone_nothing_is_divided_weighed_or_sent():
    batches = Batches(torch.zeros(5, 2), torch.zeros(5).long(), 2, shuffle=False)
    model, loss, measured = torch.nn.Linear(2, 2), torch.tensor(3.0), Evaluation(1.0, 0.5, 4)
    assert ALONE.leads and ALONE.part_of(batches) is batches and ALONE.wrap(model) is model
    assert ALONE.weigh(loss, 2, batches) is loss and ALONE.pool(measured) is measured
    assert ALONE.in_turn(lambda: 7) == 7
    ALONE.agree({"anything": object()})
    with joined(lambda: torch.device("cpu")) as team:
        assert (team.rank, team.size) == (0, 1)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("batch_size", [5, 16, 50])
def test_the_parts_of_a_batch_are_the_batch(size, batch_size):
    X, y = torch.arange(98.0), torch.arange(98)
    whole = Batches(X, y, batch_size, shuffle=True, seed=2)
    if min(98 % batch_size or batch_size, batch_size) < size:
        with pytest.raises(UsageError, match=f"among {size} processes"):
            Team(0, size).part_of(whole)
        return
    parts = [Team(rank, size).part_of(whole) for rank in range(size)]
    for X_whole, *of_each in zip(whole.one_pass(4), *(p.one_pass(4) for p in parts), strict=True):
        assert torch.equal(X_whole[0], torch.cat([part[0] for part in of_each]))
        lengths = [len(part[1]) for part in of_each]
        assert max(lengths) - min(lengths) <= 1 <= min(lengths)


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"MASTER_PORT": "1"}, "do not meet at 127.0.0.1:1")],
)
def test_a_process_without_the_others_says_so(environment, words, monkeypatch, capsys):
    import mnist_course.training.parallel as parallel

    monkeypatch.setattr(parallel, "WAIT", parallel.timedelta(seconds=1))
    for name, value in {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        **environment,
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended, joined(lambda: torch.device("cpu")):
        pass
    assert ended.value.code == 1
    assert words in capsys.readouterr().err


def test_more_processes_than_cores_are_warned_of(monkeypatch, capsys):
    import mnist_course.training.parallel as parallel

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "999")
    assert parallel._own(torch.device("cpu")) == torch.device("cpu")
    assert "999 processes share" in capsys.readouterr().err


def test_more_processes_than_gpus_are_refused(monkeypatch):
    import mnist_course.training.parallel as parallel

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="3 processes want a GPU each, and there are 2"):
        parallel._own(torch.device("cuda"))
