"""Candles of days that are over, kept beside their ticks: against df4c458 and against the same question over raw ticks.

Each side keeps its data in `var/bench/closed_days` (made at the first run, in some minutes): 42 days of a million ticks
of 200 symbols, merged and as they were written, and a year of 500 symbols with few ticks each, for their daily candles.
`CLOSED_DAYS`, `CLOSED_DAYS_SYMBOLS` and `CLOSED_DAYS_TICKS` (of each symbol and day) make both smaller, in a folder of
their own: `CLOSED_DAYS=42 CLOSED_DAYS_SYMBOLS=50 CLOSED_DAYS_TICKS=1000 make bench ROW=closed_days` takes some minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from bench.former import COMMIT, ROOT, Side, checkout
from bench.harness import Figures, Pair, Pairs, Row, Skipped

ASKED = {
    name: os.environ[name] for name in ("CLOSED_DAYS", "CLOSED_DAYS_SYMBOLS", "CLOSED_DAYS_TICKS") if name in os.environ
}
FOLDER = ROOT / "var" / "bench" / "-".join(["closed_days", *ASKED.values()])
ROUNDS = 5
WEEKS = {"CLOSED_DAYS": "42", "CLOSED_DAYS_SYMBOLS": "200", "CLOSED_DAYS_TICKS": "5000"}
SIZES = {
    "merged": {**WEEKS, "CLOSED_DAYS_MERGED": "1"},
    "as-written": {**WEEKS, "CLOSED_DAYS_MERGED": ""},
    "year": {"CLOSED_DAYS": "250", "CLOSED_DAYS_SYMBOLS": "500", "CLOSED_DAYS_TICKS": "100", "CLOSED_DAYS_MERGED": "1"},
}
YEAR_MILLISECONDS = 150.0
OF_DUCKDB = 1.3  # times as long may it take


@contextmanager
def races() -> Iterator[Pairs | Skipped]:
    tree = checkout()
    if isinstance(tree, Skipped):
        yield tree
        return
    with ExitStack() as sides:
        merged, former, written, former_written, year, former_year = (
            sides.enter_context(_side(at, name)) for name in SIZES for at in (ROOT, tree)
        )
        yield Pairs(
            {
                f"5m over 42 merged days, against {COMMIT}": (_pair(merged, former, "5m"), 5.0),
                f"5m over 42 days as written, against {COMMIT}": (_pair(written, former_written, "5m"), 20.0),
                "1m of a symbol's day from raw ticks, against DuckDB alone": (
                    _pair(merged, merged, "raw day", "duckdb day"),
                    1 / OF_DUCKDB,
                ),
                "1d over a year, against raw ticks": (_pair(year, year, "1d", "raw 1d"), 10.0),
                f"1d of 500 symbols over a year, against a loop of {COMMIT}": (_pair(year, former_year, "list"), 20.0),
            }
        )


@contextmanager
def times() -> Iterator[Figures]:
    with _side(ROOT, "year") as year:

        def measure() -> dict[str, float]:
            started = perf_counter()
            year.play("1d")
            return {"1d over a year": (perf_counter() - started) * 1000}

        yield Figures(measure, {"1d over a year": YEAR_MILLISECONDS}, "ms")


def _side(tree: Path, name: str) -> Side:
    return Side(tree, "closed_days", FOLDER / name / ("ours" if tree == ROOT else COMMIT), {**SIZES[name], **ASKED})


def _pair(side: Side, other: Side, words: str, reference: str = "") -> Pair:
    return Pair(lambda: side.play(words), lambda: other.play(reference or words))


ROWS = [
    Row(
        "closed_days",
        "candles of days that are over, in the embedded store",
        races,
        unit="candles per second",
        rounds=ROUNDS,
    ),
    Row(
        "closed_days_time",
        "daily candles of one symbol over a year of 500 symbols' ticks",
        times,
        unit="milliseconds",
        rounds=ROUNDS,
    ),
]
