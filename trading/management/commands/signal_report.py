"""`manage.py signal_report`: which conditions were worth something, and what the signals not taken would have done."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from timeseries.wiring import open_reader
from trading.domain import amounts
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import emit
from trading.management.period_report import add_known_argument, add_period_arguments, chosen, known_of, title_of
from trading.management.report import Report, Table
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

    def answer(self, **options: Any) -> bool:
        if not 1 <= options["minutes"] <= MINUTES_MAX:
            raise InvalidValue(f"minutes is {options['minutes']}.", field="minutes", hint=f"Give 1 to {MINUTES_MAX}.")
        made = signal_report(chosen(options), open_reader(), minutes=options["minutes"]) | known_of(options)
        emit(_report(made), form=options["format"], stdout=self.stdout, output=options["output"])
        return True


def _report(made: dict[str, Any]) -> Report:
    rows = [[_readable(key, row[key], made["currency"]) for key in CONDITIONS] for row in made["conditions"]]
    groups = [[row[key] for key in SIGNALS] for row in made["signals"]]
    coloured = frozenset({"Difference", "Move %"})
    tables = [
        Table("What a condition was worth", list(CONDITIONS.values()), rows, made["currency"], coloured),
        Table(
            f"The {made['minutes']} minutes after a signal, in its direction",
            list(SIGNALS.values()),
            groups,
            made["currency"],
            coloured,
        ),
    ]
    notes = [
        f"{made['looked_at']} differences were looked at: p is corrected for that (Holm). Intervals are of 95 %.",
        "Moves are in percent of the price at the signal; charges and slippage are not in them.",
    ]
    sheet = Table("Conditions", list(CONDITIONS), [[row[key] for key in CONDITIONS] for row in made["conditions"]])
    return Report(title_of("Signal report", made), made, tables, notes, sheet)


def _readable(key: str, value: Any, currency: str) -> Any:
    if key in {"p", "p_adjusted"}:
        return None if value is None else f"{value:.3f}"
    return amounts.rounded(value, currency) if key.startswith(("expectancy", "difference")) else value
