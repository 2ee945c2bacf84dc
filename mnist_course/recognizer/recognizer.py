"""A trained network that reads a picture: a digit with a probability, or a refusal with a reason.

The network that comes with the package was trained by the course (`Recognizer.about` says how)
and is stored as plain arrays, which cannot run code when they are opened. Answering takes numpy
only, so that nobody waits for torch.

Taught in: chapter 11, "Your own digit".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_course.by_hand.losses import softmax
from mnist_course.photo import PhotoError, Prepared, prepare, read_photo
from mnist_course.recognizer.layers import forward
from mnist_course.recognizer.weights import OWN, Weights, load_weights


@dataclass(frozen=True)
class Answer:
    """What the network reads in one picture.

    Attributes
    ----------
    digit : int or None
        None if the picture was refused.
    probability : float
        Of the digit, calibrated; 0 if the picture was refused.
    runner_up : int or None
        The second most probable digit.
    runner_up_probability : float
        Of the runner-up.
    unsure : bool
        Whether the probability is so low that a reader should look herself.
    reason : str
        Why the picture was refused or the answer is unsure; empty otherwise.
    prepared : Prepared or None
        The 28×28 image that the network saw, and how it came about.
    """

    digit: int | None
    probability: float = 0.0
    runner_up: int | None = None
    runner_up_probability: float = 0.0
    unsure: bool = False
    reason: str = ""
    prepared: Prepared | None = None

    def __str__(self) -> str:
        """Return the answer as one line of text."""
        if self.digit is None:
            return f"refused: {self.reason}"
        line = f"{self.digit}, probability {self.probability:.3f}"
        return line + (f" ({self.reason})" if self.reason else "")


class Recognizer:
    """Reads digits with the package's own network, or with one that you trained.

    Parameters
    ----------
    weights : str or Path or Weights, optional
        A file made by ``python -m mnist_course weights``; without it, the package's own.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or something else.
    """

    def __init__(self, weights: str | Path | Weights | None = None) -> None:
        if not isinstance(weights, Weights):
            weights = load_weights(OWN if weights is None else weights)
        self.weights = weights

    @property
    def about(self) -> dict[str, Any]:
        """Where the weights come from, and what was measured."""
        return self.weights.about

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the scores of many images that are in MNIST's form.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8, 0 for paper, 255 for ink.

        Returns
        -------
        np.ndarray
            ``(N, 10)`` float64.

        Raises
        ------
        ValueError
            If the images have another type or shape.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
            raise ValueError(
                f"expected images of shape (N, 28, 28) and type uint8, got {images.shape} and "
                f"{images.dtype}. `photo.prepare` makes such an image out of a picture."
            )
        kept = self.weights
        parts = [
            forward(kept.layers, images[i : i + 250], kept.mean, kept.std)
            for i in range(0, len(images), 250)
        ]
        return np.concatenate([np.zeros((0, 10)), *parts])  # (N, 10)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities of many images; parameters as in `logits`.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8.

        Returns
        -------
        np.ndarray
            ``(N, 10)``, every row with the sum 1.
        """
        logits = self.logits(images)
        return softmax(logits / self.weights.temperature) if len(logits) else logits

    def read(self, image: np.ndarray) -> Answer:
        """Read one image that is in MNIST's form already.

        Parameters
        ----------
        image : np.ndarray
            ``(28, 28)`` uint8.

        Returns
        -------
        Answer
            With a digit, always.
        """
        return self.read_many(np.asarray(image)[None])[0]

    def read_many(self, images: np.ndarray) -> list[Answer]:
        """Read images that are in MNIST's form already.

        Parameters
        ----------
        images : np.ndarray
            ``(N, 28, 28)`` uint8.

        Returns
        -------
        list of Answer
            One per image.
        """
        return [self._answer(probs) for probs in self.probabilities(images)]

    def recognize(self, picture: str | Path | np.ndarray) -> Answer:
        """Read a picture file, or the pixels of a picture.

        Parameters
        ----------
        picture : str or Path or np.ndarray
            A file, or what `photo.prepare` takes: ``(H, W)`` or ``(H, W, 3)``, uint8 or 0..1.

        Returns
        -------
        Answer
            With a digit; ``unsure`` if it should not be relied on.

        Raises
        ------
        PhotoError
            If the file cannot be read, or there is nothing in it, or more than one thing.
        """
        photo = picture if isinstance(picture, np.ndarray) else read_photo(picture)
        prepared = prepare(photo)
        return self._answer(self.probabilities(prepared.image[None])[0], prepared)

    def recognize_many(self, pictures: Iterable[str | Path | np.ndarray]) -> Iterator[Answer]:
        """Read pictures one after the other; a bad one is an answer without a digit.

        Parameters
        ----------
        pictures : iterable
            As in `recognize`.

        Yields
        ------
        Answer
            One per picture.
        """
        for picture in pictures:
            try:
                yield self.recognize(picture)
            except PhotoError as error:
                yield Answer(None, reason=str(error))

    def _answer(self, probs: np.ndarray, prepared: Prepared | None = None) -> Answer:
        """Turn ten probabilities into words."""
        second, first = (int(k) for k in np.argsort(probs)[-2:])
        unsure = bool(probs[first] < self.weights.unsure_below)
        reason = f"unsure: it may be a {second}" if unsure else ""
        return Answer(
            digit=first,
            probability=float(probs[first]),
            runner_up=second,
            runner_up_probability=float(probs[second]),
            unsure=unsure,
            reason=reason,
            prepared=prepared,
        )
