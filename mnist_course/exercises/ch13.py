"""What the checks of chapter 13, "Faster and wider", accept."""

from typing import Any

import numpy as np

from mnist_course.exercises.expect import as_array, call, expect_array
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import Wrong, exercise

in_data("13.amdahl")


@exercise("13.parts")
def parts(answer: Any) -> None:
    rng = np.random.default_rng(13)
    for sizes in ([5, 3], [4, 4], [1, 2, 6]):
        gradients, n = rng.normal(size=(len(sizes), 3)), np.array(sizes)
        expect_array(
            call(answer, gradients, n),
            np.average(gradients, axis=0, weights=n),
            slips=[
                (gradients.mean(axis=0), "that is the mean of the means; the sizes must weigh"),
                (n @ gradients, "that is a sum over all examples; divide by how many there are"),
                (
                    n @ gradients / len(n),
                    "divide by the number of examples, not by that of the parts",
                ),
                (
                    (gradients / n[:, None]).mean(axis=0),
                    "the sizes multiply: a part of five counts five times",
                ),
                (gradients.sum(axis=0), "a sum of means; the sizes must weigh"),
            ],
        )


in_data("13.bytes", "13.share", "13.dealt", "13.rate", "13.bug")


def _dealt(answer: Any, num_examples: int, size: int, epoch: int) -> list[np.ndarray]:
    """Let the learner's function deal to all processes; refuse what is no list of indices."""
    hands = []
    for rank in range(size):
        hand = as_array(call(answer, num_examples, rank, size, epoch))
        case = f"deal({num_examples}, {rank}, {size}, {epoch})"
        if hand.ndim != 1 or hand.dtype.kind not in "iu":
            raise Wrong(f"{case} should be a row of whole numbers, the indices of examples")
        if hand.size and not 0 <= hand.min() <= hand.max() < num_examples:
            raise Wrong(f"{case} holds an index outside range({num_examples})")
        if len(hand) != num_examples // size:
            raise Wrong(f"{case} has {len(hand)} examples; {num_examples // size} are each one's")
        hands.append(hand)
    return hands


@exercise("13.deal")
def deal(answer: Any) -> None:
    for num_examples, size in ((12, 3), (100, 2), (101, 4), (7, 1)):
        first = _dealt(answer, num_examples, size, 0)
        together = np.concatenate(first)
        if len(np.unique(together)) < len(together):
            raise Wrong(
                f"of {num_examples} examples, some are dealt to two processes: all must shuffle "
                "alike, and then each takes another part"
            )
        if any(
            not np.array_equal(a, b)
            for a, b in zip(first, _dealt(answer, num_examples, size, 0), strict=True)
        ):
            raise Wrong("the same pass, dealt a second time, is another: seed it with the epoch")
    first, later = (_dealt(answer, 100, 2, epoch) for epoch in (0, 1))
    if set(first[0].tolist()) == set(later[0].tolist()):
        raise Wrong("process 0 sees the same examples in the next pass: deal anew with each epoch")
    if (np.diff(first[0]) > 0).all():
        raise Wrong("process 0 sees its examples in their order: shuffle")
