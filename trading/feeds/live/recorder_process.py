"""The process that records one feed: a lock that it is the only one, the connection, and the booking beside it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timeseries.spool.locks import FileLock
from trading.errors import SourceBusy
from trading.feeds.live.connection import FeedConnection
from trading.feeds.live.order_booking import OrderBooking

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def alone(folder: Path, feed: str, account: str) -> Iterator[None]:
    """Hold the lock of a feed for an account. Raises: SourceBusy where another process records it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f"{feed}.{account}.lock") as lock:
        if not lock.take():
            holder = os.pread(lock.descriptor, 32, 0).decode("ascii", "replace").strip()
            pid = int(holder) if holder.isdigit() else None
            raise SourceBusy(
                f"Another process{'' if pid is None else f' ({pid})'} records {feed} for {account}.",
                pid=pid,
                hint="One process a feed: stop it, or let it go on.",
            )
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, str(os.getpid()).encode(), 0)
        yield


async def record_until_told(connection: FeedConnection, booking: OrderBooking | None) -> bool:
    """Record until the session ends or a signal comes; return whether it was Ctrl-C.

    Raises: SourceBusy, UnknownAccount, SpoolFailed and others at which nothing can be recorded.
    """
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, connection.interrupt, number)
    books = None if booking is None else asyncio.create_task(booking.run(connection.stop))
    try:
        await connection.run()
    finally:
        connection.stop.set()
        if books is not None:
            await books
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return connection.interrupted_by == signal.SIGINT
