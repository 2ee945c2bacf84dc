"""Healthy programs: those of every chapter, and a few that could be mistaken for ill ones."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.data import Batches
from mnist_course.training import evaluate as course_evaluate
from mnist_course.training import fit, models
from mnist_course.training.recipes import RECIPES
from tests.programs.parts import dense, evaluate, loaders, program, tensors, train_epoch


def course_epoch(model, loss_fn, optimizer, loader):
    """The pass of the course's own loop, and what it reports of it."""
    (epoch,) = fit(model, optimizer, loader, num_epochs=1, loss_fn=loss_fn, log=None).epochs
    return epoch.train_loss, epoch.train_accuracy


def _recipe(name):
    """The recipe as the course trains it: Batches, its own pass, its own evaluation."""
    recipe = RECIPES[name]
    model = recipe.model()
    optimizer = recipe.optimizer(model.parameters())
    X, y, X_test, y_test = tensors("normalized" if recipe.normalized else "unit")
    batches = Batches(X, y, recipe.batch_size, shuffle=True)
    recipe.schedule(optimizer, recipe.num_epochs * len(batches))
    return program(
        model,
        optimizer,
        train_loader=batches,
        test_loader=Batches(X_test, y_test, 1000, shuffle=False),
        train_step=None,
        train_epoch=course_epoch,
        evaluate=course_evaluate,
    )


def hinge(scores, y):
    right = scores.gather(1, y[:, None])
    margins = (scores - right + 1).clamp(min=0)
    return margins.sum(1).mean() - 1


def squared(outputs, y):
    return F.mse_loss(outputs, F.one_hot(y, outputs.shape[1]).float())


def by(loss_fn):
    """An evaluation for another loss."""

    @torch.no_grad()
    def measure(model, loader):
        model.eval()
        total = hits = count = 0
        for X, y in loader:
            outputs = model(X)
            total += loss_fn(outputs, y).item() * len(y)
            hits += (outputs.argmax(1) == y).sum().item()
            count += len(y)
        model.train()
        return {"loss": total / count, "accuracy": hits / count}

    return measure


def svm():
    model = dense(784, 10)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.01)
    return program(model, optimizer, loss_fn=hinge, evaluate=by(hinge))


def zero_start():
    model = nn.Linear(784, 10)
    nn.init.zeros_(model.weight)
    return program(nn.Sequential(nn.Flatten(), model), lr=0.05)


def sigmoid_network():
    model = nn.Sequential(dense(784, 200, 10, activation=nn.Sigmoid), nn.Sigmoid())
    data = tensors("unit")
    return program(model, loss_fn=squared, data=data, lr=3.0, evaluate=by(squared))


def log_probabilities():
    model = nn.Sequential(models.two_conv_cnn(), nn.LogSoftmax(1))
    optimizer = torch.optim.Adam(model.parameters())
    return program(model, optimizer, loss_fn=nn.NLLLoss(), evaluate=by(nn.NLLLoss()))


def with_dropout():
    model = models.mlp()
    return program(model, torch.optim.AdamW(model.parameters(), lr=1e-3))


def label_smoothing():
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    return program(dense(784, 100, 10), loss_fn=loss_fn, evaluate=by(loss_fn))


def class_weights():
    loss_fn = nn.CrossEntropyLoss(weight=torch.linspace(0.5, 1.5, 10))
    return program(dense(784, 100, 10), loss_fn=loss_fn, evaluate=None)


def convolution_bias_before_norm():
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 13 * 13, 10),
    )  # fmt: skip
    return program(model, torch.optim.Adam(model.parameters()))


def residual_that_starts_at_zero():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(784, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            nn.init.zeros_(self.b.weight)
            nn.init.zeros_(self.c.weight)

        def forward(self, X):
            h = self.a(X.flatten(1)).relu()
            return self.c(h + self.b(h))

    return program(Residual())


def zero_grad_at_the_end_and_clipping():
    def step(model, loss_fn, optimizer, X, y):
        loss_fn(model(X), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()

    return program(dense(784, 64, 10), train_step=step)


def penalty_in_the_step():
    def step(model, loss_fn, optimizer, X, y):
        penalty = sum(q.square().sum() for q in model.parameters())
        optimizer.zero_grad()
        (loss_fn(model(X), y) + 0.02 * penalty).backward()
        optimizer.step()

    return program(dense(784, 64, 10), train_step=step)


def elements_clipped_in_the_step():
    def step(model, loss_fn, optimizer, X, y):
        optimizer.zero_grad()
        loss_fn(model(X), y).backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.005)
        optimizer.step()

    return program(dense(784, 64, 10), train_step=step)


def augmentation_in_the_step():
    def step(model, loss_fn, optimizer, X, y):
        X = (X + 0.3 * torch.randn_like(X)).roll(int(torch.randint(-2, 3, ())), 2)
        optimizer.zero_grad()
        loss_fn(model(X), y).backward()
        optimizer.step()

    return program(dense(784, 64, 10, dropout=0.3), train_step=step)


def two_classes_of_points():
    torch.manual_seed(0)
    X = torch.randn(600, 2)
    y = (X.sum(1) > 0).long()
    train, test = (X[:400], y[:400]), (X[400:], y[400:])
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    return program(model, torch.optim.Adam(model.parameters(), lr=0.01), data=(*train, *test))


def two_classes_with_all_scores_above_zero():
    torch.manual_seed(0)
    X = torch.rand(600, 2)
    y = (X.sum(1) > 1).long()
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.bias += 3.0
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    return program(model, adam, data=(X[:400], y[:400], X[400:], y[400:]))


def color_images_of_a_hundred_classes():
    torch.manual_seed(0)
    X, y = torch.randn(1000, 3, 8, 8), torch.randint(0, 100, (1000,))
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 100))
    return program(
        model, torch.optim.Adam(model.parameters()), data=(X[:800], y[:800], X[800:], y[800:])
    )


def one_hot_labels():
    X, y, X_test, y_test = tensors()
    data = (X, F.one_hot(y, 10).float(), X_test, F.one_hot(y_test, 10).float())
    return program(dense(784, 10), data=data, lr=0.01, train_epoch=None, evaluate=None)


def frozen_below():
    model = dense(784, 64, 10)
    for parameter in model[1].parameters():
        parameter.requires_grad_(False)
    return program(model, torch.optim.Adam(model[3].parameters(), lr=1e-2))


def already_trained():
    model = dense(784, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_loader, _ = loaders()
    for _ in range(15):
        train_epoch(model, F.cross_entropy, optimizer, train_loader)
    return program(model, optimizer)


def percent_and_lists():
    def measure(model, loader):
        loss, accuracy = evaluate(model, loader)
        return [loss, 100 * accuracy]

    X, y, _, _ = tensors()
    train = [(X[k : k + 50], y[k : k + 50]) for k in range(0, len(y), 50)]

    class Reshuffled:
        def __iter__(self):
            order = torch.randperm(len(train))
            return iter([train[k] for k in order])

        def __len__(self):
            return len(train)

    return program(dense(784, 10), lr=0.02, train_loader=Reshuffled(), evaluate=measure)


def workers_and_last_batch_dropped():
    X, y, _, _ = tensors()
    loader = DataLoader(TensorDataset(X[:1025], y[:1025]), 64, shuffle=True, drop_last=True)
    model = models.small_cnn()
    return program(model, torch.optim.Adam(model.parameters()), train_loader=loader)


HEALTHY = {f"recipe {name}": partial(_recipe, name) for name in RECIPES if name != "s2-published"}
HEALTHY |= {
    function.__name__.replace("_", " "): function
    for function in (
        svm,
        zero_start,
        sigmoid_network,
        log_probabilities,
        with_dropout,
        label_smoothing,
        class_weights,
        convolution_bias_before_norm,
        residual_that_starts_at_zero,
        zero_grad_at_the_end_and_clipping,
        penalty_in_the_step,
        elements_clipped_in_the_step,
        augmentation_in_the_step,
        two_classes_of_points,
        two_classes_with_all_scores_above_zero,
        color_images_of_a_hundred_classes,
        one_hot_labels,
        frozen_below,
        already_trained,
        percent_and_lists,
        workers_and_last_batch_dropped,
    )
}

SLOW = {  # in tests/soak/doctor_bank.py only
    "recipe cnn",
    "recipe cnn-quick",
    "recipe recognizer",
    "log probabilities",
    "workers and last batch dropped",
}
