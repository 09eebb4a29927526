"""Reports over a million trades beside the floor: peak memory of both, and how time grows from 100,000 trades on.

Each is a process of its own, so that none keeps what another took; the ledgers stay in `var/bench/reports` (a million
trades: about 1.3 GB, written once, in some minutes). `BOOK_TRADES=20000 make bench ROW=reports_sizes` tries it out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.former import ROOT, Side
from bench.harness import Figures, Row
from bench.report_races import folder_of

TRADES = int(os.environ.get("BOOK_TRADES", "1000000"))
FEWER = 10  # times fewer trades: what time grows from
REPORTS = ("strategy_report", "symbol_report")
MEMORY_MAX, GROWTH_MAX = 1.3, 12.0


@contextmanager
def sizes() -> Iterator[Figures]:
    marks = {f"{report}: {what}": mark for report in REPORTS for what, mark in MARKS.items()}
    yield Figures(measure, marks, "ratio", is_long=True)


MARKS = {"its peak memory ÷ the floor's": MEMORY_MAX, "growth of time for ten times the trades": GROWTH_MAX}


def measure() -> dict[str, float]:
    peaks = {words: played(words, TRADES) for words in ("floor", *REPORTS)}
    fewer = {words: played(words, TRADES // FEWER) for words in REPORTS}
    figures: dict[str, float] = {}
    for report in REPORTS:
        of_memory, of_time = (f"{report}: {what}" for what in MARKS)
        figures[of_memory] = peaks[report][0] / peaks["floor"][0]
        figures[of_time] = peaks[report][1] / fewer[report][1]
    return figures


def played(words: str, trades: int) -> tuple[int, float]:
    """Return the peak memory (kB) of a process that plays the words once, and the seconds that they take again."""
    with Side(ROOT, "report_times", folder_of("ours", trades), {"BOOK_TRADES": str(trades)}) as side:
        side.play("reset")  # what writing the ledger took does not count
        side.play(words)
        peak, started = side.play("peak"), time.perf_counter()
        side.play(words)
        return peak, time.perf_counter() - started


ROWS = [
    Row(
        "reports_sizes",
        f"reports over {TRADES:,} trades, beside their columns alone and beside a tenth of the trades",
        sizes,
        unit="ratio",
        is_asked_for=True,
    ),
]
