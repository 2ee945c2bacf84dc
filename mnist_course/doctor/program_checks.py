"""The checks of data, model, loss and optimizer, in the order in which to look."""

from __future__ import annotations

import contextlib
import math
import warnings
from typing import Any

import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from mnist_course.doctor.finding import Finding, check, not_looked, ok, problem, warning
from mnist_course.doctor.patient import Patient, probe_family
from mnist_course.doctor.sample import Sample, classes, take
from mnist_course.doctor.theirs import Trouble, theirs
from mnist_course.doctor.twin import NUM_STEPS, Twin, nominal_lr

STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)

# 1. Does it run? ---------------------------------------------------------------------------------


@check("data", "Do the loaders yield batches of tensors?")
def _look_at_data(patient: Patient) -> Finding:
    """Take the first batches of both loaders, and of a second training pass."""
    program = patient.program
    if not isinstance(program.model, nn.Module):
        raise Trouble(
            "the model is no nn.Module",
            f"it is a {type(program.model).__name__}",
            "Without a module there are no parameters to look at.",
            "Did you hand over the class in place of an object? Then call it.",
        )
    if next(program.model.parameters(), None) is None:
        raise Trouble(
            "the model has no parameters",
            f"a {type(program.model).__name__} with 0 tensors",
            "There is nothing to train.",
            "Are the layers attributes of the module, or do they stand in a Python list?",
        )
    pieces = take(program.train_loader, "train_loader")
    patient.train = Sample(pieces, patient.moved(pieces))
    few = sum(len(y) for _, y in pieces[:8])
    patient.again = take(program.train_loader, "train_loader", few)
    if program.test_loader is not None:
        pieces = take(program.test_loader, "test_loader")
        patient.test = Sample(pieces, patient.moved(pieces))
    X, y = patient.train.pieces[0]
    return ok(f"X {tuple(X.shape)} {_dtype(X)}, y {tuple(y.shape)} {_dtype(y)}")


@check("forward", "Does the model turn a batch into one row of scores per example?", ["data"])
def _look_at_forward(patient: Patient) -> Finding:
    """Run one batch through the model."""
    X, y = patient.train.batches[0]
    twin = patient.twin()
    outputs = twin.outputs(X)
    if not isinstance(outputs, torch.Tensor):
        raise Trouble(
            "the model returns no tensor",
            f"it returns a {type(outputs).__name__}",
            "The loss needs one tensor of scores.",
            "Return the scores only, or wrap the model.",
        )
    shape = tuple(outputs.shape)
    if outputs.numel() == len(y) > 1 and outputs.is_floating_point():
        raise Trouble(
            "one score per example, and I know rows of scores only",
            f"{len(y)} examples {tuple(X.shape)} became {shape}",
            "For two classes one score and BCEWithLogitsLoss may be right; I cannot look further.",
            "To be examined, give the last layer an output per class, and use cross_entropy.",
        )
    if outputs.ndim != 2 or len(outputs) != len(y) or shape[1] < 2:
        raise Trouble(
            "the model does not return one row of scores per example",
            f"{len(y)} examples {tuple(X.shape)} became {shape}",
            "Expected is (B, K): B examples, K classes, two at least.",
            "Look for a view or flatten that moves the batch axis: flatten(1) keeps it.",
        )
    patient.num_classes = shape[1]
    if not outputs.isfinite().all() and X.isfinite().all():
        raise Trouble(
            "the model returns NaN or infinity",
            f"{int((~outputs.isfinite()).sum())} of {outputs.numel()} outputs are not finite",
            "Nothing can be learned from such numbers; training may have blown up already.",
            "Build the model anew, and look for a division by 0 or a logarithm of 0 in forward.",
        )
    patient.family = probe_family(patient.program.loss_fn, shape[1], patient.where)
    return ok(f"outputs {shape}, {len(y)} examples and {shape[1]} classes")


@check("labels", "Are the labels whole numbers from 0 to K - 1?", ["forward"])
def _look_at_labels(patient: Patient) -> Finding:
    """Look at type, shape and range of the labels, before a loss sees them."""
    K = patient.num_classes
    for name, sample in (("train", patient.train), ("test", patient.test)):
        for _, y in sample.pieces:
            if y.ndim == 2 and y.shape[1] == K and y.is_floating_point():
                continue  # one-hot rows, or probabilities
            if y.is_floating_point() or y.ndim != 1:
                raise Trouble(
                    "the labels are not whole numbers, one per example",
                    f"{name} labels are {_dtype(y)} of the shape {tuple(y.shape)}",
                    "A class is the number of a row of the output, int64 of the shape (B,).",
                    "Use y.long(), and y.squeeze(1) if they came as a column.",
                )
            low, high = int(y.min()), int(y.max())
            if low < 0 or high >= K:
                raise Trouble(
                    "labels are out of range",
                    f"{name} labels run from {low} to {high}, and the model has {K} outputs",
                    f"Labels count from 0, so they end at {K - 1}. PyTorch leaves out the label "
                    "-100 without a word.",
                    "Subtract the smallest label, or give the last layer as many outputs as "
                    "there are classes.",
                )
    y = patient.train.y.cpu()
    counts = torch.bincount(y, minlength=K)
    if int(counts[0]) == 0 and len(y) >= 50 * K and int((counts > 0).sum()) > 1:
        return warning(
            "no example has the label 0",
            f"in {len(y):,} training examples of {K} classes",
            "Labels count from 0. If yours count from 1, the first output is wasted.",
            "Subtract 1 from the labels, and take one output away.",
        )
    return ok(f"{_dtype(y)}, from {int(y.min())} to {int(y.max())}, for {K} outputs")


@check("loss", "Is the loss one finite number?", ["labels"])
def _look_at_loss(patient: Patient) -> Finding:
    """Compute the loss of a batch, and of its halves."""
    twin = patient.twin()
    X, y = patient.train.batches[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss = twin.loss(X, y)
    if not isinstance(loss, torch.Tensor):
        raise Trouble(
            "the loss is no tensor",
            f"it is a {type(loss).__name__}",
            "Only a tensor remembers how it was computed, and backward needs that.",
            "Look for .item(), float() or numpy in the loss.",
        )
    if loss.numel() != 1:
        raise Trouble(
            "the loss is not one number",
            f"it has the shape {tuple(loss.shape)}",
            "backward starts from one number: the mean over the batch.",
            "Use reduction='mean', or add .mean() at the end.",
        )
    for caught_warning in caught:
        if "broadcast" in str(caught_warning.message) or "size" in str(caught_warning.message):
            raise Trouble(
                "the loss compares each output with every label",
                str(caught_warning.message).splitlines()[0],
                "Shapes differ, and broadcasting makes a table of all pairs of them.",
                "Give outputs and labels the same shape.",
            )
    if not torch.isfinite(loss) and X.isfinite().all():
        raise Trouble(
            "the first loss is not finite",
            f"it is {float(loss)}",
            "A logarithm of 0 or a division by 0 stands in model or loss.",
            "Use cross_entropy on logits; it takes the logarithm in a safe way.",
        )
    half = len(y) // 2
    if half >= 4:
        with torch.no_grad():
            outputs = twin.outputs(X)[: 2 * half]
            parts = [(outputs, y[: 2 * half])]
            parts += list(zip(outputs.split(half), y[: 2 * half].split(half), strict=True))
            whole, first, second = (float(twin.loss_fn(out, part)) for out, part in parts)
        total = first + second
        if whole > 1e-6 and abs(whole - total) < 1e-3 * whole:
            patient.is_sum = True
            return warning(
                "the loss is a sum over the batch, not a mean",
                f"{len(y)} examples have the loss {float(loss):.4g}, each half about half of it",
                "Steps grow with the batch size, and the last, smaller batch counts less.",
                "Use the mean (reduction='mean'), and a learning rate for it.",
            )
    return ok(f"{float(loss):.3f} for the first batch ({patient.family})")


@check("device", "Do model, loss and data fit on one device?", ["data"])
def _look_at_devices(patient: Patient) -> Finding:
    """Compare where parameters, buffers, the loss and the data lie."""
    model = patient.program.model
    places = {str(t.device) for t in (*model.parameters(), *model.buffers())}
    if len(places) > 1:
        raise Trouble(
            "the model is spread over several devices",
            f"parts of it lie on {', '.join(sorted(places))}",
            "A layer cannot compute with inputs from another device.",
            "model.to(device) moves everything that is registered in the model.",
        )
    loss_fn = patient.program.loss_fn
    if isinstance(loss_fn, nn.Module):
        tensors = (*loss_fn.parameters(), *loss_fn.buffers())
        elsewhere = {str(t.device) for t in tensors if t.numel() > 1} - places
        if places and elsewhere:
            raise Trouble(
                "the loss lies on another device than the model",
                f"model on {', '.join(places)}, loss on {', '.join(elsewhere)}",
                "It holds tensors, such as class weights, that must be where the outputs are.",
                "Use loss_fn.to(device).",
            )
    data = str(patient.train.pieces[0][0].device)
    where = str(patient.where)
    note = "" if data == where else "; every batch has to be moved, and I moved mine"
    return ok(f"model on {where}, data on {data}{note}")


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


# 2. Is the data what it should be? ---------------------------------------------------------------


@check("finite", "Are all inputs finite?", ["data"])
def _look_for_nan(patient: Patient) -> Finding:
    """Look for inputs that are no numbers."""
    for name, sample in (("training", patient.train), ("test", patient.test)):
        if sample.batches and not sample.X.isfinite().all():
            bad = int((~sample.X.isfinite()).sum())
            return problem(
                "inputs are NaN or infinite",
                f"{bad} of {sample.X.numel():,} numbers in {sample.num_examples:,} {name} examples",
                "One such number makes the loss NaN, and one step later every weight.",
                "Find them with X.isfinite(), and repair or drop these examples.",
            )
    return ok("no NaN, no infinity")


@check("scale", "Are the inputs scaled?", ["finite"])
def _look_at_scale(patient: Patient) -> Finding:
    """Look at the range of the inputs."""
    X = patient.train.X
    if not X.is_floating_point():
        return not_looked(f"inputs are {_dtype(X)}, for an embedding perhaps")
    low, high, spread = float(X.min()), float(X.max()), float(X.cpu().double().std())
    seen = f"from {low:.3g} to {high:.3g}, standard deviation {spread:.3g}"
    if max(-low, high) > 50 or spread > 10:
        return problem(
            "the inputs are not scaled",
            seen,
            "Outputs, gradients and the right learning rate grow with the inputs"
            + (": these look like raw pixels." if 200 < high <= 255 and low >= 0 else "."),
            "Divide pixels by 255, better: subtract the mean and divide by the standard deviation.",
        )
    if spread < 0.02:
        return problem(
            "the inputs are almost constant",
            seen,
            "Differences this small hardly move an output. Were they divided by 255 twice?"
            if spread > 0
            else "All inputs are the same number: there is nothing to tell examples apart by.",
            "Scale once: ToTensor divides pixels by 255 already.",
        )
    return ok(seen)


@check("preparation", "Are training and test inputs prepared alike?", ["scale"])
def _look_at_preparation(patient: Patient) -> Finding:
    """Compare mean and spread of training and test inputs."""
    if not patient.test.batches:
        return not_looked("no test_loader")
    train, test = patient.train.X, patient.test.X
    if train.shape[1:] != test.shape[1:]:
        raise Trouble(
            "training and test inputs have different shapes",
            f"{tuple(train.shape[1:])} and {tuple(test.shape[1:])}",
            "The model is trained on one thing and tested on another.",
        )
    means = float(train.cpu().double().mean()), float(test.cpu().double().mean())
    spreads = float(train.cpu().double().std()), float(test.cpu().double().std())
    seen = (
        f"training: mean {means[0]:.2f}, standard deviation {spreads[0]:.2f}; "
        f"test: {means[1]:.2f}, {spreads[1]:.2f}"
    )
    ratio = spreads[1] / spreads[0]
    if abs(means[0] - means[1]) > spreads[0] / 3 or not 0.6 < ratio < 1.67:
        return problem(
            "training and test inputs prepared differently",
            seen,
            "The model meets numbers in the test that it has never seen, whatever it learned.",
            "Apply the same scaling to both, with mean and deviation of the training set.",
        )
    return ok(seen)


@check("leak", "Is the test set free of training examples?", ["data"])
def _look_for_a_leak(patient: Patient) -> Finding:
    """Look for test examples among the training examples: by identity, then bit by bit."""
    if not patient.test.batches:
        return not_looked("no test_loader")
    shared = _shared_indices(patient.program.train_loader, patient.program.test_loader)
    if shared:
        count, of = shared
        seen = f"{count:,} of {of:,} test examples belong to the training data"
    else:
        known = _fingerprints(_whole(patient.program.train_loader), patient.train.X)
        tested = _fingerprints(_whole(patient.program.test_loader), patient.test.X)
        count, of = len(known & tested), len(tested)
        seen = f"{count:,} of {of:,} different test examples are among {len(known):,} for training"
    if count == 0:
        return ok(seen)
    meaning = "The model has seen these answers, so the test measures memory."
    if count < 0.01 * of:
        return warning("a few test examples are also used for training", seen, meaning)
    return problem(
        "the test set contains training examples",
        seen,
        meaning,
        "Look at the data set that test_loader is built on, and at how the data was split.",
    )


def _shared_indices(train: Any, test: Any) -> tuple[int, int] | None:
    """Return how many examples of how many two loaders share by construction, if they say so."""
    parts = [_origin(loader) for loader in (train, test)]
    if parts[0] is None or parts[1] is None or parts[0][0] is not parts[1][0]:
        return None
    both = len(parts[0][1] & parts[1][1])
    return (both, len(parts[1][1])) if both else None


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


@check("shuffle", "Does each pass over the training data have an order of its own?", ["labels"])
def _look_at_shuffling(patient: Patient) -> Finding:
    """Compare the labels of the first batches of two passes, and see whether classes come mixed."""
    first = patient.train.y.cpu()
    second = classes(torch.cat([y for _, y in patient.again])).cpu()
    if patient.epoch_steps() == 1:
        return ok("one batch holds all examples, so their order does not matter")
    n = min(len(first), len(second))
    same = bool(torch.equal(first[:n], second[:n]))
    shares = torch.bincount(first).cpu().double() / len(first)
    expected = 1 - float((shares**2).sum())  # chance that two neighbors differ, when mixed
    changes = float((first[1:] != first[:-1]).cpu().double().mean()) if len(first) > 1 else 0.0
    if len(first.unique()) == 1 and len(first) < 20:
        return not_looked(f"only {len(first)} examples of one class were seen")
    sorted_by_class = changes < expected / 2 or (expected == 0 and patient.num_classes > 1)
    seen = f"the first {n} labels of two passes are {'the same' if same else 'different'}"
    if same and sorted_by_class:
        return problem(
            "the training data comes sorted by class",
            f"{seen}, and neighbors differ in {100 * changes:.0f} % of the cases",
            "Each batch teaches one class and lets the model forget the others.",
            "Write shuffle=True for the training loader.",
        )
    if same and n >= 20:
        return warning(
            "the training data is not shuffled",
            seen,
            "Every pass makes the same steps in the same order, and the last batches count most.",
            "Write shuffle=True for the training loader.",
        )
    return ok(seen)


@check("pairing", "Do the labels belong to the inputs?", ["labels", "scale", "preparation"])
def _look_at_pairing(patient: Patient) -> Finding:
    """Guess labels by the nearest class mean, within each set and from one to the other."""
    if not patient.test.batches:
        return not_looked("no test_loader to compare with")
    sets = [(s.X.float().flatten(1), s.y) for s in (patient.train, patient.test)]
    if min(len(y) for _, y in sets) < 100:
        return not_looked("fewer than 100 examples of one of the sets")
    guesses = []
    for X, y in sets:
        guesses.append(_nearest_mean(X[::2], y[::2], X[1::2], y[1::2]))
    guesses.append(_nearest_mean(*sets[0], *sets[1]))
    (train, train_chance), (test, test_chance), (across, across_chance) = guesses
    seen = (
        f"the nearest class mean is right for {100 * train:.0f} % in training, "
        f"{100 * test:.0f} % in test, {100 * across:.0f} % across"
    )
    remedy = "Show 20 inputs with their labels, and look at every line that sorts or shuffles one."
    for name, share, chance, other, others_chance in (
        ("training", train, train_chance, test, test_chance),
        ("test", test, test_chance, train, train_chance),
    ):
        if share < chance and other > 2 * others_chance:
            return problem(
                f"the {name} labels have nothing to do with the {name} inputs",
                seen,
                "Inputs and labels were shuffled or cut separately.",
                remedy,
            )
    if across < across_chance and min(train - 2 * train_chance, test - 2 * test_chance) > 0:
        return problem(
            "labels mean something else in the test set than in the training set",
            seen,
            "Each set makes sense by itself; together they do not.",
            remedy,
        )
    return ok(seen)


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


# 3. Does the model treat a batch rightly? --------------------------------------------------------


@check("modes", "Is evaluation mode free of chance, and does it change nothing?", ["forward"])
def _look_at_modes(patient: Patient) -> Finding:
    """Run a batch in evaluation mode twice, and look at the model before and after."""
    twin = patient.twin()
    X = patient.train.batches[0][0]
    twin.model.eval()
    left_behind = [name for name, part in twin.model.named_modules() if part.training]
    before = {name: b.clone() for name, b in twin.model.named_buffers()}
    with torch.no_grad():
        torch.manual_seed(1)
        one = twin.outputs(X).float()
        torch.manual_seed(2)
        two = twin.outputs(X).float()
    gap = float((one - two).abs().max()) / (float(one.abs().max()) or 1.0)
    if left_behind or gap > 1e-3:
        return problem(
            "the model still throws dice in evaluation mode",
            f"the same batch gives outputs that differ by {100 * gap:.2g} %"
            + (f"; still in training mode: {', '.join(left_behind)}" if left_behind else ""),
            "Dropout that does not know of the mode goes on in the test.",
            "Use nn.Dropout, or F.dropout(..., training=self.training).",
        )
    changed = [n for n, b in twin.model.named_buffers() if not torch.equal(b, before[n])]
    if changed:
        return problem(
            "evaluation changes the model",
            f"a forward pass in evaluation mode changes {', '.join(changed)}",
            "The test set leaks into the model, and results depend on what was evaluated before.",
            "Give F.batch_norm training=self.training.",
        )
    norms = [m for m in twin.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    twin.model.train()
    old = [None if m.running_mean is None else m.running_mean.clone() for m in norms]
    with torch.no_grad(), contextlib.suppress(Trouble):
        twin.outputs(X)
    stuck = [m for m, mean in zip(norms, old, strict=True) if _is_stuck(m, mean)]
    if stuck:
        return problem(
            "batch normalization learns no statistics",
            f"a training pass leaves the running mean of {len(stuck)} layers as it was "
            f"(momentum {stuck[0].momentum})",
            "In evaluation mode these layers will use the numbers that they were born with.",
            "In PyTorch, momentum is the share of the NEW batch: 0.1 is usual.",
        )
    dice = sorted(
        {
            type(m).__name__
            for m in twin.model.modules()
            if isinstance(m, STOCHASTIC) and getattr(m, "p", 1) > 0
        }
    )
    about = f"the modes differ by {', '.join(dice)}" if dice else "no layer depends on the mode"
    return ok(f"two evaluations of a batch agree; {about}")


def _is_stuck(norm: Any, mean: torch.Tensor | None) -> bool:
    """Return whether a training pass has left the running mean of a layer as it was."""
    return norm.training and mean is not None and torch.equal(norm.running_mean, mean)


@check("rows", "Is each example judged by itself?", ["modes"])
def _look_at_rows(patient: Patient) -> Finding:
    """Compare outputs for a batch with outputs for a part of it, in evaluation mode."""
    twin = patient.twin()
    twin.model.eval()
    X = patient.train.batches[0][0]
    if len(X) < 2:
        return not_looked("the batches hold one example")
    half = max(1, len(X) // 2)
    with torch.no_grad():
        whole = twin.outputs(X).float()
        with theirs(
            f"the model judges {len(X)} examples, and cannot judge {half} or 1",
            "Look for squeeze() without a dimension, and for batch sizes written as numbers.",
        ):
            part = twin.model(X[:half].clone()).float()
            single = twin.model(X[:1].clone()).float()
    if part.shape != whole[:half].shape or single.shape != whole[:1].shape:
        raise Trouble(
            "the shape of the outputs depends on the batch in a wrong way",
            f"{len(X)} examples give {tuple(whole.shape)}, {half} {tuple(part.shape)}, "
            f"1 gives {tuple(single.shape)}",
            "The last batch of a pass, and a single picture, will not fit.",
            "Look for squeeze() without a dimension, and for batch sizes written as numbers.",
        )
    scale = float(whole.abs().max()) or 1.0
    gap = float((whole[:half] - part).abs().max()) / scale
    gap = max(gap, float((whole[:1] - single).abs().max()) / scale)
    seen = f"outputs change by {100 * gap:.2g} % without the rest of the batch"
    if gap < 0.01:
        return ok(seen)
    sums = whole.exp().sum(0) if whole.max() <= 0 else whole.sum(0)
    over_batch = bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
    return problem(
        "examples of a batch influence each other in evaluation mode",
        seen + ("; each column of the batch sums to 1" if over_batch else ""),
        "The answer for a picture then depends on its company."
        + (" The softmax runs over the batch, not over the classes." if over_batch else ""),
        "softmax(dim=1) runs over the classes."
        if over_batch
        else "Look for a view that mixes the axes, a sum over axis 0, and batch normalization "
        "that does not keep running statistics.",
    )


# 4. Does the output fit the loss? ----------------------------------------------------------------


@check("output", "Does the last layer hand the loss what it expects?", ["loss", "rows", "scale"])
def _look_at_output(patient: Patient) -> Finding:
    """Look for a softmax, ReLU, sigmoid or dropout on the scores."""
    Z, last, family = patient.outputs, patient.last_operation, patient.family
    low, high = float(Z.min()), float(Z.max())
    zeros = float((Z == 0).float().mean())
    is_probs = low >= 0 and torch.allclose(Z.sum(1), torch.ones(len(Z), device=Z.device), atol=1e-3)
    log_sums = Z.cpu().double().logsumexp(1).abs().max()
    is_log_probs = high <= 0 and float(log_sums) < 1e-3
    seen = f"outputs from {low:.3g} to {high:.3g}, the last operation is {last}"
    if is_probs and family in ("cross-entropy", "nll"):
        return problem(
            "probabilities where the loss wants logits"
            if family == "cross-entropy"
            else "probabilities where the loss wants log-probabilities",
            f"{seen}; every row sums to 1",
            "The loss applies its own softmax to the probabilities: it can never come near 0, and "
            "gradients fade."
            if family == "cross-entropy"
            else "Without the logarithm the loss is bounded, and gradients are wrong.",
            "Take the softmax out of the model; cross_entropy has its own.",
        )
    if family == "nll" and not is_log_probs:
        return problem(
            "NLLLoss gets scores that are no log-probabilities",
            f"{seen}; the exponentials of a row do not sum to 1",
            "NLLLoss picks an element and changes its sign. Without a log_softmax before it, the "
            "loss falls for ever, as the scores grow.",
            "Use cross_entropy on the scores.",
        )
    if is_log_probs and family == "cross-entropy":
        return warning(
            "log_softmax twice: harmless",
            f"{seen}; the exponentials of every row sum to 1",
            "cross_entropy applies log_softmax itself; the log-softmax of a log-softmax is "
            "itself, so no number changes.",
            "Return the scores, or use nll_loss.",
        )
    if low >= 0 and (0.02 < zeros < 1 or "Relu" in last) and len(Z) >= 16:
        never = int((Z == 0).all(0).sum())
        return problem(
            "ReLU on the scores",
            f"{seen}; {100 * zeros:.0f} % are exactly 0, and {never} classes are 0 for all "
            f"{len(Z):,} examples",
            "A score below 0 gets no gradient. A class whose scores are all below 0 is never "
            "predicted again.",
            "Take the ReLU after the last layer out.",
        )
    if family in ("cross-entropy", "nll"):
        squash = next((n for n in ("Sigmoid", "Hardtanh", "Tanh", "Clamp") if n in last), "")
        linear = last in ("Addmm", "Mm", "Add")  # all scores of an example may be above 0 by chance
        if squash or (low >= 0 and zeros < 1 and len(Z) >= 16 and not linear):
            return problem(
                f"{squash.lower() or 'a bound'} on the scores",
                seen,
                "The loss applies a softmax to scores that cannot grow, so no class can ever get "
                "a probability near 1.",
                "Take it out: the scores need no last activation.",
            )
    twin = patient.twin()
    twin.model.train()
    with torch.no_grad():
        noisy = float((twin.outputs(patient.runs[0][0]) == 0).float().mean())
    if noisy > 0.02 and zeros == 0:
        return problem(
            "dropout on the scores",
            f"{100 * noisy:.0f} % of the outputs are exactly 0 in training mode, none in "
            "evaluation mode",
            "The score of the right class is erased in part of the steps, whatever it was.",
            "Put dropout between layers, not after the last one.",
        )
    return ok(seen)


@check("dead-output", "Can every output unit still learn?", ["output"])
def _look_for_dead_outputs(patient: Patient) -> Finding:
    """Look for outputs that are constant and pass no gradient on."""
    if not patient.twin().outputs(patient.runs[0][0]).requires_grad:
        return not_looked("nothing leads from the outputs to the parameters, see 'gradient'")
    Z = patient.outputs
    still = (Z.amax(0) == Z.amin(0)).nonzero().flatten().tolist()
    dead = [k for k in still if not _passes_gradient(patient, k)]
    if dead:
        return problem(
            "dead output units",
            f"outputs {dead} have one value for all {len(Z):,} examples and pass no gradient on",
            "These classes can never be predicted, nor learned.",
            "Look for a ReLU, clamp or mask after the last layer, and build the model anew.",
        )
    return ok(f"all {Z.shape[1]} outputs pass a gradient on")


def _passes_gradient(patient: Patient, k: int) -> bool:
    """Return whether output ``k`` depends on any parameter, at any example of a batch."""
    twin = patient.twin()
    twin.model.eval()
    column = twin.outputs(patient.runs[0][0])[:, k]
    if not column.requires_grad:
        return False
    wanted = [q for q in twin.model.parameters() if q.requires_grad]
    grads = torch.autograd.grad(column.sum(), wanted, allow_unused=True)
    return any(g is not None and bool((g != 0).any()) for g in grads)


@check("first-loss", "Is the first loss that of a guess?", ["output"])
def _look_at_first_loss(patient: Patient) -> Finding:
    """Compare the loss before training with the logarithm of the number of classes."""
    guess = math.log(patient.num_classes)
    level = patient.twin().level(patient.runs)
    if patient.is_sum:
        level /= sum(len(y) for _, y in patient.runs) / len(patient.runs)
    if patient.family == "other":
        return ok(f"{level:.3f}; the rule of ln {patient.num_classes} is for cross-entropy only")
    seen = f"{level:.3f}, and ln {patient.num_classes} = {guess:.3f} is the loss of a guess"
    if level > guess + max(guess, 1.5):
        return problem(
            "the first loss is far above that of a guess",
            seen,
            "The model starts out sure of wrong answers: its weights are too large, or were "
            "trained on something else.",
            "Use PyTorch's own initialization, or a standard deviation of about sqrt(2 / inputs).",
        )
    if level < -1e-3:
        return problem(
            "the loss is negative",
            seen,
            "A cross-entropy is never below 0.",
            "Look at what the loss is computed from.",
        )
    return ok(seen)


# 5. Do gradients arrive, and does the optimizer use them? ----------------------------------------


@check("optimizer", "Does the optimizer hold exactly the model's parameters?", ["data"])
def _look_at_optimizer(patient: Patient) -> Finding:
    """Compare the optimizer's parameters with the model's, one by one."""
    model, optimizer = patient.program.model, patient.program.optimizer
    if not hasattr(optimizer, "param_groups"):
        return not_looked(f"{type(optimizer).__name__} has no param_groups")
    held = {id(q) for group in optimizer.param_groups for q in group["params"]}
    own = dict(model.named_parameters())
    of_loss = patient.program.loss_fn
    known = {id(q) for q in own.values()}
    known |= {id(q) for q in of_loss.parameters()} if isinstance(of_loss, nn.Module) else set()
    missing = [name for name, q in own.items() if q.requires_grad and id(q) not in held]
    strangers = len(held - known)
    seen = f"it holds {len(held)} tensors; the model has {len(own)}"
    if missing and len(missing) == len([q for q in own.values() if q.requires_grad]):
        return problem(
            "the optimizer belongs to another model",
            f"{seen}, and none of them is held",
            "It moves weights that nobody uses. The model stays as it was built.",
            "Build the optimizer after the model, with model.parameters().",
        )
    if missing:
        return problem(
            "the optimizer does not know some parameters",
            f"{seen}; it lacks {_names(missing)}",
            "They get gradients and never move.",
            "Build the optimizer when the model is complete, with model.parameters().",
        )
    if strangers:
        return problem(
            "the optimizer holds parameters that are not the model's",
            f"{seen}; {strangers} are not the model's",
            "A part of the model was replaced after the optimizer was built, or layers stand in "
            "a Python list, where the model does not see them.",
            "Build the optimizer last; keep layers in nn.ModuleList or nn.Sequential.",
        )
    if any(group.get("maximize") for group in optimizer.param_groups):
        return problem(
            "the optimizer walks uphill",
            "maximize=True",
            "It makes the loss large.",
            "Leave maximize out.",
        )
    return ok(seen)


@check("gradient", "Does every parameter get a gradient?", ["loss", "optimizer", "scale"])
def _look_at_gradients(patient: Patient) -> Finding:
    """Collect gradients over a few careful steps, and look for what is missing."""
    twin = patient.twin()
    parameters = dict(twin.model.named_parameters())
    trainable = {name: q for name, q in parameters.items() if q.requires_grad}
    if not trainable:
        return problem(
            "the model is frozen",
            f"requires_grad is False for all {len(parameters)} tensors",
            "No parameter takes a gradient, so none can learn.",
            "Use requires_grad_(True) on what is to be trained.",
        )
    strangers = _unknown_leaves(twin, patient)
    if strangers:
        return problem(
            "the model uses layers that it does not know of",
            f"the loss depends on {strangers} tensors that are not in model.parameters()",
            "They get gradients, but no optimizer and no checkpoint ever hears of them.",
            "Keep layers in nn.ModuleList or nn.Sequential, not in a Python list.",
        )
    sizes = _gradient_sizes(twin, patient.runs)
    if all(value is None for value in sizes.values()):
        return problem(
            "no gradient reaches the model",
            "backward leaves the gradient of every parameter empty",
            "The way from the loss back to the weights is cut.",
            "Look for no_grad, detach, .item(), .data, numpy or argmax in forward and loss.",
        )
    endless = [n for n, value in sizes.items() if value is not None and not math.isfinite(value)]
    if endless:
        return problem(
            "gradients are not finite",
            f"in {_names(endless)}",
            "One step with them makes the weights NaN.",
            "Look for a square root, logarithm or division at 0, and at the size of the weights.",
        )
    silent = [name for name, value in sizes.items() if not value]
    if silent:
        unused = [name for name in silent if sizes[name] is None]
        return problem(
            "some parameters get no gradient",
            f"{_names(silent)}: "
            + ("not used for the loss" if unused else "exactly 0 in each of 5 batches"),
            "They keep the values that they were born with.",
            "Is the layer used in forward? Is there a detach or no_grad on the way? Are all "
            "weights 0, or all units behind it silent?",
        )
    held = [n for n, q in parameters.items() if not q.requires_grad]
    in_optimizer = {id(q) for g in getattr(twin.optimizer, "param_groups", []) for q in g["params"]}
    odd = [name for name in held if id(parameters[name]) in in_optimizer]
    if odd:
        return warning(
            "the optimizer holds frozen parameters",
            f"requires_grad is False for {_names(odd)}",
            "They will not move.",
            "If that is meant, give the optimizer the others only.",
        )
    weights = {n: v for n, v in sizes.items() if parameters[n].ndim > 1 and v}
    weakest, strongest = min(weights.values(), default=1.0), max(weights.values(), default=1.0)
    if weakest < 1e-6 * strongest:
        name = next(n for n, value in weights.items() if value == weakest)
        return problem(
            "the gradient fades on its way back",
            f"the gradients of {name} are {weakest / strongest:.0e} times those of the strongest "
            "layer",
            "Each layer takes away a part of the gradient; a sigmoid at least three quarters.",
            "Use ReLU and a fitting initialization, or fewer layers.",
        )
    note = f", {len(held)} are frozen and not in the optimizer" if held else ""
    return ok(f"all {len(sizes)} tensors{note}")


def _gradient_sizes(twin: Twin, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> dict:
    """Return the largest root mean square gradient of each tensor over five careful steps."""
    trainable = {n: q for n, q in twin.model.named_parameters() if q.requires_grad}
    sizes: dict[str, float | None] = dict.fromkeys(trainable)
    careful = torch.optim.SGD(trainable.values(), lr=0.01)
    twin.model.train()
    for step in range(5):
        careful.zero_grad()
        loss = twin.loss(*batches[step % len(batches)])
        if not loss.requires_grad:
            break
        with theirs("backward raises an exception"):
            loss.backward()
        for name, q in trainable.items():
            if q.grad is not None:
                size = float(q.grad.cpu().double().pow(2).mean().sqrt())
                sizes[name] = max(size, sizes[name] or 0.0) if size == size else size
        nn.utils.clip_grad_norm_(trainable.values(), 1.0)
        careful.step()
    return sizes


def _unknown_leaves(twin: Twin, patient: Patient) -> int:
    """Return how many tensors that want gradients lead to the loss and are not the model's."""
    own = {id(q) for q in twin.model.parameters()}
    if isinstance(twin.loss_fn, nn.Module):
        own |= {id(q) for q in twin.loss_fn.parameters()}
    twin.model.train()
    loss = twin.loss(*patient.runs[0])
    queue, seen, found = [loss.grad_fn], set(), set()
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable") and id(node.variable) not in own:
            found.add(id(node.variable))
        queue += [parent for parent, _ in node.next_functions]
    return len(found)


def _names(names: list[str]) -> str:
    """Return a few names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@check("symmetry", "Do hidden units differ from each other?", ["gradient"])
def _look_for_symmetry(patient: Patient) -> Finding:
    """Look for layers whose units are all the same, before and after a few steps."""
    twin = patient.twin()
    rows = {
        name: q
        for name, q in twin.model.named_parameters()
        if q.ndim > 1 and len(q) > 1 and q[0].numel() > 1 and q.requires_grad
    }
    # A last layer may start with zeros; a few steps tell its units apart.
    alike = [name for name, q in rows.items() if _all_rows_equal(q) and bool(q.any())]
    _gradient_sizes(twin, patient.runs)
    alike += [name for name, q in rows.items() if _all_rows_equal(q) and name not in alike]
    if alike:
        return problem(
            "all units of a layer are the same",
            f"all rows of {_names(alike)} are equal",
            "Units that start equal get equal gradients and stay equal: the layer is one unit.",
            "Start with random weights; only biases may be constant.",
        )
    return ok("no layer consists of copies of one unit")


def _all_rows_equal(q: torch.Tensor) -> bool:
    """Return whether all rows of a weight are the same, up to rounding."""
    return float((q - q[:1]).detach().abs().max()) <= 1e-4 * float(q.detach().abs().max())


# 6. Does it learn? -------------------------------------------------------------------------------


@check("overfit", "Can the model learn a few examples by heart?", ["symmetry", "output"])
def _look_at_overfitting(patient: Patient) -> Finding:
    """Train a copy on one small batch, with its own optimizer, then with others."""
    batch = patient.handful
    n = len(batch[0][1])
    best = 0.0
    for name, lr in (("your optimizer", 0.0), ("Adam", 1e-3), ("Adam", 1e-2)):
        twin = patient.twin()
        if lr:
            wanted = [q for q in twin.model.parameters() if q.requires_grad]
            twin.optimizer = torch.optim.Adam(wanted, lr=lr)
        twin.set_lr(1.0)
        steps = 0
        while steps < (300 if lr else 60) and twin.accuracy(batch) < 0.95:
            made = twin.train(batch, 10)
            steps += made
            if made < 10:  # the loss is not finite any more, or time is up
                break
        reached = twin.accuracy(batch)
        best = max(best, reached)
        if reached >= 0.95:
            who = f"{name} at {lr:g}; yours needs more than 60" if lr else name
            return ok(f"{100 * reached:.0f} % of {n} examples after {steps} steps of {who}")
    return problem(
        "the model cannot learn a few examples by heart",
        f"{100 * best:.0f} % of {n} examples after 300 steps, with three learning rates",
        "What tells the examples apart is lost on the way, or the network is far too small, or "
        "equal inputs have different labels.",
        "Look at the outputs for two different inputs: do they differ? Then layer by layer.",
    )


@check("weight-decay", "Does the penalty on weights leave room to learn?", ["gradient", "scale"])
def _look_at_weight_decay(patient: Patient) -> Finding:
    """Train for a few steps with and without weight decay."""
    groups = getattr(patient.program.optimizer, "param_groups", [])
    decay = max((float(g.get("weight_decay", 0.0)) for g in groups), default=0.0)
    if decay < 0.02:
        return ok(f"weight_decay {decay:g}")
    before = patient.twin().level(patient.runs)
    levels = []
    for keep in (True, False):
        twin = patient.twin()
        twin.set_lr(1.0)
        for group in twin.optimizer.param_groups:
            group["weight_decay"] = group["weight_decay"] if keep else 0.0
        twin.train(patient.runs, 2 * NUM_STEPS)
        levels.append(twin.level(patient.runs))
    gains = [before - level if math.isfinite(level) else 0.0 for level in levels]
    seen = (
        f"weight_decay {decay:g}: {2 * NUM_STEPS} steps take the loss from {before:.3f} to "
        f"{levels[0]:.3f}, without it to {levels[1]:.3f}"
    )
    if gains[1] > 0.1 * before and gains[0] < 0.5 * gains[1]:
        return problem(
            "weight decay is far too strong",
            seen,
            "The penalty pulls the weights to 0 faster than the loss pulls them anywhere.",
            "Leave it out until the model learns; then try 0.0005 for SGD, 0.01 for AdamW.",
        )
    return ok(seen)


@check(
    "learning-rate",
    "Is the learning rate neither far too low nor far too high?",
    ["gradient", "output", "scale", "first-loss", "symmetry", "overfit", "weight-decay", "shuffle"],
)
def _look_at_learning_rate(patient: Patient) -> Finding:
    """Train copies for a few steps with the learning rate as it is, lower, and higher."""
    groups = getattr(patient.program.optimizer, "param_groups", [])
    if not groups or "lr" not in groups[0]:
        return not_looked("the optimizer has no learning rate")
    lr = nominal_lr(groups[0])
    if not 0 < lr < math.inf:
        return problem(
            "the learning rate is no positive number",
            f"lr {lr:g}",
            "Steps have the length 0, or none at all.",
            "Try 0.1 for SGD, 0.001 for Adam.",
        )
    momentum = max((float(g.get("momentum", 0.0)) for g in groups), default=0.0)
    if momentum >= 1:
        return problem(
            "momentum never lets go",
            f"momentum {momentum:g}",
            "Every step keeps all of the last one and adds to it, so steps only grow.",
            "0.9 is usual.",
        )
    before = patient.twin().level(patient.runs)
    for num_steps in (NUM_STEPS // 2, NUM_STEPS):  # most programs show in a few that they learn
        after = _level_after(patient, 1.0, num_steps)
        seen = f"lr {lr:g}: {num_steps} steps take the loss from {before:.3f} to {after:.3f}"
        gain = _gain(before, after)
        if gain > 0.2 * before or (patient.trained and gain > -before - 0.1):
            return ok(seen)
    for scale in (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6):
        lower = _level_after(patient, scale)
        if _gain(before, lower) > max((0.4 if gain > 0 else 0.05) * before, 3 * gain):
            return problem(
                "the learning rate is far too high",
                f"{seen}; with {lr * scale:g} to {lower:.3f}",
                "Steps jump across the valley, so the loss cannot settle.",
                f"Divide it by ten until the loss falls: {lr * scale:g} works here.",
            )
        if scale <= 1e-3 and math.isfinite(after) and gain > -0.5 * before:
            break  # it does not blow up; a still lower rate is no cure
    num_steps = max(10 * patient.epoch_steps(), 2_000)
    if gain / NUM_STEPS * num_steps > 0.05 * before:
        return ok(seen)
    for scale in (10, 100, 1e3, 1e4, 1e5, 1e6):
        higher = _level_after(patient, scale)
        if _gain(before, higher) > max(0.05 * before, 5 * gain):
            return problem(
                "the learning rate is far too low",
                f"{seen}; with {lr * scale:g} to {higher:.3f}",
                f"At this pace {num_steps:,} steps would lower it by "
                f"{max(gain, 0) / NUM_STEPS * num_steps:.2g}.",
                f"Multiply it by ten until the loss falls: {lr * scale:g} works here.",
            )
    return ok(f"{seen}; no other learning rate does much better in so few steps")


def _level_after(patient: Patient, scale: float, num_steps: int = NUM_STEPS) -> float:
    """Return the loss after a short training run with ``scale`` times the learning rate."""
    twin = patient.twin()
    twin.set_lr(scale)
    twin.train(patient.runs, num_steps)
    return twin.level(patient.runs)


def _gain(before: float, after: float) -> float:
    """Return by how much the loss has fallen; a loss that is no number has not."""
    return before - after if math.isfinite(after) else -math.inf


@check("last-batch", "Does the last batch fit, and is every test example looked at?", ["loss"])
def _look_at_last_batch(patient: Patient) -> Finding:
    """Work out the size of the last batch of each loader."""
    sizes = {}
    for name in ("train_loader", "test_loader"):
        loader = getattr(patient.program, name)
        sizes[name] = (_last_batch(loader), bool(getattr(loader, "drop_last", False)))
    last, dropped = sizes["train_loader"]
    if last == 1 and not dropped:
        twin = patient.twin()
        twin.model.train()
        X, y = patient.train.batches[0]
        with theirs(
            "the last training batch holds one example, and the model cannot train on one",
            "Use drop_last=True for the training loader, or another batch size.",
        ):
            twin.loss_fn(twin.model(X[:1].clone()), y[:1])
    left, dropped = sizes["test_loader"]
    if dropped and left:
        return warning(
            "some test examples are never looked at",
            f"drop_last=True leaves out the last {left}",
            "The result depends on the batch size.",
            "Use drop_last=False for the test loader.",
        )
    known = [f"{name} {size}" for name, (size, _) in sizes.items() if size]
    return ok(f"size of the last, smaller batch: {', '.join(known)}" if known else "no odd end")


def _last_batch(loader: Any) -> int:
    """Return how many examples are left for a last, incomplete batch; 0 if none, or unknown."""
    size = getattr(loader, "batch_size", None)
    try:
        count = getattr(loader, "num_examples", None) or len(loader.dataset)
    except (AttributeError, TypeError):
        return 0
    return int(count) % int(size) if size else 0
