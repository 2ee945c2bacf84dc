"""Where the modules of the first edition are now: an old name is answered with the new one."""

import sys

MOVED = {
    "augment": "training.augment",
    "checkpoint": "training.checkpoint",
    "checks": "exercises",
    "download": "data.download",
    "idx": "data.idx",
    "mnist_form": "data.mnist_form",
    "models": "training.models",
    "pictures": "photo.open",
    "practice": "data.practice",
    "recipes": "training.recipes",
    "scenes": "photo.scenes",
    "solved": "exercises.solved",
}


class _OldNames:
    """A finder that Python asks last, when nothing of that name was found."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        package, _, old = name.rpartition(".")
        if package == "mnist_course" and old in MOVED:
            new = f"mnist_course.{MOVED[old]}"
            raise ModuleNotFoundError(f"mnist_course.{old} has moved: import {new} instead.")


def announce() -> None:
    """Let ``import mnist_course.idx`` and its like say the new place."""
    sys.meta_path.append(_OldNames())
