"""How each network of the course is trained: one recipe per row of the results page.

Taught in: chapters 4, 7, 8 and 9.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from mnist_course import __version__
from mnist_course.data import Batches, Digits, load_data, split_train_valid, to_tensors
from mnist_course.device import half_precision, pick_device, set_seed
from mnist_course.errors import UsageError
from mnist_course.training import models
from mnist_course.training.augment import Chain, Elastic, Ink, RandomAffine, StrokeWidth, nudge
from mnist_course.training.history import Evaluation, History, TrainingError
from mnist_course.training.loop import fit
from mnist_course.training.measure import evaluate
from mnist_course.training.parallel import Team
from mnist_course.training.settings import digest

Parameters = Iterable[nn.Parameter]


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on besides the data and the seed.

    Attributes
    ----------
    title : str
        What it is, in a few words.
    model : callable
        Returns a new model.
    optimizer : callable
        Returns an optimizer of the parameters that it is given.
    num_epochs, batch_size : int
        Passes over the training data, and examples per step.
    normalized : bool
        Whether pixels are normalized (mean 0, standard deviation 1) or only scaled to 0..1.
    warmup : float or None
        Share of the steps during which the learning rate rises from 0 to that of the optimizer;
        it then falls back to 0, both along straight lines. None keeps it constant.
    augment : callable or None
        Changes each training batch.
    half : bool
        Whether to compute in bfloat16 where the hardware is made for it.
    """

    title: str
    model: Callable[[], nn.Module]
    optimizer: Callable[[Parameters], torch.optim.Optimizer]
    num_epochs: int
    batch_size: int
    normalized: bool = True
    warmup: float | None = None
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None
    half: bool = False

    def schedule(self, optimizer: torch.optim.Optimizer, num_steps: int) -> LambdaLR | None:
        """Return the scheduler of a run of ``num_steps`` steps, if it has one."""
        return one_cycle(optimizer, num_steps, self.warmup) if self.warmup else None


SGD = partial(torch.optim.SGD, fused=True)  # fused: one pass over memory, the same numbers
NESTEROV = partial(SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

S2 = Recipe(
    title="MLP 784-256-64-10, a tutorial's settings, corrected",
    model=models.three_layer_mlp,
    optimizer=partial(SGD, lr=0.8),
    num_epochs=5,
    batch_size=64,
    normalized=False,
)

RECIPES = {
    "s4": Recipe(
        title="softmax regression, a tutorial's settings",
        model=models.softmax_regression,
        optimizer=partial(SGD, lr=0.005),
        num_epochs=10,
        batch_size=256,
        normalized=False,
    ),
    "s0": Recipe(
        title="MLP 784-512-256-128-64-10, a tutorial's settings",
        model=models.five_layer_mlp,
        optimizer=partial(SGD, lr=0.01, momentum=0.5),
        num_epochs=10,
        batch_size=64,
    ),
    "s2": S2,
    "s2-published": replace(
        S2,
        title="the same with ReLU on its logits, as published",
        model=partial(models.three_layer_mlp, relu_on_logits=True),
    ),
    "s1": Recipe(
        title="CNN with two convolutions, a tutorial's settings, half its epochs",
        model=models.two_conv_cnn,
        optimizer=partial(torch.optim.Adam, fused=True),
        num_epochs=5,  # of ten; on validation digits the later ones brought nothing
        batch_size=16,
    ),
    "softmax": Recipe(
        title="softmax regression, ours",
        model=models.softmax_regression,
        optimizer=partial(SGD, lr=0.05, momentum=0.9, nesterov=True),
        num_epochs=5,
        batch_size=128,
        warmup=0.2,
    ),
    "mlp-quick": Recipe(
        title="MLP 784-256-64-10, ours, three epochs",
        model=models.three_layer_mlp,
        optimizer=partial(torch.optim.AdamW, lr=5e-3, weight_decay=0.1, fused=True),
        num_epochs=3,
        batch_size=256,
        warmup=0.2,
        half=True,
    ),
    "mlp": Recipe(
        title="MLP, ours",
        model=models.mlp,
        optimizer=partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.1, fused=True),
        num_epochs=10,
        batch_size=256,
        warmup=0.2,
        augment=nudge,
        half=True,
    ),
    "cnn-quick": Recipe(
        title="small CNN, ours, one epoch",
        model=models.small_cnn,
        optimizer=NESTEROV,
        num_epochs=1,
        batch_size=128,
        warmup=0.2,
        half=True,
    ),
    "recognizer": Recipe(
        title="small CNN, ours, hardened for photos",
        model=models.small_cnn,
        optimizer=NESTEROV,
        num_epochs=16,
        batch_size=128,
        warmup=0.2,
        # No larger turns: a one with a long upstroke, turned by 15 degrees, is a seven.
        augment=Chain((RandomAffine(10, 0.15, 0.1, 2), Elastic(), StrokeWidth(), Ink())),
        half=True,
    ),
    "cnn": Recipe(
        title="CNN, ours, best",
        model=models.best_cnn,
        optimizer=NESTEROV,
        num_epochs=32,
        batch_size=128,
        warmup=0.2,
        augment=RandomAffine(),
        half=True,
    ),
}


def one_cycle(optimizer: torch.optim.Optimizer, num_steps: int, warmup: float = 0.2) -> LambdaLR:
    """Return a scheduler that lets the learning rate rise and fall once, along straight lines.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Its learning rate is the peak.
    num_steps : int
        How many steps the whole run makes; the scheduler is stepped after each.
    warmup : float
        Share of the steps that the rise takes, above 0 and below 1.

    Returns
    -------
    LambdaLR
        To be given to `training.fit`.

    Raises
    ------
    ValueError
        If ``warmup`` is not between 0 and 1, or there is no step to make.
    TrainingError
        By the scheduler, if it is stepped more often.

    Notes
    -----
    `torch.optim.lr_scheduler.OneCycleLR` can draw nearly this line, but divides by zero where
    ``warmup * (num_steps + 1)`` is 1, and takes a step too many to a rate below 0.
    """
    if not 0 < warmup < 1 or num_steps < 1:
        raise ValueError(
            f"warmup={warmup}, num_steps={num_steps}: expected a share between 0 and 1 of at "
            "least one step."
        )

    def share_of_peak(step: int) -> float:
        if step > num_steps:
            raise TrainingError(
                f"the schedule one_cycle was made for {num_steps:,} steps, and the run goes on. "
                "Make it for all of them: num_epochs * len(batches)."
            )
        done = (step + 1) / (num_steps + 1)  # neither the first nor the last step is wasted on 0
        return min(done / warmup, (1 - done) / (1 - warmup))

    return LambdaLR(optimizer, share_of_peak)


@dataclass(frozen=True, eq=False)
class Trained:
    """What `train` hands back.

    Attributes
    ----------
    model : nn.Module
        The trained network, on the device on which it was trained.
    history : History
        One row per epoch.
    test : Evaluation or None
        Measured once, after training; None where validation digits were set aside.
    """

    model: nn.Module
    history: History
    test: Evaluation | None


def train(
    name: str,
    *,
    num_epochs: int | None = None,
    seed: int = 0,
    num_valid: int = 0,
    digits: Digits | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    team: Team | None = None,
    **options: Any,
) -> Trained:
    """Train a network of the course by its recipe.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    num_epochs : int, optional
        Passes over the training data; the recipe's number if None.
    seed : int
        Starting weights, orders and all other random numbers are functions of it.
    num_valid : int
        How many training digits to set aside, and to measure after every epoch. The run is then
        one to choose by, and the test digits are left alone.
    digits : Digits, optional
        What to train on; `data.load_data` if None.
    batch_size : int, optional
        Examples per step, of all processes together; the recipe's number if None. The learning
        rate stays as it is.
    dtype : str, optional
        ``"float32"`` or ``"bfloat16"`` for the layers; None is what the recipe and the hardware
        are made for.
    team : Team, optional
        The processes that train together, and where, see `parallel.joined`.
    **options
        Passed on to `training.fit`: ``log``, ``checkpoint``, ``save_every``, ``resume``.

    Returns
    -------
    Trained
        Model, history and test result.

    Raises
    ------
    KeyError
        If there is no such recipe.
    ValueError
        If ``num_epochs`` or ``batch_size`` is below 1, ``dtype`` is unknown, or ``num_valid``
        leaves nothing to train on.
    DataError, TrainingError, CheckpointError, SaveError
        As `data.load_data` and `training.fit`.
    """
    if num_epochs is not None and num_epochs < 1:
        raise UsageError(f"num_epochs={num_epochs}: a run makes at least one pass over the data.")
    team, recipe = team or Team(device=pick_device()), RECIPES[name]
    recipe = recipe if batch_size is None else replace(recipe, batch_size=batch_size)
    digits, num_epochs = digits or load_data(), num_epochs or recipe.num_epochs
    half = _half(recipe, team.device, dtype)
    set_seed(seed)
    # The layout in which convolutions are quickest; it changes no value.
    model = recipe.model().to(team.device).to(memory_format=torch.channels_last)
    optimizer = recipe.optimizer(model.parameters())
    train_batches, other_batches = _batches(recipe, digits, num_valid, seed, team.device)
    settings = {"recipe": name, "num_epochs": num_epochs, "num_valid": num_valid}
    if team.size > 1:
        team.agree({**settings, "seed": seed, "dtype": str(half), **_conditions(recipe, digits)})
    history = fit(
        model,
        optimizer,
        train_batches,
        other_batches if num_valid else None,
        num_epochs=num_epochs,
        scheduler=recipe.schedule(optimizer, num_epochs * len(train_batches)),
        augment=recipe.augment,
        half=half,
        seed=seed,
        about={**settings, "data": digits.source},
        team=team,
        **options,
    )
    return Trained(model, history, None if num_valid else evaluate(model, other_batches, half=half))


def _conditions(recipe: Recipe, digits: Digits) -> dict[str, Any]:
    """Return what all processes of a run must have alike besides its settings."""
    arrays = [digits.train_images, digits.train_labels, digits.test_images, digits.test_labels]
    versions = {"the course's version": __version__, "torch": str(torch.__version__)}
    return {**versions, "batch size": recipe.batch_size, "digits with the SHA-256": digest(arrays)}


def _half(recipe: Recipe, device: torch.device, dtype: str | None) -> torch.dtype | None:
    """Return the 16-bit type for the layers, if any, from what was asked for."""
    if dtype is None:
        return half_precision(device) if recipe.half else None
    known = {"float32": None, "bfloat16": torch.bfloat16}
    if dtype not in known:
        raise UsageError(f"dtype={dtype}: expected one of {', '.join(known)}.")
    return known[dtype]


def _batches(
    recipe: Recipe, digits: Digits, num_valid: int, seed: int, device: torch.device
) -> tuple[Batches, Batches]:
    """Return what to train on, and what to measure: digits that are set aside, or the test's."""
    images, labels = digits.train_images, digits.train_labels
    others = digits.test_images, digits.test_labels
    if num_valid:
        picked, set_aside = split_train_valid(len(labels), num_valid)
        others = images[set_aside], labels[set_aside]
        images, labels = images[picked], labels[picked]
    X, y = to_tensors(images, labels, device, normalized=recipe.normalized)
    X_others, y_others = to_tensors(*others, device, normalized=recipe.normalized)
    train_batches = Batches(X, y, recipe.batch_size, shuffle=True, seed=seed)
    return train_batches, Batches(X_others, y_others, 1_000, shuffle=False)
