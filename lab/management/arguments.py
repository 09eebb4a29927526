"""The arguments that commands of the lab share: which ticks, filled how, with which parameters."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import date
from math import isfinite

from lab.backtest.charging import charged_model
from lab.backtest.days import TickQuestion
from lab.domain.fills import UNKNOWN, FillModel
from trading.errors import InvalidValue
from trading.queries.period import parse_day


def add_tick_arguments(parser: ArgumentParser) -> None:
    """Let a command be told which stored ticks to play."""
    parser.add_argument("--from", dest="first", type=_day, required=True, metavar="DAY", help="the first day")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the last day (default: the first)")
    parser.add_argument("--symbol", action="append", default=[], metavar="S", help="default: all that ticked")
    parser.add_argument("--source", help="who recorded (default: each day of who has the symbol's first tick)")
    parser.add_argument(
        "--ticks", default="main", metavar="ACCOUNT", help="the account that they were recorded under (default: main)"
    )


def add_period_arguments(parser: ArgumentParser) -> None:
    """Let a command be told which days of the ledger to read."""
    parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="the first day (default: of all)")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the last day (default: of all)")


def add_fill_arguments(parser: ArgumentParser) -> None:
    """Let a command be told how orders are filled."""
    parser.add_argument("--latency-ms", type=int, default=500, metavar="N", help="default: 500; 0: by the tick itself")
    parser.add_argument("--slippage-ticks", type=int, default=1, metavar="N", help="price ticks worse (default: 1)")
    parser.add_argument(
        "--charges",
        default=UNKNOWN,
        metavar="PLAN|PERCENT|none",
        help="by the schedule of charges and a brokerage plan of it, or of each fill's value (default: none is known)",
    )


def ticks_of(account: str, source: str | None, symbols: Sequence[str], first: date, last: date | None) -> TickQuestion:
    """Return which ticks are asked for. Raises: InvalidValue for a span that ends before it begins."""
    until = last or first
    if until < first:
        raise InvalidValue(f"{first} lies after {until}.", field="from", hint="Give --from before --to.")
    return TickQuestion(account, source, symbols, first, until)


def fill_model(latency_ms: int, slippage_ticks: int, charges: str) -> FillModel:
    """Return how orders are filled. Raises: InvalidValue below 0, and for charges that are no percentage or plan."""
    for name, number in (("latency_ms", latency_ms), ("slippage_ticks", slippage_ticks)):
        if not 0 <= number <= 10**6:
            raise InvalidValue(f"{name} is {number}.", field=name, hint="Give a whole number from 0 on.")
    return charged_model(FillModel(latency_ms, slippage_ticks), charges)


def settings_of(words: Sequence[str]) -> dict[str, str]:
    """Return parameters by name. Raises: InvalidValue."""
    settings: dict[str, str] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or name in settings:
            raise InvalidValue(f"--set {word!r}.", field="set", hint="Give NAME=VALUE, each name once.")
        settings[name] = text
    return settings


def numbers_named(words: Sequence[str]) -> dict[str, float]:
    """Return conditions by name. Raises: InvalidValue for what is no finite number."""
    numbers: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            numbers[name] = float(text)
        except ValueError:
            numbers[name] = float("nan")
        if not name or not isfinite(numbers[name]):
            raise InvalidValue(f"Condition {word!r}.", field="conditions", hint="Give NAME=NUMBER.")
    return numbers


def _day(text: str) -> date:
    try:
        return parse_day(text)
    except InvalidValue as error:
        raise ArgumentTypeError(str(error)) from error
