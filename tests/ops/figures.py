"""What a drill measured, written where operators read it: between its marks in docs/operations.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def write_figures(drill: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print the figures, and put them in the place of the drill's former ones."""
    load = os.getloadavg()[0]
    run = f"Run on {datetime.now(UTC):%d %B %Y}, {os.cpu_count()} processors, {platform.machine()}, load {load:.0f}."
    table = "\n".join(["| figure | measured |", "|---|---|", *(f"| {name} | {figure} |" for name, figure in rows)])
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {drill} -->\n", f"\n<!-- end of {drill} -->"
    before, rest = text.split(begin, 1)
    PAGE.write_text(f"{before}{begin}{run}\n\n{table}{end}{rest.split(end, 1)[1]}", encoding="utf-8")
    print(run, table, sep="\n")
