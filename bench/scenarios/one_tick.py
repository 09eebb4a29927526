"""Ticks of five fields, recorded one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from django.conf import settings

try:
    from timeseries.recording.recorder import Recorder
except ModuleNotFoundError:  # where the former commit has it
    from timeseries.recorder import Recorder

CALLS = 20_000
OPEN = datetime(2021, 4, 12, 9, 15)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    recorder = Recorder(settings.SPOOL_DIR, source="bench", account="main", zone=ZoneInfo(settings.TIME_ZONE))
    ticks = [
        {
            "ltp": 1900.05 + number % 400 / 20,
            "volume": 1_000_000.0 + number,
            "bid": 1900.0,
            "ask": 1900.1,
            "oi": 5.0,
            "timestamp": OPEN + timedelta(milliseconds=100 * number),
        }
        for number in range(CALLS)
    ]
    rounds = count()

    def play() -> int:
        record, symbol = recorder.tick, f"SYMBOL {next(rounds)}"
        return sum(record(symbol, tick) for tick in ticks)

    try:
        yield play
    finally:
        recorder.close()
