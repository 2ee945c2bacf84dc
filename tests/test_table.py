"""Text tables have equally wide columns, whatever stands in them."""

import pytest

from mnist_course.table import format_rows


def test_words_stand_left_and_numbers_right():
    assert format_rows([["name", "n", "what"], ["s", "100", "a b"]], "<><") == [
        "name    n  what",
        "s     100  a b",
    ]


def test_a_column_has_at_least_the_width_that_is_asked_for():
    assert format_rows([["a", "1", "x"]], "<><", widths=(3, 4), gap=" ") == ["a      1 x"]
    assert format_rows([["abcd", "1"]], "<>", widths=(3,)) == ["abcd  1"]


def test_rows_that_come_one_by_one_stand_below_each_other():
    lines = [format_rows([row], ">>", widths=(5, 3))[0] for row in (["1", "2"], ["12345", "678"])]
    assert lines == ["    1    2", "12345  678"]


def test_no_line_ends_in_blanks_and_no_rows_are_no_lines():
    assert format_rows([["a", ""], ["bb", "c"]], "<<") == ["a", "bb  c"]
    assert format_rows([], "<<") == []


def test_a_row_that_lacks_a_cell_is_an_error():
    with pytest.raises(IndexError):
        format_rows([["a", "b"], ["c"]], "<<")
