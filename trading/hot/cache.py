"""The hot state: newest ticks and indicators of all processes, and a copy of the ledger's newest state (`hot_book`).

The only module that touches the cache, by an alias of its own. Each entry carries a version, and a lower one never
overwrites a higher. Values are JSON texts; whatever cannot be decoded is a miss. A fault of the cache costs the caller
at most its time-out, and nothing after three in a row: a breaker keeps away from it and lets one call try again after a
while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.core.cache import caches
from django.utils.connection import ConnectionProxy

from trading.hot.breaker import Breaker

LIFETIME_SECONDS = {"tick": 60, "indicators": 300, "book": 300}
VALUE = {"tick": "close", "indicators": "values"}
PUT_MAX = 500  # entries in one step

_VERSION_DIGITS = 40
# Looking and putting are one step on the server, so that writers in several processes cannot pass each other. What is
# no JSON of ours (another type of key, a broken text) has no version and gives way.
_PUT = """
local kept = 0
for i, key in ipairs(KEYS) do
  local there = redis.pcall('GET', key)
  local version = ''
  if type(there) == 'string' and pcall(cjson.decode, there) then
    version = string.match(there, '^{"version":"(%d+)"') or ''
  end
  if #version ~= 40 or version <= ARGV[2 * i] then
    redis.call('SET', key, ARGV[2 * i + 1], 'EX', ARGV[1])
    kept = kept + 1
  end
end
return kept
"""

log = structlog.get_logger("system")

ALIAS = "hot"
cache: Any = ConnectionProxy(caches, ALIAS)


class AsItIs:
    """django-redis' serializer: what is put are bytes already, and what comes back is decoded here, with care."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        pass

    def dumps(self, value: Any) -> bytes:
        return bytes(value)

    def loads(self, value: bytes) -> bytes:
        return value


breaker = Breaker()


def is_shared() -> bool:
    """Tell whether other processes see what is put here: only with a Redis."""
    return bool(settings.CACHE_URL)


def key(kind: str, *parts: str) -> str:
    """Return the cache's key: names are coded, so that no separator inside one can make two keys equal."""
    return ":".join([kind, *(part.encode().hex() for part in parts)])


def put_newest(kind: str, entries: Mapping[str, dict[str, Any]]) -> bool:
    """Put entries by key; one older by ``exchange_time``, then ``time`` (ns), than what is there changes nothing.

    Returns False where the cache did not take it.
    """
    # In parts: whoever else asks Redis meanwhile waits for one of them, and each keeps within its time-out.
    return all(put(kind, part, {name: _version(entry) for name, entry in part.items()}) for part in _parts(entries))


def _parts(entries: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    rest = iter(entries.items())
    while part := dict(islice(rest, PUT_MAX)):
        yield part


def put(kind: str, entries: Mapping[str, dict[str, Any]], versions: Mapping[str, tuple[int, int]]) -> bool:
    """Put entries by key, all in one step; one whose version is below that of what is there changes nothing.

    Returns False where the cache did not take it.
    """
    texts = {name: f"{versions[name][0]:020d}{versions[name][1]:020d}" for name in entries}
    said = {name: orjson.dumps({"version": texts[name], **entry}) for name, entry in entries.items()}
    if not said:
        return True
    answer: bool = _guarded(partial(_put, LIFETIME_SECONDS[kind], said, texts), False)
    return answer


def _put(lifetime_seconds: int, said: Mapping[str, bytes], texts: Mapping[str, str]) -> bool:
    if hasattr(cache, "client"):  # a Redis
        words = [word for name in said for word in (texts[name], said[name])]
        keys = [str(cache.make_key(name)) for name in said]
        cache.client.get_client(write=True).eval(_PUT, len(keys), *keys, lifetime_seconds, *words)
        return True
    with _local:
        there = cache.get_many(list(said))
        newer = {name: value for name, value in said.items() if texts[name] >= _version_text(there.get(name))}
        cache.set_many(newer, lifetime_seconds)
    return True


_local = threading.Lock()


def _version_text(value: Any) -> str:
    text = (_loaded(value) or {}).get("version")
    return text if isinstance(text, str) and len(text) == _VERSION_DIGITS and text.isdecimal() else ""


def drop(names: list[str]) -> bool:
    """Take entries away, whatever their version. Returns False where the cache did not do it."""
    answer: bool = _guarded(partial(_delete, names), False)
    return answer


def _delete(names: list[str]) -> bool:
    cache.delete_many(names)
    return True


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
    cache.delete_pattern(pattern)


def newest(kind: str, *parts: str) -> dict[str, Any] | None:
    """Return what other processes told last, None where nothing is there, it makes no sense, or the cache is silent."""
    return newest_many(kind, [parts]).get(parts)


def newest_many(kind: str, series: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return what other processes told last of each series, in one round trip; see `newest`."""
    names = {key(kind, *parts): parts for parts in series}
    return {names[name]: entry for name, entry in get_many(list(names)).items() if _makes_sense(kind, entry)}


def _makes_sense(kind: str, entry: dict[str, Any]) -> bool:
    times = isinstance(entry.get("exchange_time"), int) and isinstance(entry.get("time"), int)
    return times and isinstance(entry.get(VALUE[kind]), int | float | dict)


def get_many(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the entries that are there."""
    if not names:
        return {}
    found: Mapping[str, Any] = _guarded(lambda: cache.get_many(names), {})  # one round trip
    decoded = {name: _decoded(value) for name, value in found.items()}
    return {name: value for name, value in decoded.items() if value is not None}


def ping() -> float:
    """Return the milliseconds of a write and a read. Raises what the cache raises; ValueError on a wrong answer."""
    cache.get("ping")  # a process's first call loads the client and connects, which says nothing of the cache
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
    entry = _loaded(value)
    if entry is not None:
        entry.pop("version", None)
    return entry


def _loaded(value: Any) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return entry if isinstance(entry, dict) else None
