"""`manage.py logs`: what was logged, by trade, logger, level and time; in colour on a terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from trading.management.base import VeloxCommand
from velox_site.log_lines import as_json, as_text, in_colour
from velox_site.log_reader import LEVELS, Filter, LogReader, parse_since


class Command(VeloxCommand):
    help = (
        "Read the logs back, the oldest first, in the desk's time. `--format json` gives one object a line, as the "
        "files have them, in UTC."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--trade", metavar="ID", help="lines about this trade only")
        parser.add_argument("--logger", metavar="NAME", help="lines of this logger only: trade, risk, ...")
        parser.add_argument(
            "--level", metavar="LEVEL", type=str.lower, choices=LEVELS, default="debug", help="at least"
        )
        parser.add_argument("--since", metavar="TIME", help="15m, 2h, 1d, or a time such as 2026-11-23T09:15")
        parser.add_argument("--account", metavar="CODE", help="lines of this account, and those that name none")
        parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: str, **options: Any) -> None:
        """Choose between plain and coloured text as Django's own options say, then read the logs."""
        self.is_coloured = not options["no_color"] and (options["force_color"] or self.stdout.isatty())
        super().handle(*args, **options)

    def answer(
        self,
        *,
        trade: str | None,
        logger: str | None,
        level: str,
        since: str | None,
        account: str | None,
        follow: bool,
    ) -> bool:
        """Write the lines that are wanted; tell on stderr where there is none, and how many could not be read."""
        now, zone = datetime.now(UTC), ZoneInfo(settings.TIME_ZONE)
        from_instant = None if since is None else parse_since(since, now, zone)
        wanted = Filter(trade_id=trade, logger=logger, level=level, since=from_instant, account=account)
        reader = LogReader(settings.LOG_DIR, wanted)
        is_empty = True
        try:
            for line in reader.follow() if follow else reader.lines():
                if self.form == "json":
                    self.stdout.write(as_json(line).decode(), ending="")
                else:
                    self.stdout.write(in_colour(line, zone) if self.is_coloured else as_text(line, zone), ending="")
                is_empty = False
                if follow:
                    self.stdout.flush()
        except (KeyboardInterrupt, BrokenPipeError):
            pass
        if is_empty and not follow:
            self.say(f"No line of {settings.LOG_DIR} is what was asked for.")
        if reader.unreadable:
            self.say(f"{reader.unreadable} lines could not be read.")
        return True
