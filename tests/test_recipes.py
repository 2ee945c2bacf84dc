"""The recipes train what they say, and `train` keeps its promises on the command line."""

import dataclasses
import itertools
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner

from mnist_course import cli
from mnist_course.data import load_data, to_tensors
from mnist_course.device import pick_device
from mnist_course.errors import UsageError
from mnist_course.training import TrainingError, evaluate, recipes
from mnist_course.training.checkpoint import fingerprint, load_checkpoint
from mnist_course.training.recipe_names import RECIPE_NAMES
from mnist_course.training.recipes import RECIPES, one_cycle
from tests.conftest import ROOT

torch.set_num_threads(1)

# What each network must reach on the practice set, in a single pass: far above guessing.
QUICK = {"softmax": 0.5, "mlp-quick": 0.7, "mlp": 0.7, "cnn-quick": 0.7}


@pytest.fixture(scope="module")
def practice():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_COURSE_DATA", "practice")
        patch.setenv("MNIST_COURSE_ANNOUNCED", "1")
        yield load_data()


@pytest.fixture
def on_practice(monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DATA", "practice")
    monkeypatch.setenv("MNIST_COURSE_ANNOUNCED", "1")


def tensors_of(name, digits, device="cpu", count=None):
    """Return test digits in the form that a recipe asks for."""
    images, labels = digits.test_images[:count], digits.test_labels[:count]
    return to_tensors(images, labels, device, normalized=RECIPES[name].normalized)


def command(*arguments):
    return CliRunner().invoke(cli.main, ["train", *map(str, arguments)])


def test_the_names_can_be_had_without_torch_and_are_those_of_the_recipes(run_python):
    assert list(RECIPE_NAMES) == list(RECIPES)
    done = run_python(
        "import sys\nfrom mnist_course.training.recipe_names import RECIPE_NAMES\n"
        "print({'torch', 'numpy'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_what_it_needs(name, practice):
    recipe = RECIPES[name]
    model = recipe.model()
    optimizer = recipe.optimizer(model.parameters())
    X, y = tensors_of(name, practice, count=8)
    assert model(X).shape == (8, 10)
    assert (X.min() < 0) == recipe.normalized
    assert X.max() <= (3 if recipe.normalized else 1)
    assert (X.dtype, y.dtype) == (torch.float32, torch.int64)
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {
        id(p) for p in model.parameters()
    }
    assert recipe.num_epochs >= 1 and recipe.batch_size >= 1 and recipe.title


def test_pixels_that_are_only_scaled_are_not_normalized_before(practice, monkeypatch):
    """It would take three times the memory."""
    monkeypatch.setattr(sys.modules[to_tensors.__module__], "normalize", None)
    X, _ = tensors_of("s4", practice)
    assert torch.equal(X, torch.tensor(practice.test_images).view(-1, 1, 28, 28) / 255)
    with pytest.raises(TypeError):
        tensors_of("s0", practice)


@pytest.mark.parametrize("name", QUICK)
def test_a_recipe_learns_and_the_result_is_that_of_the_test_digits(name, practice):
    lines = []
    trained = recipes.train(name, num_epochs=1, digits=practice, log=lines.append)
    assert len(trained.history) == len(lines) == 1
    assert trained.test.num_examples == len(practice.test_labels)
    assert trained.test.accuracy > QUICK[name]
    X, y = tensors_of(name, practice, pick_device())
    trained.model.eval()
    with torch.no_grad():
        right = (trained.model(X).argmax(dim=1) == y).float().mean().item()
    assert right == pytest.approx(trained.test.accuracy, abs=0.011), "bfloat16 may differ a little"


def test_the_seed_decides_everything(practice):
    prints = [
        fingerprint(recipes.train("mlp", num_epochs=1, seed=seed, digits=practice, log=None).model)
        for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_digits_that_are_set_aside_are_measured_and_the_test_digits_left_alone(practice):
    trained = recipes.train("softmax", num_epochs=2, num_valid=100, digits=practice, log=None)
    assert trained.test is None
    assert all(accuracy > 0.3 for accuracy in trained.history["valid_accuracy"])
    for too_many in (1400, 5000):
        with pytest.raises(ValueError, match="leaves one of the two parts empty"):
            recipes.train("softmax", num_epochs=1, num_valid=too_many, digits=practice, log=None)


@pytest.mark.parametrize("name", ["mlp", "cnn-quick"])
def test_a_recipe_that_is_interrupted_ends_with_the_same_bits(
    name, practice, tmp_path, monkeypatch
):
    whole = recipes.train(name, num_epochs=3, digits=practice, log=None)
    options = {"num_epochs": 3, "digits": practice, "log": None, "save_every": 2, "resume": True}
    num_steps = 3 * -(-len(practice.train_labels) // RECIPES[name].batch_size)
    one_step = RECIPES[name].optimizer

    def fails_after(steps):
        def make(parameters):
            optimizer = one_step(parameters)
            left = iter(range(steps))
            optimizer.register_step_pre_hook(lambda *_: (next(left), None)[1])
            return optimizer

        return make

    for steps in (3, num_steps // 2):
        recipe = {**vars(RECIPES[name]), "optimizer": fails_after(steps)}
        monkeypatch.setitem(RECIPES, name, recipes.Recipe(**recipe))
        with pytest.raises(StopIteration):
            recipes.train(name, checkpoint=tmp_path / "run.pt", **options)
        monkeypatch.undo()
    resumed = recipes.train(name, checkpoint=tmp_path / "run.pt", **options)
    assert fingerprint(resumed.model) == fingerprint(whole.model)
    assert resumed.test == whole.test
    about = load_checkpoint(tmp_path / "run.pt")["about"]
    assert (about["recipe"], about["num_epochs"], about["num_valid"]) == (name, 3, 0)
    assert (about["seed"], about["data"]) == (0, "practice set")


def test_the_learning_rate_rises_and_falls_along_straight_lines():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2.0)
    scheduler = one_cycle(optimizer, 99, warmup=0.25)
    rates = []
    for _ in range(99):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[24] == pytest.approx(2.0) == max(rates)
    assert rates[0] == pytest.approx(2 / 25)
    assert rates[-1] == pytest.approx(2 / 75)
    assert all(a < b for a, b in itertools.pairwise(rates[:25]))
    assert all(a > b for a, b in itertools.pairwise(rates[24:]))
    for wrong in ((0, 0.2), (10, 0), (10, 1)):
        with pytest.raises(ValueError, match="a share between 0 and 1 of at least one step"):
            one_cycle(optimizer, *wrong)


@pytest.mark.parametrize(("num_steps", "warmup"), [(99, 0.25), (4, 0.2), (1, 0.5)])
def test_a_schedule_that_is_over_does_not_go_on_uphill(num_steps, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = one_cycle(optimizer, num_steps, warmup)
    for _ in range(num_steps):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)
    optimizer.step()
    reply = rf"one_cycle was made for {num_steps} steps, and the run goes on.*num_epochs \* len"
    with pytest.raises(TrainingError, match=reply):
        scheduler.step()


@pytest.mark.parametrize("num_epochs", [0, -3])
def test_a_run_makes_at_least_one_pass(practice, num_epochs):
    with pytest.raises(UsageError, match=rf"num_epochs={num_epochs}: .*at least one pass"):
        recipes.train("s4", num_epochs=num_epochs, digits=practice, log=None)


def test_what_training_returns_is_compared_by_identity(practice):
    """Two models are no numbers that could be equal or not."""
    trained = recipes.train("s4", num_epochs=1, digits=practice, log=None)
    assert trained == trained and trained != dataclasses.replace(trained)
    assert trained in {trained}


# On the command line ----------------------------------------------------------------------------


def test_the_last_line_is_the_test_accuracy(on_practice):
    done = command("--model", "softmax", "--epochs", 2, "--seed", 3)
    assert done.exit_code == 0
    first, *lines = done.output.splitlines()
    assert re.fullmatch(r"(cpu|cuda|mps) \(.+\), torch [\d.]+, seed 3, practice set", first)
    assert [line[:8] for line in lines[:-1]] == ["epoch  1", "epoch  2"]
    assert re.fullmatch(r"test accuracy \d\d\.\d\d %", lines[-1])


def test_with_digits_set_aside_the_last_line_is_theirs(on_practice):
    done = command("--model", "softmax", "--epochs", 1, "--valid", 100)
    assert done.exit_code == 0
    assert re.fullmatch(r"validation accuracy \d\d\.\d\d %", done.output.splitlines()[-1])


def test_a_run_is_kept_not_overwritten_and_resumed(on_practice, tmp_path):
    path = tmp_path / "run.pt"
    options = ("--model", "softmax", "--epochs", 2, "--checkpoint", path)
    first = command(*options)
    assert first.exit_code == 0
    written = path.read_bytes()
    again = command(*options)
    assert again.exit_code == 2
    assert again.stderr.startswith(f"Error: {path} exists, and is not overwritten.")
    assert again.stderr.count("\n") == 1
    resumed = command(*options, "--resume")
    assert resumed.exit_code == 0
    assert resumed.output.splitlines()[-1] == first.output.splitlines()[-1]
    other = command("--model", "mlp", "--epochs", 2, "--checkpoint", path, "--resume")
    assert other.exit_code == 2
    assert "belongs to another run: recipe is softmax there and mlp here" in other.output
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "status", "reply"),
    [
        ([], 2, "Missing option '--model'"),
        (["--model", "resnet"], 2, "'resnet' is not one of 's4', 's0', 's2', 's2-published', "),
        (["--model", "mlp", "--epochs", "-1"], 2, "-1 is not in the range"),
        (["--model", "mlp", "--epochs", "0"], 2, "0 is not in the range x>=1"),
        (["--model", "mlp", "--device", "warp"], 2, "warp does not work here"),
        (["--model", "mlp", "--seed", "-1"], 2, "-1 is not in the range"),
        (["--model", "mlp", "--resume"], 2, "--resume needs --checkpoint FILE"),
        (["--model", "mlp", "--valid", "1400"], 2, "leaves one of the two parts empty"),
    ],
)
def test_what_cannot_be_done_is_said(on_practice, monkeypatch, arguments, status, reply):
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "cpu")  # and put back afterwards
    done = command(*arguments)
    assert done.exit_code == status
    assert isinstance(done.exception, SystemExit), "a traceback"
    assert reply in done.output


def test_the_help_lists_the_models():
    done = command("--help")
    assert done.exit_code == 0
    assert f"--model [{'|'.join(RECIPES)}]" in done.output


def test_the_device_can_be_chosen_for_one_command(on_practice, monkeypatch):
    monkeypatch.setenv("MNIST_COURSE_DEVICE", "warp")
    done = command("--model", "s4", "--epochs", 1, "--device", "cpu")
    assert done.exit_code == 0
    assert done.output.startswith("cpu (")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX signal")
def test_ctrl_c_says_how_to_go_on(tmp_path):
    path = tmp_path / "run.pt"
    child = subprocess.Popen(
        [sys.executable, "-m", "mnist_course", "train", "--model", "s4", "--epochs", "1000",
         "--checkpoint", str(path)],
        cwd=ROOT,
        env={**os.environ, "MNIST_COURSE_DATA": "practice", "MNIST_COURSE_ANNOUNCED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with child:
        child.stdout.readline()  # what runs where
        child.stdout.readline()  # the first epoch
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        errors = child.stderr.read()
    assert child.returncode == 130
    assert re.fullmatch(
        rf"stopped after step [\d,]+; {re.escape(str(path))} holds the run; add --resume to the "
        r"same command to go on\.\n",
        errors,
    )
    step = int(re.search(r"step ([\d,]+);", errors)[1].replace(",", ""))
    assert load_checkpoint(path)["run"]["step"] == step


def test_evaluation_of_a_loaded_checkpoint_is_that_of_the_run(on_practice, practice, tmp_path):
    """What the next chapter does with the file."""
    trained = recipes.train("softmax", num_epochs=1, digits=practice, log=None,
                            checkpoint=tmp_path / "run.pt")  # fmt: skip
    model = RECIPES["softmax"].model()
    model.load_state_dict(load_checkpoint(tmp_path / "run.pt")["model"])
    X, y = tensors_of("softmax", practice)
    assert evaluate(model, [(X, y)]).accuracy == pytest.approx(trained.test.accuracy)
