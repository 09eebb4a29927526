"""`manage.py stop_lab`: what other stops would have made of the trades of a strategy, on their own ticks."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date

from lab.domain.stops import StopRule
from lab.management.arguments import add_tick_arguments, fill_model
from lab.operations.try_stops import BOOKED, StopsAnswer, StopsRequest, try_stops
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.transactions import ask

DEFAULT_RULES = (10, 20, 40, 80)


class Command(VeloxCommand):
    help = (
        "Follow each closed trade of a strategy on its own ticks under other stops, fixed and trailing, to the stop or "
        "to its day's last tick. The best rule is chosen before the days that are held out, and told beside them. Bars "
        "are refused: they give the wrong sign (docs/ticks-not-bars.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("strategy", metavar="ID", help="whose trades")
        parser.add_argument("--account", default="main", help="in which account they are booked (default: main)")
        add_tick_arguments(parser)
        parser.add_argument("--stop", action="append", type=int, metavar="BP", help="a stop that stays, basis points")
        parser.add_argument(
            "--trail", action="append", type=int, metavar="BP", help="a stop that trails the best price"
        )
        parser.add_argument(
            "--charges",
            default=BOOKED,
            metavar="PLAN|PERCENT|none|booked",
            help="by the schedule of charges and a brokerage plan of it, of each fill's value, or as booked (default)",
        )
        parser.add_argument("--hold-out", type=int, default=0, metavar="DAYS", help="days at the end (default: 0)")
        add_format_arguments(parser)

    def answer(
        self,
        *,
        strategy: str,
        account: str,
        first: date,
        last: date | None,
        symbol: Sequence[str],
        source: str | None,
        ticks: str,
        stop: list[int] | None,
        trail: list[int] | None,
        charges: str,
        hold_out: int,
    ) -> bool:
        if len(symbol) > 1 or hold_out < 0:
            raise InvalidValue("Give one --symbol or none, and --hold-out from 0 on.", field="symbol")
        asked = {False: stop, True: trail} if stop or trail else {False: [*DEFAULT_RULES], True: [*DEFAULT_RULES]}
        rules = [StopRule(distance, trails) for trails, distances in asked.items() for distance in distances or ()]
        for rule in rules:
            if not 1 <= rule.basis_points < 10_000:
                raise InvalidValue(f"{rule.name} is no stop.", field="stop", hint="Give 1 to 9999 basis points.")
        capital = ask(get_account, account)
        request = StopsRequest(
            account=capital,
            strategy=strategy,
            symbol=symbol[0] if symbol else None,
            first=first,
            last=last or first,
            rules=list(dict.fromkeys(rules)),
            held_out_days=hold_out,
            ticks=ticks,
            source=source,
            charged=None if charges == BOOKED else fill_model(0, 0, charges),
        )
        self.emit(_report(try_stops(request, open_reader()), capital.currency))
        return True


def _report(answer: StopsAnswer, currency: str) -> Report:
    """Return the rules as a table, the strategy's own exits above them."""
    rows: list[list[Value]] = [["as it was", None, None, answer["own_pnl"], answer["own_held_out_pnl"]]]
    for row in answer["rules"]:
        rows.append([row["rule"], row["stopped"], row["censored"], row["pnl"], row["held_out_pnl"]])
    columns = ["Rule", "Stopped", "Held to the day's end", "P&L", "P&L held out"]
    days = f"{answer['first_day']} to {answer['last_day']}"
    title = f"{answer['strategy']} · {answer['trades']} trades · {days} · charges {answer['charges']}"
    notes = [f"Left out: {count} {reason}." for reason, count in answer["left_out"].items()]
    if answer["trades_without_charges"]:
        notes.append(f"Of {answer['trades_without_charges']} trades no charges are known.")
    notes.append(f"Best before what is held out: {answer['best']}; {answer['trials']} trials were made on these days.")
    return Report(f"Stops {answer['strategy']}", answer, [Table(title, columns, rows, currency)], notes)
