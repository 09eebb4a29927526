"""How commands answer: a `Report` as a table for the terminal, spreadsheet-safe CSV, one JSON object, or a page of
HTML.

A command builds the report once; `emit` writes it in the format that was asked for, to the standard output or to a
file.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import IO, Any, Protocol, cast

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from trading.domain import display
from trading.domain.spreadsheet import cell
from trading.errors import VeloxError

FORMATS = ("table", "csv", "json", "html")
PIPE_WIDTH = 400  # a pipe has no width: rows stay on one line


class Output(Protocol):
    """What a report is written to: a command's `stdout`, or any text stream."""

    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


class OutputFailed(VeloxError):
    """The file that was asked for cannot be written."""

    code = "output_failed"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: column titles and rows of values (str, int, float, Decimal, date, datetime or None).

    Decimals are money in ``currency``; numbers are set right, above and below zero in colour where ``coloured`` names
    the column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    currency: str = ""
    coloured: frozenset[str] = frozenset()
    last_is_total: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a command says: ``data`` is the JSON object, ``tables`` the same for people, ``notes`` single lines below
    them.

    ``sheet`` is what CSV gets where people are better served by several narrow tables.
    """

    title: str
    data: Mapping[str, Any]
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=tuple)
    sheet: Table | None = None


def add_format_arguments(
    parser: ArgumentParser, *, formats: Sequence[str] = FORMATS, below_another: bool = False
) -> None:
    """Give a command its ``--format`` and ``--output``.

    ``below_another`` is for the parser of a verb: its defaults would undo what stands before the verb.
    """
    form, output = (SUPPRESS, SUPPRESS) if below_another else ("table", None)
    parser.add_argument("--format", choices=formats, default=form, help="how to answer (default: table)")
    parser.add_argument("--output", metavar="FILE", default=output, help="write to this file instead of to stdout")


def emit(report: Report, *, form: str, stdout: Output, output: str | None = None) -> None:
    """Write the report.

    Raises:
        OutputFailed: the file cannot be written; an older one of that name is unharmed.
    """
    if output is not None:
        write_file(Path(output), render(report, form))
    elif form == "table":
        width = None if stdout.isatty() else PIPE_WIDTH
        _print(report, Console(file=cast(IO[str], stdout), width=width, highlight=False))
    else:
        stdout.write(render(report, form))


def render(report: Report, form: str) -> str:
    """Return the report as text in one of `FORMATS`, ending with a newline."""
    if form == "json":
        return to_json(report.data) + "\n"
    if form == "csv":
        return to_csv([report.sheet] if report.sheet is not None else report.tables)
    if form == "html":
        return to_html(report)
    text = io.StringIO()
    _print(report, Console(file=text, width=PIPE_WIDTH, highlight=False, no_color=True))
    return text.getvalue()


def to_json(data: Any) -> str:
    """Return canonical values as one JSON text: decimals as plain strings, times ISO UTC with `Z`, no NaN.

    Raises: ValueError for NaN or infinity, TypeError for anything that is not a plain value.
    """
    return json.dumps(data, default=_jsonable, ensure_ascii=False, allow_nan=False)


def to_csv(tables: Sequence[Table]) -> str:
    """Return the tables as CSV with a header each, a blank line between them; no text cell can run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    for number, table in enumerate(tables):
        if number:
            text.write("\r\n")
        writer.writerow([cell(title) for title in table.columns])
        writer.writerows([cell(value) for value in row] for row in table.rows)
    return text.getvalue()


def to_html(report: Report) -> str:
    """Return the report as one page that needs nothing else: no script, no other file, no font."""
    body = "\n".join(_html_table(table) for table in report.tables)
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in report.notes)
    return _PAGE.format(title=escape(report.title), body=body, notes=notes)


def write_file(path: Path, text: str) -> None:
    """Write a whole file or none: the name changes hands only when every byte is on disk.

    Raises: OutputFailed.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}.", field="output") from error


def _print(report: Report, console: Console) -> None:
    for table in report.tables:
        console.print(Text(table.title, style="bold"), soft_wrap=True)
        drawn = RichTable()
        for number, title in enumerate(table.columns):
            drawn.add_column(Text(title), justify="right" if _is_numeric(table, number) else "left", no_wrap=True)
        for index, row in enumerate(table.rows):
            total = table.last_is_total and index == len(table.rows) - 1
            if total:
                drawn.add_section()
            drawn.add_row(*(_cell(table, number, value) for number, value in enumerate(row)), style="bold" * total)
        console.print(drawn)
    for note in report.notes:
        console.print(Text(note), soft_wrap=True)


def _cell(table: Table, number: int, value: Any) -> Text:
    return Text(_shown(value, table.currency), style=_colour(table, number, value))


def _colour(table: Table, number: int, value: Any) -> str:
    if table.columns[number] not in table.coloured or not isinstance(value, int | float | Decimal) or not value:
        return ""
    return "green" if value > 0 else "red"


def _is_numeric(table: Table, number: int) -> bool:
    values = [row[number] for row in table.rows if row[number] is not None]
    return bool(values) and all(isinstance(value, int | float | Decimal) for value in values)


def _shown(value: Any, currency: str) -> str:
    if value is None:
        return display.UNDEFINED
    if isinstance(value, Decimal):
        return display.money(value, currency)
    if isinstance(value, float):
        return display.ratio(value)
    return _text(value)


def _text(value: Any) -> str:
    return str(_jsonable(value)) if isinstance(value, date | Decimal) else str(value)


def _html_table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_css(table, number, None)}>{escape(title)}</th>' for number, title in enumerate(table.columns)
    )
    rows = "\n".join(
        f"<tr{_total_css(table, index)}>"
        + "".join(
            f"<td{_css(table, number, value)}>{escape(_shown(value, table.currency))}</td>"
            for number, value in enumerate(row)
        )
        + "</tr>"
        for index, row in enumerate(table.rows)
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _css(table: Table, number: int, value: Any) -> str:
    names = [*(["number"] if _is_numeric(table, number) else []), *filter(None, [_colour(table, number, value)])]
    return f' class="{" ".join(names)}"' if names else ""


def _total_css(table: Table, index: int) -> str:
    return ' class="total"' if table.last_is_total and index == len(table.rows) - 1 else ""


def _jsonable(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} has no place in JSON")
        return display.plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff; }}
table {{ border-collapse: collapse; margin: 0 0 2rem; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.green {{ color: #0a6b2d; }}
.red {{ color: #b00020; }}
.total {{ font-weight: 600; border-top: 2px solid #888; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
{notes}</body>
</html>
"""
