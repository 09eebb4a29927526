"""`manage.py patterns`: candlesticks and motifs in stored ticks, what followed them, and how likely that is by luck."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from datetime import date

from lab.management.arguments import add_tick_arguments, ticks_of
from lab.operations.record_run import CANDLES, MOTIFS
from lab.optimise.extras import of_extra
from lab.patterns.looking import PatternAnswer, PatternRequest
from lab.patterns.motif_looks import look_for_motifs
from timeseries.reader import Reader
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.transactions import ask

Looking = Callable[[PatternRequest, Reader], PatternAnswer]
COLUMNS = {
    "pattern": "Pattern", "sign": "Sign", "seen_before": "Seen before", "seen": "Seen", "seen_by_chance": "By chance",
    "comes_again": "Comes again", "base_rate": "Share of candles", "side": "Side", "followed_before_bp": "Before, bp",
    "followed_bp": "Followed, bp", "usual_bp": "Usual, bp", "days": "Days", "p": "p", "p_corrected": "p of all looks",
    "holds": "Holds",
}  # fmt: skip
WIDTH, COUNT = 30, 10
LIMITS = {"minutes": (1, 60), "horizon": (1, 240), "width": (8, 240), "count": (1, 50)}


class Command(VeloxCommand):
    help = (
        "Look for TA-Lib's candlesticks (candles), or for shapes that come again (motifs), in candles made of stored "
        "ticks. The side is learned on the first days, and what followed is told of the days held out, in basis "
        "points from the first price of the next candle. Every look is counted for good, and chances are corrected "
        "for all that were ever made on these days (Holm). Windows with a gap, forward-filled or flat ones say nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=(CANDLES, MOTIFS), help="what to look for")
        add_tick_arguments(parser)
        parser.add_argument("--minutes", type=int, default=1, metavar="N", help="of a candle (default: 1)")
        parser.add_argument(
            "--horizon", type=int, default=5, metavar="CANDLES", help="until when it is followed (default: 5)"
        )
        parser.add_argument("--hold-out", type=int, metavar="DAYS", help="days at the end (default: half of them)")
        parser.add_argument("--width", type=int, metavar="CANDLES", help=f"of a motif (default: {WIDTH})")
        parser.add_argument("--count", type=int, metavar="N", help=f"of motifs (default: {COUNT})")
        parser.add_argument("--account", default="main", help="on whose pages it is kept (default: main)")
        add_format_arguments(parser)

    def answer(
        self,
        *,
        kind: str,
        first: date,
        last: date | None,
        symbol: Sequence[str],
        source: str | None,
        ticks: str,
        minutes: int,
        horizon: int,
        hold_out: int | None,
        width: int | None,
        count: int | None,
        account: str,
    ) -> bool:
        if kind == CANDLES:
            refuse_idle("for candles", {"--width": width, "--count": count})
        width, count = WIDTH if width is None else width, COUNT if count is None else count
        for name, number in (("minutes", minutes), ("horizon", horizon), ("width", width), ("count", count)):
            low, high = LIMITS[name]
            if not low <= number <= high:
                raise InvalidValue(f"{name} is {number}.", field=name, hint=f"Give {low} to {high}.")
        request = PatternRequest(
            account=ask(get_account, account).code,
            ticks=ticks_of(ticks, source, symbol, first, last),
            minutes=minutes,
            horizon=horizon,
            held_out_days=hold_out,
            width=width,
            count=count,
        )
        look: Looking = look_for_motifs
        if kind == CANDLES:
            look = of_extra("lab.patterns.candle_looks.look_for_candles", "talib", "patterns", "patterns candles")
        self.emit(_report(look(request, open_reader())))
        return True


def _report(answer: PatternAnswer) -> Report:
    """Return the patterns as a table, what was looked at below."""
    rows: list[dict[str, Value]] = json.loads(json.dumps(answer["patterns"]))
    names = [name for name in COLUMNS if not rows or name in rows[0]]
    cells: list[list[Value]] = [[row[name] for name in names] for row in rows]
    title = f"{', '.join(answer['symbols'])} · {answer['first_day']} to {answer['last_day']}"
    held_out = f"{answer['held_out_days']} of {answer['days']} days are held out, from {answer['held_out_from']}"
    masked = ", ".join(f"{count} {reason}" for reason, count in answer["masked"].items())
    notes = [
        f"{held_out}; candles of {answer['minutes']} min, followed for {answer['horizon']}; nothing is charged.",
        f"{answer['windows']} windows of {answer['width']} candles; {masked} say nothing.",
        f"p of all looks: {answer['correction']}, {answer['trials']} looks were ever made on these days.",
    ]
    if answer["left_out"]:
        notes.append(f"{answer['left_out']} older windows were not compared: their number makes the work quadratic.")
    titles = [COLUMNS[name] for name in names]
    return Report(f"Patterns {answer['kind']}", answer, [Table(title, titles, cells)], notes)
