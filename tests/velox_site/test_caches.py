"""Django's default cache is an ordinary one, beside the hot state, and a Redis that hangs costs a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis as client
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache, caches

from tests.redis_server import RedisServer, redis_server, use
from trading.hot import cache as hot
from trading.hot.breaker import Breaker

VALUES = [{"a": 1}, [1, 2.5, None], "text", b"bytes", 7, True, Decimal("1.10"), datetime(2026, 1, 2, tzinfo=UTC)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def anywhere(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The caches as the settings make them, in memory and in a Redis."""
    monkeypatch.setattr(hot, "breaker", Breaker())
    use("" if request.param == "memory" else request.getfixturevalue("server").url, settings)
    cache.clear()
    hot.cache.clear()
    yield
    for one in caches.all():
        one.close()


@pytest.mark.usefixtures("anywhere")
class TestDefault:
    @pytest.mark.parametrize("value", VALUES, ids=repr)
    def test_it_keeps_what_any_app_gives_it(self, value: Any) -> None:
        cache.set("k", value)
        assert cache.get("k") == value
        assert type(cache.get("k")) is type(value)

    def test_it_counts(self) -> None:
        assert cache.add("tries", 1, 60) is True
        assert cache.add("tries", 1, 60) is False
        assert cache.incr("tries") == 2

    def test_a_session_can_be_kept_in_it(self) -> None:
        session = SessionStore()
        session["day"] = {"account": "main"}
        session.save()
        assert SessionStore(session.session_key)["day"] == {"account": "main"}

    def test_the_hot_state_stands_beside_it_under_names_of_its_own(self) -> None:
        name = hot.key("tick", "main", "TCS")
        assert hot.put_newest("tick", {name: {"exchange_time": 1, "time": 1, "close": 3.5}})
        cache.set(name, {"a": 1})
        assert hot.newest("tick", "main", "TCS") == {"exchange_time": 1, "time": 1, "close": 3.5}
        cache.delete(name)
        hot.forget("main")
        assert cache.get(name) is None


def test_a_redis_that_hangs_costs_a_caller_of_either_cache_a_moment(
    server: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot, "breaker", Breaker())
    use(server.url, settings, is_patient=False)
    cache.set("k", 1)
    with server.frozen():
        started = time.monotonic()
        with pytest.raises((client.TimeoutError, client.ConnectionError)):
            cache.get("k")
        assert hot.newest("tick", "main", "TCS") is None
        assert time.monotonic() - started < 5  # without time-outs it would wait for ever
    for one in caches.all():
        one.close()


def test_a_comma_in_the_password_does_not_cut_the_address(tmp_path: Path, settings: Any) -> None:
    with redis_server(tmp_path) as server:
        server.tell("CONFIG", "SET", "requirepass", "a,b;c")
        use(server.url.replace("redis://", "redis://:a%2Cb%3Bc@"), settings)
        cache.set("k", {"a": 1})
        hot.cache.set("k", b"v")
        assert (cache.get("k"), hot.cache.get("k")) == ({"a": 1}, b"v")
        use(server.url.replace("redis://", "redis://:a,b;c@"), settings)
        assert (cache.get("k"), hot.cache.get("k")) == ({"a": 1}, b"v")
        for one in caches.all():
            one.close()
