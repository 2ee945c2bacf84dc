"""Train any classifier: many passes over the data, each step guarded, the run kept if asked for.

Taught in: chapter 4, "Scores become probabilities".
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mnist_course.data import Batches
from mnist_course.device import repeatable, seed_step
from mnist_course.errors import UsageError
from mnist_course.progress import progress, say
from mnist_course.training import guards
from mnist_course.training.history import BatchSource, Epoch, Evaluation, History, Loss, Tally
from mnist_course.training.keeper import HasState, Keeper
from mnist_course.training.measure import evaluate
from mnist_course.training.parallel import ALONE, Team
from mnist_course.training.settings import refuse_inexact, seed_generators, settings_of

LARGEST_GROWTH = 100.0  # lr=0.5 makes a linear model jump to twenty times its first loss, and learn


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_batches: BatchSource,
    valid_batches: BatchSource | None = None,
    *,
    num_epochs: int,
    loss_fn: Loss = F.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    half: torch.dtype | None = None,
    log: Callable[[str], None] | None = say,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    save_every: int | None = None,
    resume: bool = False,
    about: Mapping[str, Any] | None = None,
    team: Team = ALONE,
) -> History:
    """Train ``model`` in place and return what was measured after every epoch.

    Parameters
    ----------
    model : nn.Module
        Maps ``(B, ...)`` inputs to ``(B, K)`` logits. It stays on the device it is on.
    optimizer : torch.optim.Optimizer
        Holds the model's parameters.
    train_batches, valid_batches : iterable of (X, y)
        `Batches`, or any DataLoader: ``X`` ``(B, ...)`` float, ``y`` ``(B,)`` int64.
    num_epochs : int
        Passes over the training data.
    loss_fn : callable
        ``loss_fn(logits, y)``, the mean over the batch.
    scheduler : LRScheduler, optional
        Stepped after every batch; it may not take the learning rate below 0.
    augment : callable, optional
        Changes each training batch ``X`` before the model sees it.
    half : torch.dtype, optional
        Compute the layers in this 16-bit type, see `device.half_precision`; the weights and the
        loss stay float32.
    log : callable, optional
        Gets one line per epoch; None keeps quiet.
    seed : int, optional
        Makes everything random in step k a function of ``seed`` and k, generators that a
        DataLoader, its sampler or its data set has of its own included. None leaves the random
        numbers alone, and the passes of `Batches` go on from where they are.
    checkpoint : str or Path, optional
        The file in which the run is kept: before the first step, after every epoch, and when
        somebody presses Ctrl-C. It needs a ``seed``. An existing file is not overwritten.
    save_every : int, optional
        Save after so many steps, too.
    resume : bool
        Go on from the checkpoint if it exists, in the middle of an epoch if need be. Everything
        must be built as at the beginning of the run; the result is then that of a run that was
        never interrupted: on a CPU to the last bit, on a GPU if its operations are repeatable.
        Another order of the batches, or other data at its ends, is refused.
    about : mapping, optional
        What else the run depends on (plain values); a checkpoint with another ``about`` is not
        resumed.
    team : Team
        The processes that train together, see `parallel.joined`. Each sees its part of every batch
        and of the validation data; ``batch_size`` is that of all. Process 0 saves. Ctrl-C does not
        wait then: the run goes on from the last checkpoint.

    Returns
    -------
    History
        One `Epoch` per pass, those before the interruption included.

    Raises
    ------
    TrainingError
        Before the first step if something cannot be right; during training as soon as the loss
        runs away or is not a number, a batch comes along that cannot be right, the learning rate
        falls below 0, or a pass ends with ruined weights.
    UsageError
        If a checkpoint is asked for without a seed, or with batches that could not be drawn again.
    CheckpointError, SaveError
        If the checkpoint cannot be resumed, or cannot be written.
    """
    run = _Run(model, optimizer, loss_fn, scheduler, augment, half, seed, team)
    parts, valid_parts = _divide(team, train_batches, valid_batches)
    if checkpoint is not None:
        settings = {**(about or {}), **settings_of(run, train_batches, num_epochs)}
        _open(run, run.keep_in(checkpoint, settings, train_batches, save_every), resume, log)
    elif resume or save_every:
        raise UsageError("resume and save_every need the name of a file: checkpoint=...")
    with (
        run.keeper if run.keeper and team.size == 1 else contextlib.nullcontext(),
        repeatable() if run.seed is not None else contextlib.nullcontext(),
    ):
        while len(run.history) < num_epochs:
            description = f"epoch {len(run.history) + 1}/{num_epochs}"
            measured = run.make_pass(parts, description)
            valid = run.validate(valid_parts) if valid_parts is not None else None
            epoch = run.finish_epoch(measured, valid)
            if log:
                log(str(epoch))
            if run.keeper:  # somebody may have pressed Ctrl-C during the validation
                run.keeper.stop_if_interrupted(run.step)
    return run.history


@dataclass(eq=False)
class _Run:
    """A training run: what takes part in it, and where it stands."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Loss
    scheduler: torch.optim.lr_scheduler.LRScheduler | None
    augment: Callable[[torch.Tensor], torch.Tensor] | None
    half: torch.dtype | None
    seed: int | None = None
    team: Team = ALONE
    keeper: Keeper | None = None
    history: History = field(default_factory=History)
    tally: Tally = field(default_factory=Tally)  # of the pass that is not finished yet
    step: int = 0  # how many steps the run has made

    def __post_init__(self) -> None:
        self.computes = self.team.wrap(self.model)

    def make_pass(self, batches: BatchSource, description: str) -> Evaluation:
        """Train on every batch that this pass has not been trained on yet."""
        device = guards.device_of(self.model)
        guards.check_optimizer(self.optimizer, self.model)
        self.model.train()
        if self.tally.num_batches == 0:
            self.tally.lr = self.optimizer.param_groups[0]["lr"]
        begun = time.perf_counter() - self.tally.seconds
        drawn = progress(
            self._draw(batches),
            description,
            unit="batch",
            total=len(batches) if isinstance(batches, Sized) else None,
            initial=self.tally.num_batches,
        )
        for number, (X, y) in enumerate(drawn):
            if number == 0:
                guards.check_batch(X, y)
                guards.check_last_batch(batches, self.model, X.to(device))
            unchecked = guards.unchecked_labels(batches, y, first=number == 0)
            # Nothing is copied if they are there already.
            self.make_step(X.to(device), y.to(device), unchecked, batches)
            self.tally.seconds = time.perf_counter() - begun
            if self.keeper:
                self.keeper.after_step(self.step)
        # On a GPU this waits for the last step.
        measured = self.team.summed(self.tally).result()
        self.team.share_buffers(self.model)
        self.tally.seconds = time.perf_counter() - begun
        self.check_loss(measured.loss, f"by step {self.tally.num_batches}")
        return measured

    def make_step(
        self, X: torch.Tensor, y: torch.Tensor, unchecked: torch.Tensor | None, batches: BatchSource
    ) -> None:
        """Compute the loss of a batch, its gradient, and one step of the optimizer."""
        number = self.tally.num_batches
        guards.check_rates(self.optimizer, self.scheduler)
        changed = self.augment(X) if self.augment else X
        logits = guards.compute(self.computes, changed, self.half)  # (B, K)
        guards.check_logits(logits, y, unchecked)
        loss = self.loss_fn(logits, y)  # ()
        if self.step == 0:
            guards.check_loss_fn(self.loss_fn, loss, logits, y)
        # Asking a GPU for a number makes it wait, so there we ask only now and then.
        if X.device.type == "cpu" or number % 32 == 0:
            value = float(loss.detach())
            if number == 0:  # log K is the loss of whoever guesses
                self.tally.limit = LARGEST_GROWTH * max(value, math.log(logits.shape[1]))
            if not math.isfinite(value):
                guards.check_batch(X, y)  # before the learning rate is blamed
            self.check_loss(value, f"by step {number + 1}")
        self.optimizer.zero_grad()
        self.team.weigh(loss, len(y), batches).backward()
        self.optimizer.step()
        if self.scheduler:
            self.scheduler.step()
        self.tally.add(loss.detach(), logits.detach(), y)
        self.step += 1

    def validate(self, batches: BatchSource) -> Evaluation:
        """Measure the model after a pass, whose last step may be the one that ruined it."""
        self._seed(self.step, batches)
        part = evaluate(self.model, batches, loss_fn=self.loss_fn, half=self.half)
        measured = self.team.pool(part)
        self.check_loss(measured.loss, "in validation", limit=math.inf)
        return measured

    def finish_epoch(self, measured: Evaluation, valid: Evaluation | None) -> Epoch:
        """Enter a row into the history, save, and return the row."""
        guards.check_weights(self.model, self.optimizer.param_groups[0]["lr"])
        epoch = Epoch(
            number=len(self.history) + 1,
            train_loss=measured.loss,
            train_accuracy=measured.accuracy,
            valid_loss=valid.loss if valid else None,
            valid_accuracy=valid.accuracy if valid else None,
            lr=self.tally.lr,
            seconds=self.tally.seconds,
        )
        self.history.epochs.append(epoch)
        self.tally = Tally()
        if self.keeper:
            self.keeper.save()
        return epoch

    def check_loss(self, loss: float, when: str, limit: float | None = None) -> None:
        """Stop if the loss runs away or is not a number any more, and name the usual cause."""
        limit = self.tally.limit if limit is None else limit
        if not loss <= limit or math.isinf(loss):  # a comparison with NaN is False
            lr = self.optimizer.param_groups[0]["lr"]
            raise guards.lr_too_high(f"the loss became {loss:.4g} {when}", lr)

    def keep_in(
        self,
        path: str | Path,
        settings: Mapping[str, Any],
        batches: BatchSource,
        save_every: int | None,
    ) -> Keeper:
        """Choose the file in which the run is kept."""
        if self.seed is None:
            raise UsageError("a run that can be resumed needs a seed: seed=0, for example.")
        refuse_inexact(batches)
        parts: dict[str, HasState] = {"model": self.model, "optimizer": self.optimizer, "run": self}
        if self.scheduler:
            parts["scheduler"] = self.scheduler
        people = {"workers": getattr(batches, "num_workers", 0), "processes": self.team.size}
        self.keeper = Keeper(path, parts, settings, save_every, people, self.team.leads)
        return self.keeper

    def state_dict(self) -> dict[str, Any]:
        """Return where the run stands, for a checkpoint."""
        rows = [asdict(epoch) for epoch in self.history.epochs]
        tally = dict(vars(self.team.summed(self.tally)))
        return {"step": self.step, "history": rows, "tally": tally}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Stand where a checkpoint says."""
        self.step = state["step"]
        self.history.epochs[:] = [Epoch(**row) for row in state["history"]]
        vars(self.tally).update(state["tally"])
        if not self.team.leads:  # the sums are those of all, and count once
            self.tally.loss, self.tally.hits, self.tally.num_examples = 0.0, 0, 0

    def _draw(self, batches: BatchSource) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches that are left of this pass, each drawn with the seed of its step."""
        done = self.tally.num_batches
        self._seed(self.step - done, batches)
        if isinstance(batches, Batches) and self.seed is not None:
            source = batches.one_pass(epoch=len(self.history), start=done)
        else:
            source = iter(batches)
            for number in range(done):  # drawn again, to throw them away
                self._seed(self.step - done + number)
                next(source, None)
        while True:
            self._seed(self.step)
            try:
                yield next(source)
            except StopIteration:
                return

    def _seed(self, step: int, batches: BatchSource | None = None) -> None:
        """Make the random numbers that follow a function of the run and the step."""
        if self.seed is not None:
            seed_step(self.seed, step, self.team.rank)
            if batches is not None:
                seed_generators(batches, torch.initial_seed())


def _divide(
    team: Team, train: BatchSource, valid: BatchSource | None
) -> tuple[BatchSource, BatchSource | None]:
    """Return this process's part; who brings a DataLoader divides it with a sampler."""
    if isinstance(train, Batches):
        train = team.part_of(train)
    if isinstance(valid, Batches):
        valid = team.part_of(valid, every=False)
    return train, valid


def _open(run: _Run, keeper: Keeper, resume: bool, log: Callable[[str], None] | None) -> None:
    """Begin the file in which a run is kept, or let the run take over what the file holds."""
    warning = run.team.in_turn(lambda: keeper.open(resume))
    run.team.agree({"step to begin with": run.step})
    if warning:
        (log or say)(warning)
    if log and resume:
        begins = f"{keeper.path} does not exist yet: a new run begins"
        goes_on = f"resumed after step {run.step:,}; finished epochs: {len(run.history)}"
        log(goes_on if run.step else begins)
