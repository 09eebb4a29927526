"""`manage.py trade_export`: every trade of a period with all that is known of it, for other tools."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import FORMATS, emit, write_file
from trading.management.parquet import to_parquet
from trading.management.period_report import add_period_arguments, chosen, title_of
from trading.management.report import Report, Table
from trading.queries.trade_export import COUNTS, DAYS, HEADER, MONEY, TIMES, export_rows, exported

PARQUET = "parquet"
# What fits a screen.
SHOWN = {
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
}


class Command(VeloxCommand):
    help = (
        "Every trade opened in a period, void ones too, with all that is known of it; --format parquet needs --output."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser, formats=(*FORMATS, PARQUET))

    def answer(self, **options: Any) -> bool:
        form, output = options["format"], options["output"]
        if form == PARQUET and output is None:
            raise InvalidValue("Parquet is no text.", field="output", hint="Name a file with --output.")
        selected = chosen(options)
        rows = list(export_rows(exported(selected)))
        if form == PARQUET:
            content = to_parquet(HEADER, rows, money=MONEY, times=TIMES, days=DAYS, counts=COUNTS)
            write_file(Path(output), content)
        else:
            emit(_report(selected.head(), rows, form), form=form, stdout=self.stdout, output=output)
        return True


def _report(head: dict[str, Any], rows: list[tuple[Any, ...]], form: str) -> Report:
    """Every row as it is for other tools, or what fits a screen for people: of many trades only what is asked for."""
    if form in {"csv", "json"}:
        data = {**head, "trades": [dict(zip(HEADER, row, strict=True)) for row in rows]} if form == "json" else head
        return Report(title_of("Trades", head), data, [], sheet=Table("Trades", HEADER, rows))
    places = [HEADER.index(name) for name in SHOWN]
    lines = [[_readable(row[place]) for place in places] for row in rows]
    table = Table(f"{len(rows)} trades", list(SHOWN.values()), lines, head["currency"], frozenset({"Gross P&L", "R"}))
    return Report(title_of("Trades", head), head, [table])


def _readable(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "hour") else value
