"""The hot state on a real Redis: newest wins, nothing undecodable gets out, a fault costs little and raises nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.redis_server import RedisServer, use
from tests.waiting import until
from trading.hot import breaker as breakers
from trading.hot import cache
from trading.hot.breaker import FAILURES_MAX, Breaker

TICK = cache.key("tick", "main", "RELIANCE")


def tick(close: float, at: int, time_ns: int | None = None) -> dict[str, Any]:
    return {"exchange_time": at, "time": at if time_ns is None else time_ns, "close": close}


class TestNewest:
    def test_what_is_put_is_read_back_to_the_nanosecond(self, shared: RedisServer) -> None:
        at = 1_795_404_656_671_171_381
        assert cache.put_newest("tick", {TICK: tick(2450.05, at)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(2450.05, at)

    def test_an_older_one_never_overwrites_a_newer(self, shared: RedisServer) -> None:
        cache.put_newest("tick", {TICK: tick(2, 200)})
        assert cache.put_newest("tick", {TICK: tick(1, 199)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(2, 200)

    def test_of_one_instant_the_later_ordinal_stands(self, shared: RedisServer) -> None:
        for close, time_ns in ((1, 200), (3, 202), (2, 201)):
            cache.put_newest("tick", {TICK: tick(close, 200, time_ns)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(3, 200, 202)

    def test_separators_in_names_make_no_two_keys_equal(self) -> None:
        names = [("a", "b:c"), ("a:b", "c"), ("a", "b", "c"), ("a:b:c",), ("a", "b", "c", "")]
        assert len({cache.key("indicators", *parts) for parts in names}) == len(names)

    def test_accounts_and_timeframes_are_apart(self, shared: RedisServer) -> None:
        entry = {**tick(1, 1), "values": {"rsi": 45.5}}
        cache.put_newest("indicators", {cache.key("indicators", "main", "TCS", "5m"): entry})
        assert cache.newest("indicators", "main", "TCS", "5m") == entry
        assert cache.newest("indicators", "main", "TCS", "") is None
        assert cache.newest("indicators", "replay", "TCS", "5m") is None

    def test_entries_live_as_long_as_their_kind_says(self, shared: RedisServer) -> None:
        cache.put_newest("tick", {TICK: tick(1, 1)})
        cache.put_newest("indicators", {cache.key("indicators", "main", "TCS", ""): tick(1, 1)})
        lives = sorted(cache.cache.ttl(name) for name in (TICK, cache.key("indicators", "main", "TCS", "")))
        assert 55 <= lives[0] <= 60
        assert 295 <= lives[1] <= 300

    def test_a_cleared_account_is_forgotten_and_no_other(self, shared: RedisServer) -> None:
        other = cache.key("tick", "replay2", "RELIANCE")
        cache.put_newest(
            "tick", {cache.key("tick", "replay", "RELIANCE"): tick(1, 1), TICK: tick(2, 1), other: tick(3, 1)}
        )
        cache.forget("replay")
        found = [cache.newest("tick", account, "RELIANCE") for account in ("replay", "main", "replay2")]
        assert found == [None, tick(2, 1), tick(3, 1)]


class TestNonsense:
    @pytest.mark.parametrize(
        "text",
        [
            b"no json",
            b"[1]",
            b"{}",
            b"17",
            b"null",
            b"",
            b"\x80\x04\x95planted pickle",
            b'{"exchange_time": "x", "time": 1, "close": 1}',
            b'{"exchange_time": 1, "close": 1}',
            b'{"exchange_time": 1, "time": 1, "close": null}',
            b'{"exchange_time": 1, "time": 1}',
        ],
    )
    def test_what_makes_no_sense_is_a_miss_and_is_overwritten(self, shared: RedisServer, text: bytes) -> None:
        raw = cache.cache.client.get_client()
        raw.set(cache.cache.make_key(TICK), text)
        assert cache.newest("tick", "main", "RELIANCE") is None
        assert cache.put_newest("tick", {TICK: tick(5, 5)})
        assert cache.newest("tick", "main", "RELIANCE") == tick(5, 5)

    def test_one_entry_that_makes_no_sense_costs_the_others_nothing(self, shared: RedisServer) -> None:
        cache.cache.client.get_client().set(cache.cache.make_key(TICK), b"\xff\xfe")
        other = cache.key("tick", "main", "TCS")
        cache.put_newest("tick", {other: tick(1, 1)})
        assert cache.get_many([TICK, other]) == {other: tick(1, 1)}
        assert cache.breaker.failures == 0


class TestFaults:
    @pytest.fixture
    def shared(self, shared: RedisServer, settings: Any) -> RedisServer:
        """One that has no more time to answer than at a desk."""
        use(shared.url, settings, is_patient=False)
        return shared

    def test_a_hung_redis_costs_three_time_outs_and_then_nothing(self, shared: RedisServer) -> None:
        cache.put_newest("tick", {TICK: tick(1, 1)})
        with shared.frozen():
            spent = [seconds(lambda: cache.newest("tick", "main", "RELIANCE")) for _ in range(50)]
        assert sum(spent) < 3 * 0.2 + 0.3
        assert max(spent[3:]) < 0.05
        assert not cache.put_newest("tick", {TICK: tick(2, 2)})  # it is left alone for a while

    def test_a_redis_that_is_gone_raises_nothing(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache, "breaker", Breaker())
        use("redis://127.0.0.1:1/0", settings)
        assert cache.newest("tick", "main", "RELIANCE") is None
        assert not cache.put_newest("tick", {TICK: tick(1, 1)})
        cache.forget("main")

    def test_after_the_pause_one_caller_tries_and_the_others_do_not_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr(cache.time, "monotonic", lambda: now[0])
        breaker = Breaker()
        for _ in range(FAILURES_MAX):
            assert not breaker.is_open()
            breaker.failed(OSError("hung"))
        assert breaker.is_open()
        now[0] += breakers.AWAY_SECONDS
        assert [breaker.is_open() for _ in range(5)] == [False, True, True, True, True]
        breaker.succeeded()
        assert [breaker.is_open() for _ in range(3)] == [False, False, False]

    def test_it_is_used_again_when_it_is_back(self, shared: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(breakers, "AWAY_SECONDS", 0.05)
        with shared.frozen():
            for _ in range(4):
                cache.newest("tick", "main", "RELIANCE")
        until(lambda: cache.put_newest("tick", {TICK: tick(7, 7)}))
        assert cache.newest("tick", "main", "RELIANCE") == tick(7, 7)

    def test_threads_that_find_it_hung_do_not_queue_up(self, shared: RedisServer) -> None:
        with shared.frozen():
            started = time.monotonic()
            threads = [threading.Thread(target=cache.newest, args=("tick", "main", "TCS")) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert time.monotonic() - started < 2.0


def test_without_a_redis_nothing_is_shared_and_nothing_kept(settings: Any) -> None:
    settings.CACHE_URL = ""
    assert not cache.is_shared()


def test_the_settings_give_redis_a_fifth_of_a_second_and_no_pickle(tmp_path: Path, monkeypatch: Any) -> None:
    import importlib

    from velox_site import settings as module

    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:6379/0")
    options = importlib.reload(module).CACHES["hot"]["OPTIONS"]
    monkeypatch.delenv("CACHE_URL")
    importlib.reload(module)
    assert options["SOCKET_TIMEOUT"] + options["SOCKET_CONNECT_TIMEOUT"] < 0.2
    assert options["SERIALIZER"] == "trading.hot.cache.AsItIs"


def seconds(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
