"""A report as one page of HTML that needs nothing else: no script, no other file, no font.

It follows the reader's light or dark, fits a phone, and prints on paper. Its templates are in `report/`.
"""

from __future__ import annotations

from typing import NamedTuple

from django.template.loader import render_to_string

from trading.management.charts import drawing
from trading.management.report import Report, Table, cell_text, is_numeric, tone

SHORT_MAX = 20  # rows of a table that stands on one printed page as a whole


class Cell(NamedTuple):
    """A cell's text and its classes of CSS."""

    text: str
    css: str


class Grid(NamedTuple):
    """A table as its template writes it: every cell is text."""

    title: str
    head: list[Cell]
    rows: list[list[Cell]]
    last_is_total: bool
    is_short: bool


def to_html(report: Report) -> str:
    """Return a report as a page; the template escapes every text in it."""
    context = {
        "title": report.title,
        "charts": [drawing(chart) for chart in report.charts if len(chart.values) > 1],
        "tables": [grid(table) for table in report.tables],
        "notes": report.notes,
    }
    return render_to_string("report/page.html", context)


def grid(table: Table) -> Grid:
    """Return a table's cells as text; numbers are set right, gains and losses of coloured columns in colour."""
    alignments = ["number" if is_numeric(table, number) else "" for number in range(len(table.columns))]
    head = [Cell(title, css) for title, css in zip(table.columns, alignments, strict=True)]
    rows = [
        [
            Cell(cell_text(value, table.currency), f"{alignments[number]} {tone(table, number, value)}".strip())
            for number, value in enumerate(row)
        ]
        for row in table.rows
    ]
    return Grid(table.title, head, rows, table.last_is_total, len(table.rows) <= SHORT_MAX)
