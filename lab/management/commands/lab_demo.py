"""`manage.py lab_demo`: look at the demo's day as the lab does, so that its pages have something to show."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date

from lab.backtest.days import TickQuestion
from lab.domain.fills import FillModel
from lab.domain.stops import StopRule
from lab.operations.backtest import BacktestRequest, backtest
from lab.operations.try_stops import StopsRequest, try_stops
from timeseries.reader import Reader
from timeseries.wiring import open_reader
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.models import Account
from trading.queries.accounts import get_account
from trading.queries.period import parse_day
from trading.transactions import ask

ACCOUNT, STRATEGY = "main", "ema_cross"
PERIODS = ((5, 13), (9, 21))  # two sets, so that the second is one of two trials
RULES = tuple(StopRule(distance, trails) for trails in (False, True) for distance in (10, 20, 40, 80))


class Command(VeloxCommand):
    help = "Try the demo's strategy and other stops on the demo's day. `make run` does it, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", required=True, metavar="DAY", help="the demo's")

    def answer(self, *, day: str) -> bool:
        account, reader = ask(get_account, ACCOUNT), open_reader()
        if account.book != Account.Book.DEMO:
            raise InvalidValue(f"Account {ACCOUNT} is a {account.book} one.", hint="This is for a demo's folder alone.")
        on: date = parse_day(day)
        try:
            _look(account, on, reader)
        except InvalidValue as error:  # a day that is cut short may have no tick, or no trade
            self.say(f"The lab has nothing to show: {error}")
        return True


def _look(account: Account, on: date, reader: Reader) -> None:
    ticks = TickQuestion(ACCOUNT, None, (), on, on)
    for fast, slow in PERIODS:
        settings = {"fast": fast, "slow": slow}
        request = BacktestRequest(strategy=STRATEGY, ticks=ticks, capital=account, settings=settings, model=FillModel())
        backtest(request, reader)
    stops = StopsRequest(
        account=account, strategy=STRATEGY, symbol=None, first=on, last=on, rules=RULES, held_out_days=0, ticks=ACCOUNT,
        source=None,
    )  # fmt: skip
    try_stops(stops, reader)
