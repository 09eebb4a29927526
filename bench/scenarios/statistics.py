"""The figures of an account and its strategies over five hundred trades."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.core.management import call_command

from trading.data_manager import DataManager
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

TRADES, TIMES = 500, 3
FIRST = datetime(2024, 3, 11, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    for number in range(TRADES):
        at, strategy = FIRST + timedelta(days=number % 100, seconds=number), f"bench {number % 5}"
        open_position("main", f"T{number}", strategy, "INFY", entry_price=100, quantity=10, entry_time=at)
        end = at + timedelta(seconds=60)
        close_position(
            "main", f"T{number}", strategy, "INFY", exit_price=96 + number % 9, exit_time=end, charges="1.25"
        )
    manager = DataManager(source="reader")

    def play() -> int:
        rows = [row for _ in range(TIMES) for cut in ("strategy", "day") for row in manager.get_stats_by(cut, None)]
        return sum(row["total_trades"] for row in rows)

    yield play
