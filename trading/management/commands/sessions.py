"""`manage.py sessions`: show when an exchange trades on a day, or load amended hours."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import read_text
from trading.management.output import Report, Table, add_format_arguments
from trading.operations.load_sessions import load_sessions
from trading.queries.instruments import exchanges
from trading.queries.period import parse_day
from trading.queries.sessions import DEFAULT_GROUP, calendar_of, groups_of

DATA_FILE = Path(__file__).resolve().parents[2] / "data" / "exchange_sessions.json"


class Command(VeloxCommand):
    help = "Show the phases of an exchange's day. With --load, first replace the hours by those of the data file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", metavar="YYYY-MM-DD", help="the day (default: today)")
        parser.add_argument("--exchange", default=settings.VELOX_EXCHANGE)
        parser.add_argument("--group", default=DEFAULT_GROUP, help="session group (default: the exchange's own)")
        parser.add_argument(
            "--load",
            nargs="?",
            const=str(DATA_FILE),
            metavar="FILE",
            help="load the hours from this file (default: trading/data/exchange_sessions.json)",
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, date: str | None, exchange: str, group: str, load: str | None) -> bool:
        if load is not None:
            counts = load_sessions(read_text(load, field="load"))
            rows = {code: f"{count} rows" if count else "without hours" for code, count in counts.items()}
            self.say(f"Loaded: {', '.join(f'{code} {text}' for code, text in rows.items())}.")
        if exchange not in exchanges():
            raise InvalidValue(
                f"There is no exchange {exchange!r}.", field="exchange", hint=f"Known are {', '.join(exchanges())}."
            )
        groups = groups_of(exchange)
        if group and group not in groups:
            listed = ", ".join(groups) or "none: it never closes"
            raise InvalidValue(f"{exchange} has no session group {group!r}.", field="group", hint=f"It has {listed}.")
        group = group or next(iter(groups), "")
        calendar = calendar_of(exchange, group)
        day = parse_day(date) if date else calendar.day_of(datetime.now(UTC))
        # An exchange that never closes is open and has no phases.
        phases, is_open = calendar.phases(day), calendar.is_trading_day(day)
        hours = {
            "date": day,
            "exchange": exchange,
            "group": group,
            "open": is_open,
            "phases": [{"phase": p.name, "opens_at": p.opens_at, "closes_at": p.closes_at} for p in phases],
        }
        table = []
        for phase in phases:
            times = [at.astimezone(calendar.zone) for at in (phase.opens_at, phase.closes_at)]
            clocks = [f"{at:%H:%M}" if at.date() == day else f"{at:%H:%M} on {at.date()}" for at in times]
            table.append([phase.name, *clocks])
        title = f"{exchange} ({group or 'no hours'}) on {day}: {'open' if is_open else 'closed'}, {calendar.zone.key}"
        self.emit(Report(title, hours, [Table(title, ["Phase", "Opens", "Closes"], table)]))
        return True
