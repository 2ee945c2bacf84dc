"""Five tutorials with the mistakes that were published, each as short as its mistakes allow.

``published_*`` stop where the published program stops; ``runnable_*`` have that one line mended,
and nothing else. The code is our own; the mistakes are theirs.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_course.doctor import Program
from mnist_course.training import models
from tests.programs.parts import tensors

# 0: a five-layer perceptron ----------------------------------------------------------------------


def published_0():
    layer = torch.nn.linear(784, 512)  # the name is Linear
    return layer


def runnable_0():
    X, y, _, _ = tensors()
    dataset = TensorDataset(X, y)
    model = models.five_layer_mlp()

    def train_epoch(model, loss_fn, optimizer, loader):
        running_loss, printed = 0.0, []
        for number, (X, y) in enumerate(loader):
            optimizer.zero_grad()
            loss = loss_fn(model(X), y)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if number % 300 == 299:
                printed.append(running_loss / 300)
                running_loss == 0.0  # noqa: B015 - a comparison where an assignment is meant
        return printed

    def test(model, loader):
        correct = total = 0
        with torch.no_grad():
            for X, y in loader:
                _, predicted = torch.max(model(X).data, dim=1)
                total += y.size(0)
                correct += (predicted == y).sum().item()
        return correct / total

    return Program(
        model,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5),
        DataLoader(dataset, 64, shuffle=True),
        DataLoader(dataset, 64, shuffle=False),  # the training data once more
        train_epoch=train_epoch,
        evaluate=test,
    )


# 1: two convolutions -----------------------------------------------------------------------------


def _program_1(move):
    X, y, X_test, y_test = tensors()
    model = nn.Sequential(models.two_conv_cnn(), nn.LogSoftmax(dim=1))

    def train_epoch(model, loss_fn, optimizer, loader):
        model.train()
        for data, target in loader:
            data, target = move(data, target)
            optimizer.zero_grad()
            output = model(data)
            loss = loss_fn(output, target)
            _ = output.max(1, keepdim=True)  # a pair, and never used
            loss.backward()
            optimizer.step()

    def test(model, loader):
        model.eval()
        test_loss = correct = 0.0
        with torch.no_grad():
            for data, target in loader:
                output = model(data)
                test_loss += F.cross_entropy(output, target).item()  # a mean
                pred = output.max(1, keepdim=True)[1]
                correct += pred.eq(target.view_as(pred)).sum().item()
        test_loss /= len(loader.dataset)  # by the number of examples
        return test_loss, 100.0 * correct / len(loader.dataset)

    return Program(
        model,
        F.cross_entropy,
        torch.optim.Adam(model.parameters()),
        DataLoader(TensorDataset(X, y), 16, shuffle=True),
        DataLoader(TensorDataset(X_test, y_test), 16, shuffle=True),
        train_epoch=train_epoch,
        evaluate=test,
    )


def published_1():
    return _program_1(lambda data, target: (data.to("cpu"), torch.device("cpu")))


def runnable_1():
    return _program_1(lambda data, target: (data.to("cpu"), target.to("cpu")))


# 2: a perceptron with ReLU on its logits ---------------------------------------------------------


class _Dataset(torch.utils.data.Dataset):
    def __init__(self, X, y, transform):
        self.X, self.y, self.transform = X, y, transform

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.transform(self.X[index].numpy()), self.y[index]


def _program_2(transform):
    X, y, X_test, y_test = tensors("unit")
    model = models.three_layer_mlp(relu_on_logits=True)

    def train_step(model, loss_fn, optimizer, X, y):
        predict = model(X)
        loss = loss_fn(predict, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def test(model, loader):
        hits, count = 0, 0
        with torch.no_grad():
            for X, y in loader:
                hits += (model(X).argmax(1) == y).sum().item()
                count += len(y)
        return hits / count

    return Program(
        model,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), lr=0.8),
        DataLoader(_Dataset(X, y, transform), 64, shuffle=True),
        DataLoader(_Dataset(X_test, y_test, transform), 64),
        train_step=train_step,
        evaluate=test,
    )


def published_2():
    """The transforms stand in a set, and come out of it in the wrong order."""

    def normalize(image):
        if not isinstance(image, torch.Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(image)}")
        return image

    return _program_2(normalize)


def runnable_2():
    return _program_2(torch.from_numpy)


# 3: sigmoid units, squared error, backpropagation by hand ----------------------------------------


class _Sigmoids(nn.Module):
    def __init__(self, num_inputs=784, num_hidden=200, num_outputs=10):
        super().__init__()
        self.wih = nn.Parameter(torch.randn(num_hidden, num_inputs) / math.sqrt(num_hidden))
        self.who = nn.Parameter(torch.randn(num_outputs, num_hidden) / math.sqrt(num_outputs))

    def forward(self, X):
        self.inputs = X.flatten(1)
        self.hidden = torch.sigmoid(self.inputs @ self.wih.T)
        self.final = torch.sigmoid(self.hidden @ self.who.T)
        return self.final


def _squared_error(outputs, y):
    return ((outputs - F.one_hot(y, 10)) ** 2).sum(1).mean()


def _program_3(form="raw", datasets=False):
    X, y, X_test, y_test = tensors(form)
    model = _Sigmoids()

    def train_step(model, loss_fn, optimizer, X, y):
        with torch.no_grad():
            o = model(X)
            loss_fn(o, y)
            errors = 2 * (o - F.one_hot(y, 10)) / len(y)
            hidden_errors = errors @ model.who  # without the slope of the output's sigmoid
            h, x = model.hidden, model.inputs
            model.who.grad = (errors * o * (1 - o)).T @ h
            model.wih.grad = (hidden_errors * h * (1 - h)).T @ x
        optimizer.step()

    train, test = TensorDataset(X, y), TensorDataset(X_test, y_test)
    pairs = list(zip(X[:50], y[:50].tolist(), strict=True))
    return Program(
        model,
        _squared_error,
        torch.optim.SGD(model.parameters(), lr=0.1),
        pairs if datasets else DataLoader(train, 100, shuffle=True),
        pairs if datasets else DataLoader(test, 100, shuffle=True),
        train_step=train_step,
    )


def published_3():
    return _program_3(datasets=True)


def runnable_3():
    return _program_3()


def scaled_3():
    return _program_3("unit")


# 4: softmax regression ---------------------------------------------------------------------------


def published_4():
    model = nn.Linear(784, 10)
    init.normal_(model.weight, std=0.01)  # noqa: F821 - the import is missing
    return model


def runnable_4():
    X, y, X_test, y_test = tensors("unit")

    def train_epoch(model, loss_fn, optimizer, loader):
        train_l_sum = train_acc_sum = 0.0
        n = 0
        for X, y in loader:
            out = model(X)
            loss = loss_fn(out, y).sum()  # of a mean
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_l_sum += loss.item()
            train_acc_sum += (out.argmax(dim=1) == y).sum().item()
            n += y.shape[0]
        return train_l_sum / n, train_acc_sum / n

    def evaluate_accuracy(model, loader):
        acc_sum, n = 0.0, 0
        for X, y in loader:
            acc_sum += (model(X).argmax(dim=1) == y).float().sum().item()
            n += y.shape[0]
        return acc_sum / n

    model = models.softmax_regression()
    return Program(
        model,
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), lr=0.005),
        DataLoader(TensorDataset(X, y), 256, shuffle=True),
        DataLoader(TensorDataset(X_test, y_test), 256, shuffle=False),
        train_epoch=train_epoch,
        evaluate=evaluate_accuracy,
    )
