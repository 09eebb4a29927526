"""The newest points that a process keeps: always those that a process which has just begun would find."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from timeseries import wiring
from timeseries.stores.delta.store import DeltaStore
from trading.data_manager import DataManager
from trading.newest import NewestPoints, newest_points

SYMBOLS = ("TCS", "INFY", "M&M")
START = datetime(2024, 3, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def recorders(alone: None, ledger: Any) -> Iterator[list[DataManager]]:
    made = [DataManager(source="one"), DataManager(source="two"), DataManager(source="three", account="replay")]
    yield made
    for recorder in made:
        recorder.close()


def prices(newest: NewestPoints) -> dict[str, float]:
    return {symbol: tick["last_price"] for symbol, tick in newest.known_ticks(SYMBOLS).items()}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_equals_what_is_read_anew_whatever_happens_in_between(
    recorders: list[DataManager], seed: int
) -> None:
    chance = random.Random(seed)
    kept = {account: NewestPoints(account) for account in ("main", "replay")}

    def record() -> None:
        recorder = chance.choice(recorders)
        for _ in range(chance.randint(1, 20)):
            at = START + timedelta(seconds=chance.randint(0, 5_000))
            recorder.process_tick(chance.choice(SYMBOLS), {"ltp": chance.randint(1, 10**6)}, at=at)

    def ship() -> None:
        assert wiring.open_pump().drain(600)

    def begin_segments_and_remove_old_ones() -> None:
        for recorder in recorders:
            recorder.close()
        ship()
        for lane in wiring.open_spool().lanes():
            lane.remove_kept(before_ns=2**62, through=lane.outcome().through)
        recorders[:] = [DataManager(source=one.source, account=one.account) for one in recorders]

    def clear() -> None:
        wiring.open_pump().clear_account("replay")

    moves = [record] * 8 + [ship] * 3 + [begin_segments_and_remove_old_ones, clear]
    for _ in range(40):
        chance.choice(moves)()
        for account, newest in kept.items():
            if chance.random() < 0.7:
                assert prices(newest) == prices(NewestPoints(account))


def test_the_store_is_asked_no_more_once_a_symbol_is_known(
    recorders: list[DataManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = newest_points("main")
    for recorder in recorders[:2]:
        recorder.process_tick("TCS", {"ltp": 1}, at=START)
    assert prices(kept) == {"TCS": 1}
    monkeypatch.setattr(DeltaStore, "newest", lambda *_: pytest.fail("the store was asked"))
    for number in range(5):
        recorders[number % 2].process_tick("TCS", {"ltp": 2 + number}, at=START + timedelta(seconds=number))
        wiring.open_pump().drain(600)
        assert prices(newest_points("main")) == {"TCS": 2 + number}
