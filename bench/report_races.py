"""Reports over 100,000 trades beside df4c458, and beside the floor: their columns read and grouped, nothing told.

Both sides are processes of their own, so start-up is counted on neither; their data stay in `var/bench/reports`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.former import COMMIT, ROOT, Side, checkout
from bench.harness import Pair, Pairs, Row, Skipped

FOLDER = ROOT / "var" / "bench" / "reports"
ROUNDS = 3
GOAL_OF_FLOOR = 0.25
MARKS = {
    "strategy_report": 10.0,
    "symbol_report": 10.0,
    "signal_report": 8.0,
    "trade_export": 8.0,
    "daily_summary --to 2024-12-31": 6.0,
}
BESIDE_FLOOR = ("strategy_report", "symbol_report")


@contextmanager
def races() -> Iterator[Pairs | Skipped]:
    tree = checkout()
    if isinstance(tree, Skipped):
        yield tree
        return
    with Side(ROOT, "report_times", FOLDER / "ours") as ours, Side(tree, "report_times", FOLDER / COMMIT) as former:
        pairs = {
            f"{command.split()[0]}, against {COMMIT}": (_pair(ours, former, command, command), mark)
            for command, mark in MARKS.items()
        }
        for command in BESIDE_FLOOR:
            pairs[f"{command}, against the floor"] = _pair(ours, ours, command, "floor"), GOAL_OF_FLOOR
        yield Pairs(pairs)


def _pair(side: Side, other: Side, command: str, reference: str) -> Pair:
    return Pair(lambda: side.play(command), lambda: other.play(reference))


ROWS = [
    Row(
        "reports_race",
        f"reports over 100,000 trades, beside {COMMIT} and beside their columns alone, read and grouped in five ways",
        races,
        unit="trades per second",
        rounds=ROUNDS,
    ),
]
