"""The minutes of one symbol of fifty, out of half a million ticks in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import call_command

from trading.data_manager import DataManager

try:
    from timeseries.recording.recorder import Recorder
    from timeseries.wiring import open_pump
except ModuleNotFoundError:  # where the former commit has them
    from timeseries.pump import open_pump
    from timeseries.recorder import Recorder

SYMBOLS, SECONDS, TIMES = 50, 10_000, 5
OPEN = datetime(2024, 3, 15, 3, 45, tzinfo=UTC)  # 09:15 in Asia/Kolkata


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    recorder = Recorder(settings.SPOOL_DIR, source="bench", account="main", zone=ZoneInfo(settings.TIME_ZONE))
    instants = [OPEN + timedelta(seconds=second) for second in range(SECONDS)]
    for number in range(SYMBOLS):
        prices = [1900 + (second * (number + 1)) % 97 / 20 for second in range(SECONDS)]
        assert recorder.ticks({"ltp": prices, "timestamp": instants}, symbol=f"SYM{number}").accepted == SECONDS
    assert open_pump().drain(300)
    recorder.close()
    manager = DataManager(source="reader")

    def play() -> int:
        stop = OPEN + timedelta(seconds=SECONDS)
        return sum(len(manager.get_candles("SYM25", "1m", OPEN, stop)) for _ in range(TIMES))

    yield play
