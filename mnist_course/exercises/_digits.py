"""The digits that the judges of several chapters look at."""

import functools

from mnist_course.data import Digits, load_data


@functools.cache
def digits() -> Digits:
    """Read the files once, however often the learner tries, and in whatever chapter."""
    return load_data()
