"""Daily candles of a year and minutes of some weeks, of days that are over in the embedded store.

The first word of a call says what is read: ``5m`` of one symbol over the weeks, ``1d`` of one symbol over the year, or
``list``, daily candles of every symbol over the year, or where there is no list of some symbols, one by one, or
``day``, minutes of one symbol's first day. ``raw`` before it reads from ticks alone, ``duckdb`` the same files by
DuckDB alone, without VELOX. `CLOSED_DAYS_MERGED` empty leaves the days' files as they were written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import time_ns
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
from django.conf import settings
from django.core.management import call_command

from timeseries.measurements import TICKS, TIMES, PointBatch
from trading.data_manager import DataManager

try:
    from timeseries.stores.delta.store import DeltaStore
except ModuleNotFoundError:  # where the former commit has it
    from timeseries.stores.delta import DeltaStore

SECOND = 10**9
FIRST = datetime(2023, 1, 2, 3, 45, tzinfo=UTC)  # 09:15 in Asia/Kolkata
SYMBOLS = int(os.environ.get("CLOSED_DAYS_SYMBOLS", "200"))
DAYS = int(os.environ.get("CLOSED_DAYS", "42"))
TICKS_A_DAY = int(os.environ.get("CLOSED_DAYS_TICKS", "5000"))  # of each symbol
SLICE = 50_000
LOOPED = min(10, SYMBOLS)  # a loop of calls takes as long for each: these stand for all of them
HAS_KEPT = hasattr(DeltaStore, "keep_closed_days")


def opens() -> list[datetime]:
    """Return when the working days open."""
    days = (FIRST + timedelta(days=number) for number in range(3 * DAYS))
    return list(islice((day for day in days if day.weekday() < 5), DAYS))


def fill(store: DeltaStore) -> None:
    """Write the days' ticks in slices, as the companion does, and merge their files."""
    series = tuple({"account": "main", "source": "bench", "symbol": f"SYM{number}"} for number in range(SYMBOLS))
    before = store.tables["ticks"].snapshot()
    rows, written = SYMBOLS * TICKS_A_DAY, (before and before.transaction("bench/ticks")) or 0
    absent = np.full(SLICE, np.nan)
    for place, day in enumerate(opens()):
        for first in range(0, rows, SLICE):
            sequence = place * rows + first + 1
            if written >= sequence:
                continue
            numbers = np.arange(first, min(first + SLICE, rows))
            at = round(day.timestamp()) * SECOND + numbers // SYMBOLS * (22_000 * SECOND // TICKS_A_DAY)
            closes = np.round(500 + numbers % SYMBOLS + 20 * np.sin(numbers / 70_000), 2)
            columns = {field.name: absent[: len(numbers)] for field in TICKS.fields} | {
                "kind": np.array(["price"] * len(numbers), dtype=object),
                "close": closes,
                "day_volume": numbers * 10.0,
            }
            sequences = np.arange(sequence, sequence + len(numbers))
            times = (at,) * len(TIMES)
            store.write(PointBatch(TICKS, "bench", sequences, *times, numbers % SYMBOLS, series, columns))
    commits = -1
    while os.environ.get("CLOSED_DAYS_MERGED", "1") and commits != store.tables["ticks"].snapshot().version:
        commits = store.tables["ticks"].snapshot().version
        store.care(now=time_ns())


def files_of_a_day(store: DeltaStore) -> list[str]:
    """Return the first day's files."""
    table = store.tables["ticks"]
    rows = table.snapshot().files.select(["path", "partition.day"]).to_pylist()
    return [str(table.folder / row["path"]) for row in rows if row["partition.day"] == FIRST.date()]


def minutes_by_duckdb(engine: duckdb.DuckDBPyConnection, files: list[str]) -> int:
    """Return how many minutes of one symbol DuckDB makes of these files."""
    start = round(FIRST.timestamp()) * SECOND
    sql = """
        SELECT time // 60000000000 AS minute, arg_min(close, time), max(close), min(close), arg_max(close, time),
            count(*), sum(volume), max(day_volume), min(time)
        FROM read_parquet($files) WHERE account = 'main' AND source = 'bench' AND symbol = 'SYM25'
            AND time >= $start AND time < $stop
        GROUP BY minute ORDER BY minute"""
    parameters = {"files": files, "start": start - 9 * 3600 * SECOND, "stop": start + 15 * 3600 * SECOND}
    return len(engine.execute(sql, parameters).fetchall())


@contextmanager
def prepare() -> Iterator[Callable[[str], int]]:
    call_command("migrate", verbosity=0)
    store = DeltaStore(settings.DELTA_DIR, zone=ZoneInfo(settings.TIME_ZONE))
    fill(store)
    if HAS_KEPT:
        while store.keep_closed_days(now=time_ns()):
            pass
    manager = DataManager(source="reader")
    start, stop = FIRST - timedelta(hours=9), opens()[-1] + timedelta(hours=9)
    reader = manager.telemetry.reader
    closed_days = getattr(reader.store, "closed_days", None)
    engine = duckdb.connect()

    def play(words: str) -> int:
        *raw, question = words.split()
        if raw == ["duckdb"]:
            return minutes_by_duckdb(engine, files_of_a_day(store))
        if HAS_KEPT:
            reader.store.closed_days = (lambda *_, **__: None) if raw else closed_days
        if question == "day":
            candles = len(manager.get_candles("SYM25", "1m", start, start + timedelta(days=1)))
        elif question != "list":
            candles = len(manager.get_candles("SYM25", question, start, stop))
        elif HAS_KEPT:
            candles = len(manager.get_candles([f"SYM{number}" for number in range(SYMBOLS)], "1d", start, stop))
        else:
            alone = range(0, SYMBOLS, SYMBOLS // LOOPED)
            candles = sum(len(manager.get_candles(f"SYM{number}", "1d", start, stop)) for number in alone)
        assert candles
        return candles

    yield play
