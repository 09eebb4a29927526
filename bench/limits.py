"""How far limits are used, as a strategy asks before each order: from memory, beside the ledger asked each time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from django.conf import settings
from django.db import connections

from bench.harness import Figures, Pair, Row
from bench.ledger import ENTRY, QUANTITY, ledger_of_its_own
from trading.companion.limit_watch import LimitWatch
from trading.data_manager import DataManager
from trading.domain.limits import LimitKind
from trading.intake import of_this_folder
from trading.newest import newest_points
from trading.operations.open_position import open_position
from trading.operations.set_limit import set_limit
from trading.queries.accounts import get_account
from trading.queries.limits import measured_limits

CALLS, POSITIONS, ASKED = 20_000, 20, 20
P50, P50_US_MAX = "dm.limits, p50, µs", 20
FOLDERS = ("DATA_DIR", "SPOOL_DIR", "DELTA_DIR")


@contextmanager
def watched() -> Iterator[DataManager]:
    """Yield a facade beside open positions, a limit of every kind, and a watch that measures in a thread."""
    with ledger_of_its_own() as folder:
        kept = {name: getattr(settings, name) for name in FOLDERS}
        (folder / "journal.key").write_bytes((Path(kept["DATA_DIR"]) / "journal.key").read_bytes())
        for name, place in zip(FOLDERS, (folder, folder / "spool", folder / "delta"), strict=True):
            setattr(settings, name, place)
        ended, watch = Event(), LimitWatch(of_this_folder())

        def measure() -> None:
            while not ended.wait(0.25):
                watch.run_once()
            connections.close_all()

        thread = Thread(target=measure)
        try:
            for number in range(POSITIONS):
                open_position(
                    "main", f"open {number}", "orb", f"S{number}",
                    entry_price=ENTRY, quantity=QUANTITY, entry_time=datetime.now(UTC),
                )  # fmt: skip
            for kind in LimitKind:
                set_limit("main", kind, 1_000, by="bench", reason="measured")
            with DataManager(source="bench") as dm:
                for number in range(POSITIONS):
                    assert dm.process_tick(f"S{number}", {"ltp": float(ENTRY) + 1})
                watch.run_once()
                thread.start()
                assert dm.limits("orb").state == "within"
                yield dm
        finally:
            ended.set()
            if thread.ident is not None:
                thread.join()
            for name, place in kept.items():
                setattr(settings, name, place)


@contextmanager
def p50() -> Iterator[Figures]:
    with watched() as dm:

        def measure() -> dict[str, float]:
            spans = []
            for _ in range(CALLS):
                began = time.perf_counter_ns()
                answer = dm.limits("orb")
                spans.append(time.perf_counter_ns() - began)
                assert len(answer.limits) == len(LimitKind)
            return {P50: statistics.median(spans) / 1_000}

        yield Figures(measure, {P50: P50_US_MAX}, "µs")


@contextmanager
def race() -> Iterator[Pair]:
    with watched() as dm:

        def ours() -> int:
            return sum(len(dm.limits("orb").limits) for _ in range(ASKED))

        def theirs() -> int:
            account, ticks = get_account("main"), newest_points("main").known_ticks
            return sum(len(measured_limits(account, ticks, now=datetime.now(UTC)).states) for _ in range(ASKED))

        assert ours() == theirs()
        yield Pair(ours, theirs)


ROWS = [
    Row("limits", "dm.limits with 20 positions and six limits, from memory", p50, unit="µs"),
    Row(
        "limits-race",
        "dm.limits, against the ledger and the prices asked at each call",
        race,
        mark=20,
        stretch=100,
        unit="limits per second",
    ),
]
