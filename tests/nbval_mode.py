"""Decide how strictly nbval compares: everything on real MNIST and a CPU, else what must agree.

On the practice set and on a GPU every cell and every assertion still runs, but only those outputs
are compared that depend neither on the data nor on the device (tag ``nbval-check-output``).
"""

import sys

from mnist_course.chapters import enter_environment
from mnist_course.data import load_data
from mnist_course.device import pick_device


def pytest_configure(config):
    """Find the data once for all kernels, and choose the mode."""
    digits = load_data()
    where = pick_device()
    data = str(digits.folder) if digits.is_mnist else "practice"
    enter_environment(data, str(where))
    strict = digits.is_mnist and where.type == "cpu"
    config.option.nbval, config.option.nbval_lax = strict, not strict
    mode = "strictly, all outputs" if strict else "only what depends on neither data nor device"
    print(f"notebooks on {digits.source}, {where}: comparing {mode}", file=sys.stderr)


def pytest_collection_modifyitems(items):
    """Leave standard error out of the comparison: a bar or a note there is no wrong result."""
    for item in items:
        skipped = getattr(item.parent, "skip_compare", None)
        if skipped is not None and "stderr" not in skipped:
            item.parent.skip_compare = (*skipped, "stderr")
