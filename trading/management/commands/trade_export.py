"""`manage.py trade_export`: export every trade of a period with all its facts, or every fill, for other tools."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from django.db.models import QuerySet

from trading.domain import display
from trading.domain.export import ColumnKind
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import write_file
from trading.management.output import FORMATS
from trading.management.parquet import to_parquet
from trading.management.period_report import PeriodOptions, add_period_arguments, selection_of, title_of
from trading.management.report import Report, Table, Value
from trading.models import Trade
from trading.pages.filter_form import filter_of
from trading.queries import fill_export, trade_export
from trading.queries.trade_export import exported
from trading.queries.trade_filter import matching
from trading.queries.trade_totals import totals_of

PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Export:
    """Rows to export: their columns, what these hold, the titles of those that fit a screen, and the query."""

    name: str
    header: tuple[str, ...]
    kinds: Mapping[str, ColumnKind]
    on_screen: Mapping[str, str]
    rows: Callable[[QuerySet[Trade]], Iterable[tuple[Any, ...]]]


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
    trade_export.export_rows,
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
    fill_export.fill_rows,
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

    def answer(self, *, fills: bool, where: str, **period: Unpack[PeriodOptions]) -> bool:
        if self.form == PARQUET and self.output is None:
            raise InvalidValue("Parquet is no text.", field="output", hint="Name a file with --output.")
        selected = selection_of(period)
        export = FILLS if fills else TRADES
        trades = exported(selected)
        if where:
            narrowed = matching(selected.cut.account, filter_of(where, selected.cut.account))
            trades = trades.filter(pk__in=narrowed.values("pk"))
        rows, header, name = list(export.rows(trades)), export.header, export.name
        if self.form == PARQUET and self.output is not None:
            write_file(Path(self.output), to_parquet(header, rows, export.kinds))
            return True
        head = selected.head()
        title = title_of(name.capitalize(), head)
        # Every row as it is for other tools, for people the columns that fit a screen; only what the format needs.
        if self.form == "csv":
            report = Report(title, head, [], sheet=Table(name.capitalize(), header, rows))
        elif self.form == "json":
            totals = {} if fills else {"totals": totals_of(trades).as_dict()}
            report = Report(title, {**head, **totals, name: [dict(zip(header, row, strict=True)) for row in rows]}, [])
        else:
            places = {column: header.index(column) for column in export.on_screen}
            lines = [[_readable(column, row[place]) for column, place in places.items()] for row in rows]
            titles, coloured = list(export.on_screen.values()), frozenset({"Gross P&L", "R"})
            report = Report(title, head, [Table(f"{len(rows)} {name}", titles, lines, head["currency"], coloured)])
        self.emit(report)
        return True


def _readable(column: str, cell: Value) -> Value:
    if column == "result" and isinstance(cell, str):
        return display.outcome(cell)
    return f"{cell:%Y-%m-%d %H:%M:%S}" if isinstance(cell, datetime) else cell
