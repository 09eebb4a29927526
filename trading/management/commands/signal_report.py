"""`manage.py signal_report`: what the conditions of signals were worth, and what followed the signals not taken."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Unpack

from timeseries.wiring import open_reader
from trading.domain import amounts
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.period_report import (
    KnownPeriodOptions,
    add_known_argument,
    add_period_arguments,
    known_of,
    read_older,
    selection_of,
    title_of,
)
from trading.management.report import Report, Table, Value
from trading.queries.signal_report import signal_report

CONDITIONS = {
    "strategy_id": "Strategy",
    "condition": "Condition",
    "bucket": "Value",
    "trades_with": "Trades with",
    "expectancy_with": "Expectancy with",
    "trades_without": "Trades without",
    "expectancy_without": "without",
    "difference": "Difference",
    "difference_low": "from",
    "difference_high": "to",
    "p": "p",
    "p_adjusted": "p, corrected",
}
SIGNALS = {
    "strategy_id": "Strategy",
    "decision": "Decision",
    "reason": "Reason",
    "signals": "Signals",
    "with_ticks": "With ticks",
    "mean_move": "Move %",
    "mean_move_low": "from",
    "mean_move_high": "to",
    "share_up": "Right %",
    "mean_best": "Best %",
    "mean_worst": "Worst %",
}
MINUTES = 15
MINUTES_MAX = 24 * 60


class Command(VeloxCommand):
    help = (
        "For each condition of the signals: the trades with it and without it, the difference with its interval, and p "
        "corrected for looking at many. And what each signal, taken or not, was followed by."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_period_arguments(parser)
        add_known_argument(parser)
        parser.add_argument(
            "--minutes", type=int, default=MINUTES, help=f"how far to look beyond a signal (default: {MINUTES})"
        )

    def answer(self, *, minutes: int, **period: Unpack[KnownPeriodOptions]) -> bool:
        if not 1 <= minutes <= MINUTES_MAX:
            raise InvalidValue(f"minutes is {minutes}.", field="minutes", hint=f"Give 1 to {MINUTES_MAX}.")
        answer, age = read_older(
            self, lambda: signal_report(selection_of(period, with_signals=True), open_reader(), minutes=minutes)
        )
        figures = {**answer, **known_of(period), **age}
        currency, coloured = answer["currency"], frozenset({"Difference", "Move %"})
        conditions: Sequence[Mapping[str, Any]] = answer["conditions"]
        signals: Sequence[Mapping[str, Any]] = answer["signals"]
        worth = [[_readable(key, row[key], currency) for key in CONDITIONS] for row in conditions]
        groups = [[row[key] for key in SIGNALS] for row in signals]
        title = f"The {minutes} minutes after a signal, in its direction"
        tables = [
            Table("What a condition was worth", list(CONDITIONS.values()), worth, currency, coloured),
            Table(title, list(SIGNALS.values()), groups, currency, coloured),
        ]
        notes = [
            f"{answer['looked_at']} differences were looked at: p is corrected for that (Holm). Intervals are of 95 %.",
            "Moves are in percent of the price at the signal; charges and slippage are not in them.",
        ]
        sheet = Table("Conditions", list(CONDITIONS), [[row[key] for key in CONDITIONS] for row in conditions])
        self.emit(Report(title_of("Signal report", figures), figures, tables, notes, sheet))
        return True


def _readable(key: str, figure: Value, currency: str) -> Value:
    """Return a cell for people: p to three decimals, money rounded to the currency."""
    if isinstance(figure, float) and key in {"p", "p_adjusted"}:
        return f"{figure:.3f}"
    if isinstance(figure, Decimal) and key.startswith(("expectancy", "difference")):
        return amounts.rounded(figure, currency)
    return figure
