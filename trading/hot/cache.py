"""The hot state: newest ticks and indicators of all processes, and a copy of the ledger's newest state (`ledger_copy`).

The only module that touches the cache, by an alias of its own. Each entry carries a version, and a lower one never
overwrites a higher. Values are JSON texts; whatever cannot be decoded is a miss. A fault of the cache costs the caller
at most its time-out, and nothing after three in a row: a breaker keeps away from it and lets one call try again after a
while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import orjson
import structlog
from django.conf import settings
from django.core.cache import caches
from django.utils.connection import ConnectionProxy

from trading.hot.breaker import Breaker

LIFETIME_SECONDS = {"tick": 60, "indicators": 300, "book": 300}
VALUE = {"tick": "close", "indicators": "values"}
PUT_MAX = 500  # entries in one step

Answer = TypeVar("Answer")
HotEntry = dict[str, Any]  # a JSON object

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
    """Serializer of django-redis that changes nothing: entries are bytes already, and are decoded here, with care."""

    def __init__(self, options: Mapping[str, str]) -> None:
        pass

    def dumps(self, content: bytes) -> bytes:
        return bytes(content)

    def loads(self, content: bytes) -> bytes:
        return content


breaker = Breaker()


def is_shared() -> bool:
    """Tell whether other processes see the entries that are put here: only with a Redis."""
    return bool(settings.CACHE_URL)


def key(kind: str, *names: str) -> str:
    """Return the cache's key: names are coded, so that no separator inside one can make two keys equal."""
    return ":".join([kind, *(name.encode().hex() for name in names)])


def put_newest(kind: str, entries: Mapping[str, HotEntry]) -> bool:
    """Put entries by key; one older by ``exchange_time``, then ``time`` (ns), than what is there changes nothing.

    Returns False where the cache did not take it.
    """
    # In batches: whoever else asks Redis meanwhile waits for one of them, and each keeps within its time-out.
    rest = iter(entries.items())
    while batch := dict(islice(rest, PUT_MAX)):
        if not put(kind, batch, {name: _version(entry) for name, entry in batch.items()}):
            return False
    return True


def put(kind: str, entries: Mapping[str, HotEntry], versions: Mapping[str, tuple[int, int]]) -> bool:
    """Put entries by key, all in one step; one whose version is below that of what is there changes nothing.

    Returns False where the cache did not take it.
    """
    texts = {name: f"{versions[name][0]:020d}{versions[name][1]:020d}" for name in entries}
    contents = {name: orjson.dumps({"version": texts[name], **entry}) for name, entry in entries.items()}
    return not contents or _guarded(partial(_put, LIFETIME_SECONDS[kind], contents, texts), False)


def _put(lifetime_seconds: int, contents: Mapping[str, bytes], texts: Mapping[str, str]) -> bool:
    if hasattr(cache, "client"):  # a Redis
        words = [word for name in contents for word in (texts[name], contents[name])]
        keys = [str(cache.make_key(name)) for name in contents]
        cache.client.get_client(write=True).eval(_PUT, len(keys), *keys, lifetime_seconds, *words)
        return True
    with _local:
        stored = cache.get_many(list(contents))
        newer = {name: body for name, body in contents.items() if texts[name] >= _version_text(stored.get(name))}
        cache.set_many(newer, lifetime_seconds)
    return True


_local = threading.Lock()


def _version_text(content: bytes | None) -> str:
    text = (_loaded(content) or {}).get("version")
    return text if isinstance(text, str) and len(text) == _VERSION_DIGITS and text.isdecimal() else ""


def drop(names: list[str]) -> bool:
    """Take entries away, whatever their version. Returns False where the cache did not do it."""
    return _guarded(lambda: bool(cache.delete_many(names)) or True, False)  # also where none of them was there


def _version(entry: HotEntry) -> tuple[int, int]:
    try:
        return int(entry["exchange_time"]), int(entry["time"])
    except (KeyError, TypeError, ValueError):
        return (0, 0)


def forget(account: str) -> None:
    """Drop the ticks, indicators and ledger copies of an account whose points were cleared."""
    for kind in LIFETIME_SECONDS if is_shared() else ():
        _guarded(partial(_drop, f"{key(kind, account)}:*"), None)


def _drop(pattern: str) -> None:  # django-redis alone has this
    cache.delete_pattern(pattern)


def newest(kind: str, *series: str) -> HotEntry | None:
    """Return the newest entry of a series, None where none is there, it makes no sense, or the cache is silent."""
    return newest_many(kind, [series]).get(series)


def newest_many(kind: str, series: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], HotEntry]:
    """Return the newest entry of each series that has one that makes sense, in one round trip."""
    keys = {key(kind, *names): names for names in series}
    entries = {}
    for name, entry in get_many(list(keys)).items():
        has_times = isinstance(entry.get("exchange_time"), int) and isinstance(entry.get("time"), int)
        if has_times and isinstance(entry.get(VALUE[kind]), int | float | dict):
            entries[keys[name]] = entry
    return entries


def get_many(names: list[str]) -> dict[str, HotEntry]:
    """Return the entries that are there, without their versions, by key; one that cannot be decoded is none."""
    if not names:
        return {}
    contents: Mapping[str, bytes] = _guarded(lambda: cache.get_many(names), {})  # one round trip
    entries = {name: _loaded(content) for name, content in contents.items()}
    for entry in filter(None, entries.values()):
        entry.pop("version", None)
    return {name: entry for name, entry in entries.items() if entry is not None}


def ping() -> float:
    """Return the milliseconds of a write and a read. Raises what the cache raises; ValueError on a wrong answer."""
    cache.get("ping")  # a process's first call loads the client and connects, which says nothing of the cache
    started = time.perf_counter()
    cache.set("ping", b"pong", 10)
    if cache.get("ping") != b"pong":
        raise ValueError("the cache does not keep what it is given")
    return (time.perf_counter() - started) * 1000


def _guarded(call: Callable[[], Answer], otherwise: Answer) -> Answer:
    if breaker.is_open():
        return otherwise
    try:
        answer = call()
    except Exception as error:
        breaker.failed(error)
        return otherwise
    breaker.succeeded()
    return answer


def _loaded(content: bytes | None) -> HotEntry | None:
    try:
        entry = orjson.loads(content or b"")
    except (orjson.JSONDecodeError, TypeError):
        return None
    return entry if isinstance(entry, dict) else None
