"""Proving the ledger: seconds per 100,000 trades, of a ledger that operations wrote.

The race against the former commit is run over 100,000 trades, which each side keeps in `var/bench/proved_ledger` (made
at the first run, in a minute); `PROVED_TRADES=5000 make bench ROW=verify_race` makes it a short one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connections

from bench.former import COMMIT, ROOT, against_former
from bench.harness import Figures, Row
from bench.ledger import AT, ENTRY, EXIT, LATER, QUANTITY, ledger_of_its_own
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.proof.verify import verify_ledger

TRADES = 5_000
ROUNDS = 3
BOUND_SECONDS = 60
FOLDER = ROOT / "var" / "bench" / "proved_ledger"
PROVED = os.environ.get("PROVED_TRADES", "100000")
FIGURE = "seconds per 100,000 trades"


@contextmanager
def prepare() -> Iterator[Figures]:
    with ledger_of_its_own() as folder:
        kept = settings.DATA_DIR
        key = Path(kept) / "journal.key"
        (folder / "journal.key").write_bytes(key.read_bytes())
        settings.DATA_DIR = folder
        try:
            fill()
            yield Figures(measure, {FIGURE: BOUND_SECONDS}, "seconds")
        finally:
            settings.DATA_DIR = kept


def fill() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")  # what is measured comes afterwards
    for number in range(TRADES):
        name = f"T{number}"
        open_position("main", name, "ema cross", "RELIANCE", entry_price=ENTRY, quantity=QUANTITY, entry_time=AT)
        close_position("main", name, "ema cross", "RELIANCE", exit_price=EXIT, exit_time=LATER)


def measure() -> dict[str, float]:
    started = time.perf_counter()
    proof = verify_ledger()
    seconds = time.perf_counter() - started
    assert proof.ok, proof.differences[:3]
    assert proof.checked["trade"] == TRADES, proof.checked
    return {FIGURE: seconds * 100_000 / TRADES}


ROWS = [
    Row("verify", "the whole ledger proved", prepare, unit="seconds", rounds=ROUNDS),
    Row(
        "verify_race",
        f"the whole ledger proved, beside {COMMIT}, each on a ledger of its own operations",
        lambda: against_former("proved_ledger", kept=FOLDER, sizes={"PROVED_TRADES": PROVED}),
        mark=3.0,
        unit="trades per second",
        rounds=7,
    ),
]
