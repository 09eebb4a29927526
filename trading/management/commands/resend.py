"""`manage.py resend`: fill a store that was emptied, or a damaged file of it, from the segments that are kept."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.shipping.resending import Resent
from timeseries.wiring import open_pump
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table, Value


class Command(VeloxCommand):
    help = (
        "Send again every point recorded since a time, as far as its segment is kept (VELOX_KEEP_SHIPPED_DAYS), and "
        "fill damaged files of the embedded store. What the store has stays as it is: a repeat changes nothing. Exit "
        "0 done, 1 some were refused or a damaged file is not whole yet, 2 could not run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--since", metavar="T", help="a date or a time, at the desk unless it has a zone")
        what.add_argument("--damaged", action="store_true", help="only what damaged files of the store held")
        parser.add_argument(
            "--give-up",
            action="store_true",
            help="with --damaged: forget damaged files although rows of them are in no kept segment. Those rows are "
            "lost and counted; put the file back from a copy instead where there is one.",
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, since: str | None, damaged: bool, give_up: bool) -> bool:
        if not damaged:
            refuse_idle("without --damaged", {"--give-up": give_up})
        pump = open_pump()
        sent = Resent(mendings=pump.heal(give_up=give_up)) if since is None else pump.resend(instant(since))
        files = [asdict(mending) for mending in sent.mendings]
        data = {"points": sent.points, "refused": sent.refused, "files": files}
        rows: list[list[Value]] = [["sent again", sent.points], ["of these refused", sent.refused]]
        tables = [Table("Points", ["What", "Points"], rows)]
        if files:
            states: list[list[Value]] = []
            for mending in sent.mendings:
                state = "given up" if mending.missing else "whole again"
                if not mending.mended:
                    state = "still damaged: put it back from a copy, or --damaged --give-up"
                states.append([mending.file, mending.rows, mending.missing, state])
            tables.append(Table("Damaged files", ["File", "Rows", "In no kept segment", "Now"], states))
        self.emit(Report("Sent again", data, tables))
        return not sent.refused and all(mending.mended for mending in sent.mendings)


def instant(text: str) -> int:
    """Return an ISO date or time as ns UTC; without a zone it is at the desk. Raises: InvalidValue."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        return int(at.timestamp()) * 10**9
    except (ValueError, OverflowError) as error:
        raise InvalidValue(
            f"{text!r} is no date or time: write 2026-11-23 or 2026-11-23T09:15.", field="since"
        ) from error
