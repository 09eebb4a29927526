"""Trades opened and closed, one after the other, each committed to the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from django.core.management import call_command

from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

TRADES = 40
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    numbers = count()

    def play() -> int:
        for _ in range(TRADES):
            number = next(numbers)
            at = AT + timedelta(seconds=number)
            open_position("main", f"T{number}", "bench", "INFY", entry_price=100, quantity=10, entry_time=at)
            close_position("main", f"T{number}", "bench", "INFY", exit_price=101, exit_time=at + timedelta(seconds=1))
        return TRADES

    yield play
