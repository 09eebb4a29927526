"""The hot state: newest ticks and indicators of all processes, in the cache. The only module that touches it.

Values are JSON texts; whatever cannot be decoded is a miss. A fault of the cache costs the caller at most its time-out,
and nothing after three in a row: a breaker keeps away from it and lets one call try again after a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.core.cache import cache

LIFETIME_SECONDS = {"tick": 60, "indicators": 300}
VALUE = {"tick": "close", "indicators": "values"}
FAILURES_MAX = 3
AWAY_SECONDS = 5.0

log = structlog.get_logger("system")


class AsItIs:
    """django-redis' serializer: what is put are bytes already, and what comes back is decoded here, with care."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        pass

    def dumps(self, value: Any) -> bytes:
        return bytes(value)

    def loads(self, value: bytes) -> bytes:
        return value


class Breaker:
    """Keeps callers away from a cache that failed three times in a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.failures, self._until = 0, 0.0

    def is_open(self) -> bool:
        """Tell whether to keep away; after the pause one caller at a time is let through to try."""
        with self._lock:
            if self.failures < FAILURES_MAX:
                return False
            if time.monotonic() < self._until:
                return True
            self._until = time.monotonic() + AWAY_SECONDS
            return False

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, error: Exception) -> None:
        with self._lock:
            self.failures += 1
            self._until = time.monotonic() + AWAY_SECONDS
        if self.failures == FAILURES_MAX:
            log.error("the cache is left alone for now", error=str(error), retry_seconds=AWAY_SECONDS)


breaker = Breaker()


def is_shared() -> bool:
    """Tell whether other processes see what is put here: only with a Redis."""
    return bool(settings.CACHE_URL)


def key(kind: str, *parts: str) -> str:
    """Return the cache's key: names are coded, so that no separator inside one can make two keys equal."""
    return ":".join([kind, *(part.encode().hex() for part in parts)])


def put_newest(kind: str, entries: Mapping[str, dict[str, Any]]) -> bool:
    """Put entries by key; one older by ``exchange_time``, then ``time`` (ns), than what is there changes nothing.

    Only the companion calls this, and there is one: that is what makes looking before putting enough. Returns False
    where the cache did not take it.
    """
    known = _guarded(lambda: cache.get_many(list(entries)), None)
    if known is None:
        return False
    newer = {
        name: orjson.dumps(entry)
        for name, entry in entries.items()
        if _version(entry) >= _version(_decoded(known.get(name)))
    }
    return not newer or bool(_guarded(lambda: [cache.set_many(newer, LIFETIME_SECONDS[kind])], False))


def _version(entry: dict[str, Any] | None) -> tuple[int, int]:
    try:
        return (0, 0) if entry is None else (int(entry["exchange_time"]), int(entry["time"]))
    except (KeyError, TypeError, ValueError):
        return (0, 0)


def forget(account: str) -> None:
    """Drop what is kept of an account whose points were cleared."""
    for kind in LIFETIME_SECONDS if is_shared() else ():
        _guarded(partial(_drop, f"{key(kind, account)}:*"), None)


def _drop(pattern: str) -> None:  # django-redis alone has this
    cache.delete_pattern(pattern)  # type: ignore[attr-defined]


def newest(kind: str, *parts: str) -> dict[str, Any] | None:
    """Return what other processes told last, None where nothing is there, it makes no sense, or the cache is silent."""
    name = key(kind, *parts)
    entry = get_many([name]).get(name)
    if entry is None or not isinstance(entry.get("exchange_time"), int) or not isinstance(entry.get("time"), int):
        return None
    return entry if isinstance(entry.get(VALUE[kind]), int | float | dict) else None


def get_many(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the entries that are there."""
    found: Mapping[str, Any] = _guarded(lambda: cache.get_many(names), {})  # one round trip
    decoded = {name: _decoded(value) for name, value in found.items()}
    return {name: value for name, value in decoded.items() if value is not None}


def ping() -> float:
    """Return the milliseconds of a write and a read. Raises what the cache raises; ValueError on a wrong answer."""
    started = time.perf_counter()
    cache.set("ping", b"pong", 10)
    if cache.get("ping") != b"pong":
        raise ValueError("the cache does not keep what it is given")
    return (time.perf_counter() - started) * 1000


def _guarded(call: Any, otherwise: Any) -> Any:
    if breaker.is_open():
        return otherwise
    try:
        answer = call()
    except Exception as error:
        breaker.failed(error)
        return otherwise
    breaker.succeeded()
    return answer


def _decoded(value: Any) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return entry if isinstance(entry, dict) else None
