"""A day of a broker's fills, two a trade: imported as a file's; or by a commit that knows none opened and closed, each
committed to the disk, or imported as trades ("batches")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.core.management import call_command

from trading.operations.close_position import close_position
from trading.operations.import_trades import import_trades
from trading.operations.open_position import open_position

try:
    from trading.brokers.values import Broker, FillLine, InstrumentName, Place, Segment, Statement
    from trading.operations.import_fills import import_fills
except ImportError:
    import_fills = None

FILLS = 1000
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[..., int]]:
    call_command("migrate", verbosity=0)
    numbers = count(0, FILLS)
    former = {"": one_by_one, "batches": in_batches}
    yield lambda words="": former[words](next(numbers)) if import_fills is None else imported(next(numbers))


def one_by_one(first: int) -> int:
    """Open and close a tenth of the trades: the rate is the same, and the run is not an hour long."""
    for number in range(first, first + FILLS // 10, 2):
        at = AT + timedelta(seconds=number)
        open_position("main", f"T{number}", "bench", "INFY", entry_price=100, quantity=10, entry_time=at)
        close_position("main", f"T{number}", "bench", "INFY", exit_price=101, exit_time=at + timedelta(seconds=1))
    return FILLS // 10


def in_batches(first: int) -> int:
    """Import the trades of as many fills, in batches of the size that it has."""
    of_all = {"strategy_id": "bench", "symbol": "INFY", "quantity": 10, "entry_price": 100, "exit_price": 101}
    trades = []
    for number in range(first, first + FILLS, 2):
        at = AT + timedelta(seconds=number)
        times = {"entry_time": at, "exit_time": at + timedelta(seconds=1)}
        trades.append({**of_all, **times, "trade_id": f"T{number}"})
    return 2 * import_trades("main", trades).accepted


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
