"""One check of the doctor, and what it found."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mnist_course.doctor.patient import Patient
from mnist_course.doctor.theirs import Trouble, describe_error

OK, WARNING, PROBLEM, NOT_LOOKED = "ok", "warning", "problem", "not looked"
MARKS = {OK: "●", WARNING: "!", PROBLEM: "✗", NOT_LOOKED: "○"}


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    verdict : str
        ``"ok"``; ``"warning"`` for what does little or no harm but was hardly meant;
        ``"problem"``; ``"not looked"``.
    title : str
        What is the matter, in a few words.
    evidence : str
        What was measured, with a number.
    meaning, remedy : str
        What it means, and what to try; empty where all is well.
    check : str
        Name of the check.
    """

    verdict: str
    title: str
    evidence: str
    meaning: str = ""
    remedy: str = ""
    check: str = ""

    def __str__(self) -> str:
        """Return one line if all is well, else a block of lines."""
        head = f"{MARKS[self.verdict]} {self.check:<14} "
        if self.verdict == OK:
            return "\n".join(_wrapped(head, self.evidence, " " * 17))
        if self.verdict == NOT_LOOKED:
            return head + f"not looked at: {self.evidence}"
        lines = _wrapped(head, f"{self.verdict.upper()}: {self.title}", " " * 17)
        for label, text in (
            ("seen", self.evidence),
            ("means", self.meaning),
            ("try", self.remedy),
        ):
            if text:
                lines += _wrapped(f"    {label:<6} ", text, " " * 11)
        return "\n".join(lines)


def _wrapped(head: str, text: str, indent: str) -> list[str]:
    """Return a text as lines of at most 80 characters, the first with a head."""
    return textwrap.wrap(
        text,
        80,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


@dataclass(frozen=True)
class Check:
    """One question, the function that answers it, and the checks that must have passed first."""

    name: str
    question: str
    needs: tuple[str, ...]
    look: Callable[[Patient], Finding]

    def run(self, patient: Patient, before: dict[str, Finding]) -> Finding:
        """Return a finding, whatever happens."""
        for name in self.needs:
            if before[name].verdict == PROBLEM:
                return not_looked(f"first mend what {name!r} found")
            if before[name].verdict == NOT_LOOKED:
                return before[name]
        try:
            return self.look(patient)
        except Trouble as trouble:
            return problem(trouble.title, trouble.evidence, trouble.meaning, trouble.remedy)
        except Exception as error:
            return not_looked(f"the doctor stumbled over {describe_error(error)}")


CHECKS: list[Check] = []
Look = Callable[[Patient], Finding]


def check(name: str, question: str, needs: Iterable[str] = ()) -> Callable[[Look], Look]:
    """Add the decorated function to the checks.

    Parameters
    ----------
    name : str
        How findings are called.
    question : str
        What is asked.
    needs : iterable of str
        Checks after whose problems this one would only repeat them.
    """

    def register(look: Look) -> Look:
        CHECKS.append(Check(name, question, tuple(needs), look))
        return look

    return register


def ok(evidence: str) -> Finding:
    """Return a finding that all is well.

    Parameters
    ----------
    evidence : str
        What was measured.
    """
    return Finding(OK, "", evidence)


def not_looked(why: str) -> Finding:
    """Return a finding that nothing was looked at.

    Parameters
    ----------
    why : str
        The reason.
    """
    return Finding(NOT_LOOKED, "", why)


def warning(title: str, evidence: str, meaning: str, remedy: str = "") -> Finding:
    """Return a finding that does little or no harm.

    Parameters
    ----------
    title, evidence, meaning, remedy : str
        As in `Finding`.
    """
    return Finding(WARNING, title, evidence, meaning, remedy)


def problem(title: str, evidence: str, meaning: str, remedy: str = "") -> Finding:
    """Return a finding that keeps the program from learning or measuring.

    Parameters
    ----------
    title, evidence, meaning, remedy : str
        As in `Finding`.
    """
    return Finding(PROBLEM, title, evidence, meaning, remedy)
