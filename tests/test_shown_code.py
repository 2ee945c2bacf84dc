"""What a chapter shows is what the package holds: equal syntax, apart from what serves reference.

A function or class of ``by_hand`` whose docstring says "Shown in: chapter N." must be defined in
that chapter with the same syntax tree. Docstrings, type annotations and leading input checks
(``check_...(...)``) are left out of the comparison: they would bury the idea on the page.
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
        node.body = [s for s in body if not self._is_check(s)] or [ast.Pass()]
        return node

    @staticmethod
    def _is_check(statement):
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and ast.unparse(statement.value.func).split(".")[-1].lstrip("_").startswith("check_")
        )

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


def _shown():
    cases = []
    for path in sorted((ROOT / "mnist_course" / "by_hand").glob("*.py")):
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
    assert len(_shown()) >= 4
