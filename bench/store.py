"""The embedded store against SQLite: keeping a segment's points, and reading candles out of a million."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bench.harness import Pair, Row
from timeseries.measurements import TICKS, TIMES, PointBatch
from timeseries.reader import Reader
from timeseries.spool.folder import Spool
from timeseries.stores.base import Session
from timeseries.stores.delta.store import DeltaStore

ZONE = ZoneInfo("Asia/Kolkata")
SECOND = 10**9
MIDNIGHT = 1_618_165_800 * SECOND  # 12 April 2021 in Asia/Kolkata
OPEN = MIDNIGHT + (9 * 60 + 15) * 60 * SECOND
DAY = Session(MIDNIGHT, MIDNIGHT + 86_400 * SECOND, OPEN)
SYMBOLS = tuple(f"SYM{number:02d}" for number in range(50))
SEGMENT_ROWS = 50_000
NAMES = (*TICKS.series_tags, *TIMES, *(field.name for field in TICKS.fields))


def points(first: int, rows: int, start: int) -> PointBatch:
    """Return last prices with day volume, bid and ask of fifty symbols in turn, a second between their rounds."""
    numbers = np.arange(rows)
    series = numbers % len(SYMBOLS)
    time = start + numbers // len(SYMBOLS) * SECOND
    close = np.round(1900 + np.sin(numbers / 700) * 20, 2)
    absent = np.full(rows, np.nan)
    columns = {field.name: absent for field in TICKS.fields} | {
        "kind": np.array(["price"] * rows, dtype=object), "close": close, "bid": close - 0.05, "ask": close + 0.05,
        "day_volume": numbers * 10.0,
    }  # fmt: skip
    table = tuple({"account": "main", "source": "bench", "symbol": symbol} for symbol in SYMBOLS)
    return PointBatch(TICKS, "bench", np.arange(first, first + rows), time, time, time, series, table, columns)


def tuples(batch: PointBatch) -> Iterator[tuple[object, ...]]:
    """Yield the points as rows for `executemany`."""
    tags = [[batch.series_table[number][tag] for number in batch.series] for tag in TICKS.series_tags]
    times = [getattr(batch, name).tolist() for name in TIMES]
    values = [[None if value != value else value for value in batch.columns[f.name].tolist()] for f in TICKS.fields]
    return zip(*tags, *times, *values, strict=True)


def sqlite_table(path: Path) -> sqlite3.Connection:
    """Open a table of ticks with the settings that SQLite itself recommends for durable appending."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"CREATE TABLE ticks ({', '.join(NAMES)})")
    return database


@contextmanager
def appending() -> Iterator[Pair]:
    """Keep one segment after the other; each is durable when the call returns, the store's also free of doubles."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite_table(Path(folder) / "ticks.sqlite3")) as database:
        store = DeltaStore(Path(folder) / "delta", zone=ZONE)
        counter = iter(range(1_000_000))
        insert = f"INSERT INTO ticks VALUES ({', '.join('?' * len(NAMES))})"

        def ours() -> int:
            number = next(counter)
            store.write(points(number * SEGMENT_ROWS + 1, SEGMENT_ROWS, OPEN + number * 1000 * SECOND))
            return SEGMENT_ROWS

        def reference() -> int:
            with database:
                database.executemany(insert, tuples(points(1, SEGMENT_ROWS, OPEN)))
            return SEGMENT_ROWS

        yield Pair(ours, reference)


WINDOW = """
SELECT DISTINCT bucket,
       first_value(close) OVER whole, max(close) OVER whole, min(close) OVER whole, last_value(close) OVER whole,
       max(day_volume) OVER whole, count(*) OVER whole
FROM (SELECT time, close, day_volume, (time - :anchor) / 60000000000 AS bucket FROM ticks
      WHERE account = 'main' AND source = 'bench' AND symbol = 'SYM25' AND time >= :start AND time < :stop)
WINDOW whole AS (PARTITION BY bucket ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
ORDER BY bucket
"""


@contextmanager
def candles() -> Iterator[Pair]:
    """Read the minutes of one symbol's day: ours with the day volume's differences and the tail, the query without."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite_table(Path(folder) / "ticks.sqlite3")) as database:
        store = DeltaStore(Path(folder) / "delta", zone=ZONE)
        with database:
            for number in range(20):
                batch = points(number * SEGMENT_ROWS + 1, SEGMENT_ROWS, OPEN + number * 1000 * SECOND)
                store.write(batch)
                database.executemany(f"INSERT INTO ticks VALUES ({', '.join('?' * len(NAMES))})", tuples(batch))
            database.execute("CREATE INDEX series ON ticks (account, source, symbol, time)")
            database.execute("ANALYZE")
        store.care(now=DAY.stop)
        reader = Reader(Spool(Path(folder) / "spool"), store, zone=ZONE)
        bounds = {"anchor": OPEN, "start": DAY.start, "stop": DAY.stop}

        def ours() -> int:
            return len(
                reader.candles(
                    "SYM25",
                    every=60 * SECOND,
                    start=DAY.start,
                    stop=DAY.stop,
                    source="bench",
                    account="main",
                    sessions=[DAY],
                )
            )

        def reference() -> int:
            return len(database.execute(WINDOW, bounds).fetchall())

        yield Pair(ours, reference)


ROWS = [
    Row(
        "store_append",
        "a segment into the embedded store, rows/s against appending them to a SQLite table",
        appending,
        mark=2,
        stretch=5,
        unit="rows per second",
        settings={"segment": f"{SEGMENT_ROWS:,} rows", "SQLite": "WAL, synchronous=FULL, executemany, no index"},
    ),
    Row(
        "candles",
        "candles of one symbol-day among a million ticks against a SQLite window query",
        candles,
        mark=4,
        stretch=9,
        unit="candles per second",
        settings={"ticks": "1,000,000 of 50 symbols", "SQLite": "index on account, source, symbol, time; ANALYZE"},
    ),
]
