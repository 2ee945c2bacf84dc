"""A program for two processes: ``torchrun --nproc-per-node 2 -m tests.team FOLDER WHAT``."""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from mnist_course.data import Batches
from mnist_course.training import fit, parallel

NUM_EXAMPLES, NUM_EPOCHS, STEPS = 101, 3, 7  # the last of seven batches holds five: two and three
torch.manual_seed(0)
X = torch.randn(NUM_EXAMPLES, 1, 4, 4, dtype=torch.float64)
y = torch.randint(0, 3, (NUM_EXAMPLES,))


def make_model(*more: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), *more, nn.Linear(8, 3)).double()


def train(model, team=parallel.ALONE, **settings):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    batches = Batches(X, y, 16, shuffle=True, seed=5)
    valid = Batches(X[:41], y[:41], 20, shuffle=False) if "checkpoint" not in settings else None
    return fit(
        model, optimizer, batches, valid, num_epochs=NUM_EPOCHS, team=team, log=None, **settings
    )


def wear(X):
    """Die in the middle of the second pass, the first time: process 1 only."""
    wear.steps += 1
    deadly = os.environ["DIE"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if deadly and os.environ["RANK"] == "1" and wear.steps == STEPS + 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return X + 0.1 * torch.randn_like(X)


wear.steps = 0


def main(folder: Path, what: str) -> None:
    """Do what a test wants, and leave behind what each process has."""
    torch.set_num_threads(1)
    with parallel.joined(lambda: torch.device("cpu")) as team:
        if what == "plain":
            model = make_model()
            history = train(model, team)
            torch.save([model.state_dict(), history["train_loss"], history["train_accuracy"],
                        history["valid_loss"]], folder / f"plain{team.rank}.pt")  # fmt: skip
        name = folder / f"run-{what}.pt"
        model = make_model(nn.BatchNorm1d(8), nn.Dropout(0.2))
        history = train(
            model, team, seed=3, augment=wear, checkpoint=name, save_every=3, resume=True
        )
        torch.save(
            [model.state_dict(), history["train_loss"]], folder / f"{what}-end{team.rank}.pt"
        )
        print(f"{what}: {len(history)} passes")
        if what == "plain":
            team.agree({"color": "red" if team.leads else "blue"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
