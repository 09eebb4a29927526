"""A desk of two accounts on PostgreSQL that Grafana's role may read, and a connection as that role makes it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.core.management import call_command

from tests.conftest import Ledger, Maker
from tests.trading.desk import make, plans, trade
from trading import summon
from trading.management.commands.demo import DemoDay, record, record_sessions_before
from trading.models import Trade, User
from trading.models.grafana_views import ROLE
from trading.operations.add_capital import add_capital
from trading.operations.amend import amend
from trading.operations.create_account import create_account
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.queries.accounts import get_account

PASSWORD = "p" * 32
WHO: dict[str, str] = {"by": "asha", "reason": "misread"}


def a_desk_of_two_accounts() -> None:
    """Trades of all kinds: partial, overnight, open, amended, voided, trailed, some without charges; and capital."""
    of = {"currency": "INR", "zone": "Asia/Kolkata", "capital": "50000", "capital_date": date(2021, 4, 1)}
    create_account("second", book="paper", **of)
    for number, account in enumerate(("main", "second")):
        for plan in plans(14, seed=7 + number):
            make(plan, account)
        for minutes, pnl in ((0, 5000), (30, -9000), (60, 3000)):  # a day whose end hides how deep it went
            at = datetime(2021, 4, 27, 5, tzinfo=UTC) + timedelta(minutes=minutes)
            trade(pnl, at=at, strategy="breakout", account=account)
    add_capital("main", date(2021, 4, 9), -2500)
    closed = list(Trade.objects.filter(account__code="main", state="CLOSED").order_by("pk"))
    amend(closed[0].pk, fill=1, price=closed[0].entry_value / closed[0].entry_quantity + 1, **WHO)
    amend(closed[1].pk, fill=1, at=closed[1].opened_at - timedelta(minutes=3), **WHO)
    void(closed[2].pk, **WHO)
    held = Trade.objects.filter(account__code="main", state="OPEN").latest("pk")
    names = "main", held.trade_id, held.strategy.code, str(held.instrument)
    update_trailing_sl(*names, "1000.5", "1010", "ATR", at=held.opened_at + timedelta(minutes=1))


@dataclass(frozen=True)
class GrafanaBook:
    """A desk that Grafana may read, and what is chosen of it on the dashboards."""

    make: Callable[[], None]
    first: date
    last: date
    strategy: str
    symbol: str
    accounts: tuple[str, ...] = ("main",)


def a_demo() -> None:
    """What `make run` shows, with fewer sessions and a day of forty-five minutes."""
    opens_at = datetime(2025, 11, 14, 3, 45, tzinfo=UTC)
    day = DemoDay(opens_at.date(), opens_at, opens_at + timedelta(minutes=45), sessions=5)
    with mock.patch.object(summon, "summon"):  # no companion: the folder is copied for the next test
        record_sessions_before(get_account("main"), day, reviewer=User.objects.create(username="demo"))
        record(day)


BOOKS = {
    "made up": GrafanaBook(
        a_desk_of_two_accounts, date(2021, 4, 1), date(2021, 5, 15), "ema cross", "M&M", ("main", "second")
    ),
    "demo": GrafanaBook(a_demo, date(2025, 11, 1), date(2025, 11, 14), "ema_cross", "RELIANCE"),
}


def let_grafana_read(made_as: Maker, settings: Any, make: Callable[[], None] = a_desk_of_two_accounts) -> None:
    """Make the desk, its role and its views."""
    made_as(make)
    settings.VELOX_GRAFANA_PASSWORD = PASSWORD
    call_command("grafana_role", stdout=io.StringIO())


@contextmanager
def grafana(ledger: Ledger) -> Iterator[psycopg.Connection]:
    """Give a connection as Grafana's role makes it."""
    url = urlsplit(ledger.url)
    place = url._replace(scheme="postgresql", netloc=f"{ROLE}:{PASSWORD}@{url.hostname}:{url.port}")
    with psycopg.connect(urlunsplit(place), autocommit=True) as reader:
        yield reader


def answer(command: str, *options: str) -> Any:
    """Return what a command says as JSON, its decimals exact."""
    out = io.StringIO()
    call_command(command, *options, "--format", "json", stdout=out)
    return json.loads(out.getvalue(), parse_float=Decimal)
