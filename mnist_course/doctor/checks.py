"""All checks of the doctor, in the order in which to look."""

from mnist_course.doctor import (
    data_checks,
    evaluation_checks,
    gradient_checks,
    learning_checks,
    loop_checks,
    model_checks,
    output_checks,
    start_checks,
)

CHECKS = [
    *start_checks.CHECKS,
    *data_checks.CHECKS,
    *model_checks.CHECKS,
    *output_checks.CHECKS,
    *gradient_checks.CHECKS,
    *learning_checks.CHECKS,
    *loop_checks.CHECKS,
    *evaluation_checks.CHECKS,
]
