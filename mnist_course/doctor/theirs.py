"""What the learner's code may do when it is called, and how to say so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mnist_course.errors import CourseError


class Trouble(CourseError):  # noqa: N818 - a finding on its way up
    """The program under examination did something that no program should do.

    Parameters
    ----------
    title, evidence, meaning, remedy : str
        As in a `doctor.Finding`.
    """

    def __init__(self, title: str, evidence: str, meaning: str = "", remedy: str = "") -> None:
        super().__init__(title)
        self.title, self.evidence = title, evidence
        self.meaning, self.remedy = meaning, remedy


def describe_error(error: BaseException) -> str:
    """Return an exception as one line: its type, its message, and where it was raised.

    Parameters
    ----------
    error : BaseException
        What was caught.

    Returns
    -------
    str
        For example ``"NameError: name 'init' is not defined (program.py, line 12)"``.
    """
    message = next((line for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, AttributeError) and getattr(error, "obj", None) is not None:
        import difflib

        known = difflib.get_close_matches(str(error.name), dir(error.obj), 1, 0.6)
        exact = [name for name in dir(error.obj) if name.lower() == str(error.name).lower()]
        if exact or known:
            message += f". Did you mean {(exact or known)[0]!r}?"
    frame = error.__traceback__
    places = []
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        places.append((name, frame.tb_lineno))
        frame = frame.tb_next
    strange = ("site-packages", "mnist_course/doctor/", "<frozen", "importlib")
    own = [p for p in places if not any(s in p[0].replace(chr(92), "/") for s in strange)]
    place = ""
    if own:
        name, line = own[-1]
        place = f" ({name.replace(chr(92), '/').rsplit('/', 1)[-1]}, line {line})"
    return f"{type(error).__name__}: {message}{place}"


@contextlib.contextmanager
def theirs(title: str, remedy: str = "") -> Iterator[None]:
    """Turn whatever the learner's code raises in the block into a `Trouble`.

    Parameters
    ----------
    title : str
        What failed, in a few words.
    remedy : str
        What to try.
    """
    try:
        yield
    except Trouble:
        raise
    except Exception as error:
        raise Trouble(title, describe_error(error), hint(error), remedy) from None


def hint(error: Exception) -> str:
    """Return what the usual messages of PyTorch mean, or an empty string.

    Parameters
    ----------
    error : Exception
        What PyTorch raised.
    """
    text = str(error).lower()
    for piece, meaning in _HINTS.items():
        if piece in text:
            return meaning
    return ""


_HINTS = {
    "same device": "Model and data, or two layers, lie on different devices.",
    "mat1 and mat2 shapes": "A dense layer got rows of another length than it was built for: "
    "is a Flatten missing, or is the number of inputs wrong?",
    "byte": "The inputs are whole numbers; layers want floats, scaled.",
    "must have the same dtype": "Inputs and weights have different types: float32 is usual.",
    "found dtype": "Inputs and weights have different types: float32 is usual.",
    "expected scalar type": "A tensor has another type than is wanted here: inputs are float32, "
    "labels int64.",
    "out of bounds": "A label is larger than the number of outputs allows.",
    "view size is not compatible": "view needs another memory layout; use flatten or reshape.",
    "is invalid for input of size": "A view with a fixed size meets a batch of another size: "
    "write flatten(1), or X.shape[0] in place of a number.",
    "a view of": "A tensor that autograd needs was changed in place.",
    "second time": "backward was called twice on the same loss, or a graph is kept between steps.",
    "does not require grad": "Nothing leads from the loss back to the parameters: look for "
    "no_grad, detach, .item(), .data, or argmax in between.",
    "more than 1 value per channel": "Batch normalization cannot learn from a single example.",
}
