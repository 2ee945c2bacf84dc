"""Chapter 2: answers that must be accepted, and slips that must not."""

import functools

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from mnist_course.data import MEAN, STD, Batches, load_data, split_train_valid
from mnist_course.data.idx import read_idx


def _condition(x):
    low, high = np.linalg.eigvalsh([[np.mean(x * x), x.mean()], [x.mean(), 1]])
    return high / low


@functools.cache
def _digits():
    return load_data()


@functools.cache
def _x():
    return _digits().train_images[:1_000].ravel()[:-1] / 255


@functools.cache
def _num_dead(train_only=False):
    images = _digits().train_images
    if train_only:
        images = images[split_train_valid(len(images), len(images) // 12)[0]]
    return int((images.max(axis=0) == images.min(axis=0)).sum())


def _undo(X):
    return ((X * STD + MEAN) * 255).round()


class _Lazy:
    """The pictures stay in the file."""

    image_header, label_header, transpose, scale, size, label_type = 16, 8, False, 1, 784, int

    def __init__(self, images_path, labels_path):
        self.images_path, self.labels_path = images_path, labels_path

    def __len__(self):
        return len(self.labels_path.read_bytes()) - self.label_header

    def __getitem__(self, index):
        with self.images_path.open("rb") as file:
            file.seek(self.image_header + 784 * index)
            picture = np.frombuffer(file.read(784), dtype=np.uint8).reshape(28, 28)
        label = self.labels_path.read_bytes()[self.label_header + index]
        picture = picture.T if self.transpose else picture
        return picture / self.scale if self.scale != 1 else picture, self.label_type(label)


class _Memmap(_Lazy):
    def __init__(self, images_path, labels_path):
        self.images = np.memmap(images_path, dtype=np.uint8, mode="r", offset=16)
        self.labels = np.memmap(labels_path, dtype=np.uint8, mode="r", offset=8)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        picture = self.images[784 * index : 784 * index + 784].reshape(28, 28)
        return torch.tensor(np.array(picture)), torch.tensor(int(self.labels[index]))


class _Eager(_Lazy):
    def __init__(self, images_path, labels_path):
        self.images, self.labels = read_idx(images_path), read_idx(labels_path)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], int(self.labels[index])


def _variant(**changes):
    return type("Variant", (_Lazy,), changes)


class _Rows(Dataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


class _Items(_Rows):
    def __getitems__(self, indices):
        return self.X[indices], self.y[indices]


class _Stream(IterableDataset):
    def __init__(self, X, y, batch_size):
        self.batches = Batches(X, y, batch_size, shuffle=True)

    def __iter__(self):
        return iter(self.batches)


class _Singles(_Stream):
    def __iter__(self):
        return ((X[0], y[0]) for X, y in self.batches)


def _lists(X, y, batch_size, sampler=RandomSampler, drop_last=False, y_order=slice(None)):
    rows = _Rows(X, y[y_order])
    return DataLoader(
        rows, sampler=BatchSampler(sampler(rows), batch_size, drop_last), batch_size=None
    )


RIGHT = {
    "02.step": [[0.9, 0.05], (0.9, 0.05), np.array([0.9, 0.05]), torch.tensor([[0.9, 0.05]])],
    "02.batch": [
        lambda X, y, order, B, k: (X[order[k * B :][:B]], y[order[k * B :][:B]]),
        lambda X, y, order, B, k: [X[order.split(B)[k]], y[order.split(B)[k]]],
        lambda X, y, order, B, k: (
            X[order][k * B : k * B + B].numpy(),
            y[order][k * B : k * B + B],
        ),
    ],
    "02.count": [[430, 88], (430, 88), np.array([430.0, 88.0]), torch.tensor([430, 88])],
    "02.noise": [25_600, 25_600.0, torch.tensor([25_600])],
    "02.undo": [
        lambda X: _undo(X).to(torch.uint8)[:, 0],
        lambda X: _undo(X).squeeze(1).numpy().astype(np.uint8),
        lambda X: ((X.double() * STD + MEAN) * 255 + 0.5).to(torch.uint8).flatten(0, 1),
    ],
    "02.invert": [
        _condition(1 - _x()),
        torch.tensor(_condition(1 - _x()), dtype=torch.float32),
        [float(np.round(_condition(1 - _x()), 1))],
    ],
    "02.own": [_num_dead(), float(_num_dead()), torch.tensor(_num_dead())],
    "02.file": [
        _Lazy,
        _Memmap,
        lambda images, labels: _variant(label_type=np.uint8)(images, labels),
    ],
    "02.loader": [
        _lists,
        lambda X, y, batch_size: DataLoader(_Stream(X, y, batch_size), batch_size=None),
        lambda X, y, batch_size: DataLoader(
            _Items(X, y), batch_size, shuffle=True, collate_fn=lambda batch: batch
        ),
    ],
}

WRONG = {
    "02.step": [[1.1, -0.05], [0.8, 0.1], [1.2, -0.1], [0.9, -0.05], [0.05, 0.9], 0.9],
    "02.batch": [
        lambda X, y, order, B, k: (X[k * B :][:B], y[k * B :][:B]),
        lambda X, y, order, B, k: (X[order[k : k + B]], y[order[k : k + B]]),
        lambda X, y, order, B, k: (X[order[k * B :][:B]], y[k * B :][:B]),
        lambda X, y, order, B, k: (X[k * B :][:B], y[order[k * B :][:B]]),
        lambda X, y, order, B, k: (X[order[(k + 1) * B :][:B]], y[order[(k + 1) * B :][:B]]),
        lambda X, y, order, B, k: (X[order[k * B :][:B]], order[k * B :][:B]),
        lambda X, y, order, B, k: X[order[k * B :][:B]],
    ],
    "02.count": [
        [429, 88],
        [55_000 / 128, 88],
        [430, 0],
        [430, 128],
        [430, 40],
        [88, 430],
        [469, 96],
        [430],
        "430, 88",
    ],
    "02.noise": [2_560, 25.6, 100, 809, 256 * 10**0.5, 65_536, float("inf"), True, [25_600, 0]],
    "02.undo": [
        lambda X: _undo(X).to(torch.uint8).squeeze(),
        lambda X: ((X * STD + MEAN) * 255).to(torch.uint8)[:, 0],
        lambda X: _undo(X)[:, 0],
        lambda X: _undo(X).to(torch.uint8),
        lambda X: (X * STD + MEAN)[:, 0],
        lambda X: (X * STD + MEAN).round().to(torch.uint8)[:, 0],
        lambda X: ((X + MEAN) * STD * 255).round().to(torch.uint8)[:, 0],
        lambda X: ((X + MEAN) * STD * 255).to(torch.uint8)[:, 0],
        lambda X: (X * 255).round().to(torch.uint8)[:, 0],
        lambda X: (X * 255)[:, 0],
        lambda X: ((X - MEAN) / STD * 255).clamp(0, 255).to(torch.uint8)[:, 0],
        lambda X: ((X - MEAN) / STD * 255).round().to(torch.uint8)[:, 0],
        lambda X: _undo(X).to(torch.int64)[:, 0],
        lambda X: torch.zeros(28, 28, dtype=torch.uint8),
    ],
    "02.invert": [
        _condition(_x()),
        _condition(255 * (1 - _x())),
        1 / _condition(1 - _x()),
        1.0,
        np.array([_condition(1 - _x())] * 2),
        "longer",
    ],
    "02.own": [
        784 - _num_dead(),
        _num_dead() * len(_digits().train_images),
        _num_dead() + 1,
        784,
        0,
        True,
        [_num_dead()] * 2,
    ],
    "02.file": [
        _Eager,
        _variant(image_header=0),
        _variant(image_header=8),
        _variant(__len__=lambda self: 40.0),
        _variant(label_header=0),
        _variant(label_header=4),
        _variant(transpose=True),
        _variant(scale=255),
        _variant(label_type=float),
        _variant(label_type=lambda label: bytes([label])),
        _variant(__getitem__=lambda self, index: _Lazy.__getitem__(self, index)[0]),
        lambda images, labels: (images, labels),
    ],
    "02.loader": [
        lambda X, y, batch_size: DataLoader(_Singles(X, y, 1), batch_size),
        lambda X, y, batch_size: DataLoader(TensorDataset(X, y), batch_size, shuffle=True),
        lambda X, y, batch_size: DataLoader(_Rows(X, y), batch_size=None, shuffle=True),
        lambda X, y, batch_size: _lists(X, y, batch_size, sampler=SequentialSampler),
        lambda X, y, batch_size: _lists(X, y, batch_size, drop_last=True),
        lambda X, y, batch_size: _lists(X, y.flip(0), batch_size),
        lambda X, y, batch_size: _lists(X, y, batch_size + 1),
        lambda X, y, batch_size: Batches(X, y, batch_size, shuffle=True),
        lambda X, y, batch_size: DataLoader(
            _Rows(X, y), sampler=BatchSampler(RandomSampler(y), batch_size, False)
        ),
        lambda X, y, batch_size: DataLoader(_Stream(X[:99], y[:99], batch_size), batch_size=None),
    ],
}
