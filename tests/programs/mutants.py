"""The bank: healthy training programs with one mistake each, and the check that must name it.

Every entry edits a healthy program of `parts`; most of the mistakes come from real tutorials.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from mnist_course.data import Batches
from mnist_course.training import models
from tests.programs import parts
from tests.programs.parts import NUM_TRAIN, dense, loaders, program, tensors

BANK = {}


def mistake(check):
    """Add a program to the bank, with the check that must name it."""

    def register(function):
        BANK[function.__name__] = (function, check)
        return function

    return register


def with_data(change, **own):
    """Return a healthy program whose four tensors went through ``change``."""
    return program(dense(784, 64, 10), data=change(*tensors()), **own)


# The data ----------------------------------------------------------------------------------------


@mistake("data")
def generator_in_place_of_a_loader():
    pairs = zip(tensors()[0].split(64), tensors()[1].split(64), strict=True)
    return program(dense(784, 10), train_loader=pairs)


@mistake("data")
def dictionaries():
    batches = [{"image": X, "label": y} for X, y in loaders()[0]]
    return program(dense(784, 10), train_loader=batches)


@mistake("data")
def drop_last_of_a_single_batch():
    X, y, _, _ = tensors()
    loader = DataLoader(TensorDataset(X[:60], y[:60]), 64, shuffle=True, drop_last=True)
    return program(dense(784, 10), train_loader=loader)


@mistake("data")
def data_set_in_place_of_a_loader():
    X, y, _, _ = tensors()
    examples = list(zip(X[:300], y[:300].tolist(), strict=True))
    return program(dense(784, 10), train_loader=examples)


@mistake("scale")
def raw_pixels():
    return program(dense(784, 64, 10), data=tensors("raw"))


@mistake("scale")
def divided_by_255_twice():
    X, y, X_test, y_test = tensors("unit")
    return program(dense(784, 64, 10), data=(X / 255, y, X_test / 255, y_test))


@mistake("finite")
def one_nan_pixel():
    def spoil(X, y, X_test, y_test):
        X = X.clone()
        X[10, 0, 3, 3] = torch.nan
        return X, y, X_test, y_test

    return with_data(spoil)


@mistake("preparation")
def test_set_not_normalized():
    return with_data(lambda X, y, X_test, y_test: (X, y, *tensors("unit")[2:]))


@mistake("leak")
def test_loader_on_the_training_set():
    X, y, _, _ = tensors()
    dataset = TensorDataset(X, y)
    loader = DataLoader(dataset, 100, shuffle=False)
    return program(
        dense(784, 64, 10),
        train_loader=DataLoader(dataset, 64, shuffle=True),
        test_loader=loader,
    )


@mistake("leak")
def overlapping_split():
    X, y, _, _ = tensors()
    dataset = TensorDataset(X, y)
    return program(
        dense(784, 64, 10),
        train_loader=DataLoader(Subset(dataset, range(1000)), 64, shuffle=True),
        test_loader=DataLoader(Subset(dataset, range(900, 1200)), 100),
    )


@mistake("leak")
def duplicates_split_at_random():
    X, y, X_test, y_test = tensors()
    train = ConcatDataset([TensorDataset(X, y), TensorDataset(X_test[:60], y_test[:60])])
    return program(dense(784, 64, 10), train_loader=DataLoader(train, 64, shuffle=True))


@mistake("shuffle")
def not_shuffled():
    return program(dense(784, 64, 10), train_loader=loaders(shuffle=False)[0])


@mistake("shuffle")
def sorted_by_class():
    X, y, _, _ = tensors()
    order = y.argsort()
    return program(dense(784, 64, 10), train_loader=Batches(X[order], y[order], 64, shuffle=False))


@mistake("pairing")
def training_labels_shuffled():
    torch.manual_seed(0)
    return with_data(lambda X, y, X_test, y_test: (X, y[torch.randperm(len(y))], X_test, y_test))


@mistake("pairing")
def test_labels_off_by_one_example():
    return with_data(lambda X, y, X_test, y_test: (X, y, X_test, y_test.roll(1)))


@mistake("pairing")
def classes_numbered_differently_in_the_test_set():
    return with_data(lambda X, y, X_test, y_test: (X, y, X_test, 9 - y_test))


@mistake("pairing")
def test_pictures_transposed():
    return with_data(
        lambda X, y, X_test, y_test: (X, y, X_test.transpose(2, 3).contiguous(), y_test)
    )


@mistake("preparation")
def test_pictures_black_on_white():
    X, y, X_test, y_test = tensors("unit")
    return program(dense(784, 64, 10), data=(X, y, 1 - X_test, y_test))


@mistake("shuffle")
def the_same_seed_for_every_pass():
    class Reseeded:
        def __iter__(self):
            X, y = tensors()[:2]
            order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
            return iter(list(zip(X[order].split(64), y[order].split(64), strict=True)))

        def __len__(self):
            return -(-NUM_TRAIN // 64)

    return program(dense(784, 64, 10), train_loader=Reseeded())


@mistake("labels")
def labels_as_floats():
    return with_data(lambda X, y, X_test, y_test: (X, y.float(), X_test, y_test.float()))


@mistake("labels")
def labels_count_from_one():
    return with_data(lambda X, y, X_test, y_test: (X, y + 1, X_test, y_test + 1))


@mistake("labels")
def labels_count_from_one_with_eleven_outputs():
    X, y, X_test, y_test = tensors()
    return program(dense(784, 64, 11), data=(X, y + 1, X_test, y_test + 1))


@mistake("labels")
def ignored_labels():
    def spoil(X, y, X_test, y_test):
        return X, y.where(y != 7, torch.tensor(-100)), X_test, y_test

    return with_data(spoil)


@mistake("labels")
def labels_in_a_column():
    return with_data(lambda X, y, X_test, y_test: (X, y[:, None], X_test, y_test[:, None]))


@mistake("labels")
def nine_outputs():
    return program(dense(784, 64, 9))


# The model and its output ------------------------------------------------------------------------


@mistake("forward")
def flatten_forgotten():
    return program(nn.Linear(784, 10))


@mistake("forward")
def bytes_in():
    X, y, X_test, y_test = tensors("raw")
    return program(dense(784, 10), data=(X.byte(), y, X_test.byte(), y_test))


@mistake("forward")
def batch_axis_lost():
    class Net(nn.Sequential):
        def forward(self, X):
            return super().forward(X.view(-1, 392))

    return program(Net(nn.Linear(392, 10)))


@mistake("rows")
def batch_size_written_as_a_number():
    class Net(nn.Sequential):
        def forward(self, X):
            return super().forward(X.view(64, -1))

    X, y, _, _ = tensors()
    loader = DataLoader(TensorDataset(X[:1024], y[:1024]), 64, shuffle=True)
    return program(Net(nn.Linear(784, 10)), train_loader=loader, evaluate=None, train_epoch=None)


@mistake("rows")
def axes_mixed_up():
    class Net(nn.Sequential):
        def forward(self, X):
            return super().forward(X.flatten(1).t().reshape(-1, 784))

    return program(Net(nn.Linear(784, 10)))


@mistake("rows")
def softmax_over_the_batch():
    return program(nn.Sequential(dense(784, 10), nn.LogSoftmax(0)), loss_fn=F.nll_loss)


@mistake("rows")
def batch_norm_without_running_statistics():
    layers = nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64, track_running_stats=False)
    return program(nn.Sequential(*layers, nn.ReLU(), nn.Linear(64, 10)))


@mistake("modes")
def dropout_that_never_stops():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(784, 64), nn.Linear(64, 10)

        def forward(self, X):
            return self.b(F.dropout(self.a(X.flatten(1)).relu(), 0.5))

    return program(Net())


@mistake("modes")
def batch_norm_with_momentum_zero():
    layers = nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64, momentum=0.0)
    return program(nn.Sequential(*layers, nn.ReLU(), nn.Linear(64, 10)))


@mistake("output")
def relu_on_the_logits():
    return program(models.three_layer_mlp(relu_on_logits=True), data=tensors("unit"), lr=0.8)


@mistake("output")
def softmax_before_cross_entropy():
    return program(nn.Sequential(dense(784, 64, 10), nn.Softmax(1)))


@mistake("output")
def sigmoid_before_cross_entropy():
    return program(nn.Sequential(dense(784, 64, 10), nn.Sigmoid()))


@mistake("output")
def tanh_before_cross_entropy():
    return program(nn.Sequential(dense(784, 64, 10), nn.Tanh()))


@mistake("output")
def clamped_logits():
    class Net(nn.Sequential):
        def forward(self, X):
            return super().forward(X).clamp(-1, 1)

    return program(Net(dense(784, 64, 10)))


@mistake("output")
def log_softmax_twice():
    return program(nn.Sequential(dense(784, 64, 10), nn.LogSoftmax(1)))


@mistake("output")
def logits_into_nll_loss():
    return program(dense(784, 64, 10), loss_fn=nn.NLLLoss(), evaluate=None)


@mistake("output")
def softmax_into_nll_loss():
    model = nn.Sequential(dense(784, 64, 10), nn.Softmax(1))
    return program(model, loss_fn=nn.NLLLoss(), evaluate=None)


@mistake("output")
def dropout_after_the_last_layer():
    return program(nn.Sequential(dense(784, 64, 10), nn.Dropout(0.5)))


@mistake("dead-output")
def masked_output():
    class Net(nn.Sequential):
        def forward(self, X):
            mask = torch.ones(10)
            mask[3] = 0.0
            return super().forward(X) * mask

    return program(Net(dense(784, 64, 10)))


@mistake("loss")
def loss_without_reduction():
    return program(dense(784, 10), loss_fn=nn.CrossEntropyLoss(reduction="none"))


@mistake("loss")
def loss_that_is_a_sum():
    return program(
        dense(784, 64, 10),
        loss_fn=nn.CrossEntropyLoss(reduction="sum"),
        lr=0.001,
        train_epoch=None,
    )


@mistake("loss")
def loss_as_a_plain_number():
    return program(dense(784, 10), loss_fn=lambda out, y: F.cross_entropy(out, y).item())


@mistake("first-loss")
def weights_from_a_standard_normal():
    model = dense(784, 64, 10)
    for layer in (model[1], model[3]):
        nn.init.normal_(layer.weight)
    return program(model, lr=0.001)


# Gradients and optimizer -------------------------------------------------------------------------


@mistake("optimizer")
def optimizer_of_another_model():
    other = dense(784, 64, 10)
    return program(dense(784, 64, 10), torch.optim.SGD(other.parameters(), lr=0.1))


@mistake("optimizer")
def optimizer_of_the_last_layer_only():
    model = dense(784, 64, 10)
    return program(model, torch.optim.SGD(model[3].parameters(), lr=0.1))


@mistake("optimizer")
def layer_replaced_after_the_optimizer_was_built():
    model = dense(784, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model[3] = nn.Linear(64, 10)
    return program(model, optimizer)


@mistake("optimizer")
def uphill():
    model = dense(784, 64, 10)
    return program(model, torch.optim.SGD(model.parameters(), lr=0.1, maximize=True))


@mistake("gradient")
def layers_in_a_python_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = [nn.Linear(784, 64), nn.Linear(64, 64)]
            self.last = nn.Linear(64, 10)

        def forward(self, X):
            h = X.flatten(1)
            for layer in self.hidden:
                h = layer(h).relu()
            return self.last(h)

    return program(Net())


@mistake("gradient")
def frozen_model():
    return program(dense(784, 64, 10).requires_grad_(False), train_step=None, train_epoch=None)


@mistake("gradient")
def one_layer_frozen_by_mistake():
    model = dense(784, 64, 10)
    model[1].requires_grad_(False)
    return program(model)


@mistake("gradient")
def detached_below():
    class Net(nn.Sequential):
        def forward(self, X):
            return self[1](self[0](X.flatten(1)).relu().detach())

    return program(Net(nn.Linear(784, 64), nn.Linear(64, 10)))


@mistake("gradient")
def no_grad_in_forward():
    class Net(nn.Sequential):
        @torch.no_grad()
        def forward(self, X):
            return super().forward(X)

    return program(Net(dense(784, 10)), train_step=None, train_epoch=None)


@mistake("gradient")
def unused_layer():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(784, 64), nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, X):
            return self.c(self.a(X.flatten(1)).relu())

    return program(Net())


@mistake("gradient")
def all_weights_zero():
    model = dense(784, 64, 10)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return program(model)


@mistake("gradient")
def all_hidden_units_silent():
    model = dense(784, 64, 10)
    nn.init.constant_(model[1].bias, -100.0)
    return program(model)


@mistake("gradient")
def ten_sigmoid_layers():
    return program(dense(784, *[64] * 10, 10, activation=nn.Sigmoid))


@mistake("symmetry")
def all_weights_alike():
    model = dense(784, 64, 10)
    nn.init.constant_(model[1].weight, 0.01)
    nn.init.constant_(model[3].weight, 0.01)
    return program(model)


@mistake("overfit")
def input_ignored():
    class Net(nn.Sequential):
        def forward(self, X):
            return super().forward(torch.ones_like(X))

    return program(Net(dense(784, 64, 10)))


@mistake("weight-decay")
def decay_as_large_as_the_learning_rate_allows():
    model = dense(784, 64, 10)
    return program(model, torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1.0))


@mistake("weight-decay")
def decay_of_adamw():
    model = dense(784, 64, 10)
    return program(model, torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=50.0))


@mistake("learning-rate")
def momentum_of_one():
    model = dense(784, 64, 10)
    return program(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=1.0))


@mistake("learning-rate")
def sgd_far_too_high():
    return program(dense(784, 64, 10), lr=10.0)


@mistake("learning-rate")
def adam_with_the_rate_of_sgd():
    model = dense(784, 256, 64, 10)
    return program(model, torch.optim.Adam(model.parameters(), lr=1.0))


@mistake("learning-rate")
def adam_with_a_rate_from_another_recipe():
    model = dense(784, 64, 10)
    return program(model, torch.optim.Adam(model.parameters(), lr=0.8))


@mistake("learning-rate")
def sgd_far_too_low():
    return program(dense(784, 64, 10), lr=1e-6)


@mistake("learning-rate")
def schedule_that_starts_at_nothing():
    model = dense(784, 64, 10)
    return program(model, torch.optim.SGD(model.parameters(), lr=0.0))


@mistake("last-batch")
def last_batch_of_one():
    X, y, _, _ = tensors()
    loader = DataLoader(TensorDataset(X[:1025], y[:1025]), 64, shuffle=True)
    layers = nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)
    return program(nn.Sequential(*layers), train_loader=loader)


@mistake("last-batch")
def test_examples_left_out():
    _, _, X, y = tensors()
    loader = DataLoader(TensorDataset(X[:290], y[:290]), 100, drop_last=True)
    return program(dense(784, 64, 10), test_loader=loader)


# The loop ----------------------------------------------------------------------------------------


def with_step(step, model=None, **own):
    """Return a healthy program with a step of one's own."""
    return program(model or dense(784, 64, 10), train_step=step, train_epoch=None, **own)


@mistake("zero-grad")
def zero_grad_forgotten():
    def step(model, loss_fn, optimizer, X, y):
        loss_fn(model(X), y).backward()
        optimizer.step()

    return with_step(step)


@mistake("zero-grad")
def zero_grad_once_per_epoch():
    def epoch(model, loss_fn, optimizer, loader):
        for X, y in loader:
            loss_fn(model(X), y).backward()
            optimizer.step()

    return program(dense(784, 64, 10, dropout=0.5), train_step=None, train_epoch=epoch)


@mistake("step")
def zero_grad_between_backward_and_step():
    def step(model, loss_fn, optimizer, X, y):
        loss_fn(model(X), y).backward()
        optimizer.zero_grad()
        optimizer.step()

    return with_step(step)


@mistake("step")
def backward_forgotten():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(model(X), y)
        optimizer.step()

    return with_step(step)


@mistake("step")
def step_forgotten():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(model(X), y).backward()

    return with_step(step)


@mistake("step")
def softmax_in_the_step():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(model(X).softmax(1), y).backward()
        optimizer.step()

    return with_step(step)


@mistake("step")
def backward_twice():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss = loss_fn(model(X), y)
        loss.backward()
        loss.backward()
        optimizer.step()

    return with_step(step)


@mistake("step")
def negative_loss():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        (-loss_fn(model(X), y)).backward()
        optimizer.step()

    return with_step(step)


@mistake("step")
def arguments_of_the_loss_swapped():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(y, model(X)).backward()
        optimizer.step()

    return with_step(step)


@mistake("step")
def trains_a_global_model():
    model = dense(784, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(_, loss_fn, __, X, y):
        optimizer.zero_grad()
        loss_fn(model(X), y).backward()
        optimizer.step()

    return program(model, optimizer, train_step=step, train_epoch=None)


@mistake("step")
def labels_shifted_in_the_step():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(model(X).detach().requires_grad_(), y).backward()
        optimizer.step()

    return with_step(step)


class Sigmoids(nn.Module):
    def __init__(self):
        super().__init__()
        self.W1 = nn.Parameter(torch.randn(100, 784) / 28)
        self.W2 = nn.Parameter(torch.randn(10, 100) / 10)

    def forward(self, X):
        self.x = X.flatten(1)
        self.h = torch.sigmoid(self.x @ self.W1.T)
        return torch.sigmoid(self.h @ self.W2.T)


@mistake("step")
def slope_of_the_output_left_out():
    @torch.no_grad()
    def step(model, loss_fn, optimizer, X, y):
        o = model(X)
        loss_fn(o, y)
        errors = 2 * (o - F.one_hot(y, 10)) / len(y)
        hidden_errors = errors @ model.W2
        model.W2.grad = (errors * o * (1 - o)).T @ model.h
        model.W1.grad = (hidden_errors * model.h * (1 - model.h)).T @ model.x
        optimizer.step()

    def squared(o, y):
        return (o - F.one_hot(y, 10)).square().sum(1).mean()

    return with_step(step, Sigmoids(), loss_fn=squared, evaluate=None)


@mistake("train-mode")
def evaluation_mode_left_on():
    @torch.no_grad()
    def measure(model, loader):
        model.eval()
        hits = sum((model(X).argmax(1) == y).sum().item() for X, y in loader)
        return hits / len(loader.dataset)

    def epoch(model, loss_fn, optimizer, loader):
        for X, y in loader:
            parts.train_step(model, loss_fn, optimizer, X, y)

    return program(models.mlp(), train_epoch=epoch, evaluate=measure)


@mistake("eval-mode")
def eval_forgotten():
    @torch.no_grad()
    def measure(model, loader):
        hits = sum((model(X).argmax(1) == y).sum().item() for X, y in loader)
        return hits / len(loader.dataset)

    return program(models.mlp(), evaluate=measure)


@mistake("eval-mode")
def train_in_place_of_eval():
    @torch.no_grad()
    def measure(model, loader):
        model.train()
        hits = sum((model(X).argmax(1) == y).sum().item() for X, y in loader)
        return hits / len(loader.dataset)

    return program(dense(784, 64, 10, dropout=0.5), evaluate=measure)


@mistake("eval-mode")
def no_grad_forgotten():
    def measure(model, loader):
        model.eval()
        hits = sum((model(X).argmax(1) == y).sum().item() for X, y in loader)
        model.train()
        return hits / len(loader.dataset)

    return program(dense(784, 64, 10), evaluate=measure)


def measuring(finish):
    """Return an evaluation whose averages are made by ``finish(losses, hits, sizes)``."""

    @torch.no_grad()
    def measure(model, loader):
        model.eval()
        rows = [
            (F.cross_entropy(out, y).item(), (out.argmax(1) == y).sum().item(), len(y))
            for out, y in ((model(X), y) for X, y in loader)
        ]
        model.train()
        return finish(*zip(*rows, strict=True))

    return program(dense(784, 64, 10), evaluate=measure)


@mistake("average")
def mean_of_batch_accuracies():
    return measuring(
        lambda losses, hits, sizes: (
            sum(h / n for h, n in zip(hits, sizes, strict=True)) / len(sizes)
        )
    )


@mistake("average")
def summed_means_divided_by_examples():
    return measuring(lambda losses, hits, sizes: (sum(losses) / sum(sizes), sum(hits) / sum(sizes)))


@mistake("average")
def accuracy_of_the_last_batch():
    return measuring(lambda losses, hits, sizes: hits[-1] / sizes[-1])


@mistake("average")
def accuracy_by_broadcasting():
    @torch.no_grad()
    def measure(model, loader):
        model.eval()
        hits = count = 0
        for X, y in loader:
            hits += (model(X).argmax(1, keepdim=True) == y).sum().item()
            count += len(y)
        model.train()
        return hits / count

    return program(dense(784, 64, 10), evaluate=measure)


@mistake("reported")
def epoch_loss_divided_by_examples():
    def epoch(model, loss_fn, optimizer, loader):
        total = sum(parts.train_step(model, loss_fn, optimizer, X, y) for X, y in loader)
        return total / len(loader.dataset)

    return program(dense(784, 64, 10), train_epoch=epoch)


@mistake("reported")
def running_loss_never_reset():
    def epoch(model, loss_fn, optimizer, loader):
        running, reported = 0.0, []
        for number, (X, y) in enumerate(loader, start=1):
            running += parts.train_step(model, loss_fn, optimizer, X, y)
            if number % 10 == 0:
                reported.append(running / 10)
        return reported

    return program(dense(784, 64, 10), train_epoch=epoch)
