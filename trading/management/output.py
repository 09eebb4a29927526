"""The formats in which commands answer: tables for a terminal, CSV safe for spreadsheets, one JSON object, a page.

A command builds the report once; `emit` writes it in the format that was asked for, to the standard output or to a
file.
"""

from __future__ import annotations

import csv
import io
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping, Sequence
from typing import IO, Protocol, cast

from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from trading.domain.plain_json import to_json
from trading.domain.spreadsheet import cell
from trading.management.files import OutputFailed, output_path, write_file
from trading.management.fitting import column_widths, fitting_blocks, table_width
from trading.management.page import to_html
from trading.management.report import Report, Table, cell_text, is_numeric, tone

__all__ = [
    "FORMATS",
    "OutputFailed",
    "Report",
    "Table",
    "add_format_arguments",
    "emit",
    "render",
    "to_csv",
]

FORMATS = ("table", "csv", "json", "html")


class Output(Protocol):
    """A stream that a report is written to: a command's `stdout`, or any other of text."""

    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


def add_format_arguments(
    parser: ArgumentParser, *, formats: Sequence[str] = FORMATS, below_another: bool = False
) -> None:
    """Give a command ``--format`` and ``--output``.

    ``below_another`` is for the parser of a verb: defaults there would undo what stands before the verb.
    """
    form, output = (SUPPRESS, SUPPRESS) if below_another else ("table", None)
    parser.add_argument("--format", choices=formats, default=form, help="how to answer (default: table)")
    parser.add_argument("--output", metavar="FILE", default=output, help="write to this file instead of to stdout")


def emit(report: Report, *, form: str, stdout: Output, output: str | None = None) -> None:
    """Write a report in one of `FORMATS` to ``stdout``, or whole to the file ``output``.

    Raises:
        OutputFailed: the file cannot be written; an older one of that name is unharmed.
    """
    if output is not None:
        write_file(output_path(output), render(report, form))
    elif form == "table":
        try:
            _print(report, Console(file=cast(IO[str], stdout), highlight=False))
        except SystemExit as ending:  # so Rich ends where nobody reads, with 1, which means findings
            raise BrokenPipeError from ending
    else:
        stdout.write(render(report, form))


def render(report: Report, form: str) -> str:
    """Return a report as text in one of `FORMATS`, ending with a newline."""
    if form == "json":
        return to_json(report.data) + "\n"
    if form == "csv":
        return to_csv([report.sheet] if report.sheet is not None else report.tables)
    if form == "html":
        return to_html(report)
    text = io.StringIO()
    _print(report, Console(file=text, highlight=False, no_color=True))
    return text.getvalue()


def to_csv(tables: Sequence[Table]) -> str:
    """Return tables as CSV with a header each, a blank line between them; no text cell can run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number, table in enumerate(tables):
        if number:
            text.write("\r\n")
        writer.writerow([cell(title) for title in table.columns])
        # Most cells of a wide file are empty: a call for each would take as long as all others.
        writer.writerows(["" if value is None else cell(value) for value in row] for row in table.rows)
    return text.getvalue()


def _print(report: Report, console: Console) -> None:
    texts = [[[cell_text(cell, table.currency) for cell in row] for row in table.rows] for table in report.tables]
    widths = [column_widths(table.columns, rows) for table, rows in zip(report.tables, texts, strict=True)]
    if not console.file.isatty():  # a pipe has no width: rows stay on one line
        console.width = max(map(table_width, widths), default=1)
    for table, rows, columns in zip(report.tables, texts, widths, strict=True):
        console.print(Text(table.title, style="bold"), soft_wrap=True)
        numeric = [is_numeric(table, number) for number in range(len(columns))]
        for block in fitting_blocks(columns, numeric, console.width):
            console.print(_grid(table, rows, block))
    for note in report.notes:
        console.print(Text(note), soft_wrap=True)


def _grid(table: Table, texts: Sequence[Sequence[str]], columns: Mapping[int, int]) -> RichTable:
    """Return some columns of a table, each as wide as it is told; what is longer goes on in the next line, uncut."""
    styles = {"gain": "green", "loss": "red", "": ""}
    grid = RichTable()
    for number, width in columns.items():
        justify: JustifyMethod = "right" if is_numeric(table, number) else "left"
        grid.add_column(Text(table.columns[number]), justify=justify, width=width, overflow="fold")
    for index, row in enumerate(table.rows):
        total = table.last_is_total and index == len(table.rows) - 1
        if total:
            grid.add_section()
        cells = (Text(texts[index][number], style=styles[tone(table, number, row[number])]) for number in columns)
        grid.add_row(*cells, style="bold" * total)
    return grid
