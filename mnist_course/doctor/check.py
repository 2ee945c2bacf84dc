"""One question of the doctor, and how it is asked."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from mnist_course.doctor.finding import NOT_LOOKED, PROBLEM, Finding, not_looked, problem
from mnist_course.doctor.patient import Patient
from mnist_course.doctor.theirs import Trouble, describe_error, place_of
from mnist_course.time_limit import TooLong


@dataclass(frozen=True)
class Check:
    """One question, the function that answers it, and the checks that must have passed first.

    Attributes
    ----------
    name : str
        How its finding is called.
    look : callable
        ``look(patient)``, a `Finding`. The first line of its docstring is the question.
    after : str
        The names of checks after whose problems this one would only repeat them.
    """

    name: str
    look: Callable[[Patient], Finding]
    after: str = ""

    @property
    def question(self) -> str:
        """What is asked."""
        return str(self.look.__doc__).splitlines()[0]

    @property
    def needs(self) -> list[str]:
        """Checks that must have passed first."""
        return self.after.split()

    def run(self, patient: Patient, before: dict[str, Finding]) -> Finding:
        """Return a finding, whatever happens."""
        for name in self.needs:
            if before[name].verdict == PROBLEM:
                return not_looked(f"first mend what {name!r} found")
            if before[name].verdict == NOT_LOOKED:
                return before[name]
        torch.set_grad_enabled(True)  # a function that was cut short may have left it off
        try:
            return self.look(patient)
        except Trouble as trouble:
            return trouble.finding
        except SystemExit as error:
            return problem("exits", f"SystemExit{place_of(error)}", what="the program")
        except TooLong as error:
            return problem("endless", f"{error}{place_of(error)}", what="the program")
        except Exception as error:
            return not_looked(f"the doctor stumbled over {describe_error(error)}")
