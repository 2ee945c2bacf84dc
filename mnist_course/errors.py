"""One family of errors: whatever a user can meet derives from `CourseError`.

Each of the course's errors keeps the base that it always had (``ValueError``, ``OSError``), so a
caller may catch either. Its message is one text that names the input and the next step; the
command line prints it without a traceback (`mnist_course.cli`).
"""

import errno


class CourseError(Exception):
    """Something that a user can put right; the message says what, and how."""

    exit_code = 1  # of the command line: it did not work


class UsageError(CourseError, ValueError):
    """What was asked for cannot be meant: a name, a number or a file that does not fit."""

    exit_code = 2  # as click has it for wrong use


NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # as torch says it
ADVICE = {
    errno.ENOSPC: "The disk is full: free some space",
    errno.EDQUOT: "Your share of the disk is used up: free some space",
    errno.EACCES: "Choose a place that you may read and write",
    errno.EPERM: "Choose a place that you may read and write",
    errno.EROFS: "Choose a place that you may read and write",
    errno.EEXIST: "Move away what stands in the place of a folder",
    errno.ENOTDIR: "Move away what stands in the place of a folder",
    errno.EISDIR: "Give the name of a file, and not of a folder",
}


def as_course_error(error: Exception) -> CourseError | None:
    """Return what to tell a user about an error, or None if it is the program's own fault.

    Parameters
    ----------
    error : Exception
        Whatever a command raised.

    Returns
    -------
    CourseError or None
        The error itself, if it is one of the course's. Else one that says in a line what the
        machine lacks: space, memory, a permission, a folder.
    """
    if isinstance(error, CourseError):
        return error
    reason = (str(error).splitlines() or ["no reason given"])[0]
    told_by_torch = isinstance(error, RuntimeError) and any(w in str(error) for w in NO_MEMORY)
    if isinstance(error, MemoryError) or told_by_torch:
        return CourseError(
            f"the memory does not suffice ({reason}). Close other programs, or, if it is the "
            "GPU's, set MNIST_COURSE_DEVICE to cpu; then try again."
        )
    if isinstance(error, OSError) and error.errno != errno.EPIPE:  # a closed pipe is no news
        place = f"{error.filename}: " if error.filename else ""
        advice = ADVICE.get(error.errno or 0, "Look at the name, the folder and the disk")
        return CourseError(f"{place}{error.strerror or reason}. {advice}, then try again.")
    return None
