"""The formats in which commands answer: tables for a terminal, CSV safe for spreadsheets, one JSON object, a page.

A command builds the report once; `emit` writes it in the format that was asked for, to the standard output or to a
file.
"""

from __future__ import annotations

import csv
import io
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Sequence
from typing import IO, Protocol, cast

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from trading.domain.plain_json import to_json
from trading.domain.spreadsheet import cell
from trading.management.files import OutputFailed, output_path, write_file
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
PIPE_WIDTH = 400  # a pipe has no width: rows stay on one line


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
        width = None if stdout.isatty() else PIPE_WIDTH
        _print(report, Console(file=cast(IO[str], stdout), width=width, highlight=False))
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
    _print(report, Console(file=text, width=PIPE_WIDTH, highlight=False, no_color=True))
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
    styles = {"gain": "green", "loss": "red", "": ""}
    for table in report.tables:
        console.print(Text(table.title, style="bold"), soft_wrap=True)
        grid = RichTable()
        for number, title in enumerate(table.columns):
            grid.add_column(Text(title), justify="right" if is_numeric(table, number) else "left", no_wrap=True)
        for index, row in enumerate(table.rows):
            total = table.last_is_total and index == len(table.rows) - 1
            if total:
                grid.add_section()
            cells = (
                Text(cell_text(cell, table.currency), style=styles[tone(table, number, cell)])
                for number, cell in enumerate(row)
            )
            grid.add_row(*cells, style="bold" * total)
        console.print(grid)
    for note in report.notes:
        console.print(Text(note), soft_wrap=True)
