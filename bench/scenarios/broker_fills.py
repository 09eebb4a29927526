"""A day of a broker's fills, two a trade: imported as a file's, or by a commit that knows none opened and closed, each
committed to the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.core.management import call_command

from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

try:
    from trading.brokers.values import Broker, FillLine, InstrumentName, Place, Segment, Statement
    from trading.operations.import_fills import import_fills
except ImportError:
    import_fills = None

FILLS = 1000
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    numbers = count(0, FILLS)
    yield lambda: one_by_one(next(numbers)) if import_fills is None else imported(next(numbers))


def one_by_one(first: int) -> int:
    """Open and close a tenth of the trades: the rate is the same, and the run is not an hour long."""
    for number in range(first, first + FILLS // 10, 2):
        at = AT + timedelta(seconds=number)
        open_position("main", f"T{number}", "bench", "INFY", entry_price=100, quantity=10, entry_time=at)
        close_position("main", f"T{number}", "bench", "INFY", exit_price=101, exit_time=at + timedelta(seconds=1))
    return FILLS // 10


def imported(first: int) -> int:
    """Import a statement of fills that no file before had."""
    fills = tuple(line(number) for number in range(first, first + FILLS))
    day = day_of(first)
    statement = Statement("bench.csv", f"{first:064d}", Broker.ZERODHA, "tradebook", "Asia/Kolkata", FILLS, day, day)
    return import_fills("main", replace(statement, fills=fills)).fills


def day_of(number: int) -> date:
    """Return the day of a fill: each file has its own."""
    return AT.date() + timedelta(days=number // FILLS)


def line(number: int) -> FillLine:
    """Return a fill: even ones buy, odd ones sell."""
    return FillLine(
        Place("bench.csv", "", number + 1),
        InstrumentName("NSE", "INFY"),
        Segment.EQUITY,
        "SELL" if number % 2 else "BUY",
        Decimal(10),
        Decimal(100 + number % 2),
        day_of(number),
        AT + timedelta(days=number // FILLS, seconds=number % FILLS),
        "INR",
        fill_id=str(number + 1),
    )
