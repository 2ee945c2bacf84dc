"""What the checks of chapter 2, "From arrays to batches", accept."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mnist_course.data import MEAN, STD, split_train_valid
from mnist_course.data.idx import write_idx
from mnist_course.exercises._digits import digits
from mnist_course.exercises.expect import as_array, call, expect_array, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise


@functools.cache
def _num_broken() -> tuple[int, int]:
    """Count the pixels that never change, in all pictures and in those to learn from."""
    flat = digits().train_images.reshape(-1, 784)
    train, _ = split_train_valid(len(flat), len(flat) // 12, seed=0)
    counts = [int((X.max(axis=0) == X.min(axis=0)).sum()) for X in (flat, flat[train])]
    return counts[0], counts[1]


in_data("02.step")


@exercise("02.batch")
def batch(answer: Any) -> None:
    import torch

    X, y = torch.arange(40.0).reshape(20, 2), 100 + torch.arange(20)
    order = torch.from_numpy(np.random.default_rng(0).permutation(20))
    for size, k in ((6, 0), (6, 1), (6, 3), (20, 0)):
        got = call(answer, X, y, order, size, k)
        if type(got) not in (tuple, list) or len(got) != 2:
            raise Wrong("return two things: the pictures of the batch, and their labels")
        picked, plain = order[k * size : (k + 1) * size], slice(k * size, (k + 1) * size)
        expect_array(
            got[1],
            y[picked].numpy(),
            slips=[
                (
                    y[plain].numpy(),
                    "these are in the order of the data; take their indices from order",
                ),
                (picked.numpy(), "that is the index; look up its label in y"),
                (y[order[(k + 1) * size : (k + 2) * size]].numpy(), "k is counted from 0"),
                (y[order[k : k + size]].numpy(), "batch k begins at k * batch_size"),
            ],
        )
        expect_array(
            got[0], X[picked].numpy(), slips=[(X[plain].numpy(), "X in the same order as y")]
        )


in_data("02.count", "02.noise")


@exercise("02.undo")
def undo(answer: Any) -> None:
    import torch

    from mnist_course.data import normalize

    original = np.resize(np.arange(256, dtype=np.uint8), (3, 28, 28))
    X = normalize(torch.from_numpy(original))
    got = call(answer, X)
    value = as_array(got)
    if as_array(call(answer, X[:1])).shape == (28, 28):
        raise Wrong("for a batch of one the batch axis is gone, too: squeeze takes every axis of 1")
    if value.shape == (3, 1, 28, 28):
        raise Wrong("the channel axis is still there: expected the shape (B, 28, 28)")
    floats = (X * STD + MEAN).numpy()[:, 0]  # (3, 28, 28), 0..1
    wrong_ways = [
        ((X + MEAN) * STD, "undo the last step first: multiply by 0.3081, then add 0.1307"),
        (X, "the normalizing is still in it: multiply by 0.3081, then add 0.1307"),
        ((X - MEAN) / STD, "that normalizes a second time; go the other way"),
    ]
    expect_array(
        value,
        original,
        rtol=0,
        atol=0 if value.dtype.kind in "iub" else 1e-3,
        slips=[
            (
                np.trunc(floats * 255),
                "some bytes are one too small: converting to an integer cuts off, round first",
            ),
            (floats, "the pixels are 0 to 1 here; multiply by 255, round and convert"),
            (np.rint(floats), "the pixels are 0 to 1 here; multiply by 255 before you round"),
            (np.trunc(floats), "the pixels are 0 to 1 here; multiply by 255 before you convert"),
            *(
                (form, reply)
                for pixels, reply in wrong_ways
                for form in _as_bytes((pixels * 255).numpy()[:, 0])
            ),
        ],
    )
    if value.dtype != np.uint8:
        raise Wrong(f"the values are right, but they are {value.dtype}; bytes are uint8")


def _as_bytes(floats: np.ndarray) -> list[np.ndarray]:
    """Return what may become of numbers outside 0..255 on their way to bytes."""
    whole = [np.rint(floats), np.trunc(floats)]
    wrapped, clipped = [np.mod(x, 256) for x in whole], [np.clip(x, 0, 255) for x in whole]
    return [floats, *whole, *wrapped, *clipped]


@exercise("02.invert")
def invert(answer: Any) -> None:
    x = digits().train_images[:1_000].ravel()[:-1] / 255

    def condition(x: np.ndarray) -> float:
        low, high = np.linalg.eigvalsh([[np.mean(x * x), x.mean()], [x.mean(), 1]])
        return float(high / low)

    right = condition(1 - x)
    expect_number(
        answer,
        right,
        rtol=0.01,
        slips=[
            (condition(x), "this is the condition number of x, and of -x; 1 - x inverts a picture"),
            (condition(255 * (1 - x)), "invert the pixels from 0 to 1, not the bytes"),
            (1 / right, "the largest curvature is divided by the smallest, not the reverse"),
            (1.0, "the inverted pixels are not to be normalized yet"),
        ],
    )


@exercise("02.own")
def own(answer: Any) -> None:
    broken, broken_train = _num_broken()
    expect_number(
        answer,
        broken,
        rtol=0,
        slips=[
            (784 - broken, "these are the positions that are fine"),
            (broken_train, "that is for the training part; take all pictures in images"),
            (broken * len(digits().train_images), "count positions, not pixels of all pictures"),
            (784, "not all: only pixels whose standard deviation is 0"),
            (
                0,
                "is there no NaN? If you added something to the deviation, you repaired it "
                "already; or rounding hid it: start from the bytes or pixels 0 to 1",
            ),
        ],
        unit=" positions",
    )


@exercise("02.file")
def file(answer: Any) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    labels = random.permutation(np.arange(40) % 10).astype(np.uint8)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        images_path, labels_path = Path(name, "images"), Path(name, "labels")
        write_idx(images_path, pictures)
        write_idx(labels_path, labels)
        dataset = call(answer, images_path, labels_path)
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise Wrong("hand in the class itself; its objects need __len__ and __getitem__")
        length = call(dataset.__len__)
        if as_array(length).shape != () or int(length) != 40:
            raise Wrong(f"the file has 40 labels, your data set says {length}: mind the header")
        try:
            call(len, dataset)
        except TypeError:
            raise Wrong(f"__len__ must return an int: len() refuses {length!r}") from None
        content = bytearray(images_path.read_bytes())
        for index in (3, 0, 39):
            got = call(dataset.__getitem__, index)
            _compare(got, pictures[index], labels[index], index, content)
        # Change one picture in the file: who reads when asked sees the new one.
        changed = 255 - pictures[25]
        content[16 + 784 * 25 : 16 + 784 * 26] = changed.tobytes()
        with images_path.open("r+b") as images_file:
            images_file.write(content)
        got = call(dataset.__getitem__, 25)
        if np.array_equal(as_array(got[0]).reshape(-1), pictures[25].reshape(-1)):
            raise Wrong(
                "right, but all pictures were read at the start; read one when it is asked for"
            )
        _compare(got, changed, labels[25], 25, content)
        del dataset


def _compare(got: Any, picture: np.ndarray, label: int, index: int, content: bytearray) -> None:
    """Make sure that ``got`` is the right picture with the right label.

    ``content`` is the file of pictures, for the replies to those who read in the wrong place.
    """
    too_early = [
        np.frombuffer(bytes(content), np.uint8, 784, offset=header + 784 * index)
        for header in (0, 8)
    ]
    if type(got) not in (tuple, list) or len(got) != 2:
        raise Wrong("__getitem__ must return two things: the picture and its label")
    try:
        expect_array(
            got[0],
            picture,
            rtol=0,
            atol=0,
            slips=[
                (picture.T, "rows and columns are swapped"),
                (picture[None], "expected the shape (28, 28), without a channel axis"),
                (picture.reshape(-1), "reshape the 784 bytes to (28, 28)"),
                (picture / 255, "expected the bytes as they are; scaling is a transform's job"),
                *(
                    (wrong.reshape(28, 28), "the header of the pictures has 16 bytes")
                    for wrong in too_early
                ),
            ],
        )
    except Wrong as wrong:
        raise Wrong(f"picture {index}: {wrong}") from None
    if isinstance(got[1], (bytes, bytearray)):
        raise Wrong("the label is still a byte string: [0] makes it a number")
    value = as_array(got[1])
    if value.shape != ():
        raise Wrong(f"the label of picture {index} has the shape {value.shape}, expected one int")
    if value.dtype.kind not in "iu":
        raise Wrong(f"the label of picture {index} is {value.dtype}, expected an int")
    if int(value) != int(label):
        hint = " (the header of the labels has 8 bytes)" if index else ""
        raise Wrong(f"the label of picture {index} is {label}, you return {int(value)}{hint}")


class _Counting:
    """Stands in for a data set, and counts how often it is asked."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.questions = dataset, 0
        if hasattr(dataset, "__getitems__"):
            self.__getitems__ = self._getitems

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        self.questions += 1
        return self.dataset[index]

    def _getitems(self, indices: Any) -> Any:
        self.questions += 1
        return self.dataset.__getitems__(indices)


@exercise("02.loader")
def loader(answer: Any) -> None:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    num_examples, batch_size = 500, 64
    y = torch.arange(num_examples)
    X = 7.0 * y[:, None].repeat(1, 3)  # (500, 3): each row knows its label
    got = call(answer, X, y, batch_size)
    if not isinstance(got, DataLoader):
        raise Wrong(f"expected a DataLoader, got an object of type {type(got).__name__}")
    counting = None
    if isinstance(got.dataset, IterableDataset):
        first = next(iter(got.dataset))
        if isinstance(first, (tuple, list)) and np.ndim(as_array(first[-1])) == 0:
            raise Wrong("your data set hands out single examples, and the loader stacks them")
    else:
        counting = _Counting(got.dataset)
        object.__setattr__(got, "dataset", counting)  # a loader forbids to set it the usual way
    orders = [_one_epoch(call(list, got), num_examples, batch_size) for _ in range(2)]
    if np.array_equal(orders[0], np.arange(num_examples)):
        raise Wrong("right, but in the order of the data: it is to be shuffled")
    if np.array_equal(orders[0], orders[1]):
        raise Wrong("both epochs have the same order; each is to have its own")
    if counting is not None and counting.questions > 4 * -(-num_examples // batch_size):
        raise Wrong(
            f"your loader asked its data set {counting.questions // 2} times in an epoch of 8 "
            "batches: it still fetches one example at a time"
        )


def _batch_sizes(batches: list[Any], num_examples: int) -> list[int]:
    """Make sure that these are batches of pictures and labels, and return how many are in each."""
    if not batches:
        raise Wrong("the loader yields nothing")
    for batch in batches:
        if type(batch) not in (tuple, list) or len(batch) != 2:
            raise Wrong("each batch must be a pair: X and y")
    shapes = [as_array(X).shape for X, _ in batches]
    sizes = [shape[0] if shape else 0 for shape in shapes]
    if sizes == [1] * num_examples or shapes[0] == (3,):
        raise Wrong("the loader yields single examples instead of batches")
    if len(shapes[0]) != 2:
        raise Wrong(
            f"X comes with the shape {shapes[0]}, expected (64, 3): with batch_size=None the "
            "loader does not stack once more"
        )
    return sizes


def _one_epoch(batches: list[Any], num_examples: int, batch_size: int) -> np.ndarray:
    """Make sure that these batches are one epoch, and return its order."""
    sizes = _batch_sizes(batches, num_examples)
    if sum(sizes) == num_examples - num_examples % batch_size:
        raise Wrong("the last batch is missing: drop_last=False")
    seen = np.concatenate([as_array(y).reshape(-1) for _, y in batches])
    if not np.array_equal(np.sort(seen), np.arange(num_examples)):
        raise Wrong(f"of {num_examples} examples, {len(np.unique(seen))} came, not each once")
    if max(sizes) != batch_size or len(sizes) != -(-num_examples // batch_size):
        raise Wrong(f"expected batches of {batch_size}, got sizes {sorted(set(sizes))}")
    rows = np.concatenate([as_array(X) for X, _ in batches])
    if not np.array_equal(rows, 7.0 * np.repeat(seen[:, None], 3, axis=1)):
        raise Wrong("pictures and labels do not belong together any more")
    return seen
