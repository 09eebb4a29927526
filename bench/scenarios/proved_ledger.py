"""The whole ledger proved: trades that this tree's own operations wrote, for its schema is its own.

`PROVED_TRADES` says how many; where the data folder is kept, those that are there already stay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.core.management import call_command
from django.db import connection

from trading.models import Trade
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position

try:
    from trading.proof.verify import verify_ledger
except ImportError:  # where the former commit has it
    from trading.queries.verify import verify_ledger

TRADES = int(os.environ.get("PROVED_TRADES", "1000"))
AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")  # what is measured comes afterwards
    for number in range(Trade.objects.count(), TRADES):
        at = AT + timedelta(seconds=number)
        open_position("main", f"T{number}", "bench", "INFY", entry_price=100, quantity=10, entry_time=at)
        close_position("main", f"T{number}", "bench", "INFY", exit_price=101, exit_time=at + timedelta(seconds=1))

    def play() -> int:
        proof = verify_ledger()
        assert proof.ok and proof.checked["trade"] == TRADES, proof.differences[:3]
        return TRADES

    yield play
