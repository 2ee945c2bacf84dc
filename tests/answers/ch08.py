"""Chapter 8: answers that must be accepted, and slips that must not."""

import numpy as np
import torch
import torch.nn.functional as F


def _stop(losses, patience, extra=0):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience + extra:
            break
    return best


def _stop_with_a_counter(losses, patience):
    lowest, kept, waited = float("inf"), None, 0
    for epoch, loss in enumerate(losses):
        waited += 1
        if loss < lowest:
            lowest, kept, waited = loss, epoch, 0
        if waited == patience:
            return kept
    return kept


def _last(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch
    return len(losses) - 1


def _never_renewed(losses, patience):
    best, bad = 0, 0
    for epoch, loss in enumerate(losses[1:], 1):
        if loss < losses[best]:
            best = epoch
        else:
            bad += 1
            if bad == patience:
                break
    return best


def _drop(a, dropout, training):
    if not training:
        return a
    return a * (torch.rand_like(a) >= dropout) / (1 - dropout)


def _drop_same_mask(a, dropout, training):
    return a * (torch.rand(a.shape[1]) >= dropout) / (1 - dropout) if training else a


def _drop_pictures(a, dropout, training):
    return a * (torch.rand(len(a), 1) >= dropout) / (1 - dropout) if training else a


def _drop_the_same_again(a, dropout, training):
    keep = torch.rand(a.shape, generator=torch.Generator().manual_seed(1)) >= dropout
    return a * keep / (1 - dropout) if training else a


def _drop_keeps_the_share(a, dropout, training):
    return a * (torch.rand_like(a) < dropout) / dropout if training else a


def _drop_unscaled(a, dropout, training):
    return a * (torch.rand_like(a) >= dropout) if training else a


def _drop_scaled_wrong(a, dropout, training):
    return a * (torch.rand_like(a) >= dropout) * (1 + dropout) if training else a


def _drop_old_way(a, dropout, training):
    return a * (torch.rand_like(a) >= dropout) if training else a * (1 - dropout)


def _drop_numpy(a, dropout, training):
    a = np.asarray(a)
    return (
        np.where(np.random.default_rng().random(a.shape) < dropout, 0, a / (1 - dropout))
        if training
        else a
    )


def _loop(labels, predictions):
    counts = [[0] * 10 for _ in range(10)]
    for label, prediction in zip(labels, predictions, strict=True):
        counts[label][prediction] += 1
    return counts


def _by_index(labels, predictions):
    pairs = torch.tensor(10 * labels + predictions)
    return torch.bincount(pairs, minlength=100).reshape(10, 10)


def _once(labels, predictions):
    counts = np.zeros((10, 10), int)
    counts[labels, predictions] += 1
    return counts


def _prune(W, share):
    order = np.argsort(np.abs(W), axis=None)
    W.flat[order[: round(share * W.size)]] = 0
    return W


def _prune_by_bound(W, share):
    bound = np.quantile(np.abs(W), share)
    return np.where((np.abs(W) < bound) & (share > 0), 0, W)


def _prune_rows(W, share):
    return np.stack([_prune(row, share) for row in W])


def _prune_values(W, share):
    W.flat[np.argsort(W, axis=None)[: round(share * W.size)]] = 0
    return W


RIGHT = {
    "08.stop": [_stop, _stop_with_a_counter, lambda *case: np.int64(_stop(*case))],
    "08.drop": [
        _drop,
        _drop_numpy,
        lambda a, dropout, training: F.dropout(a, dropout, training),
        lambda a, d, t: a * torch.bernoulli(torch.full_like(a, 1 - d)) / (1 - d) if t else a,
    ],
    "08.label": [400_000, 300_000, 1e6, torch.tensor(250_000), np.array([500_000])],
    "08.decay": [1.948, 2 - 0.1 * (0.5 + 0.02), torch.tensor([1.948])],
    "08.factor": [1.25, 1 / 0.8, np.float32(1.25), torch.tensor(1.25)],
    "08.table": ["c", "C", "(c)"],
    "08.mirror": [[0, 1, 8], (8, 0, 1), {0, 1, 8}, np.array([0, 8, 1]), torch.tensor([0, 1, 8])],
    "08.bug": [6, 6.0, torch.tensor(6)],
    "08.confusion": [_loop, _by_index, lambda *pair: np.float32(_loop(*pair))],
    "08.prune": [
        _prune,
        _prune_by_bound,
        lambda W, share: torch.tensor(_prune(W, share)),
        lambda W, share: _prune(W, share).tolist(),
    ],
    "08.noise": ["c", "C", "(c)"],
}

WRONG = {
    "08.stop": [
        lambda losses, patience: int(np.argmin(losses)),
        _last,
        lambda losses, patience: _stop(losses, patience) + 1,
        lambda losses, patience: losses[_stop(losses, patience)],
        lambda losses, patience: _stop(losses, patience, extra=1),
        lambda losses, patience: _stop(losses, patience, extra=-1),
        _never_renewed,
        lambda losses, patience: patience,
        lambda losses, patience: None,
        3,
    ],
    "08.drop": [
        lambda a, dropout, training: a,
        lambda a, dropout, training: _drop(a, dropout, True),
        _drop_same_mask,
        _drop_pictures,
        _drop_the_same_again,
        _drop_keeps_the_share,
        _drop_unscaled,
        _drop_scaled_wrong,
        _drop_old_way,
        lambda a, dropout, training: _drop(a, dropout, not training),
        lambda a, dropout, training: _drop(a, dropout, training)[0],
        lambda a, dropout, training: None,
        0.5,
    ],
    "08.label": [55_000, 400, 0.4, 70_000, 1e7, 0, -1, True, [400_000, 2]],
    "08.decay": [1.95, 1.93, 1.952, 1.949, 1.946, 0.052, 2.052, [1.948, 2]],
    "08.factor": [0.8, 1.2, 5, 2, 1, 0.2, 0.25, 25, "1.25"],
    "08.table": ["a", "b", "d", "e", 3],
    "08.mirror": [
        [0, 8],
        [6, 9],
        [0, 1, 6, 8, 9],
        [0, 1, 3, 8],
        [0, 1, 2, 5, 8],
        list(range(10)),
        [0, 1, 11],
        8,
        [0.0, 1.0, 8.0, 0.5],
        "018",
    ],
    "08.bug": [1, 2, 3, 4, 5, 7, 8, 0, "line 6", [6, 7]],
    "08.confusion": [
        lambda *pair: np.transpose(_loop(*pair)),
        _once,
        lambda *pair: np.diag(np.diag(_loop(*pair))),
        lambda *pair: np.array(_loop(*pair)) / len(pair[0]),
        lambda *pair: _loop(*pair)[:9],
        lambda *pair: np.array(_loop(*pair))[: max(map(max, pair)) + 1, : max(map(max, pair)) + 1],
        lambda *pair: np.array(_loop(*pair)) / np.maximum(np.sum(_loop(*pair), axis=0), 1),
        lambda labels, predictions: (labels == predictions).mean(),
        lambda *pair: np.full((10, 10), np.nan),
        lambda *pair: None,
    ],
    "08.prune": [
        _prune_values,
        _prune_rows,
        lambda W, share: W - _prune(W.copy(), share),
        lambda W, share: _prune(W, 1 - share),
        lambda W, share: np.where(np.abs(W) < share, 0, W),
        lambda W, share: (_prune(W, share) != 0).astype(float),
        lambda W, share: W,
        lambda W, share: np.abs(_prune(W, share)),
        lambda W, share: None,
    ],
    "08.noise": ["a", "b", "d", 3, ["c"]],
}
