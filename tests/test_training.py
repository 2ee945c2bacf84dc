"""Training does what a loop written by hand does, and stops at faults that torch lets pass."""

import copy
import itertools
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.data import Batches, to_tensors
from mnist_course.training import (
    Epoch,
    History,
    TrainingError,
    check_batch,
    evaluate,
    fit,
    predict,
)
from mnist_course.training.checkpoint import load_checkpoint

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tensors(digits):
    return to_tensors(digits.train_images[:500], digits.train_labels[:500])


@pytest.fixture
def batches(tensors):
    return Batches(*tensors, 64, shuffle=True, seed=1)


def make_mlp(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(32, 10),
    )


def sgd(model, lr=0.05):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def state(model):
    return copy.deepcopy(model.state_dict())


def equal_states(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


# Measuring --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 499, 500, 512])
def test_evaluation_is_that_of_the_full_batch_for_every_batch_size(tensors, batch_size):
    X, y = tensors
    model = make_mlp().eval()
    with torch.no_grad():
        logits = model(X).double()
    expected = F.cross_entropy(logits, y).item()
    hits = sum(row.argmax().item() == label.item() for row, label in zip(logits, y, strict=True))
    found = evaluate(model, Batches(X, y, batch_size, shuffle=False))
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert found.accuracy == hits / 500
    assert found.num_examples == 500


def test_evaluation_of_a_shuffled_data_loader_is_the_same(tensors):
    model = make_mlp()
    one = evaluate(model, Batches(*tensors, 512, shuffle=False))
    other = evaluate(model, DataLoader(TensorDataset(*tensors), batch_size=7, shuffle=True))
    assert other.loss == pytest.approx(one.loss, rel=1e-5)
    assert other.accuracy == one.accuracy


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_changes_nothing_and_uses_evaluation_mode(tensors, training):
    model = make_mlp(dropout=0.5).train(training)
    before = state(model)
    batches = Batches(*tensors, 100, shuffle=False)
    assert evaluate(model, batches) == evaluate(model, batches), "dropout was on"
    assert torch.equal(predict(model, tensors[0]), predict(model, tensors[0]))
    assert model.training is training
    assert equal_states(before, model.state_dict())
    assert all(p.grad is None for p in model.parameters())


def test_the_mode_is_restored_when_evaluation_fails(tensors):
    X, y = tensors
    model = make_mlp().train()
    for function in (
        lambda: evaluate(model, [(X[:, :, :5], y)]),
        lambda: predict(model, X[..., :5]),
    ):
        with pytest.raises(RuntimeError):
            function()
        assert model.training


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_predictions_do_not_depend_on_the_batch_size(tensors, batch_size):
    model = make_mlp().eval()
    with torch.no_grad():
        expected = model(tensors[0])
    found = predict(model.train(), tensors[0], batch_size)
    assert torch.allclose(found, expected, atol=1e-5)
    assert not found.requires_grad


def test_another_loss_is_measured_as_asked(tensors):
    X, y = tensors

    def mean_margin(logits, y):
        return logits.gather(1, y[:, None]).mean()

    model = make_mlp().eval()
    with torch.no_grad():
        expected = mean_margin(model(X), y).item()
    found = evaluate(model, Batches(X, y, 64, shuffle=False), loss_fn=mean_margin)
    assert found.loss == pytest.approx(expected, rel=1e-4, abs=1e-6)


# Training ---------------------------------------------------------------------------------------


def by_hand(model, optimizer, X, y, *, epochs, seed, scheduler=None, augment=None):
    """Train as a reader would write it, and return the training losses."""
    losses = []
    for epoch in range(epochs):
        model.train()
        order = np.random.default_rng((seed, epoch)).permutation(len(y))
        total = 0.0
        for start in range(0, len(y), 64):
            picked = torch.from_numpy(order[start : start + 64])
            inputs = augment(X[picked]) if augment else X[picked]
            loss = F.cross_entropy(model(inputs), y[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            total += loss.item() * len(picked)
        losses.append(total / len(y))
    return losses


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("make", [sgd, lambda model: torch.optim.AdamW(model.parameters(), 1e-3)])
def test_fit_takes_the_very_steps_of_a_loop_written_by_hand(tensors, make, dropout):
    ours, theirs = make_mlp(dropout=dropout), make_mlp(dropout=dropout)
    torch.manual_seed(7)
    history = fit(
        ours, make(ours), Batches(*tensors, 64, shuffle=True, seed=3), num_epochs=3, log=None
    )
    torch.manual_seed(7)
    losses = by_hand(theirs, make(theirs), *tensors, epochs=3, seed=3)
    assert equal_states(ours.state_dict(), theirs.state_dict()), "equal to the last bit"
    assert history["train_loss"] == pytest.approx(losses, rel=1e-5)


def test_validating_does_not_change_the_weights(tensors):
    plain, validated = make_mlp(dropout=0.3), make_mlp(dropout=0.3)
    for model, valid in ((plain, None), (validated, Batches(*tensors, 50, shuffle=False))):
        torch.manual_seed(7)
        batches = Batches(*tensors, 64, shuffle=True)
        fit(model, sgd(model), batches, valid, num_epochs=2, log=None)
    assert equal_states(plain.state_dict(), validated.state_dict())


def test_the_scheduler_is_stepped_after_every_batch(tensors, batches):
    def make(model):
        optimizer = sgd(model, 0.1)
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=16)

    ours, theirs = make_mlp(), make_mlp()
    optimizer, scheduler = make(ours)
    rates = [optimizer.param_groups[0]["lr"]]
    history = fit(ours, optimizer, batches, num_epochs=2, scheduler=scheduler, log=None)
    optimizer, scheduler = make(theirs)
    by_hand(theirs, optimizer, *tensors, epochs=1, seed=1, scheduler=scheduler)
    rates.append(optimizer.param_groups[0]["lr"])
    assert history["lr"] == rates, "the rate at the beginning of each epoch"
    assert scheduler.last_epoch == 8


def test_augmentation_is_for_training_only(tensors, batches):
    seen = []

    def augment(X):
        seen.append(len(X))
        return X + 0.1

    ours, theirs = make_mlp(), make_mlp()
    valid = Batches(*tensors, 500, shuffle=False)
    history = fit(ours, sgd(ours), batches, valid, num_epochs=1, augment=augment, log=None)
    assert sum(seen) == 500
    by_hand(theirs, sgd(theirs), *tensors, epochs=1, seed=1, augment=lambda X: X + 0.1)
    assert equal_states(ours.state_dict(), theirs.state_dict())
    theirs.eval()
    with torch.no_grad():
        expected = F.cross_entropy(theirs(tensors[0]), tensors[1]).item()
    assert history["valid_loss"] == pytest.approx([expected], rel=1e-5)


def test_a_data_loader_serves_as_well(tensors):
    torch.manual_seed(0)
    model = make_mlp()
    loader = DataLoader(TensorDataset(*tensors), batch_size=64, shuffle=True)
    valid = DataLoader(TensorDataset(*tensors), batch_size=100, shuffle=False)
    history = fit(model, sgd(model), loader, valid, num_epochs=4, log=None)
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    assert history["valid_accuracy"][-1] > 0.8


def test_the_history_holds_what_was_measured(tensors, batches):
    model, lines = make_mlp(), []
    valid = Batches(*tensors, 500, shuffle=False)
    history = fit(model, sgd(model), batches, valid, num_epochs=3, log=lines.append)
    assert len(history) == 3
    assert history["number"] == [1, 2, 3]
    assert history["lr"] == [0.05] * 3
    assert all(0 <= value <= 1 for value in history["train_accuracy"] + history["valid_accuracy"])
    last = evaluate(model, valid)
    assert (history["valid_loss"][-1], history["valid_accuracy"][-1]) == (last.loss, last.accuracy)
    assert history.seconds == sum(history["seconds"]) > 0
    assert lines == [str(epoch) for epoch in history.epochs]
    assert f"acc {100 * last.accuracy:5.1f} %" in lines[-1]
    with pytest.raises(KeyError, match=r"no column 'loss'; there are number, train_loss"):
        history["loss"]


def test_a_history_without_validation_says_none(batches):
    model, lines = make_mlp(), []
    history = fit(model, sgd(model), batches, num_epochs=1, log=lines.append)
    assert history["valid_loss"] == history["valid_accuracy"] == [None]
    assert "valid" not in lines[0]
    assert str(Epoch(3, 0.5, 0.9, None, None, 0.1, 1.23)) == (
        "epoch  3  train loss 0.500  acc  90.0 %  1.2 s"
    )
    assert len(History()) == History().seconds == 0


def test_training_accuracy_is_counted_over_examples(tensors):
    """The last, short batch weighs as many examples as it has."""
    X, y = tensors
    frozen = make_mlp().eval()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    free = nn.Parameter(torch.zeros(10))

    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.free = free

        def forward(self, X):
            return frozen(X) + self.free

    model = Frozen()
    batches = Batches(X, y, 499, shuffle=False)
    measured = fit(model, sgd(model, lr=0.0), batches, num_epochs=1, log=None).epochs[0]
    with torch.no_grad():
        expected = (frozen(X).argmax(1) == y).float().mean().item()
    assert measured.train_accuracy == pytest.approx(expected, abs=1e-6)
    assert measured.train_loss == pytest.approx(F.cross_entropy(frozen(X), y).item(), rel=1e-5)


# Guards -----------------------------------------------------------------------------------------


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def train(X, y, *, batch_size=64, lr=0.05, epochs=1, model=None, **options):
    model = model or linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    return fit(
        model,
        optimizer,
        Batches(X, y, batch_size, shuffle=False),
        num_epochs=epochs,
        log=None,
        **options,
    )


@pytest.mark.parametrize(("lr", "reply"), [(1e4, "try 1000"), (1e38, r"try 1e\+37")])
def test_a_learning_rate_that_is_far_too_high_is_named_at_the_second_step(tensors, lr, reply):
    with pytest.raises(TrainingError, match=rf"by step 2 with lr={re.escape(f'{lr:g}')}.*{reply}"):
        train(*tensors, lr=lr)


def test_a_learning_rate_that_is_no_number_is_noticed_at_the_second_step(tensors):
    with pytest.raises(TrainingError, match="became nan by step 2 with lr=nan"):
        train(*tensors, lr=float("nan"))


@pytest.mark.parametrize("lr", [1e25, 1e38, float("nan")])
def test_weights_that_the_last_step_ruined_are_noticed_without_validation(tensors, lr):
    with pytest.raises(
        TrainingError, match=r"the last step ruined the weights: .* with lr=.* try "
    ):
        train(*tensors, batch_size=500, lr=lr)


def test_ruined_weights_that_no_loss_shows_are_noticed_too(tensors):
    """Behind a ReLU that is always shut, weights of minus infinity change no score."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 5), nn.ReLU(), nn.Linear(5, 10))
    with torch.no_grad():
        model[1].weight.fill_(-1e30)
    valid = Batches(tensors[0].abs() + 1, tensors[1], 500, shuffle=False)
    assert evaluate(model, valid).loss < 10
    with pytest.raises(TrainingError, match="ruined the weights"):
        train(tensors[0].abs() + 1, tensors[1], model=model, lr=0.01, valid_batches=valid)


def test_ruined_weights_are_not_kept(tensors, tmp_path):
    kept = {"checkpoint": tmp_path / "run.pt", "seed": 0}
    with pytest.raises(TrainingError, match="ruined the weights"):
        train(*tensors, batch_size=500, lr=1e25, **kept)
    assert load_checkpoint(tmp_path / "run.pt")["run"]["step"] == 0


def test_weights_that_the_last_step_ruined_are_noticed_in_validation(tensors):
    X, y = tensors
    valid = Batches(X * 1e10, y, 500, shuffle=False)
    with pytest.raises(TrainingError, match="the inputs reach"):
        train(X, y, batch_size=500, valid_batches=valid)
    valid = Batches(X, y, 500, shuffle=False)
    with pytest.raises(TrainingError, match="in validation with lr=1e"):
        train(X, y, batch_size=500, lr=1e38, valid_batches=valid)


def summed(logits, y):
    return F.multi_margin_loss(logits, y, reduction="sum")


@pytest.mark.parametrize("loss_fn", [summed, nn.CrossEntropyLoss(reduction="sum")])
def test_a_loss_that_adds_up_over_the_batch_is_told_at_the_first_step(tensors, loss_fn):
    model = linear()
    with pytest.raises(TrainingError, match=r'adds up over the batch: .*reduction="mean"'):
        train(*tensors, model=model, loss_fn=loss_fn)
    assert equal_states(model.state_dict(), linear().state_dict()), "a step was taken"
    with pytest.raises(TrainingError, match="adds up over the batch"):
        evaluate(model, [tensors], loss_fn=loss_fn)


def test_a_loss_of_many_numbers_is_told_at_the_first_step(tensors):
    loss_fn = nn.CrossEntropyLoss(reduction="none")
    for run in (
        lambda: train(*tensors, loss_fn=loss_fn),
        lambda: evaluate(linear(), Batches(*tensors, 64, shuffle=False), loss_fn=loss_fn),
    ):
        with pytest.raises(TrainingError, match=r'has the shape \(64,\); .*reduction="mean"'):
            run()


@pytest.mark.parametrize(
    "loss_fn",
    [
        nn.CrossEntropyLoss(label_smoothing=0.1),
        F.multi_margin_loss,
        lambda logits, y: 0 * logits.sum(),
    ],
)
def test_a_mean_is_no_sum(tensors, loss_fn):
    assert len(train(*tensors, loss_fn=loss_fn)) == 1


def falling(optimizer, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def test_a_schedule_that_falls_below_zero_stops_the_run_before_a_step_uphill(tensors, batches):
    model = make_mlp()
    optimizer = sgd(model)
    steps = []
    optimizer.register_step_post_hook(lambda *_: steps.append(optimizer.param_groups[0]["lr"]))
    with pytest.raises(TrainingError, match=r"LambdaLR has set the learning rate to -0\.005, "):
        fit(model, optimizer, batches, num_epochs=2, scheduler=falling(optimizer, 10), log=None)
    assert len(steps) == 11 and min(steps) == 0


def test_a_rate_below_zero_after_the_last_step_does_no_harm(tensors, batches):
    model = make_mlp()
    optimizer = sgd(model)
    fit(model, optimizer, batches, num_epochs=1, scheduler=falling(optimizer, 7), log=None)
    assert optimizer.param_groups[0]["lr"] < 0
    with pytest.raises(TrainingError, match=r"somebody has set the learning rate to -0\.007"):
        fit(model, optimizer, batches, num_epochs=1, log=None)


class FarAway(TorchDispatchMode):
    """Lets the meta device stand in for a GPU: whoever asks it for a number waits, and gets 1."""

    waits = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            self.waits += 1
            return 1.0 if args[0].is_floating_point() else 1
        return func(*args, **(kwargs or {}))


def test_no_step_waits_twice_for_a_device_that_is_far_away(tensors):
    model = linear().to("meta")
    loader = DataLoader(TensorDataset(*tensors), batch_size=8)
    counts = []

    def augment(X):
        counts.append(far.waits)
        return X

    with FarAway() as far:
        fit(model, sgd(model), loader, num_epochs=1, augment=augment, log=None)
    waits = [after - before for before, after in itertools.pairwise(counts)]
    assert len(waits) == 62
    assert {step for step, count in enumerate(waits) if count} == {0, 32}, "for the loss"
    assert max(waits) == 1


@pytest.mark.parametrize("half", [None, torch.bfloat16])
def test_predictions_are_those_that_are_evaluated(tensors, half):
    X, y = tensors
    model = make_mlp(dropout=0.5).train()
    logits = predict(model, X, 100, half=half)
    assert logits.dtype == torch.float32
    assert F.cross_entropy(logits, y).item() == pytest.approx(
        evaluate(model, Batches(X, y, 100, shuffle=False), half=half).loss, rel=1e-6
    )
    assert torch.equal(logits, predict(model, X, 100)) is (half is None)
    with pytest.raises(TrainingError, match=r"float64 and the weights torch.float32"):
        predict(model, X.double())


def test_inputs_go_to_where_the_model_is_batch_by_batch(tensors):
    shapes, model = [], linear().to("meta")
    model.register_forward_pre_hook(
        lambda _, args: shapes.append((args[0].device.type, len(args[0])))
    )
    assert predict(model, tensors[0], 200).device.type == "meta"
    assert shapes == [("meta", 200), ("meta", 200), ("meta", 100)]


@pytest.mark.parametrize("lr", [0.001, 0.1, 0.5, 1.0])
def test_a_usual_learning_rate_raises_no_alarm(tensors, lr):
    assert len(train(*tensors, lr=lr, epochs=5)) == 5


def test_a_trained_model_may_go_on_with_uneven_batches(tensors):
    """A batch with a hundred times the loss of the first is no alarm while losses are small."""
    X, y = tensors
    model = linear()
    train(X, y, epochs=60, lr=0.1, model=model)
    losses = F.cross_entropy(model(X), y, reduction="none").detach()
    order = losses.argsort()
    assert losses[order[-64:]].mean() > 100 * losses[order[:64]].mean()
    train(X[order], y[order], epochs=2, lr=0.1, model=model)


def spoil(tensors, **changes):
    X, y = (tensor.clone() for tensor in tensors)
    for name, change in changes.items():
        X, y = (change(X), y) if name == "X" else (X, change(y))
    return X, y


def with_pixel(value, index=5):
    def change(X):
        X[index, 0, 3, 3] = value
        return X

    return change


def with_label(value, index=5):
    def change(y):
        y[index] = value
        return y

    return change


FAULTS = {
    "a NaN pixel": ({"X": with_pixel(float("nan"))}, "NaN or infinity"),
    "an infinite pixel": ({"X": with_pixel(float("inf"))}, "NaN or infinity"),
    "a NaN pixel later": ({"X": with_pixel(float("nan"), 400)}, "NaN or infinity"),
    "raw pixels": ({"X": lambda X: (X - X.min()) * 80}, "raw pixels 0..255; normalize"),
    "raw bytes": ({"X": lambda X: X.byte()}, "torch.uint8; make them float"),
    "float labels": ({"y": lambda y: y.float()}, r"torch.float32 .*\.long\(\)"),
    "int32 labels": ({"y": lambda y: y.int()}, r"torch.int32 .*\.long\(\)"),
    "labels in a column": ({"y": lambda y: y[:, None]}, r"\(64, 1\).*squeeze"),
    "one-hot labels": ({"y": lambda y: F.one_hot(y, 10)}, r"\(64, 10\)"),
    "a label of -1": ({"y": with_label(-1)}, "a label -1; labels count from 0"),
    "a label of -100": ({"y": with_label(-100)}, "a label -100"),
    "a label of -100 later": ({"y": with_label(-100, 400)}, "a label -100"),
    "a label of 10": ({"y": with_label(10)}, "a label 10, but the model has 10 classes"),
    "a label of 255": ({"y": with_label(255)}, "a label 255, but the model has 10 classes"),
    "a label of 10 later": ({"y": with_label(10, 400)}, "a label 10, but the model has 10"),
    "float64 pixels": ({"X": lambda X: X.double()}, r"torch.float64 .*\.to\(torch.float32\)"),
    "bfloat16 pixels": ({"X": lambda X: X.bfloat16()}, r"bfloat16 .*\.to\(torch.float32\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_silent_fault_of_the_data_stops_training_before_it_does_harm(tensors, fault):
    changes, reason = FAULTS[fault]
    X, y = spoil(tensors, **changes)
    model = linear()
    with pytest.raises(TrainingError, match=reason):
        train(X, y, model=model)
    assert all(p.isfinite().all() for p in model.parameters()), "the weights were spoiled first"
    if "pixel later" not in fault:
        assert equal_states(model.state_dict(), linear().state_dict()), "a step was taken"
        with pytest.raises(TrainingError, match=reason):
            evaluate(model, Batches(X, y, 64, shuffle=False))
    if "label" in fault and "later" in fault:  # such batches count for the loss, unnoticed
        with pytest.raises(TrainingError, match=reason):
            evaluate(model, DataLoader(TensorDataset(X, y), 64))
    # The same faults in a DataLoader.
    with pytest.raises(TrainingError, match=reason):
        fit(model, sgd(model), DataLoader(TensorDataset(X, y), 64), num_epochs=1, log=None)


EMPTY = TensorDataset(torch.zeros(0, 1, 28, 28), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize(
    "loader",
    [
        [],
        DataLoader(EMPTY, batch_size=4),
        DataLoader(TensorDataset(torch.zeros(3, 784), torch.zeros(3).long()), 4, drop_last=True),
        iter([]),
    ],
    ids=["list", "empty data set", "drop_last", "iterator"],
)
def test_a_loader_without_a_batch_is_refused(tensors, loader):
    model = linear()
    with pytest.raises(TrainingError, match="the loader is empty"):
        fit(model, sgd(model), loader, num_epochs=1, log=None)
    with pytest.raises(TrainingError, match="the loader is empty"):
        evaluate(model, loader)
    good = Batches(*tensors, 100, shuffle=True)
    with pytest.raises(TrainingError, match="the loader is empty"):
        fit(model, sgd(model), good, loader, num_epochs=1, log=None)


def test_a_generator_that_is_used_up_is_refused_in_the_second_epoch(tensors):
    X, y = tensors
    model = linear()
    used_up = ((X[i : i + 50], y[i : i + 50]) for i in range(0, 500, 50))
    with pytest.raises(TrainingError, match="the loader is empty"):
        fit(model, sgd(model), used_up, num_epochs=2, log=None)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (torch.zeros(4, 784), torch.zeros(3).long()),
        (torch.zeros(0, 784), torch.zeros(0).long()),
        (torch.zeros(28, 28), torch.zeros(1).long()),
        (torch.zeros(1, 28, 28), torch.tensor(3)),
        (torch.tensor(1.0), torch.zeros(1).long()),
    ],
)
def test_a_batch_whose_parts_do_not_match_is_refused(X, y):
    with pytest.raises(TrainingError, match=r"expected (as many|int64 of shape \(B,\))"):
        check_batch(X, y)


def test_a_good_batch_is_accepted(tensors):
    check_batch(*tensors)
    check_batch(tensors[0].double(), tensors[1])
    check_batch(tensors[0].bfloat16(), tensors[1])


@pytest.mark.parametrize(
    "model",
    [nn.Flatten(0), nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Unflatten(1, (10, 1)))],
)
def test_a_model_that_returns_another_shape_than_scores_is_refused(tensors, model):
    with pytest.raises(TrainingError, match=r"expected \(B, K\), one row of scores per example"):
        evaluate(model, Batches(*tensors, 64, shuffle=False))


def test_a_loader_whose_batches_change_on_the_way_is_stopped(tensors):
    X, y = tensors[0][:8], tensors[1][:8]
    for later, reason in [
        ((X.double(), y), "torch.float64 and the weights torch.float32"),
        ((X, y.float()), r"type torch.float32; expected .* int64"),
        ((X, y[:, None]), r"labels of shape \(8, 1\)"),
        ((X[:5], y), r"shape \(5, 10\) for labels of shape \(8,\)"),
    ]:
        model = linear()
        with pytest.raises(TrainingError, match=reason):
            fit(model, sgd(model), [(X, y), later], num_epochs=1, log=None)
        with pytest.raises(TrainingError, match=reason):
            evaluate(model, [(X, y), later])


def test_an_augmentation_that_changes_the_type_is_stopped(tensors):
    with pytest.raises(TrainingError, match=r"float64 and the weights torch.float32"):
        train(*tensors, augment=lambda X: X.double())


def test_a_model_of_doubles_takes_doubles(tensors):
    assert len(train(tensors[0].double(), tensors[1], model=linear().double())) == 1


def test_a_model_in_two_places_is_refused(tensors):
    """Where there is no GPU, the meta device stands in for it."""
    model = make_mlp()
    model[5].to("meta")
    reason = r"several devices \(1.weight on cpu, 5.weight on meta\): use model.to\(device\)"
    with pytest.raises(TrainingError, match=reason):
        fit(model, sgd(model), [tensors], num_epochs=1, log=None)
    with pytest.raises(TrainingError, match=reason):
        evaluate(model, [tensors])
    model = make_mlp()
    model[2].running_mean = model[2].running_mean.to("meta")  # a buffer counts, too
    with pytest.raises(TrainingError, match=r"2.running_mean on meta"):
        evaluate(model, [tensors])


def test_the_optimizer_of_another_model_is_refused(tensors):
    """What happens when a notebook builds the model again, and the optimizer not."""
    old, new = make_mlp(), make_mlp()
    with pytest.raises(TrainingError, match="the optimizer holds no parameter of this model"):
        fit(new, sgd(old), [tensors], num_epochs=1, log=None)
    half = torch.optim.SGD([*new[5].parameters()], lr=0.1)
    assert len(fit(new, half, [tensors], num_epochs=1, log=None)) == 1, "a part may be trained"


@pytest.mark.parametrize(
    "make",
    [
        lambda X, y: Batches(X, y, 32, shuffle=True),
        lambda X, y: Batches(X, y, 1, shuffle=True),
        lambda X, y: DataLoader(TensorDataset(X, y), 32, shuffle=True),
    ],
)
def test_a_last_batch_of_one_under_batch_norm_is_found_out_at_the_first_step(tensors, make):
    X, y = tensors[0][:97], tensors[1][:97]
    model = make_mlp(dropout=0.3)
    before = state(model)
    numbers = torch.get_rng_state()
    with pytest.raises(TrainingError, match=r"a batch of one example, and BatchNorm .* drop_last"):
        fit(model, sgd(model), make(X, y), num_epochs=1, log=None)
    assert equal_states(before, model.state_dict())
    if isinstance(make(X, y), Batches):
        assert torch.equal(torch.get_rng_state(), numbers)


def test_a_batch_of_one_is_refused_only_where_it_cannot_be_normalized(tensors):
    X, y = tensors[0][:97], tensors[1][:97]
    model = make_mlp()
    dropped = DataLoader(TensorDataset(X, y), 32, drop_last=True)
    images = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=9), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 10)
    )
    for model, batches in [
        (make_mlp(), dropped),
        (linear(), Batches(X, y, 32, shuffle=True)),
        (images, Batches(X, y, 32, shuffle=True)),  # nine values of one picture
        (make_mlp(), Batches(X[:96], y[:96], 32, shuffle=True)),
    ]:
        assert len(fit(model, sgd(model), batches, num_epochs=1, log=None)) == 1
        assert evaluate(model, Batches(X, y, 32, shuffle=False)).num_examples == 97
    model = make_mlp()
    unknown = [(X[:32], y[:32]), (X[:1], y[:1])]
    with pytest.raises(TrainingError, match="a batch of one example, and BatchNorm"):
        fit(model, sgd(model), unknown, num_epochs=1, log=None)


def test_an_error_of_the_model_itself_is_passed_on(tensors):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, X):
            raise ValueError("what the author of this model wrote")

    model = Broken()
    with pytest.raises(ValueError, match="what the author"):
        fit(model, sgd(model), [tensors], num_epochs=1, log=None)
