"""Caching indicators: one call per symbol, against one cache entry per value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from bench import reference
from bench.harness import Pair, Row
from timeseries.measurements import INDICATORS
from timeseries.reader import Reader
from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool
from timeseries.stores.delta.store import DeltaStore

ZONE = ZoneInfo("Asia/Kolkata")
SYMBOLS = [f"SYMBOL {number}" for number in range(50)]
NAMES = [f"indicator_{number}" for number in range(20)]


@contextmanager
def indicators() -> Iterator[Pair]:
    """Give both sides 50 symbols with 20 values each; what ours kept is read back as another process would."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as name, reference.redis_cache() as cache:
        folder = Path(name)
        recorder = Recorder(folder / "spool", source="bench", account="main", zone=ZONE)
        reader = Reader(Spool(folder / "spool"), DeltaStore(folder / "delta", zone=ZONE), zone=ZONE)
        values = {name: 100.0 + number for number, name in enumerate(NAMES)}

        def ours() -> int:
            return len(NAMES) * sum(recorder.indicators(symbol, values) for symbol in SYMBOLS)

        def theirs() -> int:
            for symbol in SYMBOLS:
                for key, value in values.items():
                    cache.set(f"indicator:{symbol}:{key}", value, 300)
            return len(SYMBOLS) * len(NAMES)

        assert ours() == theirs()
        tags = {"account": "main", "timeframe": ""}
        newest = reader.newest_waiting(INDICATORS, SYMBOLS[-1:], tags)[SYMBOLS[-1]]
        assert dict(newest["values"]) == values
        assert cache.get(f"indicator:{SYMBOLS[-1]}:{NAMES[-1]}") == values[NAMES[-1]]
        try:
            yield Pair(ours, theirs)
        finally:
            recorder.close()


@contextmanager
def latest_tick() -> Iterator[Pair]:
    """Give both sides the newest tick of 50 symbols, and read it where it was recorded."""
    with tempfile.TemporaryDirectory(prefix="velox-bench-") as name, reference.redis_cache() as cache:
        recorder = Recorder(Path(name) / "spool", source="bench", account="main", zone=ZONE)
        tick = {"ltp": 2450.05, "bid": 2450.0, "ask": 2450.1, "volume": 5.0, "oi": 1.0}
        for symbol in SYMBOLS:
            assert recorder.tick(symbol, tick)
            cache.set(f"tick:{symbol}", tick, 60)

        def ours() -> int:
            return sum(recorder.latest(symbol)["close"] == tick["ltp"] for symbol in SYMBOLS)  # type: ignore[index]

        def theirs() -> int:
            return sum(cache.get(f"tick:{symbol}")["ltp"] == tick["ltp"] for symbol in SYMBOLS)

        assert ours() == theirs() == len(SYMBOLS)
        try:
            yield Pair(ours, theirs)
        finally:
            recorder.close()


ROWS = [
    Row(
        "latest-tick",
        "the newest tick of a symbol, read in the process that records it, against cache.get",
        latest_tick,
        mark=10,
        stretch=50,
        unit="reads per second",
    ),
    Row(
        "indicators",
        "50 symbols with 20 indicators each, a call per symbol, against 1,000 cache.set",
        indicators,
        mark=60,
        stretch=100,
        unit="values per second",
    ),
]
