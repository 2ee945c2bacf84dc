"""Answers to the exercises of chapter 13: right in several forms, and as learners slip."""

import numpy as np
import torch


def _deal(num_examples, rank, size, epoch):
    order = np.random.default_rng(epoch).permutation(num_examples)
    return order[: num_examples // size * size][rank::size]


def _deal_blocks(num_examples, rank, size, epoch):
    generator = torch.Generator().manual_seed(epoch + 7)
    share = num_examples // size
    return torch.randperm(num_examples, generator=generator)[rank * share : (rank + 1) * share]


def _by_loop(gradients, sizes):
    total = 0
    for gradient, size in zip(gradients, sizes, strict=True):
        total = total + size * gradient
    return total / sum(sizes)


RIGHT = {
    "13.amdahl": [1.5, np.float32(1.5), torch.tensor(1.5), 1 / (1 - 0.5 + 0.5 / 3)],
    "13.parts": [
        lambda g, n: np.average(g, axis=0, weights=n),
        _by_loop,
        lambda g, n: torch.tensor(n @ g / n.sum()),
        lambda g, n: list((n[:, None] * g).sum(0) / n.sum()),
    ],
    "13.bytes": [349_960, 4 * 87_490.0, np.int64(349_960)],
    "13.share": [0.8, np.float64(0.8), 4 / 5],
    "13.dealt": [[4, 2], (4, 2), np.array([4, 2]), torch.tensor([4, 2])],
    "13.rate": [0.4, 0.1 * 512 / 128, torch.tensor(0.4)],
    "13.bug": [4, 4.0, np.int64(4)],
    "13.deal": [_deal, _deal_blocks, lambda *args: _deal(*args).tolist()],
}

WRONG = {
    "13.amdahl": [3, 2, 2 / 3, 1.2, 1.25, "1.5", [1.5, 1.5], float("inf")],
    "13.parts": [
        lambda g, n: g.mean(axis=0),
        lambda g, n: n @ g,
        lambda g, n: n @ g / len(n),
        lambda g, n: (g / n[:, None]).mean(axis=0),
        lambda g, n: g.sum(axis=0),
        lambda g, n: g,
        lambda g, n: np.average(g, axis=0, weights=n) * np.nan,
        lambda g, n: None,
    ],
    "13.bytes": [87_490, 699_920, 2_799_680, 174_980, 1_049_880, 350_000, "349960"],
    "13.share": [80, 0.2, 0.4, 0.6, 10 / 6, 0.75, "0.8", True],
    "13.dealt": [[3, 0], [3, 1], [4, 1], [4, 0], [2, 4], 4, [4, 2, 2], "4, 2"],
    "13.rate": [0.025, 0.2, 0.1, 51.2, 12.8, 0.5, "0.4"],
    "13.bug": [3, 5, 2, 1, 7, 6, "4", True],
    "13.deal": [
        lambda n, rank, size, epoch: np.arange(n)[: n // size * size][rank::size],
        lambda n, rank, size, epoch: np.random.default_rng(0).permutation(n)[: n // size],
        lambda n, rank, size, epoch: np.random.default_rng(rank).permutation(n)[: n // size],
        lambda n, rank, size, epoch: torch.randperm(n)[: n // size],
        lambda n, rank, size, epoch: np.random.default_rng(epoch).permutation(n)[rank::size],
        lambda n, rank, size, epoch: _deal(n, rank, size, 0),
        lambda n, rank, size, epoch: _deal(n, rank, size, epoch) + 1,
        lambda n, rank, size, epoch: _deal(n, rank, size, epoch) / 1,
        lambda n, rank, size, epoch: None,
        lambda n, rank, size, epoch: sorted(_deal(n, rank, size, epoch)),
    ],
}
