"""What a learner sees first, and what is folded: minutes, guesses, drawings, proofs, solutions."""

import re

import pytest

from mnist_course.chapters import derive_notebook, find_chapters, read_script
from mnist_course.chapters.places import ChapterError
from mnist_course.chapters.plain import Labels, cited, to_plain

CHAPTERS = find_chapters()
LONGEST = 45  # minutes of a chapter
ALL = 8 * 60  # minutes of the first thirteen chapters, 0 to 12
FOLDED = {"remove-cell", "hide-input", "hide-cell"}
LABELS = Labels({"fig-a": "3.1", "eq-b": "3.2", "ex-c": "3.3"}, {"ch-d": "04_softmax.ipynb"})


def _name(path):
    return path.stem


def _tags(cell):
    return set(cell.metadata.get("tags", []))


def _lesson(path):
    """Return the cells of a chapter that are neither exercises nor solutions."""
    cells, inside = [], True
    for cell in read_script(path).cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^## (\w+)", cell.source, re.M):
                inside = heading not in ("Exercises", "Solutions")
        if inside:
            cells.append(cell)
    return cells


def _minutes(path):
    """Return how long a chapter takes: words / 200 + visible lines of code / 10."""
    words = lines = 0
    for cell in _lesson(path):
        if cell.cell_type == "markdown":
            words += len(re.findall(r"[A-Za-z0-9'’]+", cell.source))
        elif not _tags(cell) & FOLDED:
            lines += len([line for line in cell.source.splitlines() if line.strip()])
    return words / 200 + lines / 10


def test_the_course_fits_its_evenings():
    minutes = {path.stem: _minutes(path) for path in CHAPTERS}
    table = "\n".join(f"{name:<24} {value:5.1f}" for name, value in minutes.items())
    print(f"\n{table}\n{'in all':<24} {sum(minutes.values()):5.1f}")
    assert max(minutes.values()) <= LONGEST, table
    assert sum(list(minutes.values())[:13]) <= ALL, table


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_a_chapter_says_how_long_it_takes(path):
    said = re.search(
        r"About (\d+) minutes, without the exercises", read_script(path).cells[0].source
    )
    assert said, "the opening says: About NN minutes, without the exercises."
    assert -1 <= int(said[1]) - _minutes(path) <= 5, f"{_minutes(path):.1f} minutes"


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_a_guess_comes_before_its_output_is_in_sight(path):
    asked, guesses = None, 0
    for cell in read_script(path).cells:
        if cell.cell_type == "markdown":
            last = cell.source.strip().split("\n\n")[-1]
            asks = "**Guess" in cell.source or last.endswith("?")
            asked = cell.source if asks else None
            guesses += "**Guess" in cell.source
        elif asked and not _tags(cell) & {"your-turn"} and _shows(cell.source):
            assert _tags(cell) & {"hide-output", "hide-cell", "remove-cell"}, asked[-300:]
            asked = None
    assert guesses >= 1


def _shows(source):
    return re.search(r"\bprint\(|\bplots\.show\(|\bcheck\(|\bsummary\(|\bsay\(", source) is not None


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_code_that_draws_is_folded(path):
    for cell in read_script(path).cells:
        if cell.cell_type == "code" and not _tags(cell) & FOLDED:
            lines = re.findall(
                r"^.*\b(?:ax|axes|axis|figure|plt|plots)\b[.(,\[ ].*$", cell.source, re.M
            )
            assert len(lines) <= 3, "\n".join(lines)


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_your_turn_stands_inside_the_chapter_and_has_the_books_answer_below(path):
    lesson = [cell for cell in _lesson(path) if cell.cell_type == "code"]
    turns = [i for i, cell in enumerate(lesson) if "your-turn" in _tags(cell)]
    assert len(turns) >= 2
    for i in turns:
        assert "..." in lesson[i].source
        name = re.search(r'\bcheck\("([\w.-]+)"', lesson[i].source)[1]
        answer = lesson[i + 1]
        assert "hide-cell" in _tags(answer)
        assert f'check_solution("{name}"' in answer.source


@pytest.mark.parametrize("path", CHAPTERS, ids=_name)
def test_the_notebook_is_plain_and_folded(path):
    cells = derive_notebook(path).cells
    solutions = next(i for i, cell in enumerate(cells) if cell.source == "## Solutions")
    assert cells[solutions].metadata["jp-MarkdownHeadingCollapsed"]
    for i, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            assert cell.source.strip()
            prose = re.sub(r"```.*?```", "", cell.source, flags=re.S)
            assert not re.search(
                r":::|\{ref\}|\{cite\}|\{numref\}|\(ch-|\(eq-|^\([\w-]+\)=", prose, re.M
            )
            assert i <= solutions or not prose.startswith("## ")
            continue
        folded = cell.metadata.get("jupyter", {})
        if i > solutions or _tags(cell) & FOLDED or cell.source.startswith("assert "):
            assert folded.get("source_hidden"), cell.source
        if _tags(cell) & {"hide-output", "hide-cell"}:
            assert folded.get("outputs_hidden"), cell.source
        if "figure" in cell.metadata.get("mystnb", {}):
            caption = cells[i + 1].source
            assert re.match(rf"\*\*Fig\. {int(path.stem[:2])}\.\d+\.\*\* \*\w", caption)


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("(ch-d)=\n# Title", "# Title"),
        ("See {ref}`chapter 4 <ch-d>`, now.", "See [chapter 4](04_softmax.ipynb), now."),
        ("See {ref}`set-up <setup>`.", "See set-up."),
        ("{numref}`fig-a` and {eq}`eq-b`", "Fig. 3.1 and (3.2)"),
        ("$$ a = b . $$ (eq-b)", r"$$ a = b . \tag{3.2}$$"),
        (":::{exercise}\n:label: ex-c\nWhat?\n:::", "**Exercise 3.3.** What?"),
        (":::{solution-start} ex-c\n:class: dropdown\n:::", "**Solution of exercise 3.3.**"),
        (":::{solution-end}\n:::", ""),
        ("As {cite}`lecun1998gradient` say", "As [LeCun et al., 1998] say"),
        ("A line, and `{not a role}`", "A line, and `{not a role}`"),
    ],
)  # fmt: skip
def test_plain_markdown_says_what_the_marks_stand_for(myst, plain):
    assert to_plain(myst, LABELS) == plain


@pytest.mark.parametrize("myst", [":::{note}\nWell.\n:::", "{doc}`other`", "text\n(sec-x)= y"])
def test_a_mark_that_no_front_renders_is_refused(myst):
    with pytest.raises(ChapterError, match="renders"):
        to_plain(myst, LABELS)


def test_works_are_cited_as_the_book_cites_them():
    assert cited("yadav2019cold") == "Yadav and Bottou, 2019"
    assert cited("lecun1998gradient") == "LeCun et al., 1998"
