"""Reports over 100,000 trades beside df4c458, and beside the floor: their columns read and grouped, nothing told.

Both sides are processes of their own, so start-up is counted on neither; their data stay in `var/bench/reports`.
`BOOK_TRADES=1000000 make bench ROW=reports_race` races over a million trades, for which df4c458 takes minutes a report.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.former import COMMIT, ROOT, Side, checkout
from bench.harness import Pair, Pairs, Row, Skipped

FOLDER = ROOT / "var" / "bench" / "reports"
USUAL = 100_000
TRADES = int(os.environ.get("BOOK_TRADES", USUAL))
ROUNDS = 3
GOAL_OF_FLOOR = 0.25
MARKS = {
    "strategy_report": 10.0,
    "symbol_report": 10.0,
    "signal_report": 8.0,
    "trade_export": 8.0,
    "daily_summary --to 2024-12-31": 6.0,
}
ANEW = 5.0  # of a report that has to write its columns first
BESIDE_FLOOR = ("strategy_report", "symbol_report")


@contextmanager
def races() -> Iterator[Pairs | Skipped]:
    tree = checkout()
    if isinstance(tree, Skipped):
        yield tree
        return
    folders = (folder_of(name, TRADES) for name in ("ours", COMMIT))
    with Side(ROOT, "report_times", next(folders)) as ours, Side(tree, "report_times", next(folders)) as former:
        pairs = {
            f"{command.split()[0]}, against {COMMIT}": (_pair(ours, former, command, command), mark)
            for command, mark in MARKS.items()
        }
        pairs[f"strategy_report without its columns on disk, against {COMMIT}"] = (
            _pair(ours, former, "anew strategy_report", "strategy_report"),
            ANEW,
        )
        for command in BESIDE_FLOOR:
            pairs[f"{command}, against the floor"] = _pair(ours, ours, command, "floor"), GOAL_OF_FLOOR
        yield Pairs(pairs)


def folder_of(side: str, trades: int) -> Path:
    """Return where a side's ledger of so many trades stays."""
    return FOLDER / (side if trades == USUAL else f"{side}_{trades}")


def _pair(side: Side, other: Side, command: str, reference: str) -> Pair:
    return Pair(lambda: side.play(command), lambda: other.play(reference))


ROWS = [
    Row(
        "reports_race",
        f"reports over {TRADES:,} trades, beside {COMMIT} and beside their columns alone, grouped in five ways",
        races,
        unit="trades per second",
        rounds=ROUNDS,
    ),
]
