"""The report of an examination, and how to ask for one."""

import json
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mnist_course.doctor.checks import CHECKS
from mnist_course.doctor.finding import MARKS, NOT_LOOKED, PROBLEM, WARNING, Finding
from mnist_course.doctor.no_trace import no_trace
from mnist_course.doctor.patient import Patient
from mnist_course.doctor.program import Program
from mnist_course.progress import say


@dataclass(frozen=True)
class Report:
    """All findings of one examination, in the order in which to look at them.

    Attributes
    ----------
    findings : list of Finding
        One per check.
    num_train, num_test : int
        How many examples were looked at.
    seconds : float
        How long it took.
    """

    findings: list[Finding] = field(default_factory=list)
    num_train: int = 0
    num_test: int = 0
    seconds: float = 0.0

    @property
    def problems(self) -> list[Finding]:
        """What keeps the program from learning or measuring."""
        return [f for f in self.findings if f.verdict == PROBLEM]

    @property
    def warnings(self) -> list[Finding]:
        """What does little or no harm, but was hardly meant."""
        return [f for f in self.findings if f.verdict == WARNING]

    @property
    def healthy(self) -> bool:
        """Whether there is neither a problem nor a warning."""
        return not self.problems and not self.warnings

    def __getitem__(self, check: str) -> Finding:
        """Return the finding of one check."""
        found = {finding.check: finding for finding in self.findings}
        if check not in found:
            raise KeyError(f"no check {check!r}; there are {', '.join(found)}")
        return found[check]

    def __str__(self) -> str:
        """Return the report as text."""
        looked = f"looked at {self.num_train:,} training and {self.num_test:,} test examples"
        counts = [
            f"{len(found)} {word}{'s' if len(found) != 1 else ''}"
            for found, word in ((self.problems, "problem"), (self.warnings, "warning"))
            if found
        ]
        head = f"{', '.join(counts) or 'healthy'}; {looked}"
        lines = [head, *(str(f) for f in self.findings if f.verdict != NOT_LOOKED)]
        reasons = dict.fromkeys(f.evidence for f in self.findings if f.verdict == NOT_LOOKED)
        for why in reasons:
            names = [f.check for f in self.findings if (f.verdict, f.evidence) == (NOT_LOOKED, why)]
            lines += textwrap.wrap(
                f"{MARKS[NOT_LOOKED]} not looked at ({why}): {', '.join(names)}",
                80,
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return a short form: the whole report is what ``print`` shows."""
        return f"<Report: {', '.join(f.check for f in self.problems + self.warnings) or 'healthy'}>"

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps({"healthy": self.healthy, **asdict(self)}, indent=2)


def examine(
    model: Any,
    loss_fn: Any,
    optimizer: Any,
    train_loader: Any,
    test_loader: Any = None,
    *,
    train_step: Callable[..., Any] | None = None,
    train_epoch: Callable[..., Any] | None = None,
    evaluate: Callable[..., Any] | None = None,
    log: Callable[[str], None] | None = say,
) -> Report:
    """Examine a training program, print a report, and leave everything as it was.

    All experiments are made on copies; parameters, modes, optimizer, loaders and random numbers
    are afterwards what they were before. Whatever else your own functions change, they change.

    Parameters
    ----------
    model, loss_fn, optimizer, train_loader, test_loader
        As in `Program`.
    train_step, train_epoch, evaluate : callable, optional
        Your own functions, as in `Program`. Without them the mistakes that live in a
        loop (a missing ``zero_grad``, a wrong average) cannot be seen, and the report says so.
    log : callable, optional
        Gets the report as text; None keeps quiet.

    Returns
    -------
    Report
        One finding per check.
    """
    program = Program(
        model, loss_fn, optimizer, train_loader, test_loader, train_step, train_epoch, evaluate
    )
    report = examine_program(program)
    if log:
        log(str(report))
    return report


def examine_program(program: Program) -> Report:
    """Examine a program without printing anything; see `examine`.

    Parameters
    ----------
    program : Program
        What to examine.

    Returns
    -------
    Report
        One finding per check.
    """
    begun = time.perf_counter()
    findings: dict[str, Finding] = {}
    with no_trace(program):
        patient = Patient(program)
        for check in CHECKS:
            findings[check.name] = replace(check.run(patient, findings), check=check.name)
    return Report(
        list(findings.values()),
        patient.train.num_examples,
        patient.test.num_examples,
        time.perf_counter() - begun,
    )
