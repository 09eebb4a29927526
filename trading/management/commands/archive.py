"""`manage.py archive`: bring days that are over to the object store, and back."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date

from timeseries.wiring import archive_days, open_archive
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table, Value
from trading.progress import tell

WHERE = {"here": "here", "both": "here and in the archive", "archive": "in the archive"}


class Command(VeloxCommand):
    help = (
        "Copy the days that are over to the archive (VELOX_ARCHIVE_URL), drop those here that are older than "
        "VELOX_KEEP_LOCAL_DAYS, and show where each day lies. The companion does so every ten minutes. Exit 0 done, "
        "1 --verify found something, 2 could not run; what was done stands."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--list", dest="only_list", action="store_true", help="only show where each day lies")
        what.add_argument("--verify", action="store_true", help="read every object and compare its checksum")
        what.add_argument("--restore", metavar="DAY", help="bring a day that is in the archive alone back here")
        what.add_argument(
            "--adopt",
            action="store_true",
            help="take over the archive of a data folder that is no more, or of this one before it was put back to an "
            "earlier time: what is there is read here, and written by no other folder any longer",
        )
        add_format_arguments(parser, formats=("table", "json", "csv"))

    def answer(self, *, only_list: bool, verify: bool, restore: str | None, adopt: bool) -> bool:
        archive = open_archive()
        if archive is None:
            raise InvalidValue(
                "There is no archive.",
                field="VELOX_ARCHIVE_URL",
                hint="Set VELOX_ARCHIVE_URL; with InfluxDB its own retention and backups keep what is old.",
            )
        if verify:
            faults = archive.verify(tell=tell)
            table = Table("Objects past reading", ["Object", "Why"], [[fault.name, fault.reason] for fault in faults])
            self.emit(Report(table.title, {"faults": [asdict(fault) for fault in faults]}, [table]))
            return not faults
        if restore is not None:
            archive.restore(day_named(restore), tell=tell)
        elif adopt:
            archive.adopt(tell=tell)
        days = archive.days() if only_list or restore or adopt else archive_days(archive, tell=tell)
        rows: list[list[Value]] = [
            [row.day, row.measurement, WHERE[row.place], row.files, row.bytes, row.rows] for row in days
        ]
        table = Table("Days", ["Day", "Measurement", "Where", "Files", "Bytes", "Rows"], rows)
        self.emit(Report("Archive", {"days": [{**asdict(row), "day": row.day.isoformat()} for row in days]}, [table]))
        return True


def day_named(text: str) -> date:
    """Return an ISO date. Raises: InvalidValue."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue(f"{text!r} is no date: write 2026-11-23.", field="restore") from error
