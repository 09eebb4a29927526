"""`manage.py excursions`: measure how far trades went for and against their holders (MAE, MFE), and gaps of feeds."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Unpack

from django.utils import timezone

from timeseries.wiring import open_reader
from trading.domain import amounts, display
from trading.errors import InvalidValue, LedgerReadOnly
from trading.management.base import VeloxCommand
from trading.management.period_report import PeriodOptions, add_period_arguments, selection_of, title_of
from trading.management.report import Report, Table, Value
from trading.operations.measure_excursions import measure_excursions
from trading.queries.excursion_report import excursion_report, symbols_of_days, symbols_ticking, trades_of
from trading.queries.reports import UNKNOWN

TRADES = {
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
ROUNDED = frozenset({"mae", "mfe", "given_back"})
GAPS = {"symbol": "Symbol", "day": "Day", "starts_at": "From", "ends_at": "To", "seconds": "Seconds"}


class Command(VeloxCommand):
    help = (
        "Measure the closed trades of a period that were not measured yet, from their ticks, and show how far each "
        "went for and against its holder; and the gaps of every feed, traded or not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser)
        parser.add_argument("--rebuild", action="store_true", help="measure trades again that were measured before")

    def answer(self, *, rebuild: bool, **period: Unpack[PeriodOptions]) -> bool:
        selected, reader = selection_of(period, watched=True), open_reader()
        ticking = symbols_ticking(selected, reader)
        if selected.cut.instrument_id == UNKNOWN and not ticking:
            raise InvalidValue(
                f"There is no symbol {period['symbol']!r}, and nothing of it ticked.", field="symbol",
                hint="Name the days of its feed with --from and --to.",
            )  # fmt: skip
        trades, days = list(trades_of(selected)), {*symbols_of_days(selected), *ticking}
        try:
            measured = measure_excursions(selected.cut.account.code, reader, trades=trades, days=days, rebuild=rebuild)
            self.say(f"{measured.trades} trades measured.")
        except LedgerReadOnly as error:
            if rebuild:
                raise
            self.say(f"Shown is what was measured before. {error}")
        figures = excursion_report(selected)
        currency = figures["currency"]
        rows: Sequence[Mapping[str, Any]] = figures["trades"]
        feed_gaps: Sequence[Mapping[str, Any]] = figures["gaps"]
        of_trades = [[_readable(key, row[key], currency) for key in TRADES] for row in rows]
        gaps = [[_readable(key, gap[key], currency) for key in GAPS] for gap in feed_gaps]
        tables = [
            Table("Trades", list(TRADES.values()), of_trades, currency, frozenset({"Gross P&L"})),
            Table("Gaps", list(GAPS.values()), gaps),
        ]
        sheet = Table("Trades", list(rows[0] if rows else TRADES), [list(row.values()) for row in rows], currency)
        self.emit(Report(title_of("Excursions", figures), figures, tables, sheet=sheet))
        return True


def _readable(key: str, cell: Value, currency: str) -> Value:
    """Return a cell for people: times of day at the desk, prices exact, amounts rounded to the currency."""
    if isinstance(cell, datetime) and key.endswith("_at"):
        return f"{timezone.localtime(cell):%H:%M:%S}"
    if isinstance(cell, date):
        return cell.isoformat()
    if key.endswith("_price"):
        return display.plain(cell) if isinstance(cell, Decimal) else display.UNDEFINED
    return amounts.rounded(cell, currency) if isinstance(cell, Decimal) and key in ROUNDED else cell
