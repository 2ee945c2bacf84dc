"""Whoever comes in by any door is shown the same chapters in the same order."""

import re

import pytest
import yaml

from mnist_course.chapters import ROOT, find_chapters

CHAPTERS = [path.stem for path in find_chapters()]


def in_the_readme():
    return re.findall(r"\(notebooks/(\w+)\.ipynb\)", (ROOT / "README.md").read_text())


def in_the_contents():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    files = [chapter["file"] for part in parts for chapter in part["chapters"]]
    return [file.removeprefix("notebooks/") for file in files if file.startswith("notebooks/")]


def on_the_landing_page():
    labels = {}  # a chapter's label, as (ch-mlp)=, stands above its title
    for path in find_chapters():
        labels[re.search(r"^# \((ch-[\w-]+)\)=$", path.read_text(), re.M)[1]] = path.stem
    rows = re.findall(r"^\| \{ref\}`(ch-[\w-]+)`", (ROOT / "book" / "index.md").read_text(), re.M)
    return [labels[row] for row in rows]


@pytest.mark.parametrize("door", [in_the_readme, in_the_contents, on_the_landing_page])
def test_every_door_leads_to_the_same_chapters_in_the_same_order(door):
    assert door() == CHAPTERS


def test_the_readme_numbers_them_as_their_files_do():
    rows = re.findall(r"^\| (\d+) \| \[(\d\d)_", (ROOT / "README.md").read_text(), re.M)
    assert [int(number) for number, _ in rows] == [int(name) for _, name in rows]
    assert len(rows) == len(CHAPTERS)


def glossary():
    """Return each word of the glossary with the number of the chapter that its entry names."""
    text = (ROOT / "book" / "glossary.md").read_text()
    entries = re.findall(r"^([^\s`#][^\n]*)\n(?:[^\s`#].*\n)*  (.*)$", text, re.M)
    return {word: re.findall(r"Chapter (\d+) <", what) for word, what in entries}


@pytest.mark.parametrize("word", glossary())
def test_a_word_of_the_glossary_stands_out_in_the_chapter_that_it_names(word):
    numbers = glossary()[word]
    if word == "practice set":  # the only one that belongs to no chapter
        assert numbers == []
        return
    (number,) = numbers
    (name,) = (name for name in CHAPTERS if name.startswith(f"{int(number):02d}_"))
    text = (ROOT / "notebooks" / f"{name}.py").read_text()
    said = re.escape(word).replace(r"\ ", r"[\s_]+")
    assert re.search(rf"[*`][^*`\n]*?{said}[^*`\n]*?[*`]", text, re.I), f"{word} is not marked"


def test_a_link_that_says_a_chapters_number_leads_there():
    numbers, links = {}, []
    pages = [*find_chapters(), *(ROOT / "book").glob("*.md")]
    for path in pages:
        text = path.read_text()
        if label := re.search(r"^# \((ch-[\w-]+)\)=$", text, re.M):
            numbers[label[1]] = int(path.name[:2])
        links += re.findall(r"\{ref\}`[Cc]hapter (\d+) <(ch-[\w-]+)>`", text)
    assert len(links) > 100
    assert [link for link in links if numbers[link[1]] != int(link[0])] == []
