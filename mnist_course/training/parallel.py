"""Train with several processes, each with its part of every batch, and one result.

``torchrun`` starts them and `torch.distributed` carries their messages; here stands what is ours:
who is who, what each gets, and what all must agree about.

Taught in: chapter 13, "Faster and wider".
"""

import contextlib
import copy
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from mnist_course.data import Batches
from mnist_course.errors import CourseError, UsageError, as_course_error
from mnist_course.training.history import Evaluation, Tally

T = TypeVar("T")

WAIT = timedelta(seconds=30)  # for a process that does not answer
BACKENDS = {"cuda": "nccl"}  # everything else talks by gloo


class TeamError(CourseError):
    """The processes of a run do not find each other, or do not agree."""


@dataclass(frozen=True)
class Team:
    """The processes that train one model together; this one is number ``rank`` of ``size``.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and of all. A program alone is 0 of 1.
    device : torch.device
        Where this process computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this is the process that prints and saves."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what computes the logits: behind it, ``backward`` means gradients over the team.

        Parameters
        ----------
        model : nn.Module
            On ``device``. All processes take over the weights of number 0.

        Returns
        -------
        nn.Module
            The model itself, if there is one process only.
        """
        if self.size == 1:
            return model
        on_gpu = [self.device] if self.device.type == "cuda" else None
        # Running means are needed at the end of a pass only, see `share_buffers`.
        return DistributedDataParallel(
            model, device_ids=on_gpu, broadcast_buffers=False, gradient_as_bucket_view=True
        )

    def part_of(self, batches: Batches, *, every: bool = True) -> Batches:
        """Return batches of which this process sees its part only.

        Parameters
        ----------
        batches : Batches
            The same in all processes.
        every : bool
            Whether each process must get something of each batch, as for a step that all make.

        Returns
        -------
        Batches
            As many as before, each divided by ``size``.

        Raises
        ------
        UsageError
            If some batch has fewer examples than there are processes, and ``every`` is asked for.
        """
        if self.size == 1:
            return batches
        last = batches.num_examples % batches.batch_size or batches.batch_size
        if every and min(last, batches.batch_size) < self.size:
            raise UsageError(
                f"a batch of {min(last, batches.batch_size)} cannot be divided among {self.size} "
                f"processes: choose another batch size than {batches.batch_size}."
            )
        return _Part(batches, self)

    def weigh(self, loss: torch.Tensor, num_examples: int, batches: object) -> torch.Tensor:
        """Return the loss times what makes the mean of all processes the mean of the batch.

        Parameters
        ----------
        loss : torch.Tensor
            ``()``, the mean over this process's part.
        num_examples : int
            How many examples that part has: parts of a last batch may differ by one.
        batches : object
            Where it comes from. What `part_of` returned knows the size of the whole batch; for
            anything else the processes ask each other.

        Returns
        -------
        torch.Tensor
            ``()``.
        """
        if self.size == 1:
            return loss
        if isinstance(batches, _Part):
            return loss * (num_examples * self.size / batches.num_in_batch)
        total = torch.full_like(loss.detach(), num_examples)  # made there: no GPU waits
        dist.all_reduce(total)
        return loss * (num_examples * self.size / total)

    def pool(self, measured: Evaluation) -> Evaluation:
        """Return what all processes measured together, each on its part.

        Parameters
        ----------
        measured : Evaluation
            Averages over the examples that this process saw.

        Returns
        -------
        Evaluation
            Averages over all examples, the same in every process.
        """
        if self.size == 1:
            return measured
        n = measured.num_examples
        loss, hits, total = self._total(measured.loss * n, round(measured.accuracy * n), n)
        return Evaluation(loss / total, hits / total, int(total))

    def summed(self, tally: Tally) -> Tally:
        """Return the tally of all processes.

        Parameters
        ----------
        tally : Tally
            Of this process; it is not changed.

        Returns
        -------
        Tally
            The tally itself, if there is one process only.
        """
        if self.size == 1 or tally.num_batches == 0:  # of which all have had as many
            return tally
        whole = copy.copy(tally)
        loss, hits, total = self._total(float(tally.loss), int(tally.hits), tally.num_examples)
        whole.loss, whole.hits, whole.num_examples = loss, int(hits), int(total)
        return whole

    def share_buffers(self, model: nn.Module) -> None:
        """Give all processes the running means of number 0, at the end of a pass.

        Parameters
        ----------
        model : nn.Module
            Not wrapped.
        """
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def agree(self, about: Mapping[str, Any]) -> None:
        """Compare what all processes must have in common before any work is done.

        Parameters
        ----------
        about : mapping
            Plain values: versions, settings, a digest of the data.

        Raises
        ------
        TeamError
            If some process has something else than number 0.
        """
        if self.size == 1:
            return
        answers: list[Any] = [None] * self.size
        dist.all_gather_object(answers, dict(about))
        for rank, there in enumerate(answers):
            different = [key for key in about if there.get(key) != answers[0].get(key)]
            if different:
                key = different[0]
                raise TeamError(
                    f"process {rank} has {key} {there.get(key)}, and process 0 has "
                    f"{answers[0].get(key)}: give all processes the same, then start again."
                )

    def in_turn(self, function: Callable[[], T]) -> T:
        """Let number 0 do something after all others have done it, and return what came out.

        Parameters
        ----------
        function : callable
            Without arguments.

        Returns
        -------
        object
            What it returned here.
        """
        if self.size == 1:
            return function()
        done = None if self.leads else function()
        dist.barrier()
        return function() if self.leads else done  # type: ignore[return-value]

    def _total(self, *numbers: float) -> list[float]:
        """Add up numbers over all processes."""
        sums = torch.tensor(numbers, dtype=torch.float64)
        sums = sums.to(self.device)
        dist.all_reduce(sums)
        found: list[float] = sums.tolist()
        return found


ALONE = Team()


class _Part(Batches):
    """Every batch of other batches, of which each process of a team sees a part."""

    def __init__(self, whole: Batches, team: Team) -> None:
        super().__init__(whole.X, whole.y, whole.batch_size, shuffle=whole.shuffle, seed=whole.seed)
        self._team, self.num_in_batch = team, 0

    def one_pass(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield this process's part of the batches of one pass."""
        rank, size = self._team.rank, self._team.size
        for X, y in super().one_pass(epoch, start):
            n = self.num_in_batch = len(y)
            mine = slice(n * rank // size, n * (rank + 1) // size)
            if mine.start < mine.stop:
                yield X[mine], y[mine]


def started_by_torchrun() -> bool:
    """Return whether this process is one of several that ``torchrun`` (or Slurm) started."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= set(os.environ)


@contextlib.contextmanager
def joined(choose: Callable[[], torch.device]) -> Iterator[Team]:
    """Join the team that ``torchrun`` started, if it did, for as long as this context lasts.

    Only number 0 prints to standard output. What ends the run for all is told once, with the
    number of the process that met it.

    Parameters
    ----------
    choose : callable
        Returns the device, as `device.pick_device` does; of several GPUs, each process takes its
        own.

    Yields
    ------
    Team
        `ALONE`, if nobody started several processes.

    Raises
    ------
    TeamError
        If the others do not answer within 30 seconds.
    UsageError
        If there are fewer GPUs than processes.
    """
    if not started_by_torchrun():
        yield Team(device=choose())
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    hidden = contextlib.nullcontext() if rank == 0 else contextlib.redirect_stdout(io.StringIO())
    with hidden, _told_once(rank):
        team = Team(rank, size, _own(choose()))
        _meet(team)
        try:
            yield team
        finally:
            dist.destroy_process_group()


def _own(device: torch.device) -> torch.device:
    """Return the device of this process among those of its machine."""
    local, num_local = int(os.environ.get("LOCAL_RANK", 0)), _num_local()
    if device.type == "cuda":
        there = torch.cuda.device_count()
        if num_local > there:
            raise UsageError(
                f"{num_local} processes want a GPU each, and there are {there}: start {there}, or "
                "set MNIST_COURSE_DEVICE to cpu."
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if device.type == "cpu" and local == 0 and num_local > (cores or 1):
        print(f"{num_local} processes share {cores} cores: more than one a core only wait for "
              "each other.", file=sys.stderr)  # fmt: skip
    return device


def _num_local() -> int:
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def _meet(team: Team) -> None:
    """Open the channel between the processes, under a name that no earlier start has used.

    The store of torchrun outlives a restart, and so do the addresses of processes that have died.
    """
    backend = BACKENDS.get(team.device.type, "gloo")
    # What torch says once about the layout of gradients, and of its barrier on a GPU.
    warnings.filterwarnings("ignore", message="Grad strides do not match|barrier")
    try:
        store, rank, size = next(rendezvous("env://", timeout=WAIT))
        own = dist.PrefixStore(f"start {_start()}", store)
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=WAIT)
    except (dist.DistError, RuntimeError, ValueError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TeamError(
            f"the {team.size} processes do not meet at {where} ({str(error).splitlines()[0]}). "
            "Look whether all were started, and whether the port is free; then start again."
        ) from None


def _start() -> str:
    """Return the number of this start, from 0: torchrun starts all anew when one has died."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")


@contextlib.contextmanager
def _told_once(rank: int) -> Iterator[None]:
    """End the process on an error; of all processes, the first to meet one says so."""
    try:
        yield
    except Exception as error:
        told = as_course_error(error)
        if told is None and _lost(error):  # who was the first has usually said why
            told = TeamError(f"another process has ended, or has not answered for {WAIT.seconds} s")
        if told is None:
            raise
        if _first_to_tell():
            print(f"Error in process {rank}: {told}", file=sys.stderr, flush=True)
        sys.exit(told.exit_code)


def _lost(error: Exception) -> bool:
    """Return whether an error says that another process is gone."""
    signs = ("closed by peer", "reset by peer", "gloo", "nccl", "broken pipe", "timed out")
    known = isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in signs)
    return known or isinstance(error, dist.DistError)


def _first_to_tell() -> bool:
    """Ask the store that all processes see whether somebody has told an error already."""
    try:
        store = dist.TCPStore(
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False,
            timeout=timedelta(seconds=2),
        )  # fmt: skip
        return store.add(f"told {_start()}", 1) == 1
    except (dist.DistError, RuntimeError, ValueError):
        return True  # nobody can be asked: rather twice than not at all
