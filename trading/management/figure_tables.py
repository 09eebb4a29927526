"""Figures as people and spreadsheets read them: which columns, under which titles, how each cell is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading.domain import amounts, display
from trading.management.report import Table

RESULT = {
    "total_trades": "Trades",
    "winning_trades": "Won",
    "losing_trades": "Lost",
    "breakeven_trades": "Even",
    "win_rate": "Win %",
    "gross_pnl": "Gross P&L",
    "charges": "Charges",
    "trades_without_charges": "Charges unknown",
    "total_pnl": "P&L",
}
DRAWDOWN = {"max_drawdown": "Drawdown", "max_drawdown_pct": "Drawdown %"}
QUALITY = {
    "profit_factor": "Profit factor",
    "avg_win": "Avg win",
    "avg_loss": "Avg loss",
    "largest_win": "Largest win",
    "largest_loss": "Largest loss",
    "expectancy": "Expectancy",
    "expectancy_r": "R",
    "sqn": "SQN",
    "avg_holding_seconds": "Held, avg",
}
SURE = {
    "win_rate_low": "Win % from",
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
    "longest_winning_streak": "Wins in a row",
    "longest_losing_streak": "Losses in a row",
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
    """Return rows of figures as a table; ``exact`` is for a spreadsheet, else averages are rounded for reading, with
    ``in_cents`` all money: shares of charges have eight decimals, and a period's JSON and CSV have them all."""
    cells = [[_cell(key, row.get(key), currency, exact=exact, in_cents=in_cents) for key in columns] for row in rows]
    return Table(
        title, list(columns.values()), cells, currency=currency, coloured=COLOURED, last_is_total=last_is_total
    )


def notes_of(total: Mapping[str, Any]) -> list[str]:
    """Return what must be said beside the figures."""
    notes = []
    if total["trades_without_charges"]:
        notes.append(f"The charges of {total['trades_without_charges']} trades are unknown: P&L is before those.")
    if total["open_trades_pnl"]:
        notes.append("P&L includes partial exits of trades that are still open.")
    return notes


def _cell(key: str, value: Any, currency: str, *, exact: bool, in_cents: bool) -> Any:
    """People read hours, minutes and seconds, averages to the currency's decimals; a spreadsheet reads all."""
    if exact:
        return value
    if key in SECONDS:
        return display.duration(value)
    is_rounded = key in AVERAGES or (in_cents and isinstance(value, Decimal))
    return amounts.rounded(value, currency) if is_rounded else value
