"""Decide how strictly nbval compares: everything on real MNIST and a CPU, else what must agree.

On real MNIST and a CPU, a notebook that was executed on the same kind of processor is compared
strictly, all outputs. Another kind of processor gives other last digits. There, words are compared
strictly and integers exactly; a number with decimals or an exponent may differ by one unit of its
last printed digit or by 1 %. A cell whose numbers differ by more gets the tag ``nbval-within-0.5``
(so much) or ``nbval-within-20%`` (so much of the stored number): it holds for all of its numbers.

On the practice set and on a GPU every cell and every assertion still runs, but only those outputs
are compared that depend neither on the data nor on the device (tag ``nbval-check-output``).
"""

import functools
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from mnist_course.chapters import CELL_SECONDS, enter_environment
from mnist_course.chapters.notebooks import executed_on
from mnist_course.data import load_data
from mnist_course.device import pick_device

WITHIN = Decimal("0.01")  # of a number with decimals, on another kind of processor
TAG = "nbval-within-"
# A number that is no part of a word or of another number (conv2d, 28x28, 2.14.1). A minus sign
# belongs to it unless it stands between two numbers; so does a point that numpy leaves at its end.
NUMBER = re.compile(
    r"(?<![\w.])(?:(?<!\w)[-−+])?"
    r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+|\.(?=[\s\],)]))?(?:e[-+]?\d+)?(?!\w|\.\d)"
)


def tolerances(tags):
    """Return how far a cell's tags let its numbers differ: absolutely, and as a share, or None."""
    found = {"": None, "%": None}
    for tag in tags:
        if tag.startswith(TAG):
            given = re.fullmatch(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)(%?)", tag.removeprefix(TAG))
            if given is None:
                raise ValueError(f"the tag {tag} must end in a number or a percentage")
            found[given[2]] = Decimal(given[1])
    return found[""], None if found["%"] is None else found["%"] / 100


def agree(stored, new, tags=()):
    """Return whether the text that a cell gives on another kind of processor is the stored one.

    Blanks do not matter: a number that is one digit longer moves the rest of its line.
    """
    words, others = (NUMBER.split(text) for text in (stored, new))
    if [word.split() for word in words] != [word.split() for word in others]:
        return False
    absolute, share = tolerances(tags)
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(new), strict=True)
    return all(_near(*pair, absolute, share) for pair in pairs)


def _near(stored, new, absolute, share):
    numbers = [Decimal(text.replace(",", "").replace("−", "-")) for text in (stored, new)]
    difference, size = abs(numbers[0] - numbers[1]), abs(numbers[0])
    if absolute is not None or share is not None:
        return difference <= max(absolute or 0, (share or 0) * size)
    if any(re.fullmatch(r"[-−+\d,]+", text) for text in (stored, new)):
        return difference == 0 and len(stored) == len(new)
    # numpy writes 1. for 1.00 beside other numbers: such a point says nothing about digits.
    exact = [text.endswith(".") for text in (stored, new)]
    units = [
        Decimal(1).scaleb(number.as_tuple().exponent)
        for number, is_exact in zip(numbers, exact, strict=True)
        if not is_exact
    ]
    return difference <= max(min(units), WITHIN * size) if units else difference == 0


def compare_near(cell, compare_strictly, new, stored, *options):
    """Compare outputs as nbval does, but let numbers differ as on another kind of processor."""
    texts = {}
    for outputs, side in ((stored, 0), (new, 1)):
        for key, holder, name in _texts(outputs):
            texts.setdefault(key, ([], []))[side].append((holder, name))
    tags = cell.cell.metadata.get("tags", [])
    for pairs in texts.values():
        for (old, name), (fresh, its_name) in zip(*pairs, strict=False):
            if agree(cell.sanitize(old[name]), cell.sanitize(fresh[its_name]), tags):
                fresh[its_name] = old[name]
    return compare_strictly(new, stored, *options)


def _texts(outputs):
    """Yield what is text in outputs: under which name nbval compares it, where it is, its name."""
    for output in outputs:
        if output.output_type == "stream":
            yield output.name, output, "text"
        for kind, content in output.get("data", {}).items():
            if isinstance(content, str) and kind.startswith("text/"):
                yield kind, output.data, kind


def kind_of(path):
    """Return on what a notebook says that it was executed, or None if it does not say."""
    try:
        metadata = json.loads(Path(path).read_text(encoding="utf-8"))["metadata"]
        return metadata["mnist_course"]["executed_on"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def pytest_configure(config):
    """Find the data once for all kernels, choose the mode, and say which it is and why."""
    digits = load_data()
    where = pick_device()
    data = str(digits.folder) if digits.is_mnist else "practice"
    enter_environment(data, str(where))
    strict = digits.is_mnist and where.type == "cpu"
    config.option.nbval, config.option.nbval_lax = strict, not strict
    config.option.nbval_cell_timeout = CELL_SECONDS
    if hasattr(config, "workerinput"):
        return  # the process that started this one has said it
    mode = _describe_kinds(config) if strict else "only what depends on neither data nor device"
    print(f"notebooks on {digits.source}, {where}: comparing {mode}", file=sys.stderr)


def _describe_kinds(config):
    """Return how the notebooks will be compared that the command line names."""
    here = executed_on()
    paths = [Path(argument.split("::")[0]) for argument in config.args]
    found = [f for p in paths for f in (sorted(p.glob("*.ipynb")) if p.is_dir() else [p])]
    found = [path for path in found if path.suffix == ".ipynb" and not _is_copy(path)]
    same = sum(kind_of(path) == here for path in found)
    parts = [f"strictly, all outputs ({same} of {len(found)} were executed on this kind)"]
    if same < len(found):
        parts = parts * (same > 0) + [
            f"words strictly and decimals within {100 * WITHIN:.0f} % ({len(found) - same} of "
            f"{len(found)} were executed on another kind of processor)"
        ]
    return f"{'; '.join(parts)}; this kind: {json.dumps(here)}"


def _is_copy(path):
    return "." in path.stem  # as of `notebooks --replace` or of nbconvert


def pytest_ignore_collect(collection_path):
    """Leave a reader's copies of the notebooks alone."""
    return True if collection_path.suffix == ".ipynb" and _is_copy(collection_path) else None


def pytest_collection_modifyitems(config, items):
    """Choose for each cell how it is compared; standard error is left out: a bar is no result."""
    here = executed_on() if config.option.nbval else None
    for item in items:
        if not isinstance(item, IPyNbCell):
            continue
        if "stderr" not in item.parent.skip_compare:
            item.parent.skip_compare = (*item.parent.skip_compare, "stderr")
        try:
            tolerances(item.cell.metadata.get("tags", []))
        except ValueError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        executed = item.parent.nb.metadata.get("mnist_course", {}).get("executed_on")
        if config.option.nbval and executed != here:
            item.compare_outputs = functools.partial(compare_near, item, item.compare_outputs)
