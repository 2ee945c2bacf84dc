"""Put what was measured on a page: ``{results}``, the role ``{result}``, and ``{speed}``."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from mnist_course.results import load_results, table
from mnist_course.speed import GPU, format_cells, load_speed


class Results(SphinxDirective):
    """A table of all results, and a line on where they were measured."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes."""
        results = load_results()
        head, rows = table(results)
        measured = "; ".join(sorted({r.measured_on for r in results.values()}))
        widths = [2, 6, 2, 2, 3, 1, 2]  # relative; the second column holds words
        return [_table(head, rows, widths), nodes.paragraph(text=f"Measured on: {measured}.")]


class Speed(SphinxDirective):
    """One of the tables of ``speed.json`` or ``gpu.json``, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes."""
        [speed] = [s for s in (load_speed(), load_speed(GPU)) if self.arguments[0] in s]
        head, *rows = format_cells(speed[self.arguments[0]])
        return [
            _table(head, rows, [max(map(len, column)) + 2 for column in zip(*rows, strict=True)])
        ]


class OneResult(SphinxRole):
    """Mean ± standard deviation of one recipe, by its name."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the text."""
        results = load_results()
        if self.text not in results:
            return [], [self.inliner.reporter.warning(f"no result {self.text}", line=self.lineno)]
        return [nodes.Text(str(results[self.text]))], []


def _table(head: list[str], rows: list[list[str]], widths: list[int]) -> nodes.table:
    """Return a table whose columns are as wide, one beside the other."""
    group = nodes.tgroup(cols=len(head))
    group.extend(nodes.colspec(colwidth=width) for width in widths)
    header, body = nodes.thead(), nodes.tbody()
    header += _row(head)
    body.extend(_row(row) for row in rows)
    group.extend([header, body])
    return nodes.table("", group, classes=["results"])


def _row(cells: list[str]) -> nodes.row:
    """Return one row; the first cell is what one types, so it is set as code."""
    row = nodes.row()
    for i, cell in enumerate(cells):
        literal = i == 0 and cell not in ("name", "program", "what", "recipe", "change", "network")
        text = nodes.literal(text=cell) if literal else nodes.Text(cell)
        row += nodes.entry("", nodes.paragraph("", "", text))
    return row


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive and the role known."""
    app.add_directive("results", Results)
    app.add_directive("speed", Speed)
    app.add_role("result", OneResult())
    return {"parallel_read_safe": True}
