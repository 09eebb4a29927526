"""`manage.py spool`: where every accepted point is, and whether the sum is right."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Column, Table

from timeseries.errors import VeloxError
from timeseries.shipping.audit import LaneAudit
from timeseries.shipping.balance import LaneCounts, PointCounts
from timeseries.shipping.balance import sources as sources_of
from timeseries.stores.base import CandleFault, Damage
from timeseries.wiring import audit_store, count_points, open_spool, open_store


class Command(BaseCommand):
    help = (
        "Show where every accepted point is. Exit 0 when the sum is right, 1 when points are missing or quarantined, "
        "2 could not run. With --audit also look for each kept point in the store, read the store's files, and count "
        "the kept candles of closed days again."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--audit", action="store_true", help="compare the kept segments' keys with the store's")
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count the points, show where they are, and leave with 0, 1 or 2 as the help says."""
        try:
            points, sources = count_points(), sources_of(open_spool())
            audits = audit_store() if options["audit"] else []
            damages = open_store().damages(seconds=math.inf) if options["audit"] else []
            faults = open_store().check_closed_days() if options["audit"] else []
        except (VeloxError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["format"] == "json":
            report = {"points": points, "sources": sources}
            if options["audit"]:
                files = [{"file": d.name, "day": d.day and d.day.isoformat(), "rows": d.rows} for d in damages]
                days = [{"day": fault.day.isoformat(), "symbols": fault.symbols} for fault in faults]
                report |= {"audit": audits, "damaged": files, "candles": days}
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            pages = [_page(points, sources)]
            if options["audit"]:
                pages.append(Group("\n".join(_findings(audits, damages, faults))))
            terminal = self.stdout.isatty()
            console = Console(force_terminal=terminal, width=None if terminal else 140)
            for page in pages:
                with console.capture() as capture:
                    console.print(page)
                self.stdout.write(capture.get(), ending="")
        is_lost = any(row["missing"] for row in audits)
        if is_lost or damages or faults or points["balance"] or any(row["quarantined"] for row in sources):
            sys.exit(1)


def _page(points: PointCounts, sources: list[LaneCounts]) -> Group:
    """Return the table of the sum, its verdict, and the table of the sources."""
    if not sources:
        return Group("Nothing was recorded yet.")
    total = Table("", Column("number", justify="right"), title="Points", title_justify="left")
    for name, number in points.items():
        figure = "-" if number is None else f"{number:,.1f}" if isinstance(number, float) else f"{number:,}"
        total.add_row(name.replace("_", " "), figure)
    verdict = "[green]Every accepted point is accounted for.[/]\n"
    if points["balance"]:
        verdict = f"[red]{abs(points['balance']):,} points are unaccounted for: was a segment removed by hand?[/]\n"
    lanes = Table(title="Sources", title_justify="left")
    for name in ("source", "measurement", "waiting", "oldest", "quarantined", "dead letters"):
        if name in ("waiting", "quarantined"):
            lanes.add_column(name, justify="right", no_wrap=True)  # a figure is never cut
        else:
            lanes.add_column(name, overflow="fold")
    for row in sources:
        letters = ", ".join(f"{reason} {number:,}" for reason, number in row["dead_lettered"].items()) or "-"
        lanes.add_row(
            row["source"], row["measurement"], f"{row['spooled']:,}", row["oldest_at"] or "-",
            f"{row['quarantined']:,}", letters,
        )  # fmt: skip
    return Group(total, verdict, lanes)


def _findings(audits: list[LaneAudit], damages: list[Damage], faults: list[CandleFault]) -> Iterator[str]:
    """Yield the lines of an audit: what of the kept points is missing, the store's damaged files, wrong candles."""
    checked, missing = sum(row["checked"] for row in audits), sum(row["missing"] for row in audits)
    if missing:
        cure = "(`manage.py resend` fills it)"
        yield f"[red]Audit: {missing:,} of {checked:,} kept points are not in the store {cure}:[/]"
    else:
        yield f"[green]Audit: all of {checked:,} kept points are in the store.[/]"
    for row in audits if missing else ():
        for example in row["examples"]:
            yield escape(f"  {row['measurement']}: {', '.join(f'{k}={v}' for k, v in example.items())}")
        if (others := row["missing"] - len(row["examples"])) > 0:
            yield escape(f"  {row['measurement']} of {row['source']}: and {others:,} more")
    if damages:
        yield "[red]These files of the store are gone or damaged (`manage.py resend --damaged` fills them again):[/]"
    for damage in damages:
        yield escape(f"  {damage.name}: {damage.rows:,} rows of {damage.day or 'all days'}")
    if faults:
        yield "[red]The kept candles of these days are not those of their ticks (`manage.py recount_candles`):[/]"
    for fault in faults:
        yield escape(f"  {fault.day}: {', '.join(fault.symbols)}")
