"""One-minute candles that outlast their ticks: whatever happens on the way, they equal those from the ticks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import structlog

from tests.timeseries.batches import DAY, INDIA, MINUTE, SECOND, at, session
from tests.timeseries.desks import Clock, Desk, Switched
from tests.timeseries.influx_real import influx_server, influx_store
from timeseries.errors import StoreUnavailable
from timeseries.measurements import MINUTES, TICKS, PointBatch
from timeseries.reader import Reader
from timeseries.shipping import minute_keeper
from timeseries.shipping.minute_keeper import MinuteKeeper, place_of
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores import candles
from timeseries.stores.base import PointQuery, Session, Store
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.influx.store import InfluxStore, minutes_bucket
from timeseries.stores.tables import in_series_order, point_schema, table_of

OPEN = at("2021-04-12 09:15")
EVER = (-(2**63) + 1, 2**63 - 1)
DAYS = [session("2021-04-12")]


class Keeping(Switched):
    """The embedded store with a place for minutes in memory, and ticks that age when they are told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.kept: dict[tuple, PointBatch] = {}
        self.oldest = EVER[0]
        self.has_place = True
        self.counted: list[tuple[str, int]] = []

    def ticks_from(self) -> int:
        return self.oldest

    def keeps_minutes(self) -> bool:
        return self.has_place

    def keep_minutes(self, batch: PointBatch) -> None:
        for number in range(len(batch)):
            tags = batch.series_table[int(batch.series[number])]
            key = (tags["account"], tags["source"], tags["symbol"], int(batch.time[number]))
            self.counted.append(key[2:])
            self.kept[key] = batch.take(np.array([number]))

    def minutes(self, query: PointQuery) -> pa.Table:
        tables = [
            table_of(in_series_order(batch)).cast(point_schema(MINUTES))
            for (account, source, symbol, time), batch in self.kept.items()
            if query.start <= time < query.stop
            and query.tags.items() <= {"account": account, "source": source, "symbol": symbol}.items()
        ]
        return pa.concat_tables([point_schema(MINUTES).empty_table(), *tables]).sort_by("time")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    spool, store, clock = Spool(tmp_path / "spool"), Keeping(tmp_path / "delta"), Clock()
    return Desk(tmp_path, spool, store, Reader(spool, store, zone=INDIA), Pump(spool, store, clock=clock), clock)


def feed(desk: Desk, seconds: range, *, seed: int = 1, late: bool = False) -> None:
    """Record two symbols, one tick each per second, some of them a while too late."""
    chance = random.Random(seed)
    with closing(desk.recorder()) as recorder:
        order = sorted(seconds, key=lambda n: n + (chance.choice([0, 0, 0, 200]) if late else 0))
        for n in order:
            for symbol in ("A", "B C"):
                tick = {"ltp": chance.randint(1, 999), "day_volume": 10 * n, "timestamp": OPEN + n * SECOND}
                assert recorder.tick(symbol, tick)
                if n and n % 60 == 0:
                    bar = {"open": 5, "high": chance.randint(900, 2000), "low": 1, "close": 7, "volume": 3}
                    assert recorder.tick(symbol, {**bar, "timestamp": OPEN + n * SECOND})


def keep(desk: Desk) -> int:
    kept, keeper = 0, MinuteKeeper(desk.spool, desk.store, clock=desk.clock)
    while more := keeper.run_once():
        kept += more
    return kept


def agree(desk: Desk, store: Store | None = None) -> int:
    """Compare what is kept with the candles from ticks; return how many minutes there are."""
    store = store or desk.store
    total = 0
    for symbol in ("A", "B C"):
        tags = {"account": "main", "symbol": symbol}
        bounds = {"every": MINUTE, "start": 0, "stop": 2**62, "sessions": DAYS}
        ticks = store.read(PointQuery(TICKS, *EVER, tags))
        minutes = store.minutes(PointQuery(MINUTES, *EVER, tags))
        expected = candles.candles_of(ticks, **bounds)
        assert candles.candles_of(candles.ticks_of(minutes), **bounds).equals(expected)
        total += len(expected)
    return total


def test_a_minute_is_kept_once_it_is_over(desk: Desk) -> None:
    now = desk.clock.now // MINUTE * MINUTE
    desk.clock.now = now + 30 * SECOND
    desk.record("A", [now - 90 * SECOND, now - 10 * SECOND, now + SECOND], [1, 2, 3])
    assert desk.pump.drain(20)
    assert keep(desk) == 2
    assert keep(desk) == 0
    desk.clock.now = now + MINUTE + SECOND
    assert keep(desk) == 0  # late ticks of the last second may be on their way
    desk.clock.now += 2 * SECOND
    assert keep(desk) == 1
    assert [time for _, time in desk.store.counted] == [now - 2 * MINUTE, now - MINUTE, now]


def test_late_ticks_count_their_own_minutes_again_and_no_others(desk: Desk) -> None:
    feed(desk, range(0, 600, 2), late=True)
    assert desk.pump.drain(20)
    keep(desk)
    assert agree(desk) == 20
    desk.store.counted.clear()
    desk.record("A", [OPEN + 61 * SECOND, OPEN + 333 * SECOND], [5000, 0.5])
    assert desk.pump.drain(20)
    keep(desk)
    assert sorted(desk.store.counted) == [("A", OPEN + MINUTE), ("A", OPEN + 5 * MINUTE)]
    assert agree(desk) == 20


def test_after_an_outage_and_a_resend_they_equal_those_from_ticks(desk: Desk) -> None:
    feed(desk, range(0, 300, 3))
    desk.store.down = True
    assert not desk.pump.drain(0.1)
    assert keep(desk) == 0
    desk.store.down = False
    feed(desk, range(300, 400, 3), late=True)
    assert desk.pump.drain(20)
    keep(desk)
    whole = agree(desk)
    desk.store.kept.clear()
    assert desk.pump.resend(0).points == 2 * (100 + 34 + 6)
    keep(desk)
    assert agree(desk) == whole > 10


class Died(BaseException):
    """The process ends here: nothing that follows is done, and the kernel frees its locks."""


@pytest.mark.parametrize("place", ["read", "keep_minutes", "replace_file"])
def test_a_keeper_that_dies_is_followed_by_one_that_counts_all(
    desk: Desk, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(desk, range(0, 300, 2), late=True)
    assert desk.pump.drain(20)

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as planted:
        planted.setattr({"replace_file": minute_keeper.durable}.get(place, desk.store), place, die)
        with pytest.raises(Died):
            keep(desk)
    assert place_of(desk.spool.lane("default", "ticks")) == 0
    keep(desk)
    assert agree(desk) == 10


def test_a_cleared_account_leaves_no_minute_to_count(desk: Desk) -> None:
    desk.record("A", [OPEN], [1], account="replay")
    desk.record("A", [OPEN], [1])
    assert desk.pump.drain(20)
    desk.pump.clear_account("replay")
    assert keep(desk) == 1
    assert {key[0] for key in desk.store.kept} == {"main"}


def test_when_the_ticks_are_gone_the_candles_stay(desk: Desk) -> None:
    feed(desk, range(0, 1500, 7))
    assert desk.pump.drain(20)
    keep(desk)
    asked = {"start": OPEN, "stop": OPEN + DAY, "account": "main", "sessions": DAYS}
    before = {every: desk.reader.candles("A", every=every, **asked) for every in (MINUTE, 5 * MINUTE, DAY)}
    assert len(before[MINUTE]) == 25
    desk.store.oldest = OPEN + DAY
    desk.store.delete_account("main")
    for every, candle in before.items():
        assert desk.reader.candles("A", every=every, **asked).equals(candle)
        assert desk.reader.candles("A", every=every, source="default", **asked).equals(candle)
    assert len(desk.reader.candles("A", every=SECOND, **asked)) == 0
    # A minute whose ticks are gone is not counted from the few that came again.
    desk.store.counted.clear()
    desk.record("A", [OPEN + SECOND], [9])
    assert desk.pump.drain(20)
    assert keep(desk) == 0
    assert desk.reader.candles("A", every=MINUTE, **asked).equals(before[MINUTE])


def test_a_session_over_midnight_counts_from_its_open_with_its_ticks_and_without_them(desk: Desk) -> None:
    eve, midnight, hour = at("2021-04-12 18:00"), at("2021-04-13 00:00"), 60 * MINUTE
    runs = (eve, eve + DAY)
    days = [Session(midnight - DAY, midnight, midnight - DAY, (eve - DAY, eve))]
    days.append(Session(midnight, midnight + DAY, midnight, runs))
    volumes = {eve - hour: 900, eve: 12, midnight - hour: 50, midnight: 51, midnight + hour: 55, eve + DAY: 7}
    with closing(desk.recorder()) as recorder:
        for time, volume in volumes.items():
            assert recorder.tick("A", {"ltp": 100, "day_volume": volume, "timestamp": time})
    assert desk.pump.drain(20)
    desk.clock.now = eve + 2 * DAY
    keep(desk)
    asked = {"stop": midnight + DAY, "account": "main", "sessions": days}
    alone = desk.reader.candles("A", every=MINUTE, start=midnight, **asked)
    assert alone.column("volume").to_pylist() == [1, 4, 7], "also where the days before are not asked for"
    before = {every: desk.reader.candles("A", every=every, start=eve - hour, **asked) for every in (MINUTE, hour, DAY)}
    assert before[MINUTE].column("volume").to_pylist() == [900, 12, 38, 1, 4, 7]
    assert before[DAY].column("volume").to_pylist() == [5 + 7]
    desk.store.oldest = midnight + 2 * DAY
    desk.store.delete_account("main")
    for every, candle in before.items():
        assert desk.reader.candles("A", every=every, start=eve - hour, **asked).equals(candle)
    assert desk.reader.candles("A", every=MINUTE, start=midnight, **asked).equals(alone)


def test_of_two_sources_the_one_with_the_days_first_tick_answers(desk: Desk) -> None:
    desk.record("A", [OPEN + 5 * SECOND, OPEN + 70 * SECOND], [1, 2], source="late")
    desk.record("A", [OPEN + 4 * SECOND], [3], source="soon")
    assert desk.pump.drain(20)
    assert keep(desk) == 3
    asked = {"every": MINUTE, "start": OPEN, "stop": OPEN + DAY, "account": "main", "sessions": DAYS}
    before = desk.reader.candles("A", **asked)
    desk.store.oldest = OPEN + DAY
    assert desk.reader.candles("A", **asked).equals(before)
    assert before.column("close").to_pylist() == [3.0]


def test_segments_stay_until_their_minutes_are_kept(desk: Desk) -> None:
    feed(desk, range(0, 60, 5))
    desk.pump.keep_shipped_days = -1  # not even those that are written now
    assert desk.pump.drain(20)
    lane = desk.spool.lane("default", "ticks")
    desk.pump._care(desk.clock.now + DAY)
    assert lane.segments()
    keep(desk)
    desk.pump._care(desk.clock.now + DAY)
    assert not lane.segments()


def test_the_pump_keeps_minutes_where_there_is_a_place(desk: Desk) -> None:
    feed(desk, range(0, 120, 5))
    desk.store.has_place = False
    for has_place, minutes in ((False, 0), (True, 4)):
        desk.store.has_place = has_place
        desk.clock.move(60)
        desk.pump.run_once()
        desk.pump.keeping.join()
        assert len(desk.store.kept) == minutes
    assert agree(desk) == 4


def test_a_fault_of_keeping_is_said_and_holds_nothing_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(desk, range(0, 120, 5))

    def fault(*_: object) -> None:
        raise StoreUnavailable("The store is switched off.")

    with monkeypatch.context() as planted, structlog.testing.capture_logs() as said:
        planted.setattr(desk.store, "keep_minutes", fault)
        assert desk.pump.run_once().settled == 50
        desk.pump.keeping.join()
    assert [(line["event"], line["error"]) for line in said] == [
        ("candles are not kept now", "The store is switched off.")
    ]
    keep(desk)
    assert agree(desk) == 4


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[Desk, InfluxStore]]:
    server = influx_server()
    with influx_store() as store:
        buckets = server.client.buckets_api()
        beside = buckets.create_bucket(bucket_name=minutes_bucket(store.bucket), org=server.org)
        spool, clock = Spool(tmp_path / "spool"), Clock()
        desk = Desk(tmp_path, spool, store, Reader(spool, store, zone=INDIA), Pump(spool, store, clock=clock), clock)
        try:
            yield desk, store
        finally:
            buckets.delete_bucket(beside)


def test_on_a_real_server_they_equal_those_from_ticks(real: tuple[Desk, InfluxStore]) -> None:
    desk, store = real
    feed(desk, range(0, 900, 2), late=True)
    assert desk.pump.drain(20)
    assert keep(desk) >= 30
    assert agree(desk, store) == 30
    desk.record("A", [OPEN + 61 * SECOND], [5000])
    assert desk.pump.drain(20)
    assert keep(desk) == 1
    assert agree(desk, store) == 30
    asked = {"every": 5 * MINUTE, "start": OPEN, "stop": OPEN + DAY, "account": "main", "sessions": DAYS}
    before = desk.reader.candles("A", **asked)
    store._facts = store._facts._replace(ticks_from=OPEN + DAY, keeps_minutes=True)
    assert desk.reader.candles("A", **asked).equals(before)
    assert len(before) == 3
    desk.pump.clear_account("main")
    assert len(store.minutes(PointQuery(MINUTES, *EVER))) == 0


def test_without_its_bucket_a_real_server_keeps_none() -> None:
    with influx_store() as store:
        assert not store.keeps_minutes()
        assert len(store.minutes(PointQuery(MINUTES, *EVER))) == 0


def test_the_embedded_store_has_no_place_for_them(tmp_path: Path) -> None:
    store = DeltaStore(tmp_path, zone=INDIA)
    assert not store.keeps_minutes()
    assert len(store.minutes(PointQuery(MINUTES, *EVER))) == 0
