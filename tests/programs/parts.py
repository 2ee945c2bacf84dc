"""What the programs of the doctor's tests are made of: a few digits, and plain PyTorch."""

from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.data import load_data, to_tensors
from mnist_course.doctor import Program

NUM_TRAIN, NUM_TEST = 1_200, 300


@cache
def tensors(form="normalized"):
    """Return X_train, y_train, X_test, y_test in one of three forms; never change them."""
    digits = load_data()
    train = to_tensors(digits.train_images[:NUM_TRAIN], digits.train_labels[:NUM_TRAIN])
    test = to_tensors(digits.test_images[:NUM_TEST], digits.test_labels[:NUM_TEST])
    scale = {"normalized": lambda X: X, "unit": lambda X: X * 0.3081 + 0.1307}
    scale["raw"] = lambda X: (255 * scale["unit"](X)).round()
    return scale[form](train[0]), train[1], scale[form](test[0]), test[1]


def loaders(data=None, batch_size=64, shuffle=True, **options):
    """Return a training and a test loader, plain DataLoaders."""
    X_train, y_train, X_test, y_test = data or tensors()
    return (
        DataLoader(TensorDataset(X_train, y_train), batch_size, shuffle=shuffle, **options),
        DataLoader(TensorDataset(X_test, y_test), 100, shuffle=False),
    )


def dense(*sizes, activation=nn.ReLU, dropout=0.0):
    """Return a flat network."""
    layers = [nn.Flatten()]
    for num_inputs, num_outputs in pairwise(sizes):
        layers += [nn.Linear(num_inputs, num_outputs), activation()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers[: -2 if dropout else -1])


def train_step(model, loss_fn, optimizer, X, y):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train_epoch(model, loss_fn, optimizer, loader):
    model.train()
    total, hits, count = 0.0, 0, 0
    for X, y in loader:
        outputs = model(X)
        loss = loss_fn(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
        hits += (outputs.argmax(1) == y).sum().item()
        count += len(y)
    return total / count, hits / count


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    total, hits, count = 0.0, 0, 0
    for X, y in loader:
        outputs = model(X)
        total += F.cross_entropy(outputs, y, reduction="sum").item()
        hits += (outputs.argmax(1) == y).sum().item()
        count += len(y)
    model.train()
    return total / count, hits / count


def program(model, optimizer=None, loss_fn=F.cross_entropy, data=None, lr=0.1, **own):
    """Return a complete healthy program around a model; ``own`` replaces parts of it."""
    parts = dict(zip(("train_loader", "test_loader"), loaders(data), strict=True))
    parts |= {"train_step": train_step, "train_epoch": train_epoch, "evaluate": evaluate}
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=lr)
    return Program(model, loss_fn, optimizer, **(parts | own))
