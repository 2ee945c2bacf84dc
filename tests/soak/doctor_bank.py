"""How often the doctor names the cause, and whom it accuses wrongly, over five seeds.

    python -m tests.soak.doctor_bank [--seeds 5] [--only ill]

Runs the bank of `tests/programs/mutants.py`, the healthy programs of `tests/programs/healthy.py`
and the published ones of `tests/programs/sources.py`; some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import statistics

import torch

from mnist_course.doctor import Report, examine_program
from tests.programs.healthy import HEALTHY
from tests.programs.mutants import BANK


def _accused(report: Report) -> list[str]:
    return [finding.check for finding in report.problems + report.warnings]


def main() -> None:
    """Print one line per miss and per false alarm, and the totals."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", choices=["ill", "healthy"])
    asked = parser.parse_args()
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    bank = {} if asked.only == "healthy" else BANK
    well = {} if asked.only == "ill" else HEALTHY
    named, alone, false_alarms, seconds = 0, 0, 0, []
    for name, (factory, check) in bank.items():
        for seed in seeds:
            torch.manual_seed(seed)
            report = examine_program(factory())
            accused = _accused(report)
            named += check in accused
            alone += accused == [check]
            if accused != [check]:
                print(f"{name}, seed {seed}: {check} expected, got {accused}", flush=True)
    for name, factory in well.items():
        for seed in seeds:
            torch.manual_seed(seed)
            report = examine_program(factory())
            seconds.append(report.seconds)
            if accused := _accused(report):
                false_alarms += 1
                print(f"{name}, seed {seed}: healthy, and accused of {accused}", flush=True)
    num_ill, num_healthy = len(bank) * len(seeds), len(well) * len(seeds)
    print(f"named {named} of {num_ill}, and nothing else {alone} of {num_ill}")
    print(f"false alarms {false_alarms} of {num_healthy}")
    if seconds:
        print(f"seconds per healthy program: median {statistics.median(seconds):.1f}", end="")
        print(f", largest {max(seconds):.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
