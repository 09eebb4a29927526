"""A trade of a thousand fills, scaled in and out, that takes some more: what an execution algorithm does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.core.management import call_command

from trading.operations.add_fill import add_fill
from trading.operations.open_position import open_position

BEFORE, FILLS = 1000, 10
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    fill = filler("T1")
    for _ in range(BEFORE):
        fill()

    def play() -> int:
        for _ in range(FILLS):
            fill()
        return FILLS

    yield play


def filler(trade_id: str) -> Callable[[], object]:
    """Open a trade; return what books its next fill: in and out by turns, each with charges and an id."""
    open_position("main", trade_id, "bench", "INFY", entry_price=100, quantity=100, entry_time=AT, charges="1.5")
    numbers = iter(range(10**9))

    def fill() -> object:
        number = next(numbers)
        side, price = ("BUY", "SELL")[number % 2], 100 + number % 7
        at, fill_id = AT + timedelta(seconds=number), f"{trade_id}-{number}"
        return add_fill("main", trade_id, side, price, 3, at, charges="0.25", fill_id=fill_id)

    return fill
