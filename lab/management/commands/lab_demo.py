"""`manage.py lab_demo`: look at the demo's days as the lab does, so that its pages have something to show."""

from __future__ import annotations

import io
import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.core.management import CommandError, call_command

from lab.learning.requests import TooFewLabels
from lab.optimise.extras import MissingExtra
from trading.demo.days import TICK_DAYS, TICK_SYMBOL
from trading.demo.history import sessions_before
from trading.demo.traders import CHARGE_PERCENT
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.models import Account
from trading.queries.accounts import get_account
from trading.queries.period import parse_day
from trading.queries.sessions import calendar_of
from trading.transactions import ask

ACCOUNT, STRATEGY = "main", "ema_cross"
STOPS = tuple(f"--{kind}={distance}" for kind in ("stop", "trail") for distance in (10, 20, 40, 80))
VARIED = ("--search=grid", "--vary=fast=5:9:2", "--vary=slow=13:25:6", "--train-days=5", "--test-days=4")


def steps(first: date, day: date) -> Iterator[list[str]]:
    """Yield the commands that look at the demo's day, and at one share since the first day of which its ticks are kept;
    the search last, so that it counts the looks before it."""
    on_day = [f"--from={day}", f"--to={day}", f"--account={ACCOUNT}"]
    of_share = [f"--from={first}", f"--to={day}", f"--account={ACCOUNT}", f"--symbol={TICK_SYMBOL}"]
    charged = f"--charges={CHARGE_PERCENT}"
    yield ["stop_lab", STRATEGY, *on_day, *STOPS, "--hold-out=0"]
    yield ["backtest", STRATEGY, *on_day, charged, "--set=fast=5", "--set=slow=13"]
    yield ["backtest", STRATEGY, *on_day, charged]
    yield ["gap", f"--strategy={STRATEGY}", *on_day]
    yield ["patterns", "motifs", *of_share]
    yield ["patterns", "candles", *of_share]
    yield ["signal_model", "train", STRATEGY, f"--account={ACCOUNT}"]
    yield ["optimize", STRATEGY, *of_share, charged, "--objective=net", *VARIED]


class Command(VeloxCommand):
    help = "Search, backtest and compare on the demo's days. `make run` does it, once, behind READY."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--day", required=True, metavar="DAY", help="the demo's")

    def answer(self, *, day: str) -> bool:
        account = ask(get_account, ACCOUNT)
        if account.book != Account.Book.DEMO:
            raise InvalidValue(f"Account {ACCOUNT} is a {account.book} one.", hint="This is for a demo's folder alone.")
        on, calendar = parse_day(day), calendar_of(settings.VELOX_EXCHANGE)
        first = sessions_before(calendar, calendar.bounds(on)[0], TICK_DAYS)[0].day
        run = ""
        for words in steps(first, on):
            out = io.StringIO()
            try:
                call_command(*words, *([f"--run={run}"] if words[0] == "gap" and run else []), "--format=json",
                             stdout=out, stderr=self.stderr)  # fmt: skip
            except CommandError as error:
                if not isinstance(error.__cause__, (InvalidValue, TooFewLabels, MissingExtra)):
                    raise
                if not isinstance(error.__cause__, MissingExtra):  # `make run` installs none: the page names them
                    self.say(f"The lab has less to show: {error}")
                continue
            if words[0] == "backtest":
                run = json.loads(out.getvalue())["run"]
        return True
