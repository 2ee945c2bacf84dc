"""Every chapter is a pair: the notebook has exactly the cells of the script, all of them run."""

import ast
import re
import statistics

import nbformat
import pytest

from mnist_course.chapters import (
    ROOT,
    derive_notebook,
    find_chapters,
    read_script,
    same_cells,
)

CHAPTERS = find_chapters()
FORBIDDEN_NAMES = {"y_hat", "preds", "net", "cost", "criterion", "imgs", "lbls"}


def _read(path):
    return nbformat.read(path.with_suffix(".ipynb"), as_version=4)


def _name(path):
    return path.stem


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_notebook_has_the_cells_of_its_script(path):
    assert same_cells(derive_notebook(path), _read(path)), "run: make notebooks"


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_notebook_was_run_from_top_to_bottom_without_errors(path):
    code = [cell for cell in _read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_outputs_hold_no_scripts_and_no_paths_of_this_machine(path):
    text = path.with_suffix(".ipynb").read_text()
    assert "text/html" not in text
    assert "application/javascript" not in text
    assert str(ROOT) not in text
    assert "practice set" not in "".join(
        output.get("text", "") for cell in _read(path).cells for output in cell.get("outputs", [])
    )


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_every_figure_has_alt_text_and_a_caption(path):
    for cell in _read(path).cells:
        images = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if images:
            assert len(images) == 1, f"one figure per cell, for its label:\n{cell.source}"
            shown = cell.metadata.get("mystnb", {})
            assert len(shown.get("image", {}).get("alt", "")) > 20, cell.source
            assert len(shown.get("figure", {}).get("caption", "")) > 10, cell.source


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_chapter_has_the_agreed_anatomy(path):
    cells = read_script(path).cells
    headings = [
        line
        for cell in cells
        if cell.cell_type == "markdown"
        for line in re.findall(r"^#+ .*", re.sub(r"```.*?```", "", cell.source, flags=re.S), re.M)
    ]
    assert [h for h in headings if h.startswith("# ")] == headings[:1]
    last_three = [h for h in headings if h.startswith("## ")][-3:]
    assert last_three == ["## Exercises", "## Summary", "## Solutions"]
    code = [c.source for c in cells if c.cell_type == "code" and "tags" not in c.metadata]
    sizes = [len([line for line in source.splitlines() if line.strip()]) for source in code]
    assert statistics.median(sizes) <= 9
    assert max(sizes) <= 40


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_at_least_five_exercises_each_with_a_solution(path):
    text = path.read_text()
    labels = re.findall(r":label: (ex-[\w-]+)", text)
    assert len(labels) >= 5
    assert re.findall(r"solution-start\} (ex-[\w-]+)", text) == labels


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_names_are_those_of_the_notation_page_and_markdown_holds_no_bare_code(path):
    names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
    assert not names & FORBIDDEN_NAMES
    for cell in read_script(path).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```", "", cell.source, flags=re.S)
            assert not re.search(r"^(def|import|from \w+ import|for .*:$)", prose, re.M)


def test_no_word_of_hype_or_filler_in_the_prose():
    words = re.compile(
        r"\b(simply|obviously|powerful|in the world of|just|easily|of course|clearly)\b|!(?!\[|=)",
        re.IGNORECASE,
    )
    pages = [cell.source for path in CHAPTERS for cell in read_script(path).cells
             if cell.cell_type == "markdown"]  # fmt: skip
    pages += [page.read_text() for page in (ROOT / "book").glob("*.md")]
    found = []
    for page in pages:
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|<!--.*?-->", "", page, flags=re.S)
        found += [m.group(0) + ": " + prose[max(0, m.start() - 40) : m.end() + 20]
                  for m in words.finditer(prose)]  # fmt: skip
    assert not found
