"""`manage.py excursions`: how far each trade went for and against its holder (MAE, MFE), and the gaps of its feed."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from timeseries.wiring import open_reader
from trading.domain import amounts, display
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import emit
from trading.management.period_report import add_period_arguments, chosen, title_of
from trading.management.report import Report, Table
from trading.operations.measure_excursions import measure_excursions
from trading.queries.excursion_report import excursion_report, symbols_of_days, symbols_ticking, trades_of
from trading.queries.reports import UNKNOWN

SHOWN = {
    "trade_id": "Trade",
    "strategy_id": "Strategy",
    "symbol": "Symbol",
    "side": "Side",
    "gross_pnl": "Gross P&L",
    "mae": "MAE",
    "mae_r": "MAE R",
    "mae_price": "at price",
    "mae_at": "at",
    "mfe": "MFE",
    "mfe_r": "MFE R",
    "mfe_price": "at the price",
    "mfe_at": "at time",
    "given_back": "Given back",
    "ticks": "Ticks",
    "gap": "Feed",
}
GAPS = {"symbol": "Symbol", "day": "Day", "starts_at": "From", "ends_at": "To", "seconds": "Seconds"}


class Command(VeloxCommand):
    help = (
        "Measure the closed trades of a period that were not measured yet, from their ticks, and show how far each "
        "went for and against its holder; and the gaps of every feed, traded or not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser)
        parser.add_argument("--rebuild", action="store_true", help="measure those again that were measured")

    def answer(self, **options: Any) -> bool:
        selected, reader = chosen(options, watched=True), open_reader()
        ticking = symbols_ticking(selected, reader)
        if selected.cut.instrument_id == UNKNOWN and not ticking:
            raise InvalidValue(
                f"There is no symbol {options['symbol']!r}, and nothing of it ticked.", field="symbol",
                hint="Name the days of its feed with --from and --to.",
            )  # fmt: skip
        kept = measure_excursions(
            selected.cut.account.code,
            reader,
            trades=list(trades_of(selected)),
            days={*symbols_of_days(selected), *ticking},
            rebuild=options["rebuild"],
        )
        self.say(f"{kept.trades} trades measured.")
        made = excursion_report(selected)
        emit(_report(made), form=options["format"], stdout=self.stdout, output=options["output"])
        return True


def _report(made: dict[str, Any]) -> Report:
    lines = [[_readable(key, row[key], made["currency"]) for key in SHOWN] for row in made["trades"]]
    trades = Table("Trades", list(SHOWN.values()), lines, made["currency"], frozenset({"Gross P&L"}))
    gaps = Table(
        "Gaps",
        list(GAPS.values()),
        [[_readable(key, row[key], made["currency"]) for key in GAPS] for row in made["gaps"]],
    )
    header = list(made["trades"][0]) if made["trades"] else list(SHOWN)
    sheet = Table("Trades", header, [list(row.values()) for row in made["trades"]], made["currency"])
    return Report(title_of("Excursions", made), made, [trades, gaps], sheet=sheet)


def _readable(key: str, value: Any, currency: str) -> Any:
    if key.endswith("_at") and value is not None:
        return f"{timezone.localtime(value):%H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if key.endswith("_price"):
        return display.UNDEFINED if value is None else display.plain(value)
    return amounts.rounded(value, currency) if key in {"mae", "mfe", "given_back"} else value
