"""100 open positions in 50 symbols, valued while another process records: what a page or a second bot asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import call_command

from trading.data_manager import DataManager
from trading.operations.open_position import open_position

try:
    from timeseries.recording.recorder import Recorder
    from timeseries.wiring import open_pump
except ModuleNotFoundError:  # where the former commit has them
    from timeseries.pump import open_pump
    from timeseries.recorder import Recorder

POSITIONS, SYMBOLS, TICKS = 100, 50, 200
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)
FIRST_NS = int(AT.timestamp()) * 10**9


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    """Store some minutes of ticks in some files, leave the newest in the spool, open the positions."""
    call_command("migrate", verbosity=0)
    names = [f"SYMBOL{number}" for number in range(SYMBOLS)]
    recorder = Recorder(settings.SPOOL_DIR, source="feed", account="main", zone=ZoneInfo(settings.TIME_ZONE))
    pump, instants = open_pump(), iter(range(FIRST_NS, FIRST_NS + 10**18, 10**9))
    for tick in range(TICKS):
        instant = next(instants)
        for name in names:
            assert recorder.tick(name, {"ltp": 100.0 + tick, "timestamp": instant})
        if tick % (TICKS // 5) == TICKS // 5 - 1 and tick < TICKS - 1:
            assert pump.drain(60)
    for number in range(POSITIONS):
        open_position(
            "main", f"T{number}", "bench", names[number % SYMBOLS], entry_price=100, quantity=1, entry_time=AT
        )
    manager = DataManager(source="reader")

    def play() -> int:
        assert recorder.tick(names[0], {"ltp": 500.0, "timestamp": next(instants)})
        held = manager.get_open_positions()
        assert sum(position.last_price is not None for position in held) == POSITIONS
        assert {position.last_price for position in held if position.symbol == names[0]} == {500}
        return len(held)

    try:
        yield play
    finally:
        recorder.close()
