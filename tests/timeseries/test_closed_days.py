"""Candles of closed days in the embedded store: whatever happens to their ticks, they equal those from the ticks."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import EXAMPLES
from tests.timeseries.batches import DAY, INDIA, MINUTE, SECOND, Point, at, batch, prices, session
from tests.timeseries.desks import Desk, desk_in
from timeseries.errors import StoreDamaged
from timeseries.measurements import TICKS
from timeseries.reader import Reader
from timeseries.spool.folder import Spool
from timeseries.stores import candles
from timeseries.stores.base import ClosedDays, PointQuery, Session
from timeseries.stores.delta import candle_file, closed_days
from timeseries.stores.delta.candle_file import ROW, open_candles
from timeseries.stores.delta.closed_days import CandleKeeper
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.delta.table import MeasurementTable

OPEN = at("2021-04-12 09:15")
LATER = OPEN + 400 * DAY
MONDAY, TUESDAY, WEDNESDAY = (session(f"2021-04-{day}") for day in (12, 13, 14))
DAYS = [MONDAY, TUESDAY, WEDNESDAY]
# An evening's session over midnight, a day that nobody trades (its volume goes on), an odd second.
EVENING = at("2021-04-12 18:00")
ODD = [
    Session(MONDAY.start, MONDAY.stop, MONDAY.start, (EVENING - DAY, EVENING)),
    Session(TUESDAY.start, TUESDAY.stop, TUESDAY.start, (EVENING, EVENING + DAY)),
]
NO_TRADING = [MONDAY, Session(TUESDAY.start, TUESDAY.stop, TUESDAY.start, (MONDAY.start,)), WEDNESDAY]
EVERIES = (MINUTE, 5 * MINUTE, 7 * MINUTE, 60 * MINUTE, candles.DAY)


def from_ticks(store: DeltaStore, symbol: str, sessions: list[Session], **more: int | str | None) -> pa.Table:
    """Read candles as if the store kept none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "closed_days", lambda *_, **__: None)
        return candles_of(store, symbol, sessions, **more)


def candles_of(
    store: DeltaStore, symbol: str, sessions: list[Session], *, every: int = MINUTE, source: str | None = None
) -> pa.Table:
    reader = Reader(Spool(store.root.parent / "spool"), store, zone=INDIA)
    span = {"start": sessions[0].start, "stop": sessions[-1].stop}
    return reader.candles(symbol, every=every, **span, source=source, account="main", sessions=sessions)


def agree(store: DeltaStore, sessions: list[Session] = DAYS, *, every: int = MINUTE, source: str | None = None) -> int:
    """Compare the candles from what is kept with those from ticks, to the last digit; return how many there are."""
    asked = {"every": every, "source": source}
    expected = {symbol: from_ticks(store, symbol, sessions, **asked) for symbol in "AB"}
    assert candles_of(store, "A", sessions, **asked).equals(expected["A"])
    reader = Reader(Spool(store.root.parent / "spool"), store, zone=INDIA)
    span = {"start": sessions[0].start, "stop": sessions[-1].stop, "account": "main"}
    together = reader.candles_by_symbol(dict.fromkeys("BA", sessions), **asked, **span)
    each = [table.add_column(0, "symbol", pa.array([s] * len(table), pa.string())) for s, table in expected.items()]
    assert together.equals(pa.concat_tables(each))
    return len(together)


def points(draw: st.DrawFn) -> list[Point]:
    """Draw ticks about the midnights and the opens, out of order, with gaps, bars and odd volumes."""
    edges = st.sampled_from([MONDAY.stop, TUESDAY.stop, OPEN, OPEN + DAY, EVENING, OPEN + 2 * DAY])
    shifts = st.one_of(st.integers(-3, 3), st.integers(-200, 200).map(lambda n: n * SECOND), st.just(-MINUTE))
    number = st.one_of(st.none(), st.floats(0.1, 9.9), st.integers(0, 99).map(float))
    drawn = []
    for _ in range(draw(st.integers(1, 60))):
        instant = draw(edges) + draw(shifts)
        price = draw(st.floats(-5, 99))
        fields = {"kind": "price", "close": price, "volume": draw(number), "day_volume": draw(number)}
        if draw(st.booleans()):
            fields |= {"kind": "bar", "open": price, "high": price + draw(st.floats(0, 9)), "low": price - 1}
        drawn.append(({"symbol": draw(st.sampled_from("AB"))}, instant, fields))
    return drawn


@st.composite
def batches_of(draw: st.DrawFn) -> list[tuple[str, list[Point]]]:
    return [(draw(st.sampled_from(["one", "two"])), points(draw)) for _ in range(draw(st.integers(1, 3)))]


@settings(max_examples=EXAMPLES // 5)
@given(
    batches_of(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([DAYS, ODD, NO_TRADING, DAYS[1:]]),
    st.sampled_from(EVERIES),
    st.sampled_from([None, None, "one"]),
)
def test_they_equal_those_from_ticks_to_the_last_digit(
    written: list[tuple[str, list[Point]]],
    is_compacted: bool,
    is_late: bool,
    sessions: list[Session],
    every: int,
    source: str | None,
) -> None:
    with TemporaryDirectory() as folder:
        store = DeltaStore(Path(folder) / "delta", zone=INDIA)
        first = 1
        for number, (source, ticks) in enumerate(written):
            if is_late and number == len(written) - 1:
                store.keep_closed_days(now=LATER)
            store.write(ordinals(batch(ticks, source=source, first=first)))
            first += len(ticks)
        if is_compacted:
            store.care(now=LATER)
        if not is_late:
            store.keep_closed_days(now=LATER)
        agree(store, sessions, every=every, source=source)
        assert not store.check_closed_days()


def ordinals(ticks):
    """Give points of one series and instant the n of their time, as a recorder does."""
    seen: dict[tuple[int, int], int] = {}
    time = ticks.time.copy()
    for place, (series, instant) in enumerate(zip(ticks.series.tolist(), time.tolist(), strict=True)):
        while (series, int(time[place])) in seen:
            time[place] += 1
        seen[series, int(time[place])] = instant
    return type(ticks)(**{n: getattr(ticks, n) for n in ticks.__slots__} | {"time": time})


def session_ticks(store: DeltaStore, *, first: int = 1, source: str = "one", day: int = 0, price: float = 10.0) -> None:
    """Write a tick every 20 seconds of two hours of a day, of two symbols."""
    times = [OPEN + day * DAY + n * 20 * SECOND for n in range(360)]
    for number, symbol in enumerate("AB"):
        volumes = [0.1 * n for n in range(len(times))]
        closes = [price + n % 7 / 10 for n in range(len(times))]
        store.write(batch(prices(symbol, times, closes, volume=volumes), source=source, first=first + number * 360))


@pytest.fixture
def store(tmp_path: Path) -> DeltaStore:
    store = DeltaStore(tmp_path / "delta", zone=INDIA)
    session_ticks(store)
    session_ticks(store, first=1001, day=1)
    assert store.keep_closed_days(now=LATER) == 2
    return store


def reads_ticks(store: DeltaStore, **more: int) -> bool:
    """Tell whether a reading of Monday's and Tuesday's candles opens a file of ticks."""
    with pytest.MonkeyPatch.context() as patch:
        asked = []
        ask = store.engine.ask
        patch.setattr(store.engine, "ask", lambda *words, **tables: asked.append(words) or ask(*words, **tables))
        assert len(candles_of(store, "A", DAYS[:2], **more)) > 1
    return bool(asked)


def late(store: DeltaStore) -> None:
    points = prices("A", [OPEN + 30 * SECOND], [5000.0], volume=[7.0])
    store.write(batch(points, source="one", first=9001))


def test_days_that_are_over_are_read_without_their_ticks_and_the_running_one_with_them(store: DeltaStore) -> None:
    assert not reads_ticks(store)
    assert not reads_ticks(store, every=candles.DAY)
    session_ticks(store, first=2001, day=2)
    assert store.keep_closed_days(now=OPEN + 2 * DAY + 3600 * SECOND) == 0, "Wednesday is not over"
    assert agree(store) > 300
    assert agree(store, every=candles.DAY) == 6
    assert not reads_ticks(store)


def test_merging_files_leaves_what_is_kept(store: DeltaStore) -> None:
    store.care(now=LATER)
    assert len(store.tables["ticks"].snapshot().files) == 3
    assert not reads_ticks(store)
    assert store.keep_closed_days(now=LATER) == 0


def test_late_ticks_stand_in_the_next_reading_and_the_day_is_counted_again(store: DeltaStore) -> None:
    late(store)
    assert candles_of(store, "A", DAYS).column("high")[0].as_py() == 5000
    assert candles_of(store, "A", DAYS, every=candles.DAY).column("high")[0].as_py() == 5000
    assert store.keep_closed_days(now=LATER) == 0, "a day that is being written to is left for the next look"
    assert store.keep_closed_days(now=LATER) == 1
    assert not reads_ticks(store)
    assert candles_of(store, "A", DAYS).column("high")[0].as_py() == 5000
    agree(store)


def test_keeping_a_day_whatever_was_written_since_would_show(
    store: DeltaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant the bug: a kept day counts whatever its ticks' state is."""
    late(store)
    state = store.tables["ticks"].snapshot().day_states
    assert candles_of(store, "A", DAYS).equals(from_ticks(store, "A", DAYS))
    old = dict(state) | {date(2021, 4, 12): next(iter(open_days(store)))}
    monkeypatch.setattr(CandleKeeper, "_states", lambda self: old)
    assert not candles_of(store, "A", DAYS).equals(from_ticks(store, "A", DAYS))
    assert [fault.day for fault in store.check_closed_days()] == [date(2021, 4, 12)], "and the audit says so"


def open_days(store: DeltaStore) -> list[str]:
    file = open_candles(store.candles.folder / "minutes" / "2021-04-12.candles")
    assert file is not None
    return list(file.counted.values())


def test_points_that_wait_in_the_spool_count(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    desk.record("A", [OPEN, OPEN + 60 * SECOND], [1, 2])
    assert desk.pump.drain(20)
    assert desk.store.keep_closed_days(now=LATER) == 1
    desk.record("A", [OPEN - 5 * SECOND], [9], source="sooner")
    assert candles_of(desk.store, "A", DAYS).column("close").to_pylist() == [9]
    assert desk.pump.drain(20)
    assert candles_of(desk.store, "A", DAYS).column("close").to_pylist() == [9]


def test_no_kept_candle_lacks_a_tick_that_another_lane_committed_from_the_same_snapshot(
    store: DeltaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower of two writers, of another source, has its rows ready when the other one's are counted."""
    slower = DeltaStore(store.root, zone=INDIA)
    commit = MeasurementTable.commit

    def after_the_other(table: MeasurementTable, *words: object, **more: object) -> None:
        monkeypatch.setattr(MeasurementTable, "commit", commit)
        late(store)
        assert [store.keep_closed_days(now=LATER) for _ in range(2)] == [0, 1]
        commit(table, *words, **more)

    monkeypatch.setattr(MeasurementTable, "commit", after_the_other)
    slower.write(batch(prices("A", [OPEN + 31 * SECOND], [9000.0]), source="two", first=1))
    assert candles_of(store, "A", DAYS, source="two").column("high").to_pylist() == [9000]
    agree(store)
    agree(store, source="two")


def test_kept_candles_stand_when_ticks_gain_a_column(tmp_path: Path) -> None:
    older = replace(TICKS, fields=TICKS.fields[:-1])
    store = DeltaStore(tmp_path / "delta", zone=INDIA)
    store.writers["ticks"] = MeasurementTable(tmp_path / "delta" / "ticks", older)
    store.write(replace(batch(prices("A", [OPEN, OPEN + SECOND], [1.0, 2.0])), measurement=older))
    assert store.keep_closed_days(now=LATER) == 1
    newer = DeltaStore(tmp_path / "delta", zone=INDIA)
    newer.write(batch(prices("A", [OPEN + DAY], [3.0], oi=[6.0]), first=3))
    assert newer.keep_closed_days(now=LATER) == 1, "only the day that is new"
    assert agree(newer) == 2
    assert not reads_ticks(newer)
    assert not newer.check_closed_days()


def test_candles_that_lack_a_column_are_read_from_ticks_until_they_are_counted_again(
    store: DeltaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a build to come whose minutes have a column more; what it kept is none to this build either."""
    expected, days, joined = (
        candles_of(store, "A", DAYS),
        len(store.tables["ticks"].snapshot().day_states),
        candles.joined,
    )
    with monkeypatch.context() as newer:
        wider = np.dtype([*ROW.descr, ("turnover", "<f8")])
        newer.setattr(candle_file, "ROW", wider)
        newer.setattr(closed_days, "ROW", wider)
        newer.setattr(candles, "joined", lambda rows, first: joined(rows, first) | {"turnover": np.zeros(len(first))})
        candle_file._opened.cache_clear()  # another process's
        assert reads_ticks(store)
        assert candles_of(store, "A", DAYS).equals(expected)
        assert store.keep_closed_days(now=LATER) == days
        assert not reads_ticks(store)
        assert candles_of(store, "A", DAYS).equals(expected)
    candle_file._opened.cache_clear()
    assert candles_of(store, "A", DAYS).equals(expected)
    assert store.keep_closed_days(now=LATER) == days
    agree(store, every=candles.DAY)


def test_the_companion_keeps_days_beside_its_shipping(tmp_path: Path) -> None:
    desk: Desk = desk_in(tmp_path)
    with closing(desk.recorder()) as recorder:
        assert recorder.tick("A", {"ltp": 5, "timestamp": OPEN})
    assert desk.pump.drain(20)
    desk.pump.run_once()
    assert desk.pump.keeping is not None
    desk.pump.keeping.join()
    assert not reads_one(desk.store)


def reads_one(store: DeltaStore) -> tuple[date, ...]:
    query = PointQuery(TICKS, MONDAY.start, MONDAY.stop, {"account": "main"}, candles.FIELDS, ("A",))
    days: ClosedDays = store.closed_days(query, by_day=False)
    assert days.uncounted or len(days.candles)
    return days.uncounted


def test_candles_of_an_account_go_with_its_ticks(store: DeltaStore) -> None:
    store.write(batch(prices("A", [OPEN], [1.0], account="replay"), source="two", first=1))
    store.keep_closed_days(now=LATER)
    store.keep_closed_days(now=LATER)
    store.delete_account("main")
    kept = b"".join(path.read_bytes() for path in store.candles.folder.glob("*/*.candles"))
    assert b'"main"' not in kept
    assert len(candles_of(store, "A", DAYS)) == 0
    store.keep_closed_days(now=LATER)
    store.keep_closed_days(now=LATER)
    assert len(candles_of(store, "A", DAYS)) == 0


@pytest.mark.parametrize("kept", ["minutes/2021-04-12", "days/2021-04"])
def test_kept_candles_that_are_damaged_are_never_answered(store: DeltaStore, kept: str) -> None:
    every = candles.DAY if kept.startswith("days") else MINUTE
    expected = from_ticks(store, "A", DAYS, every=every)
    path = store.candles.folder / f"{kept}.candles"
    content = bytearray(path.read_bytes())
    for place in (-20, 30):
        content[place] ^= 0x10
        path.write_bytes(content)
        assert candles_of(store, "A", DAYS, every=every).equals(expected)
        assert candles_of(store, "B", DAYS, every=every).equals(from_ticks(store, "B", DAYS, every=every))
    store.keep_closed_days(now=LATER)
    assert not reads_ticks(store, every=every)


def test_a_dropped_file_of_ticks_takes_its_candles_along(store: DeltaStore) -> None:
    file = next(store.tables["ticks"].folder.glob("day=2021-04-12/*.parquet"))
    file.write_bytes(b"")
    assert len(candles_of(store, "A", DAYS)) > 100, "what was counted of the ticks stands while they are damaged"
    damages = store.damages(seconds=60)
    assert store.keep_closed_days(now=LATER) == 0
    for damage in damages:
        store.drop(damage, lost=damage.rows)
    agree(store)


def test_a_day_with_a_damaged_file_is_not_counted(store: DeltaStore) -> None:
    late(store)
    for file in store.tables["ticks"].folder.glob("day=2021-04-12/*.parquet"):
        file.write_bytes(b"")
    store.keep_closed_days(now=LATER)
    assert store.keep_closed_days(now=LATER) == 0
    with pytest.raises(StoreDamaged):
        candles_of(store, "A", DAYS)


def test_all_are_counted_again_at_a_word(store: DeltaStore) -> None:
    before = sorted(path.read_bytes() for path in store.candles.folder.glob("*/*.candles"))
    assert len(before) == 3
    assert store.recount_closed_days(now=LATER) == 2
    assert sorted(path.read_bytes() for path in store.candles.folder.glob("*/*.candles")) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.timeseries.batches import INDIA
from timeseries.spool import durable
from timeseries.stores.delta.store import DeltaStore

steps, sync = [0], durable.sync
def counted(descriptor):
    steps[0] += 1
    if steps[0] == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)
durable.sync = counted
DeltaStore(Path(sys.argv[1]), zone=INDIA).recount_closed_days(now=int(sys.argv[3]))
"""


def test_a_kill_between_ticks_and_candles_makes_no_wrong_candle(store: DeltaStore) -> None:
    late(store)
    command = [sys.executable, "-c", KILLED, str(store.root), "3", str(LATER)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    agree(store)
    store.keep_closed_days(now=LATER)
    store.keep_closed_days(now=LATER)
    assert not reads_ticks(store)
    assert not store.check_closed_days()
