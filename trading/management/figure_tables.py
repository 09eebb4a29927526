"""Tables of figures for people and spreadsheets: their columns, titles, and the form of each cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, overload

from trading.domain import amounts, display
from trading.management.report import Table, Value

RESULT = {
    "total_trades": "Trades",
    "winning_trades": "Won",
    "losing_trades": "Lost",
    "breakeven_trades": "Even",
    "win_rate": "Won %",
    "gross_pnl": "Gross P&L",
    "charges": "Charges",
    "trades_without_charges": "Charges unknown",
    "total_pnl": "P&L",
}
DRAWDOWN = {"max_drawdown": "Drawdown", "max_drawdown_pct": "Drawdown %"}
QUALITY = {
    "profit_factor": "Profit factor",
    "avg_win": "Avg won",
    "avg_loss": "Avg lost",
    "largest_win": "Most won",
    "largest_loss": "Most lost",
    "expectancy": "Expectancy",
    "expectancy_r": "R",
    "sqn": "SQN",
    "avg_holding_seconds": "Held, avg",
}
SURE = {
    "win_rate_low": "Won % from",
    "win_rate_high": "to",
    "expectancy": "Expectancy",
    "expectancy_low": "from",
    "expectancy_high": "up to",
    "expectancy_r": "R",
    "expectancy_r_low": "R from",
    "expectancy_r_high": "R to",
    "trades_with_initial_risk": "Trades with R",
}
RETURNS = {
    "sharpe": "Sharpe",
    "sortino": "Sortino",
    "calmar": "Calmar",
    "cagr": "CAGR %",
    "trading_days": "Days",
    "recovery_factor": "Recovery",
    "current_drawdown": "Drawdown now",
    "max_drawdown_from": "Deepest from",
    "max_drawdown_to": "low on",
    "max_drawdown_recovered": "recovered",
}
RUNS = {
    "best_day": "Best day",
    "best_day_date": "Best on",
    "worst_day": "Worst day",
    "worst_day_date": "Worst on",
    "longest_winning_streak": "Won in a row",
    "longest_losing_streak": "Lost in a row",
    "current_streak": "Streak now",
}
EXCURSIONS = {
    "measured_trades": "Measured",
    "avg_mae": "Avg MAE",
    "avg_mfe": "Avg MFE",
    "given_back": "Given back",
    "trades_in_feed_gaps": "In feed gaps",
}
EXPOSURE = {
    "total_trades": "Trades",
    "avg_holding_seconds": "Held, avg",
    "exposure_seconds": "In the market",
    "exposure_pct": "% of the session",
}
SECONDS = frozenset({"avg_holding_seconds", "exposure_seconds"})
AVERAGES = frozenset({"avg_win", "avg_loss", "expectancy", "expectancy_low", "expectancy_high"}) | {
    "max_drawdown",
    "current_drawdown",
}
COLOURED = frozenset({"Gross P&L", "P&L", "Expectancy"})


def figure_table(
    title: str,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    currency: str,
    exact: bool = False,
    in_cents: bool = False,
    last_is_total: bool = False,
) -> Table:
    """Return rows of figures as a table with these columns, each a key of the rows with its title.

    Args:
        exact: for a spreadsheet; else times are written as people read them and averages are rounded.
        in_cents: round all money: shares of charges have eight decimals, which a period's JSON and CSV keep.
    """
    cells = MadeRows(
        lambda: [
            [row.get(key) if exact else _readable(key, row.get(key), currency, in_cents=in_cents) for key in columns]
            for row in rows
        ]
    )
    return Table(
        title, list(columns.values()), cells, currency=currency, coloured=COLOURED, last_is_total=last_is_total
    )


class MadeRows(Sequence[Sequence[Value]]):
    """Rows of cells that are made when the first of them is asked for: JSON has no use for the cells of people."""

    def __init__(self, make: Callable[[], list[list[Value]]]) -> None:
        self._make = make

    @cached_property
    def _rows(self) -> list[list[Value]]:
        return self._make()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Sequence[Value]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sequence[Value]]: ...
    def __getitem__(self, place: int | slice) -> Sequence[Value] | Sequence[Sequence[Value]]:
        return self._rows[place]


def notes_of(total: Mapping[str, Any]) -> list[str]:
    """Return the sentences that belong beside a report's figures: unknown charges, partial exits."""
    notes = []
    if total["trades_without_charges"]:
        notes.append(f"The charges of {total['trades_without_charges']} trades are unknown: P&L is before those.")
    if total["open_trades_pnl"]:
        notes.append("P&L includes partial exits of trades that are still open.")
    return notes


def _readable(key: str, figure: Value, currency: str, *, in_cents: bool) -> Value:
    """Return a figure for people: seconds as h:mm:ss, averages (``in_cents`` all money) rounded to the currency."""
    if key in SECONDS and not isinstance(figure, str | date):
        return display.duration(None if figure is None else float(figure))
    if isinstance(figure, Decimal) and (in_cents or key in AVERAGES):
        return amounts.rounded(figure, currency)
    return figure
