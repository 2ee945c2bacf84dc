"""The threads of numpy and torch are set whichever way a chapter is started."""

import ast
import json

import pytest

from mnist_course.chapters import derive_notebook, find_chapters

SHOW = """
import json, os, sys
from threadpoolctl import threadpool_info
pools = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
names = ("OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS")
print(json.dumps([[os.environ.get(name) for name in names], [p["num_threads"] for p in pools]]))
"""
UNSET = {"OMP_WAIT_POLICY": None, "OPENBLAS_NUM_THREADS": None, "OMP_NUM_THREADS": None}
# What a machine with more than one core would choose, on one with a single core, too.
OURS = "import mnist_course\n"
SEVERAL = "import os, numpy, threadpoolctl; threadpoolctl.threadpool_limits(2, user_api='blas')\n"


def threads(run_python, code, **environment):
    """Return the two variables, and the number of threads of every OpenBLAS, after the code."""
    done = run_python(code + SHOW, **(UNSET | environment))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def imports(path):
    """Return the lists of packages that the cells of a chapter import, and the code that does."""
    cells = [cell.source for cell in derive_notebook(path).cells if cell.cell_type == "code"]
    for source in cells:
        found = [
            node
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = [(getattr(n, "module", None) or n.names[0].name).split(".")[0] for n in found]
        if found:
            yield names, "\n".join(map(ast.unparse, found)) + "\n"


@pytest.mark.parametrize("path", find_chapters(), ids=lambda path: path.stem)
def test_a_chapters_first_imports_set_the_threads(path, run_python):
    code, seen = "", []
    for names, statements in imports(path):
        code, seen = code + statements, seen + names
        if "mnist_course" in names:
            break
    assert "torch" not in seen[: seen.index("mnist_course")], "torch cannot be told any more"
    assert "numpy" not in names[: names.index("mnist_course")]
    assert threads(run_python, f"{code}import numpy\n") == [["PASSIVE", "1"], [1]]


@pytest.mark.parametrize(
    "code",
    [
        "import mnist_course, numpy\n",
        "from mnist_course.data import load_data\n",
        SEVERAL + "import mnist_course\n",
    ],
)
def test_one_thread_for_blas_whichever_comes_first(run_python, code):
    (_, counts) = threads(run_python, code)
    assert set(counts) == {1}


def test_what_a_reader_chose_stays(run_python):
    chosen = {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "2"}
    for code in (OURS + "import numpy\n", SEVERAL + OURS):
        variables, counts = threads(run_python, code, **chosen)
        assert variables == ["ACTIVE", "2"]
        assert counts == [2]


def test_importing_the_course_loads_no_package_for_it(run_python):
    code = "import sys, mnist_course; print({'numpy', 'torch', 'threadpoolctl'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"
