"""What a chapter shows is what the package holds: equal syntax, apart from what serves reference.

A function or class of ``by_hand`` whose docstring says "Shown in: chapter N." must be defined in
that chapter with the same syntax tree. Docstrings, type annotations and the decorator that guards
the arguments (``@guarded(...)``) are left out of the comparison: they would bury the idea on the
page. And little else may stand there: docstrings are short, and so are the files.
"""

import ast
import re

import pytest

from mnist_course.chapters import ROOT, find_chapters

SHOWN = re.compile(r"Shown in: chapter (\d+)")


class _Bare(ast.NodeTransformer):
    """Strips what the comparison leaves out."""

    def _body(self, node):
        body = node.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        node.body = body or [ast.Pass()]
        node.decorator_list = [d for d in node.decorator_list if not self._is_guard(d)]
        return node

    @staticmethod
    def _is_guard(decorator):
        return isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "guarded"

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        arguments = [*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs]
        for argument in filter(None, [*arguments, node.args.vararg, node.args.kwarg]):
            argument.annotation = None
        return self._body(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        return self._body(node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return ast.Assign([node.target], node.value, lineno=node.lineno)


def _bare(node):
    return ast.dump(_Bare().visit(node))


BY_HAND = sorted((ROOT / "mnist_course" / "by_hand").glob("*.py"))
GUARDS = ("guards", "words")  # the only files of by_hand that no chapter shows


def _shown():
    cases = []
    for path in BY_HAND:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                match = SHOWN.search(ast.get_docstring(node) or "")
                if match:
                    cases.append(pytest.param(node, match[1], id=node.name))
    return cases


@pytest.mark.parametrize(("node", "chapter"), _shown())
def test_chapter_defines_what_the_package_holds(node, chapter):
    page = ast.parse(find_chapters([chapter])[0].read_text())
    definitions = [n for n in page.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    on_page = {_bare(n) for n in definitions if n.name == node.name}
    assert on_page, f"chapter {chapter} does not define {node.name}"
    assert _bare(node) in on_page, f"{node.name} differs between chapter {chapter} and package"


def test_something_is_shown():
    assert len(_shown()) >= 20


@pytest.mark.parametrize("path", [p for p in BY_HAND if p.stem not in GUARDS], ids=lambda p: p.stem)
def test_nothing_stands_there_that_no_chapter_shows(path):
    shown = {case.values[0].name for case in _shown()}
    for node in ast.parse(path.read_text()).body[1:]:
        imported = isinstance(node, (ast.Import, ast.ImportFrom))
        assert imported or node.name in shown, ast.unparse(node)


@pytest.mark.parametrize("path", [p for p in BY_HAND if p.stem not in GUARDS], ids=lambda p: p.stem)
def test_docstrings_take_one_to_four_lines_and_name_every_array(path):
    tree = ast.parse(path.read_text())
    guarded = "guarded" in path.read_text()
    assert guarded == ("Raises ValueError" in ast.get_docstring(tree)), "said once, at the top"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            lines = [line for line in (ast.get_docstring(node) or "").splitlines() if line]
            assert len(lines) <= 4, node.name
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            said = ast.get_docstring(node) + "".join(map(ast.unparse, node.decorator_list))
            arrays = [a.arg for a in node.args.args if ast.unparse(a.annotation) == "np.ndarray"]
            missing = [name for name in arrays if not re.search(rf"\b{name}\b", said)]
            assert not missing, node.name


def test_by_hand_is_short():
    """Every line counts, docstrings and blanks too: no harder to read than what it teaches."""
    lines = {path.name: len(path.read_text().splitlines()) for path in BY_HAND}
    assert max(lines.values()) <= 150, lines
    assert sum(lines.values()) <= 700, lines
