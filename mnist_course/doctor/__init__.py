"""The doctor: examine a training program that does not learn, and say what is wrong with it.

Taught in: chapter 11, "It does not learn".
"""

from mnist_course.doctor.finding import Finding
from mnist_course.doctor.program import CannotLook, Program, load_program
from mnist_course.doctor.report import Report, examine, examine_program

__all__ = [
    "CannotLook",
    "Finding",
    "Program",
    "Report",
    "examine",
    "examine_program",
    "load_program",
]
