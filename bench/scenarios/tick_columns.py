"""Fifty thousand ticks of one symbol in columns, recorded by one call."""

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

ROWS = 50_000
OPEN = datetime(2021, 4, 12, 9, 15)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    recorder = Recorder(settings.SPOOL_DIR, source="bench", account="main", zone=ZoneInfo(settings.TIME_ZONE))
    columns = {
        "ltp": [1900.05 + number % 400 / 20 for number in range(ROWS)],
        "volume": [1_000_000.0 + number for number in range(ROWS)],
        "bid": [1900.0] * ROWS,
        "ask": [1900.1] * ROWS,
        "timestamp": [OPEN + timedelta(milliseconds=100 * number) for number in range(ROWS)],
    }
    rounds = count()

    def play() -> int:
        return int(recorder.ticks(columns, symbol=f"SYMBOL {next(rounds)}").accepted)

    try:
        yield play
    finally:
        recorder.close()
