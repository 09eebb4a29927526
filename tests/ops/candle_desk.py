"""A desk whose ticks come in every shape that candles know, for those who read its tables without VELOX."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np

from tests.timeseries.batches import DAY, SECOND, Point, at, batch, prices
from timeseries.wiring import embedded_store
from velox_site.desk import DataManager

FIRST, LAST = date(2021, 4, 26), date(2021, 4, 28)
SYMBOLS = ("A", "M&M", "Z")
EVERY = ("1m", "5m", "1h")
BATCHES = 6  # a day
CLOSED = at("2021-04-30 09:15")  # by then all days are over
OPEN = at("2021-04-26 09:15")


def states(dm: DataManager) -> Iterator[tuple[str, str]]:
    """Write ticks; yield each state of the tables with the address where they lie."""
    store = embedded_store()
    assert store.archive is not None
    _record(dm)
    yield "as they were written", store.root.as_uri()
    store.archive.run(now=CLOSED, keep_local_days=0)
    yield "archived, by symbol", store.archive.bucket.url
    _repeat()
    store.archive.run(now=CLOSED, keep_local_days=0)
    yield "archived, with repeats", store.archive.bucket.url


def asked_of(dm: DataManager, every: str) -> list[dict[str, Any]]:
    """Return the desk's own candles: rows ascending by symbol and time, that in ns UTC."""
    bounds = (datetime(FIRST.year, FIRST.month, FIRST.day), datetime(LAST.year, LAST.month, LAST.day + 1))
    rows = dm.get_candles(list(SYMBOLS), every, *bounds).to_pylist()
    return [{**row, "time": row["time"].value} for row in rows]


def _record(dm: DataManager) -> None:
    """Three days of three symbols: a price feed, one of bars, and one that both sources have."""
    chance, store = np.random.default_rng(7), embedded_store()
    sequence = {"default": 1, "second": 1}
    for number in range(3 * BATCHES):
        day, part = divmod(number, BATCHES)
        start = OPEN + day * DAY + part * 3600 * SECOND
        second_first = day == 1  # then the other source has the day's first tick
        for source, offset in (
            ("default", 5 * SECOND if second_first else 0),
            ("second", 0 if second_first else 9 * SECOND),
        ):
            points, stamps = _prices("A" if source == "default" or second_first else "Z", start + offset, part, chance)
            if source == "default":
                more, more_stamps = _bars("M&M", start, chance)
                points, stamps = points + more, stamps + more_stamps
            store.write(batch(points, source=source, first=sequence[source], exchange_times=stamps))
            sequence[source] += len(points)


def _prices(symbol: str, start: int, part: int, chance: np.random.Generator) -> tuple[list[Point], list[int]]:
    """Return 300 prices, several of one second told apart by their ordinals, with the day's volume."""
    stamps = [start + (n // 3) * 11 * SECOND for n in range(300)]
    times = [stamp + n % 3 for n, stamp in enumerate(stamps)]
    volumes = [float(1000 * part + 3 * n - (50 if n % 40 == 7 else 0)) for n in range(300)]  # it falls back at times
    return prices(symbol, times, np.round(chance.uniform(90, 110, 300), 2).tolist(), day_volume=volumes), stamps


def _bars(symbol: str, start: int, chance: np.random.Generator) -> tuple[list[Point], list[int]]:
    """Return the bars of 50 minutes, every tenth twice: half-made, and whole."""
    points: list[Point] = []
    for minute in range(50):
        low, high = sorted(np.round(chance.uniform(50, 60, 2), 2).tolist())
        end = start + (minute + 1) * 60 * SECOND
        for ordinal in range(2 if minute % 10 == 0 else 1):
            bar = {
                "kind": "bar",
                "open": low,
                "high": high + ordinal,
                "low": low,
                "close": high,
                "volume": 7.0 + ordinal,
            }
            points.append(({"symbol": symbol}, end + ordinal, bar))
    return points, [point[1] // SECOND * SECOND for point in points]


def _repeat() -> None:
    """Write a stretch of the second day again with other prices, and late ticks of the first."""
    chance = np.random.default_rng(8)
    points, stamps = _prices("A", OPEN + DAY + 2 * 3600 * SECOND, 2, chance)
    embedded_store().write(batch(points, source="second", first=100_001, exchange_times=stamps))
    late = [OPEN + 5 * 3600 * SECOND + n * SECOND + 77 for n in range(20)]
    embedded_store().write(batch(prices("A", late, [101.0] * 20), first=100_001))
