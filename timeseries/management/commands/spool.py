"""`manage.py spool`: where every accepted point is, and whether the sum is right."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from timeseries.errors import VeloxError
from timeseries.shipping.balance import sources as sources_of
from timeseries.wiring import audit_store, count_points, open_spool, open_store


class Command(BaseCommand):
    help = (
        "Show where every accepted point is. Exit 0 when the sum is right, 1 when points are missing or quarantined, "
        "2 could not run. With --audit also look for each kept point in the store, and read the store's files."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--audit", action="store_true", help="compare the kept segments' keys with the store's")
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, show, and leave with FACE §6's exit code."""
        try:
            points, sources = count_points(), sources_of(open_spool())
            audited = audit_store() if options["audit"] else None
            damaged = _damaged() if options["audit"] else []
        except (VeloxError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["format"] == "json":
            more = {} if audited is None else {"audit": audited, "damaged": damaged}
            self.stdout.write(json.dumps({"points": points, "sources": sources, **more}, ensure_ascii=False))
        else:
            self._show(_page(points, sources))
            if audited is not None:
                self._show(Group(_findings(audited), *_damages(damaged)))
        is_lost = any(row["missing"] for row in audited or ())
        if is_lost or damaged or points["balance"] or any(row["quarantined"] for row in sources):
            sys.exit(1)

    def _show(self, page: Group) -> None:
        terminal = self.stdout.isatty()
        console = Console(force_terminal=terminal, width=None if terminal else 140)
        with console.capture() as shown:
            console.print(page)
        self.stdout.write(shown.get(), ending="")


def _page(points: dict[str, Any], sources: list[dict[str, Any]]) -> Group:
    return Group(_sum(points), _verdict(points), _lanes(sources)) if sources else Group("Nothing was recorded yet.")


def _findings(audited: list[dict[str, Any]]) -> str:
    checked = sum(row["checked"] for row in audited)
    missing = sum(row["missing"] for row in audited)
    if not missing:
        return f"[green]Audit: all of {checked:,} kept points are in the store.[/]"
    lines = [
        f"[red]Audit: {missing:,} of {checked:,} kept points are not in the store (`manage.py resend` fills it):[/]"
    ]
    for row in audited:
        for example in row["examples"]:
            lines.append(escape(f"  {row['measurement']}: {', '.join(f'{k}={v}' for k, v in example.items())}"))
        if (more := row["missing"] - len(row["examples"])) > 0:
            lines.append(escape(f"  {row['measurement']} of {row['source']}: and {more:,} more"))
    return "\n".join(lines)


def _damaged() -> list[dict[str, Any]]:
    """Read every file of the store; return those past reading."""
    damages = open_store().damages(seconds=math.inf)
    return [{"file": one.name, "day": one.day and one.day.isoformat(), "rows": one.rows} for one in damages]


def _damages(damaged: list[dict[str, Any]]) -> list[str]:
    """Return a line for each damaged file of the store, under one that says what to do."""
    if not damaged:
        return []
    head = "[red]These files of the store are gone or damaged (`manage.py resend --damaged` fills them again):[/]"
    return [head, *(escape(f"  {one['file']}: {one['rows']:,} rows of {one['day'] or 'all days'}") for one in damaged)]


def _sum(points: dict[str, Any]) -> Table:
    table = Table(title="Points", title_justify="left")
    for name in points:
        table.add_column(name.replace("_", " "), justify="right")
    table.add_row(
        *(
            "-" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
            for value in points.values()
        )
    )
    return table


def _verdict(points: dict[str, Any]) -> str:
    if points["balance"] == 0:
        return "[green]Every accepted point is accounted for.[/]\n"
    return f"[red]{abs(points['balance']):,} points are unaccounted for: was a segment removed by hand?[/]\n"


def _lanes(sources: list[dict[str, Any]]) -> Table:
    table = Table(title="Sources", title_justify="left")
    for name, justify in (("source", "left"), ("measurement", "left"), ("waiting", "right"), ("oldest", "left"),
                          ("quarantined", "right"), ("dead letters", "left")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in sources:
        letters = ", ".join(f"{reason} {number:,}" for reason, number in row["dead_lettered"].items()) or "-"
        table.add_row(
            row["source"], row["measurement"], f"{row['spooled']:,}", row["oldest_at"] or "-",
            f"{row['quarantined']:,}", letters,
        )  # fmt: skip
    return table
