"""What one check of the doctor found, in the words of ``words.ini``."""

import textwrap
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

OK, WARNING, PROBLEM, NOT_LOOKED = "ok", "warning", "problem", "not looked"
MARKS = {OK: "●", WARNING: "!", PROBLEM: "✗", NOT_LOOKED: "○"}
WORDS = RawConfigParser()
WORDS.read_string(Path(__file__).with_name("words.ini").read_text(encoding="utf-8"))


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
        parts = {"seen": self.evidence, "means": self.meaning, "try": self.remedy}
        for label, text in parts.items():
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


def words_of(key: str, **fields: object) -> tuple[str, str, str]:
    """Return title, meaning and remedy of a finding; what it does not have is empty.

    Parameters
    ----------
    key : str
        A section of ``words.ini``, for example ``"relu-on-scores"``.
    **fields
        What stands in the braces.
    """
    said = [WORDS[key].get(part, "").replace("\n", " ") for part in ("title", "means", "try")]
    title, meaning, remedy = (text.format(**fields) for text in said)
    return title, meaning, remedy


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


def warning(key: str, seen: str, **fields: object) -> Finding:
    """Return a finding that does little or no harm.

    Parameters
    ----------
    key : str
        Whose words to use, see `words_of`.
    seen : str
        What was measured.
    **fields
        For the words.
    """
    title, meaning, remedy = words_of(key, **fields)
    return Finding(WARNING, title, seen, meaning, remedy)


def problem(key: str, seen: str, **fields: object) -> Finding:
    """Return a finding that keeps the program from learning or measuring.

    Parameters
    ----------
    key, seen, **fields
        As in `warning`.
    """
    title, meaning, remedy = words_of(key, **fields)
    return Finding(PROBLEM, title, seen, meaning, remedy)
