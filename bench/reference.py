"""What VELOX is compared with: the plain way of doing the same with the same servers and clients."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django_redis.cache import RedisCache
from influxdb_client import Point

FIELDS = ("close", "volume", "bid", "ask", "oi")


@contextmanager
def redis_cache() -> Iterator[RedisCache]:
    """Start a Redis of its own on a free port and give Django's cache on it, with the settings as they come."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="velox-bench-redis-") as folder:
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder, "--bind", "127.0.0.1"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            cache = RedisCache(f"redis://127.0.0.1:{port}/0", {})
            _wait_for(port)
            yield cache
            cache.close()
        finally:
            server.terminate()
            server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def line_of(symbol: str, tick: dict[str, Any]) -> str:
    """Encode one tick as line protocol, the client's way."""
    point = Point("ticks").tag("symbol", symbol)
    for name, value in zip(FIELDS, (tick["ltp"], tick["volume"], tick["bid"], tick["ask"], tick["oi"]), strict=True):
        point.field(name, value)
    return point.time(tick["timestamp"]).to_line_protocol()


def process_tick(cache: RedisCache, symbol: str, ticks: Sequence[dict[str, Any]]) -> int:
    """Encode every tick and set it as the newest one in the cache; returns how many."""
    size = 0
    for tick in ticks:
        size += len(line_of(symbol, tick))
        cache.set(f"tick:{symbol}", tick, 60)
    assert cache.get(f"tick:{symbol}") == ticks[-1]
    assert size
    return len(ticks)


def process_ticks(symbol: str, ticks: Sequence[dict[str, Any]]) -> int:
    """Encode every tick; returns how many lines there are."""
    return len([line_of(symbol, tick) for tick in ticks])
