"""`manage.py trade_export`: every trade of a period with all that is known of it, or every fill, for other tools."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from trading.domain.export import ColumnKind
from trading.domain.shapes import ReportHead
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import FORMATS, emit, write_file
from trading.management.parquet import to_parquet
from trading.management.period_report import add_period_arguments, chosen, title_of
from trading.management.report import Report, Table
from trading.models import Trade
from trading.queries import fill_export, trade_export
from trading.queries.trade_export import exported

PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Export:
    """What can be exported: its name and columns, what they hold, which of them fit a screen, and its rows."""

    name: str
    header: tuple[str, ...]
    kinds: Mapping[str, ColumnKind]
    shown: Mapping[str, str]
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
        "corrections have left it. --format parquet needs --output."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser, formats=(*FORMATS, PARQUET))
        parser.add_argument("--fills", action="store_true", help="a row per fill of these trades")

    def answer(self, **options: Any) -> bool:
        form, output = options["format"], options["output"]
        if form == PARQUET and output is None:
            raise InvalidValue("Parquet is no text.", field="output", hint="Name a file with --output.")
        selected = chosen(options)
        export = FILLS if options["fills"] else TRADES
        rows = list(export.rows(exported(selected)))
        if form == PARQUET:
            write_file(Path(output), to_parquet(export.header, rows, export.kinds))
        else:
            emit(_report(export, selected.head(), rows, form), form=form, stdout=self.stdout, output=output)
        return True


def _report(export: Export, head: ReportHead, rows: list[tuple[Any, ...]], form: str) -> Report:
    """Every row as it is for other tools, or what fits a screen for people: of many trades only what is asked for."""
    header, title = export.header, title_of(export.name.capitalize(), head)
    if form in {"csv", "json"}:
        data = {**head, export.name: [dict(zip(header, row, strict=True)) for row in rows]} if form == "json" else head
        return Report(title, data, [], sheet=Table(export.name.capitalize(), header, rows))
    places = [header.index(name) for name in export.shown]
    lines = [[_readable(row[place]) for place in places] for row in rows]
    coloured = frozenset({"Gross P&L", "R"})
    return Report(
        title,
        head,
        [Table(f"{len(rows)} {export.name}", list(export.shown.values()), lines, head["currency"], coloured)],
    )


def _readable(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "hour") else value
