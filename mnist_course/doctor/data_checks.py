"""Is the data what it should be? The checks of inputs and labels."""

import math
from typing import Any

import torch
from torch.utils.data import Subset, TensorDataset

from mnist_course.doctor.check import Check
from mnist_course.doctor.finding import Finding, not_looked, ok, problem, warning
from mnist_course.doctor.patient import Patient, classes, dtype_of


def _look_for_nan(patient: Patient) -> Finding:
    """Are all inputs finite?

    Look for inputs that are no numbers.
    """
    for name, sample in (("training", patient.train), ("test", patient.test)):
        if sample.batches and not sample.X.isfinite().all():
            bad = int((~sample.X.isfinite()).sum())
            seen = (
                f"{bad} of {sample.X.numel():,} numbers in {sample.num_examples:,} {name} examples"
            )
            return problem("inputs-not-finite", seen)
    return ok("no NaN, no infinity")


def _look_at_scale(patient: Patient) -> Finding:
    """Are the inputs scaled?

    Look at the range of the inputs.
    """
    X = patient.train.X
    if not X.is_floating_point():
        return not_looked(f"inputs are {dtype_of(X)}, for an embedding perhaps")
    low, high, spread = float(X.min()), float(X.max()), float(X.cpu().double().std())
    seen = f"from {low:.3g} to {high:.3g}, standard deviation {spread:.3g}"
    if max(-low, high) > 50 or spread > 10:
        return problem("raw-pixels" if 200 < high <= 255 and low >= 0 else "not-scaled", seen)
    if spread < 0.02:
        return problem("almost-constant" if spread > 0 else "constant", seen)
    return ok(seen)


def _look_at_preparation(patient: Patient) -> Finding:
    """Are training and test inputs prepared alike?

    Compare mean and spread of training and test inputs.
    """
    if not patient.test.batches:
        return not_looked("no test_loader")
    train, test = patient.train.X, patient.test.X
    if train.shape[1:] != test.shape[1:]:
        return problem("shapes-differ", f"{tuple(train.shape[1:])} and {tuple(test.shape[1:])}")
    means = [float(X.cpu().double().mean()) for X in (train, test)]
    spreads = [float(X.cpu().double().std()) for X in (train, test)]
    seen = (
        f"training: mean {means[0]:.2f}, standard deviation {spreads[0]:.2f}; "
        f"test: {means[1]:.2f}, {spreads[1]:.2f}"
    )
    ratio = spreads[1] / spreads[0]
    if abs(means[0] - means[1]) > spreads[0] / 3 or not 0.6 < ratio < 1.67:
        return problem("prepared-differently", seen)
    return ok(seen)


def _look_for_a_leak(patient: Patient) -> Finding:
    """Is the test set free of training examples?

    Look for test examples among the training examples: by identity, then bit by bit.
    """
    if not patient.test.batches:
        return not_looked("no test_loader")
    loaders = patient.program.train_loader, patient.program.test_loader
    shared = _shared_indices(*loaders)
    if shared:
        count, of = shared
        seen = f"{count:,} of {of:,} test examples belong to the training data"
    else:
        known = _fingerprints(_whole(loaders[0]), patient.train.X)
        tested = _fingerprints(_whole(loaders[1]), patient.test.X)
        count, of = len(known & tested), len(tested)
        seen = f"{count:,} of {of:,} different test examples are among {len(known):,} for training"
    if count == 0:
        return ok(seen)
    return warning("small-leak", seen) if count < 0.01 * of else problem("leak", seen)


def _shared_indices(train: Any, test: Any) -> tuple[int, int] | None:
    """Return how many examples of how many two loaders share by construction, if they say so."""
    first, second = _origin(train), _origin(test)
    if first is None or second is None or first[0] is not second[0]:
        return None
    both = len(first[1] & second[1])
    return (both, len(second[1])) if both else None


def _origin(loader: Any) -> tuple[Any, set[int]] | None:
    """Return the data set that a loader draws from, and which of its examples."""
    dataset = getattr(loader, "dataset", None)
    try:
        if isinstance(dataset, Subset):
            return dataset.dataset, {int(k) for k in dataset.indices}
        return (dataset, set(range(len(dataset)))) if dataset is not None else None
    except TypeError:  # a stream has no length
        return None


def _whole(loader: Any) -> torch.Tensor | None:
    """Return all inputs of a loader if they lie in one tensor of moderate size."""
    X = getattr(loader, "X", None)
    dataset = getattr(loader, "dataset", None)
    if isinstance(dataset, TensorDataset):
        X = dataset.tensors[0]
    small = isinstance(X, torch.Tensor) and X.numel() * X.element_size() < 300e6
    return X if small else None


def _fingerprints(whole: torch.Tensor | None, sample: torch.Tensor) -> set[int]:
    """Return one number for each different example, leaving out constant ones."""
    X = (sample if whole is None else whole).detach().cpu().flatten(1)
    X = X[X.amax(1) > X.amin(1)].contiguous()
    if X.dtype == torch.bfloat16:
        X = X.float()
    return {hash(row.tobytes()) for row in X.numpy()}


def _look_at_shuffling(patient: Patient) -> Finding:
    """Does each pass over the training data have an order of its own?

    Compare the labels of the first batches of two passes, and see whether classes come mixed.
    """
    first = patient.train.y.cpu()
    second = classes(torch.cat([y for _, y in patient.again])).cpu()
    if patient.epoch_steps() == 1:
        return ok("one batch holds all examples, so their order does not matter")
    if len(first.unique()) == 1 and len(first) < 20:
        return not_looked(f"only {len(first)} examples of one class were seen")
    n = min(len(first), len(second))
    same = bool(torch.equal(first[:n], second[:n]))
    seen = f"the first {n} labels of two passes are {'the same' if same else 'different'}"
    changes, expected = _changes(first)
    sorted_by_class = changes < expected / 2 or (expected == 0 and patient.num_classes > 1)
    if same and sorted_by_class:
        seen += f", and neighbors differ in {100 * changes:.0f} % of the cases"
        return problem("sorted-by-class", seen)
    return warning("not-shuffled", seen) if same and n >= 20 else ok(seen)


def _changes(y: torch.Tensor) -> tuple[float, float]:
    """Return how often two neighbors differ, and how often they would, were the classes mixed."""
    shares = torch.bincount(y).double() / len(y)
    changes = float((y[1:] != y[:-1]).double().mean()) if len(y) > 1 else 0.0
    return changes, 1 - float((shares**2).sum())


def _look_at_pairing(patient: Patient) -> Finding:
    """Do the labels belong to the inputs?

    Guess labels by the nearest class mean, within each set and from one to the other.
    """
    if not patient.test.batches:
        return not_looked("no test_loader to compare with")
    train, test = ((s.X.float().flatten(1), s.y) for s in (patient.train, patient.test))
    if min(len(train[1]), len(test[1])) < 100:
        return not_looked("fewer than 100 examples of one of the sets")
    in_train, by_luck = _within(*train)
    in_test, by_test_luck = _within(*test)
    across, across_luck = _nearest_mean(*train, *test)
    seen = (
        f"the nearest class mean is right for {100 * in_train:.0f} % in training, "
        f"{100 * in_test:.0f} % in test, {100 * across:.0f} % across"
    )
    sense, test_sense = in_train > 2 * by_luck, in_test > 2 * by_test_luck
    if in_train < by_luck and test_sense:
        return problem("labels-torn-off", seen, name="training")
    if in_test < by_test_luck and sense:
        return problem("labels-torn-off", seen, name="test")
    if across < across_luck and sense and test_sense:
        return problem("labels-renamed", seen)
    return ok(seen)


def _within(X: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Guess every other label of a set by the class means of the rest."""
    return _nearest_mean(X[::2], y[::2], X[1::2], y[1::2])


def _nearest_mean(
    X: torch.Tensor, y: torch.Tensor, X_other: torch.Tensor, y_other: torch.Tensor
) -> tuple[float, float]:
    """Return the share of right guesses, and what luck could reach (four standard deviations)."""
    kinds = y.unique()
    means = torch.stack([X[y == k].mean(0) for k in kinds])  # (kinds, D)
    guesses = kinds[torch.cdist(X_other, means).argmin(1)]
    share = float((guesses == y_other).float().mean())
    most = float(torch.bincount(y_other).max()) / len(y_other)
    return share, most + 4 * math.sqrt(most * (1 - most) / len(y_other))


CHECKS = [
    Check("finite", _look_for_nan, "data"),
    Check("scale", _look_at_scale, "finite"),
    Check("preparation", _look_at_preparation, "scale"),
    Check("leak", _look_for_a_leak, "data"),
    Check("shuffle", _look_at_shuffling, "labels"),
    Check("pairing", _look_at_pairing, "labels scale preparation"),
]
