"""Text tables: equally wide columns, words to the left and numbers to the right."""

from collections.abc import Sequence


def format_rows(
    rows: Sequence[Sequence[str]], align: str, widths: Sequence[int] = (), gap: str = "  "
) -> list[str]:
    """Return the rows of a table as lines of text.

    Parameters
    ----------
    rows : sequence of sequence of str
        Equally many cells each.
    align : str
        A ``<`` (left) or ``>`` (right) for each column.
    widths : sequence of int
        How wide the columns are at least; for a table that is printed row by row.
    gap : str
        What stands between two columns.

    Returns
    -------
    list of str
        One line per row, without blanks at its end.
    """
    least = [*widths, *[0] * (len(align) - len(widths))]
    wide = [max([width, *(len(row[i]) for row in rows)]) for i, width in enumerate(least)]
    forms = [f"{side}{width}" for side, width in zip(align, wide, strict=True)]
    return [gap.join(map(format, row, forms)).rstrip() for row in rows]
