"""`manage.py resend`: fill a store that was emptied from the segments that are kept."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.pump import open_pump
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments, emit
from trading.management.report import Report, Table


class Command(VeloxCommand):
    help = (
        "Send again every point recorded since a time, as far as its segment is kept (VELOX_KEEP_SHIPPED_DAYS). What "
        "the store has stays as it is: a repeat changes nothing. Exit 0 done, 1 some were refused, 2 could not run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", required=True, metavar="T", help="a date or a time, at the desk unless it has a zone"
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        sent = open_pump().resend(instant(options["since"]))
        rows = [["sent again", sent.points], ["of these refused", sent.refused]]
        report = Report(
            "Sent again", {"points": sent.points, "refused": sent.refused}, [Table("Points", ["What", "Points"], rows)]
        )
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return not sent.refused


def instant(text: str) -> int:
    """Return ns UTC of an ISO date or time; without a zone it is the desk's. Raises: InvalidValue."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        return int(at.timestamp()) * 10**9
    except (ValueError, OverflowError) as error:
        raise InvalidValue(
            f"{text!r} is no date or time: write 2026-11-23 or 2026-11-23T09:15.", field="since"
        ) from error
