"""What the checks of chapter 0, "Arrays and slopes", accept."""

from typing import Any

import numpy as np

from mnist_course.exercises.expect import call, expect_number
from mnist_course.exercises.in_data import in_data
from mnist_course.exercises.judge import exercise

in_data("00.share", "00.hill", "00.axis", "00.broadcast", "00.product", "00.gradient", "00.bug")


@exercise("00.slope")
def slope(answer: Any) -> None:
    for f, w, s in ((np.exp, 0.5, 0.3), (np.sin, -1.0, 0.1), (lambda v: v**3, 2.0, 0.5)):
        high, here, low = f(w + s), f(w), f(w - s)
        expect_number(
            call(answer, f, w, s),
            float((high - low) / (2 * s)),
            rtol=1e-6,
            slips=[
                (float((high - here) / s), "that is the slope to one neighbor; use both sides"),
                (float((here - low) / s), "that is the slope to one neighbor; use both sides"),
                (float((high - low) / s), "the two points are 2 s apart"),
                (float(high - low), "that is the rise; divide by the run, 2 s"),
                (
                    float((high - low) / 2 * s),
                    "brackets: `/ 2 * s` divides by 2 and multiplies by s",
                ),
                (
                    float((low - high) / (2 * s)),
                    "the right point first: up to the right is positive",
                ),
            ],
        )
