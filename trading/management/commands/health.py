"""`manage.py health`: the state of every part of VELOX, since when, and what cures it; feeds, P&L and open risk."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TypedDict

from django.conf import settings
from django.utils import timezone
from rich.console import Console

from trading.errors import VeloxError
from trading.health.report import HealthReport, report
from trading.health.state import OK
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.metrics.books import StrategyStanding, strategy_rows
from trading.queries.sessions import calendar_of
from trading.transactions import ask

WATCH_SECONDS = 2.0
# "Since" is what this process saw: one look alone knows nothing of it.
COLUMNS, WATCHED = ["Part", "Status", "ms", "What", "Cure"], ["Part", "Status", "Since", "ms", "What", "Cure"]

MONEY = ["Strategy", "Realised", "Unrealised", "Open risk", "Open trades", "Without price", "Without stop"]


class SessionNow(TypedDict):
    """Whether the exchange of the desk trades now, and until when."""

    exchange: str
    is_open: bool
    closes_at: datetime | None


class Command(VeloxCommand):
    help = "Show how every part is. Exit 0 when all are well, 1 when one is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--watch",
            action="store_true",
            help=f"look again every {WATCH_SECONDS:g} s, until Ctrl-C; the last look counts",
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, watch: bool) -> bool:
        health = self._look(watch)
        with suppress(KeyboardInterrupt):
            while watch:
                time.sleep(WATCH_SECONDS)
                if self.form == "table":
                    Console().clear()  # nothing where the output is no terminal
                health = self._look(watch)
        return health["status"] == OK

    def _look(self, is_watched: bool) -> HealthReport:
        now = datetime.now(UTC)
        health = report(now=now)
        session, strategies = None, None
        with suppress(VeloxError):  # the part `ledger` says why
            session, strategies = ask(_session, now), ask(strategy_rows, now=now)
        self.emit(_report(health, session, strategies, is_watched))
        return health


def _session(now: datetime) -> SessionNow:
    open_now = calendar_of(settings.VELOX_EXCHANGE).session_at(now)
    closes_at = None if open_now is None else open_now.closes_at
    return {"exchange": settings.VELOX_EXCHANGE, "is_open": open_now is not None, "closes_at": closes_at}


def _report(
    health: HealthReport, session: SessionNow | None, strategies: list[StrategyStanding] | None, is_watched: bool
) -> Report:
    parts: list[list[Value]] = []
    for name, row in health["parts"].items():
        since = [f"{timezone.localtime(datetime.fromisoformat(row['since'])):%d %b %H:%M:%S}"] if is_watched else []
        parts.append([name, row["status"], *since, row["latency_ms"], row["detail"], row["cure"]])
    points: list[list[Value]] = [
        [name.replace("_", " "), count if isinstance(count, int | float) else None]
        for name, count in health["points"].items()
    ]
    columns = WATCHED if is_watched else COLUMNS
    tables = [Table(f"VELOX is {health['status']}", columns, parts), Table("Points", ["", "Number"], points)]
    if health["feeds"]:
        tables.append(_feeds(health, session))
    if strategies:
        tables += _money(strategies)
    return Report("Health", {**health, "session": session, "strategies": strategies}, tables)


def _feeds(health: HealthReport, session: SessionNow | None) -> Table:
    hours = "" if session is None else f", {session['exchange']} is closed"
    if session is not None and session["closes_at"] is not None:
        hours = f", {session['exchange']} trades until {timezone.localtime(session['closes_at']):%H:%M}"
    feeds: list[list[Value]] = [
        [source, feed["age_seconds"], feed["exchange_ahead_seconds"]] for source, feed in health["feeds"].items()
    ]
    return Table(f"Feeds{hours}", ["Feed", "Last tick, s ago", "Exchange time ahead, s"], feeds)


def _money(strategies: list[StrategyStanding]) -> Iterator[Table]:
    """Yield a table for each account: no figure adds two."""
    for account, rows in groupby(strategies, key=lambda row: (row["account"], row["currency"])):
        cells: list[list[Value]] = [
            [row["strategy"], row["realised_pnl"], row["unrealised_pnl"], row["risk"], row["open_trades"],
             row["unpriced"], row["without_stop"]]
            for row in rows
        ]  # fmt: skip
        yield Table(f"{account[0]} today, {account[1]}", MONEY, cells, account[1], frozenset(MONEY[1:3]))
