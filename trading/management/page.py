"""A report as one page of HTML that needs nothing else: no script, no other file, no font.

It follows the reader's light or dark, fits a phone, and prints on paper. Its templates are in `report/`.
"""

from __future__ import annotations

from typing import NamedTuple

from django.template.loader import render_to_string

from trading.domain.drawing import drawing
from trading.management.report import Report, cell_text, is_numeric, tone

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
    """Return a report as a page; the template escapes every text in it.

    Numbers are set right, gains and losses of coloured columns in colour.
    """
    grids = []
    for table in report.tables:
        css = ["number" if is_numeric(table, number) else "" for number in range(len(table.columns))]
        rows = [
            [
                Cell(cell_text(cell, table.currency), f"{css[number]} {tone(table, number, cell)}".strip())
                for number, cell in enumerate(row)
            ]
            for row in table.rows
        ]
        head = [Cell(*pair) for pair in zip(table.columns, css, strict=True)]
        grids.append(Grid(table.title, head, rows, table.last_is_total, len(table.rows) <= SHORT_MAX))
    charts = [drawing(chart) for chart in report.charts if len(chart.values) > 1]
    context = {"title": report.title, "charts": charts, "tables": grids, "notes": report.notes}
    return render_to_string("report/page.html", context)
