"""What several modules of these tests ask for: a Redis per module, and the proof of what a test has booked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.redis_server import RedisServer, redis_server, use
from trading import summon
from trading.hot import cache
from trading.hot.breaker import Breaker
from trading.proof.verify import verify_ledger


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody starts a companion."""
    monkeypatch.setattr(summon, "summon", lambda: None)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def shared(redis: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """The cache is that Redis, empty, with the settings' own options."""
    use(redis.url, settings)
    redis.tell("FLUSHALL")
    monkeypatch.setattr(cache, "breaker", Breaker())
    yield redis
    cache.cache.client.get_client().connection_pool.disconnect()


@pytest.fixture
def shared_ledger(shared: RedisServer, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """A ledger beside it, and no companion that would copy the one to the other unasked."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    return shared


@pytest.fixture
def proved(ledger: Any) -> Iterator[None]:
    """Prove the ledger after the test, whatever it has booked."""
    yield
    proof = verify_ledger()
    assert proof.ok, proof.differences[:5]
