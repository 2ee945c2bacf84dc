"""One family of errors: whatever a user can meet derives from `CourseError`.

Each of the course's errors keeps the base that it always had (``ValueError``, ``OSError``), so a
caller may catch either. Its message is one text that names the input and the next step; the
command line prints it without a traceback (`mnist_course.cli`).
"""


class CourseError(Exception):
    """Something that a user can put right; the message says what, and how."""

    exit_code = 1  # of the command line: it did not work


class UsageError(CourseError, ValueError):
    """What was asked for cannot be meant: a name, a number or a file that does not fit."""

    exit_code = 2  # as click has it for wrong use
