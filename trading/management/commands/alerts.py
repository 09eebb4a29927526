"""`manage.py alerts`: what was told, the channels that hear of it, and a test message to each."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import TypedDict

from django.conf import settings

from trading.alerts.channels import channels_of_environment
from trading.alerts.trial import send_test
from trading.domain.alert_address import first_refusal
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle_beside
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table
from trading.models import Alert
from trading.operations.write_alert_channel import switch_alert_channel, write_alert_channel
from trading.queries.accounts import get_account
from trading.queries.alerts import AlertRow, alert_rows, channel_rows
from trading.transactions import ask

SHOWN = 200
COLUMNS = ["Since", "Kind", "Part", "Code", "Account", "Text", "Over since", "Times", "Sent", "Waiting", "Given up"]


class ChannelRow(TypedDict):
    """A channel as people may see it."""

    name: str
    channel: str
    is_active: bool


class Command(VeloxCommand):
    help = (
        "Show the alerts of an account and of the whole desk, or look after the channels that hear of them. Exit 1 "
        "where a test message did not arrive, or an address of VELOX_ALERT_URLS cannot be used."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", help="whose alerts (default: main)")
        parser.add_argument("--kind", choices=Alert.Kind.values, default="")
        parser.add_argument("--limit", type=int, help=f"at most so many (default: {SHOWN})")
        deeds = parser.add_mutually_exclusive_group()
        deeds.add_argument(
            "--test", action="store_true", help="send a message to each channel and say what became of it"
        )
        deeds.add_argument("--channels", action="store_true", help="list the channels, without their addresses")
        deeds.add_argument("--add", metavar="NAME", help="keep a channel in the ledger; its address is read from stdin")
        deeds.add_argument("--off", metavar="NAME", help="send nothing more to a channel of the ledger")
        deeds.add_argument("--on", metavar="NAME", help="send to it again")
        add_format_arguments(parser, formats=("table", "json", "csv"))

    def answer(
        self,
        *,
        account: str | None,
        kind: str,
        limit: int | None,
        test: bool,
        channels: bool,
        add: str | None,
        off: str | None,
        on: str | None,
    ) -> bool:
        deeds = {"--test": test, "--channels": channels, "--add": add, "--off": off, "--on": on}
        refuse_idle_beside(deeds, {"--account": account, "--kind": kind, "--limit": limit})
        if test:
            return self._test()
        if add is not None or off is not None or on is not None:
            self._write(add, off, on)
        if channels or add is not None or off is not None or on is not None:
            refused = _refused()
            self.emit(_channels(refused))
            return not (channels and refused)
        account, limit = account or "main", SHOWN if limit is None else limit
        if limit < 1:
            raise InvalidValue(f"limit is {limit}.", field="limit", hint="Give at least 1.")
        rows = ask(lambda: alert_rows(get_account(account), kind=kind, limit=limit))
        cells = [_cells(row) for row in rows]
        notes = [] if rows else ["Nothing was told yet."]
        table = Table("Alerts", COLUMNS, cells)
        self.emit(Report("Alerts", {"account": account, "alerts": rows}, [table] if rows else [], notes, sheet=table))
        return True

    def _write(self, add: str | None, off: str | None, on: str | None) -> None:
        now, by = datetime.now(UTC), getpass.getuser()
        if add is not None:
            # Not as an argument: those are to be read in the list of processes and in the shell's history.
            is_typed = sys.stdin.isatty()
            address = getpass.getpass("Address (as apprise writes it): ") if is_typed else sys.stdin.read()
            write_alert_channel(add, address.strip(), by=by, now=now)
        else:
            switch_alert_channel(off or on or "", is_active=on is not None, by=by, now=now)

    def _test(self) -> bool:
        rows, refused = send_test(by=getpass.getuser()), _refused()
        answer = {
            "test": [{"channel": row.label, "state": row.state, "error": row.error} for row in rows],
            "refused": refused,
        }
        table = Table(
            "Test message", ["Channel", "State", "Error"], [[row.label, row.state, row.error] for row in rows]
        )
        none = [] if rows else ["There is no channel: set VELOX_ALERT_URLS, or `manage.py alerts --add NAME`."]
        notes = [refused] if refused else none
        self.emit(Report("Test message", answer, [table] if rows else [], notes, sheet=table))
        return bool(rows) and not refused and all(row.state == "sent" for row in rows)


def _refused() -> str:
    """Return which address of the environment is no channel and why, "" where each is one."""
    reason = first_refusal(settings.VELOX_ALERT_URLS, kinds=settings.VELOX_ALERT_KINDS)
    return reason and f"Of VELOX_ALERT_URLS {reason}"


def _channels(refused: str) -> Report:
    rows: list[ChannelRow] = [
        {"name": "VELOX_ALERT_URLS", "channel": channel.label, "is_active": True}
        for channel in channels_of_environment()
    ]
    rows += [{"name": row.name, "channel": row.label, "is_active": row.is_active} for row in ask(channel_rows)]
    cells = [[row["name"], row["channel"], "on" if row["is_active"] else "off"] for row in rows]
    table = Table("Channels", ["Name", "Channel", "State"], cells)
    none = [] if rows else ["There is no channel: nothing leaves this machine."]
    notes = [refused] if refused else none
    return Report("Channels", {"channels": rows, "refused": refused}, [table] if rows else [], notes, sheet=table)


def _cells(row: AlertRow) -> list[str | int | datetime | None]:
    states = [delivery["state"] for delivery in row["deliveries"]]
    counts = [states.count("sent"), states.count("waiting") + states.count("sending"), states.count("given_up")]
    words = [row["kind"], row["part"], row["code"], row["account"], row["text"]]
    return [row["first_seen_at"], *words, row["recovered_at"], row["count"], *counts]
