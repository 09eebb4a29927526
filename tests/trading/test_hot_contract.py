"""What the hot state promises on a real Redis as on Django's local cache; a model run with every fault at random."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.redis_server import RedisServer, redis_server, use
from tests.trading.test_hot import TICK, tick
from tests.waiting import until
from trading.hot import breaker as breakers
from trading.hot import cache
from trading.hot.breaker import FAILURES_MAX, Breaker

GARBAGE = [b"no json", b"[1]", b"\x80\x04\x95planted pickle", b"", b"17", b'{"version":"9999', b"null", b"{}"]
SEEDS = range(6)


@pytest.fixture(params=["redis", "local"])
def any_cache(request: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(cache, "breaker", Breaker())
    if request.param == "redis":
        use(request.getfixturevalue("redis").url, settings)
    cache.cache.clear()
    yield request.param
    cache.cache.clear()


class TestContract:
    def test_many_are_put_and_read_at_once(self, any_cache: str) -> None:
        entries = {cache.key("tick", "main", f"S{n}"): tick(n, n + 1) for n in range(500)}
        assert cache.put_newest("tick", entries)
        assert cache.get_many([*entries, "absent"]) == entries

    def test_a_lower_version_never_overwrites_a_higher_one_and_an_equal_one_does(self, any_cache: str) -> None:
        for value, version in ((1, (5, 0)), (2, (4, 9)), (3, (10, 0)), (4, (9, 99)), (5, (10, 0))):
            assert cache.put("book", {"name": {"value": value}}, {"name": version})
        assert cache.get_many(["name"]) == {"name": {"value": 5}}

    def test_in_one_put_each_entry_has_its_own_version(self, any_cache: str) -> None:
        cache.put("book", {"a": {"v": 1}, "b": {"v": 1}}, {"a": (5, 0), "b": (1, 0)})
        cache.put("book", {"a": {"v": 2}, "b": {"v": 2}}, {"a": (4, 0), "b": (2, 0)})
        assert cache.get_many(["a", "b"]) == {"a": {"v": 1}, "b": {"v": 2}}

    def test_dropped_is_unknown_and_any_version_may_follow(self, any_cache: str) -> None:
        cache.put("book", {"a": {"v": 1}}, {"a": (5, 0)})
        assert cache.drop(["a", "absent"])
        assert cache.get_many(["a"]) == {}
        cache.put("book", {"a": {"v": 2}}, {"a": (1, 0)})
        assert cache.get_many(["a"]) == {"a": {"v": 2}}

    @pytest.mark.parametrize("value", GARBAGE)
    def test_what_makes_no_sense_is_unknown_and_gives_way(self, any_cache: str, value: bytes) -> None:
        cache.cache.set(TICK, value)
        assert cache.newest("tick", "main", "RELIANCE") is None
        assert cache.put_newest("tick", {TICK: tick(5, 5)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(5, 5)

    def test_nothing_to_put_is_fine(self, any_cache: str) -> None:
        assert cache.put_newest("tick", {})


def test_a_key_of_another_type_is_unknown_and_gives_way(redis: RedisServer, settings: Any) -> None:
    use(redis.url, settings)
    raw = cache.cache.client.get_client()
    for plant in (raw.rpush, raw.sadd):
        raw.delete(cache.cache.make_key(TICK))
        plant(cache.cache.make_key(TICK), "x")
        assert cache.newest("tick", "main", "RELIANCE") is None
        assert cache.put_newest("tick", {TICK: tick(5, 5)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(5, 5)


def test_a_hung_redis_makes_three_calls_wait_a_fifth_of_a_second_and_the_next_none(
    redis: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(redis.url, settings, is_patient=False)
    waits = []

    class Counting(Breaker):
        def failed(self, error: Exception) -> None:
            waits.append(error)
            super().failed(error)

    monkeypatch.setattr(cache, "breaker", Counting())
    with redis.frozen():
        assert [cache.newest("tick", "main", "RELIANCE") for _ in range(100)] == [None] * 100
    assert len(waits) == FAILURES_MAX


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_redis_no_wrong_answer_is_served(
    seed: int, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read gives None or what was put, never one older than what was put since the entry was last lost."""
    monkeypatch.setattr(breakers, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(cache, "breaker", Breaker())
    chance = random.Random(seed)
    with redis_server(tmp_path, "--maxmemory-policy", "allkeys-lru") as server:
        use(server.url, settings, is_patient=False)
        Model(chance, server).run(150)


class Model:
    """The plain model: for each symbol the highest version put, and whether the cache must still have it."""

    SYMBOLS = ("RELIANCE", "M&M", "NIFTY 50", "a:b")

    def __init__(self, chance: random.Random, server: RedisServer) -> None:
        self.chance, self.server = chance, server
        self.put: dict[str, set[int]] = {symbol: set() for symbol in self.SYMBOLS}
        self.highest: dict[str, int] = {}  # what the cache must hold, or nothing
        self.at = 1_000_000

    def run(self, steps: int) -> None:
        weighted: list[tuple[Callable[[str], None], int]] = [
            (self.write, 8), (self.read, 8), (self.flush, 1), (self.garbage, 2), (self.expire, 1), (self.evict, 1),
            (self.hang, 1), (self.forget_connections, 1), (self.restart, 1),
        ]  # fmt: skip
        for _ in range(steps):
            [step] = self.chance.choices([one for one, _ in weighted], [weight for _, weight in weighted])
            step(self.chance.choice(self.SYMBOLS))
        until(lambda: cache.put_newest("tick", {self.name(TICK): tick(0, 1)}))

    @staticmethod
    def name(symbol: str) -> str:
        return cache.key("tick", "main", symbol)

    def raw(self) -> Any:
        return cache.cache.client.get_client()

    def write(self, symbol: str) -> None:
        self.at += 1
        at = self.at if self.chance.random() < 0.7 else self.chance.randrange(1, self.at)
        self.put[symbol].add(at)
        if cache.put_newest("tick", {self.name(symbol): tick(float(at), at)}):
            self.highest[symbol] = max(at, self.highest.get(symbol, 0))
        else:
            self.highest.pop(symbol, None)  # it may or may not have arrived

    def read(self, symbol: str) -> None:
        found = cache.newest("tick", "main", symbol)
        if found is None:
            return
        assert found["close"] == found["exchange_time"] == found["time"]
        assert found["exchange_time"] in self.put[symbol]
        assert found["exchange_time"] >= self.highest.get(symbol, 0)

    def flush(self, _: str) -> None:
        self.raw().flushall()
        self.highest.clear()

    def expire(self, symbol: str) -> None:
        self.raw().delete(cache.cache.make_key(self.name(symbol)))
        self.highest.pop(symbol, None)

    def evict(self, symbol: str) -> None:
        """No memory is left: Redis evicts everything and takes nothing."""
        self.raw().config_set("maxmemory", 1)
        self.at += 1
        self.put[symbol].add(self.at)
        assert not cache.put_newest("tick", {self.name(symbol): tick(float(self.at), self.at)})
        assert cache.newest("tick", "main", symbol) is None
        self.raw().config_set("maxmemory", 0)
        self.highest.clear()

    def garbage(self, symbol: str) -> None:
        name = cache.cache.make_key(self.name(symbol))
        self.raw().delete(name)
        if self.chance.random() < 0.3:
            self.raw().rpush(name, "x")
        else:
            self.raw().set(name, self.chance.choice(GARBAGE))
        assert cache.newest("tick", "main", symbol) is None
        self.highest.pop(symbol, None)

    def hang(self, symbol: str) -> None:
        with self.server.frozen():
            for _ in range(FAILURES_MAX):
                assert cache.newest("tick", "main", symbol) is None
            assert not cache.put_newest("tick", {self.name(symbol): tick(float(self.at), self.at)})
        self.put[symbol].add(self.at)  # what was sent while it hung it may still carry out
        self.highest.pop(symbol, None)
        time.sleep(breakers.AWAY_SECONDS)

    def forget_connections(self, _: str) -> None:
        self.raw().client_kill_filter(_type="normal", skipme=True)

    def restart(self, symbol: str) -> None:
        """The server dies, is away for a moment, and comes back empty: as another process on the same port."""
        pid = self.server.process.pid
        self.server.kill()
        assert cache.newest("tick", "main", symbol) is None
        self.at += 1
        assert not cache.put_newest("tick", {self.name(symbol): tick(float(self.at), self.at)})
        self.server.start()
        assert self.server.process.pid != pid
        self.highest.clear()
