"""`python -m bench [ROW ...]`: measure, print the table, write var/bench.json. Needs a local redis-server."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("VELOX_DATA_DIR", tempfile.mkdtemp(prefix="velox-bench-"))

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
django.setup()

from rich.console import Console  # noqa: E402  (the settings come first)
from rich.table import Table  # noqa: E402

from bench import harness, rows  # noqa: E402

OUTPUT = Path(__file__).resolve().parent.parent / "var" / "bench.json"


def main(names: list[str]) -> int:
    rows_to_run = [row for row in rows.ROWS if row.name in names or not (names or row.is_asked_for)]
    if not rows_to_run:
        names_of_all = ", ".join(row.name for row in rows.ROWS)
        print(f"There is no row {' '.join(names)!r}. The rows are: {names_of_all}.", file=sys.stderr)
        return 2
    console = Console(stderr=True)
    results = []
    for row in rows_to_run:
        with console.status(f"{row.name}: {row.rounds} rounds"):
            results += list(harness.run(row))
    Console(width=None if sys.stdout.isatty() else 160).print(table(results))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=1))
    return 0


def table(results: list[harness.Result]) -> Table:
    columns = ("row", "median", "rounds", "mark", "reached", "figures (median)")
    page = Table(*columns, title="Ratios against the reference")
    for result in results:
        if result.skipped:
            page.add_row(result.row, "-", "-", f"{result.mark:g}", "skipped", result.skipped)
            continue
        low_high = f"{min(result.ratios):,.3g} to {max(result.ratios):,.3g}"
        figures = "; ".join(f"{name} {value:,.4g}" for name, value in result.figures.items())
        reached = "[green]yes[/]" if result.reached else "[red]no[/]"
        page.add_row(result.row, f"{result.median:,.3g}", low_high, f"{result.mark:g}", reached, figures)
    return page


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
