"""`manage.py trade_export`: export every trade of a period with all its facts, or every fill, for other tools."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Unpack

from django.db.models import QuerySet

from trading.domain import display
from trading.domain.export import ColumnKind, ExportBlock
from trading.domain.plain_json import to_json
from trading.domain.shapes import ReportHead
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import output_path, write_file
from trading.management.output import FORMATS
from trading.management.parquet import to_parquet, write_parquet
from trading.management.period_report import PeriodOptions, add_period_arguments, selection_of, title_of
from trading.management.report import Report, Table, Value
from trading.models import Trade
from trading.moment import one_moment
from trading.pages.export_text import csv_header, csv_lines, json_objects, rows_of, written_beside
from trading.pages.filter_form import filter_of
from trading.queries import fill_export, trade_export
from trading.queries.trade_export import exported
from trading.queries.trade_filter import matching
from trading.queries.trade_totals import totals_of

PARQUET = "parquet"
BLOCKWISE = ("csv", "json", PARQUET)


@dataclass(frozen=True, slots=True)
class Export:
    """Rows to export: their columns, what these hold, and the titles of those that fit a screen."""

    name: str
    header: tuple[str, ...]
    kinds: Mapping[str, ColumnKind]
    on_screen: Mapping[str, str]


TRADES = Export(
    "trades",
    trade_export.HEADER,
    trade_export.KINDS,
    {
        "trade_id": "Trade",
        "strategy": "Strategy",
        "symbol": "Symbol",
        "side": "Side",
        "result": "Result",
        "opened_at": "Opened",
        "closed_at": "Closed",
        "gross_pnl": "Gross P&L",
        "charges": "Charges",
        "r_multiple": "R",
        "exit_reason": "Exit reason",
        "tags": "Tags",
    },
)
FILLS = Export(
    "fills",
    fill_export.HEADER,
    fill_export.KINDS,
    {
        "trade_id": "Trade",
        "strategy": "Strategy",
        "symbol": "Symbol",
        "at": "At",
        "role": "Role",
        "side": "Side",
        "quantity": "Quantity",
        "price": "Price",
        "value": "Value",
        "charges": "Charges",
        "gross_pnl": "Gross P&L",
    },
)


class Command(VeloxCommand):
    help = (
        "Every trade opened in a period, void ones too, with all that is known of it; with --fills a row per fill, as "
        "corrections have left it; --format json adds the totals of the trades. --format parquet needs --output."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser, formats=(*FORMATS, PARQUET))
        parser.add_argument("--fills", action="store_true", help="a row per fill of these trades")
        words = "only what the page of trades would list: its address after the question mark, result=loss&r_max=-1"
        parser.add_argument("--where", metavar="FILTER", default="", help=words)

    @one_moment()
    def answer(self, *, fills: bool, where: str, **period: Unpack[PeriodOptions]) -> bool:
        if self.form == PARQUET and self.output is None:
            raise InvalidValue("Parquet is no text.", field="output", hint="Name a file with --output.")
        selected = selection_of(period, with_void=True)
        trades = exported(selected)
        if where:
            narrowed = matching(selected.cut.account, filter_of(where, selected.cut.account))
            trades = trades.filter(pk__in=narrowed.values("pk"))
        blocks = trade_export.export_blocks(trades, selected.cut.account)
        if fills:
            self._emit_rows(FILLS, list(fill_export.fill_rows(trades)), selected.head())
        elif self.form in BLOCKWISE:
            self._write_blocks(blocks, trades, selected.head())
        else:
            rows = list(chain.from_iterable(map(rows_of, blocks)))
            self._emit_rows(TRADES, rows, selected.head())
        return True

    def _write_blocks(self, blocks: Iterator[ExportBlock], trades: QuerySet[Trade], head: ReportHead) -> None:
        """Write trades block by block, so that no file needs more memory than another. Raises: OutputFailed."""
        if self.form == PARQUET and self.output is not None:
            write_file(output_path(self.output), lambda file: write_parquet(file, TRADES.header, blocks, TRADES.kinds))
            return
        if self.form == "csv":
            parts: Iterator[bytes | memoryview] = chain(
                [csv_header(TRADES.header).encode()], written_beside(csv_lines, blocks)
            )
        else:
            parts = _json_parts({**head, "totals": totals_of(trades).as_dict()}, blocks)
        if self.output is not None:
            write_file(output_path(self.output), lambda file: file.writelines(parts))
            return
        for lines in parts:
            self.stdout.write(str(lines, "utf-8"), ending="")

    def _emit_rows(self, export: Export, rows: Sequence[tuple[Any, ...]], head: ReportHead) -> None:
        """Write rows in the format asked for: every column for other tools, for people those that fit a screen."""
        header, name = export.header, export.name
        title = title_of(name.capitalize(), head)
        if self.form == PARQUET and self.output is not None:
            write_file(output_path(self.output), to_parquet(header, rows, export.kinds))
            return
        if self.form == "csv":
            report = Report(title, head, [], sheet=Table(name.capitalize(), header, rows))
        elif self.form == "json":
            report = Report(title, {**head, name: [dict(zip(header, row, strict=True)) for row in rows]}, [])
        else:
            places = {column: header.index(column) for column in export.on_screen}
            lines = [[_readable(column, row[place]) for column, place in places.items()] for row in rows]
            titles, coloured = list(export.on_screen.values()), frozenset({"Gross P&L", "R"})
            report = Report(title, head, [Table(f"{len(rows)} {name}", titles, lines, head["currency"], coloured)])
        self.emit(report)


def _json_parts(head: Mapping[str, Any], blocks: Iterable[ExportBlock]) -> Iterator[bytes | memoryview]:
    """Yield one JSON object in parts: the head, and the trades as a list."""
    yield f'{to_json(head).removesuffix("}")}, "trades": ['.encode()
    for number, objects in enumerate(written_beside(json_objects, blocks)):
        yield from (b", ", objects) if number else (objects,)
    yield b"]}\n"


def _readable(column: str, cell: Value) -> Value:
    if column == "result" and isinstance(cell, str):
        return display.outcome(cell)
    return f"{cell:%Y-%m-%d %H:%M:%S}" if isinstance(cell, datetime) else cell
