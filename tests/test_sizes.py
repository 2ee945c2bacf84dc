"""The house can be taken in at a glance: no file, no function and no package above its size.

A number here changes only in a commit that says why. Code lines are lines that hold code;
docstrings, comments and blanks are apart. Complexity is the number of branches, and one.
"""

import ast
import io
import tokenize

import pytest

from mnist_course.chapters import ROOT

PACKAGE = ROOT / "mnist_course"
MOST_IN_ALL = 9_520
MOST_IN_A_FILE = 300
MOST_IN_A_FUNCTION = 40
MOST_COMPLEX = 12
# All lines of by_hand count, docstrings too: it is read like a chapter.
MOST_BY_HAND, MOST_IN_A_FILE_BY_HAND = 700, 150
SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
          tokenize.ENDMARKER)  # fmt: skip
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension,
            ast.Assert, ast.match_case)  # fmt: skip


def code_lines(text):
    """Return the numbers of the lines that hold code."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


FILES = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
BY_HAND = {name: len(text.splitlines()) for name, text in FILES.items() if "by_hand" in name}


def test_the_measure_sees_code_and_nothing_else():
    text = (
        '"""Doc."""\n\n# A comment.\ndef f(x):\n    """Doc\n\n    more."""\n    return (x,\n  1)\n'
    )
    assert code_lines(text) == {4, 8, 9}


def test_the_package_is_small_enough():
    assert sum(len(code_lines(text)) for text in FILES.values()) <= MOST_IN_ALL


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_one_topic(name):
    assert len(code_lines(FILES[name])) <= MOST_IN_A_FILE


@pytest.mark.parametrize("name", FILES)
def test_a_function_fits_a_screen(name):
    lines = code_lines(FILES[name])
    sizes = {
        f"{node.name}, line {node.lineno}": len(
            lines & set(range(node.lineno, node.end_lineno + 1))
        )
        for node in ast.walk(ast.parse(FILES[name]))
        if isinstance(node, FUNCTIONS)
    }
    assert not {function: size for function, size in sizes.items() if size > MOST_IN_A_FUNCTION}


def complexity(function):
    """Return the number of branches of a function, and one; ``and`` and ``or`` count, too."""
    nodes = list(ast.walk(function))
    joined = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    return 1 + sum(isinstance(node, BRANCHES) for node in nodes) + joined


def test_the_measure_sees_every_branch():
    text = "def f(x):\n    if x and x > 1 or x < -1:\n        return [k for k in x]\n    return 0"
    assert complexity(ast.parse(text).body[0]) == 5


@pytest.mark.parametrize("name", FILES)
def test_a_function_takes_few_turns(name):
    found = [node for node in ast.walk(ast.parse(FILES[name])) if isinstance(node, FUNCTIONS)]
    turns = {f"{node.name}, line {node.lineno}": complexity(node) for node in found}
    assert not {function: number for function, number in turns.items() if number > MOST_COMPLEX}


def test_what_is_written_by_hand_is_as_short_as_what_it_teaches():
    assert sum(BY_HAND.values()) <= MOST_BY_HAND
    assert not {name: size for name, size in BY_HAND.items() if size > MOST_IN_A_FILE_BY_HAND}
