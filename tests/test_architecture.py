"""The house rules: imports run one way, starts are light, public names are documented."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_course.chapters import ROOT

PACKAGE = ROOT / "mnist_course"
# What starts quickly: the command line and numpy's side of the course.
LIGHT = ["", ".cli", ".data", ".data.digits", ".data.idx", ".by_hand.losses", ".by_hand.network",
         ".by_hand.optimizers", ".by_hand.convolution", ".exercises", ".exercises.judge",
         ".exercises.solved", ".photo.stages", ".recognizer.recognizer", ".results",
         ".speed", ".training"]  # fmt: skip


def _modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py")


def _name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_imports_run_downward_only():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    linter = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert linter.returncode == 0, linter.stdout


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_neither_torch_nor_matplotlib(module):
    code = (
        f"import sys, mnist_course{module}\n"
        "print(sorted({'torch', 'matplotlib', 'torchvision'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_public_functions_document_parameters_and_have_type_hints(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    if _name(path) in ("cli", "__main__") or (path.stem[:2] == "ch" and path.stem[2:].isdecimal()):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            doc = ast.get_docstring(node) or ""
            arguments = [*node.args.args, *node.args.kwonlyargs]
            assert doc, node.name
            # In by_hand the rules of a guard name shapes; tests/test_shown_code.py has its measure.
            by_hand = path.parent.name == "by_hand"
            assert not arguments or by_hand or "Parameters" in doc or "Raises" in doc, node.name
            assert node.returns is not None, node.name
            assert all(a.annotation for a in arguments), node.name


def test_nothing_in_the_repository_unpickles_or_evaluates():
    forbidden = ("weights_only=" + "False", "pickle.load", "eval" + "(", "exec" + "(")
    for path in [*_modules(), *(ROOT / "notebooks").glob("*.py")]:
        text = path.read_text().replace(".eval(", "")
        assert not [word for word in forbidden if word in text], path.name


def test_every_package_that_is_imported_is_required():
    names = set()
    for path in [*_modules(), *(ROOT / "notebooks").glob("*.py"), *(ROOT / "tests").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    names -= set(sys.stdlib_module_names) | {"mnist_course", "benchmarks", "tests"}
    required = (ROOT / "requirements.txt").read_text().replace("-", "_").lower()
    distributions = {"sklearn": "scikit_learn", "IPython": "ipykernel", "PIL": "pillow",
                     "matplotlib_inline": "ipykernel", "_pytest": "pytest",
                     "yaml": "pyyaml"}  # fmt: skip
    missing = [n for n in names if f"\n{distributions.get(n, n).lower()}" not in required]
    assert missing == []


def test_the_layers_of_the_page_for_contributors_are_those_that_are_held():
    text = (ROOT / "pyproject.toml").read_text()
    held = re.findall(r'^  "([\w |]+)",$', text[text.index("\nlayers = [") :], re.MULTILINE)
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| \d \| ((?:[^|\\]|\\\|)+) \|", page, re.MULTILINE)
    told = [set(re.findall(r"`(\w+)/?`", row)) for row in rows]
    layers = [set(layer.split(" | ")) for layer in held]
    assert told == [layers[0] | layers[1], *layers[2:]]  # the program and its door are one row
