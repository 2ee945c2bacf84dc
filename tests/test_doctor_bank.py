"""The bank: over 90 programs with one mistake each, the published ones, and healthy ones.

The doctor has to name every mistake by its own check, and to accuse nobody else.
`tests/soak/doctor_bank.py` does the same over five seeds.
"""

import pytest
import torch

from mnist_course.doctor import CannotLook, examine_program, load_program
from tests.programs import sources
from tests.programs.healthy import HEALTHY, SLOW
from tests.programs.mutants import BANK


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def accused(report):
    return [finding.check for finding in report.problems + report.warnings]


@pytest.mark.parametrize("name", BANK)
def test_every_mistake_is_named_by_its_own_check_and_by_no_other(name, digits):
    if name == "test_pictures_transposed" and not digits.is_mnist:
        pytest.skip("the practice digits resemble each other too much when transposed")
    factory, check = BANK[name]
    report = examine_program(factory())
    assert accused(report) == [check]
    assert not [f for f in report.findings if "stumbled" in f.evidence]
    assert report[check].title
    assert report[check].evidence


def test_the_bank_is_large_and_uses_every_check():
    named = {check for _, check in BANK.values()}
    all_checks = {finding.check for finding in examine_program(BANK["not_shuffled"][0]()).findings}
    assert len(BANK) > 90  # chapter 12 names both numbers
    assert len(HEALTHY) == 31
    assert all_checks - named == {"device"}  # needs a second device, see test_doctor.py


@pytest.mark.parametrize("name", [name for name in HEALTHY if name not in SLOW])
def test_healthy_programs_are_not_accused(name):
    report = examine_program(HEALTHY[name]())
    assert accused(report) == []
    assert not [f for f in report.findings if "stumbled" in f.evidence]


PUBLISHED = {
    "runnable_0": ["leak", "reported"],
    "published_1": ["step", "average", "output"],
    "runnable_1": ["average", "output"],
    "published_2": ["data"],
    "runnable_2": ["output"],
    "published_3": ["data"],
    "runnable_3": ["scale", "step"],
    "scaled_3": ["step"],
    "runnable_4": ["reported", "eval-mode"],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_programs_have_the_mistakes_that_are_known_and_no_others(name):
    report = examine_program(getattr(sources, name)())
    assert accused(report) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("published_0", "no attribute 'linear'. Did you mean 'Linear'? (sources.py, line "),
        ("published_4", "NameError: name 'init' is not defined (sources.py, line "),
    ],
)
def test_a_program_that_stops_before_it_starts_is_explained(name, seen):
    with pytest.raises(CannotLook) as caught:
        load_program(f"tests.programs.sources:{name}")
    assert seen in str(caught.value)
