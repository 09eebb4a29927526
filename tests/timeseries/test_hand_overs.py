"""Hand-overs: another host goes on with a partition, and the two sources are read as one, each point once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.timeseries.batches import DAY, INDIA, MINUTE, session
from tests.timeseries.bus_topics import NAME, Killed, KillPoint, json_of, partition, played, tick, topic
from tests.timeseries.desks import Clock, Desk
from tests.timeseries.spools import NOW, OPEN_NS, lane, recorder, stored
from tests.timeseries.test_minutes_kept import Keeping, keep
from timeseries.bus.messages import BusMessage
from timeseries.bus.partition import HandedOver, PartitionRecorder
from timeseries.errors import InvalidValue
from timeseries.reader import Reader
from timeseries.shipping.minute_keeper import MinuteKeeper
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.spool.hand_overs import GIVEN, HandOver, SourceLines, note, noted, take_over
from timeseries.stores.delta.store import DeltaStore

EVER = {"start": -(10**30), "stop": 10**30, "account": "main"}
SESSIONS = [session("2025-10-09")]
GIVER, TAKER = "desk", "other.0"


def handed(first: Path, second: Path, recording: PartitionRecorder) -> HandOver:
    """Hand the partition over from one data folder to another."""
    hand_over = HandOver.unpack(recording.hand_over(TAKER, at_ns=NOW).pack())
    recording.close()
    take_over(Spool(second / "spool"), hand_over)
    return hand_over


def both(first: Path, second: Path) -> list[tuple[str, int, float]]:
    """Return the points of both data folders by symbol and exchange time, in order of arrival."""
    rows = [*stored(first), *stored(second, source=TAKER)]
    return [(row["symbol"], row["exchange_time"], row["close"]) for row in sorted(rows, key=by_instant)]


def by_instant(row: dict[str, Any]) -> tuple[str, int]:
    return row["symbol"], row["exchange_time"]


# -- exactly once ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(10))
def test_a_partition_that_is_handed_over_wherever_it_was_killed_is_recorded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The giver is killed, then the taker, each before a mark, between it and its records, or behind them."""
    first, second = tmp_path / "first", tmp_path / "second"
    chance, messages, kill = random.Random(seed), topic(60, seed), KillPoint(monkeypatch)

    def record(root: Path, source: str, *, kills: int, until: int) -> PartitionRecorder:
        """Record until the messages before an offset are there, through so many kills; the last one ends it."""
        while True:
            kill.left = chance.randrange(1, 9) if kills else 0
            recording = partition(root, source=source)
            try:
                at = recording.resume() or 0
                while at < until:
                    portion = messages[at : min(until, at + chance.randrange(1, 9))]
                    recording.take(portion)
                    at = portion[-1].offset + 1
                return recording
            except Killed:
                kills, kill.left = kills - 1, 0
                recording.recorder.close()
                if not kills and until < len(messages):
                    return partition(root, source=source)

    recording = record(first, GIVER, kills=4, until=50)
    kill.left = 0
    hand_over = handed(first, second, recording)
    assert hand_over.offset <= 50
    with pytest.raises(HandedOver, match=f"handed over to {TAKER}"):
        partition(first).resume()
    record(second, TAKER, kills=4, until=len(messages)).close()
    monkeypatch.undo()
    played(messages, tmp_path / "direct")
    direct = sorted(stored(tmp_path / "direct"), key=by_instant)
    assert both(first, second) == [(row["symbol"], row["exchange_time"], row["close"]) for row in direct]


def test_a_hand_over_that_is_asked_for_again_is_the_same_and_to_another_is_refused(tmp_path: Path) -> None:
    recording = partition(tmp_path)
    with pytest.raises(InvalidValue, match="Nothing of"):
        recording.hand_over(TAKER, at_ns=NOW)
    recording.take([json_of(7, tick(0))])
    with pytest.raises(InvalidValue, match="Nothing of"):
        recording.hand_over(GIVER, at_ns=NOW)
    hand_over = recording.hand_over(TAKER, at_ns=NOW)
    assert (hand_over.offset, hand_over.passed, hand_over.source) == (7, 1, GIVER)
    recording.close()
    again = partition(tmp_path)
    assert again.hand_over(TAKER, at_ns=NOW + 5) == hand_over
    with pytest.raises(HandedOver):
        again.hand_over("third.0", at_ns=NOW)
    again.close()


def test_a_hand_over_is_noted_behind_what_it_promises_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = partition(tmp_path)
    recording.take([json_of(0, tick(0), tick(1))])
    monkeypatch.setattr("timeseries.bus.partition.note", lambda *_: pytest.fail("noted before the sync"))

    def refuse(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(lane(tmp_path)), "sync", refuse)
    with pytest.raises(Exception, match="The disk refused the spool"):
        recording.hand_over(TAKER, at_ns=NOW)
    assert noted(tmp_path / "spool" / GIVER, GIVEN) is None


def test_a_taker_is_a_source_that_nobody_used_and_takes_over_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    hand_over = HandOver(NAME, 9, 0, (), NOW, GIVER, TAKER)
    used = recorder(tmp_path, source=TAKER)
    used.tick("A", {"ltp": 1})
    used.close()
    with pytest.raises(InvalidValue, match="points of its own"):
        take_over(spool, hand_over)
    fresh = HandOver(NAME, 9, 0, (), NOW, GIVER, "fresh.0")
    take_over(spool, fresh)
    recording = partition(tmp_path, source="fresh.0")
    assert recording.resume() == 9
    recording.take([json_of(9, tick(3))])
    recording.close()
    take_over(spool, fresh)  # the same again, though it has points by now
    assert partition(tmp_path, source="fresh.0").resume() == 10
    with pytest.raises(InvalidValue, match="points of its own"):
        take_over(spool, HandOver(NAME, 4, 0, (), NOW, GIVER, "fresh.0"))


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[1]", b"null", HandOver(NAME, -1, 0, (), NOW, GIVER, TAKER).pack(),
             HandOver(NAME, 1, 0, (), NOW, "", TAKER).pack()],
    ids=["empty", "no_keys", "a_list", "null", "before_the_beginning", "of_nobody"],
)  # fmt: skip
def test_what_is_no_hand_over_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidValue, match="no hand-over"):
        HandOver.unpack(text)


# -- read as one -------------------------------------------------------------------------------------------------------
def messages_of_a_day() -> list[BusMessage]:
    """Return ticks of an hour, three in each second; the hand-over lies within a second."""
    rows = [tick(number) | {"day_volume": float(number)} for number in range(3 * 3600)]
    return [json_of(at, *rows[5 * at : 5 * at + 5]) for at in range(len(rows) // 5)]


@pytest.fixture
def shared(tmp_path: Path) -> Desk:
    """Return the taker's desk, whose store has what the giver shipped; a direct recording lies beside."""
    messages, first, second = messages_of_a_day(), tmp_path / "first", tmp_path / "second"
    recording = partition(first)
    recording.take(messages[:1001])  # of the second that ends here, two thirds
    handed(first, second, recording)
    store, clock = Keeping(tmp_path / "delta"), Clock()
    assert Pump(Spool(first / "spool"), store, clock=clock).drain(20)
    recording = partition(second, source=TAKER)
    assert recording.resume() == 0
    recording.take(messages)
    recording.close()
    played(messages, tmp_path / "direct")
    spool = Spool(second / "spool")
    return Desk(second, spool, store, Reader(spool, store, zone=INDIA), Pump(spool, store, clock=clock), clock)


def direct_reader(desk: Desk) -> Reader:
    folder = desk.folder.parent
    return Reader(Spool(folder / "direct" / "spool"), DeltaStore(folder / "nothing", zone=INDIA), zone=INDIA)


def candles_of(reader: Reader, every: int) -> list[pa.Table]:
    """Return the same candles as they are asked for one symbol, and for a list."""
    bounds = {"every": every, **EVER}
    by_symbol = reader.candles_by_symbol({"TCS": SESSIONS, "INFY": SESSIONS}, **bounds)
    return [reader.candles("TCS", **bounds, sessions=SESSIONS), by_symbol.drop_columns(["symbol"])]


def test_a_day_of_two_sources_reads_as_the_day_of_one_and_names_both(shared: Desk) -> None:
    expected = direct_reader(shared).ticks("TCS", **EVER)
    for is_shipped in (False, True):
        if is_shipped:
            assert shared.pump.drain(50)
        ticks = shared.reader.ticks("TCS", **EVER)
        assert ticks.drop_columns(["source", "received_time"]) == expected.drop_columns(["source", "received_time"])
        assert pc.unique(ticks["source"]).to_pylist() == [GIVER, TAKER]
        assert len(shared.reader.ticks("TCS", **EVER, source=TAKER)) == len(expected) - 5005
        within = {"start": OPEN_NS + 1600 * 10**9, "stop": OPEN_NS + 1700 * 10**9, "account": "main"}
        assert len(shared.reader.ticks("TCS", **within)) == 300


@pytest.mark.parametrize("every", [MINUTE, 15 * MINUTE, DAY], ids=["minutes", "quarters", "day"])
def test_candles_of_two_sources_are_those_of_one_waiting_shipped_and_kept(shared: Desk, every: int) -> None:
    expected = candles_of(direct_reader(shared), every)
    assert candles_of(shared.reader, every) == expected
    assert shared.pump.drain(50)
    assert candles_of(shared.reader, every) == expected
    assert shared.store.keep_closed_days(now=OPEN_NS + 40 * DAY)
    assert candles_of(shared.reader, every) == expected


def test_candles_of_minutes_whose_ticks_are_gone_are_those_of_both(shared: Desk) -> None:
    expected = candles_of(direct_reader(shared), MINUTE)[0]
    assert shared.pump.drain(50)
    assert MinuteKeeper(Spool(shared.folder.parent / "first" / "spool"), shared.store, clock=shared.clock).run_once()
    assert keep(shared) > 0
    assert isinstance(shared.store, Keeping)
    shared.store.oldest = OPEN_NS + DAY
    assert shared.reader.candles("TCS", every=MINUTE, **EVER, sessions=SESSIONS).equals(expected)


def test_without_the_hand_over_the_day_is_that_of_the_first_source(shared: Desk) -> None:
    (shared.spool.folder(TAKER) / "taken").unlink()
    assert pc.unique(shared.reader.ticks("TCS", **EVER)["source"]).to_pylist() == [GIVER]


def test_sources_that_follow_each_other_are_one_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for source, taker in (("a.0", "b.0"), ("b.0", "c.0"), ("x.1", "y.1")):
        take_over(spool, HandOver(NAME, 1, 0, (), NOW, source, taker))
    note(spool.folder("c.0"), GIVEN, HandOver(NAME, 1, 0, (), NOW, "c.0", "d.0"))
    lines = SourceLines.of_spool(spool)
    assert {lines.of(name) for name in ("a.0", "b.0", "c.0", "d.0")} == {("a.0", "b.0", "c.0", "d.0")}
    assert (lines.of("y.1"), lines.of("z.1")) == (("x.1", "y.1"), ("z.1",))
