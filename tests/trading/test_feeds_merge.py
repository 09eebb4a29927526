"""Several files as one feed: their order, which points they become."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeseries.errors import InvalidValue
from timeseries.recording.recorder import Recorder
from timeseries.spool.folder import Spool
from trading.feeds.merge import merged
from trading.feeds.points import OtherInput, known_among, points_of, wanting
from trading.feeds.ticks import NUMBERS, FeedFile, Ticks, concatenated, empty

KOLKATA = ZoneInfo("Asia/Kolkata")
SECOND = 10**9
START = int(datetime(2021, 4, 12, 3, 45, tzinfo=UTC).timestamp()) * SECOND


def ticks(symbol: str, rows: list[tuple], *, volumes: str = "volume") -> Ticks:
    """Ticks at seconds after 09:15: rows of (second, price) or (second, price, volume)."""
    size = len(rows)
    columns = {name: np.full(size, np.nan) for name in NUMBERS}
    columns["close"] = np.array([row[1] for row in rows], dtype=np.float64)
    if rows and len(rows[0]) > 2:
        columns[volumes] = np.array([np.nan if row[2] is None else row[2] for row in rows], dtype=np.float64)
    time = np.array([START + int(row[0] * SECOND) for row in rows], dtype=np.int64)
    return Ticks((symbol,), np.zeros(size, dtype=np.int64), time, **columns)


def file(name: str, part: Ticks) -> FeedFile:
    return FeedFile(Path(name), len(part), part, (), np.zeros(len(part), dtype=bool))


def listed(feed: Ticks) -> list[tuple[str, float, float]]:
    seconds = ((feed.time - START) / SECOND).tolist()
    return [
        (feed.symbols[place], second, price)
        for place, second, price in zip(feed.symbol, seconds, feed.close.tolist(), strict=True)
    ]


# -- merging -----------------------------------------------------------------------------------------------------------


def test_files_are_merged_by_time_and_a_step_back_stays_behind_its_predecessor():
    one = file("a.csv", ticks("A", [(1, 10), (5, 11), (3, 12), (7, 13)]))
    two = file("b.csv", ticks("B", [(2, 20), (4, 21), (6, 22)]))
    expected = [("A", 1, 10), ("B", 2, 20), ("B", 4, 21), ("A", 5, 11), ("A", 3, 12), ("B", 6, 22), ("A", 7, 13)]
    assert listed(merged([one, two])) == expected


def test_neither_names_nor_the_order_of_the_call_change_the_feed():
    parts = [ticks("A", [(1, 1), (2, 2), (2, 3)]), ticks("B", [(1, 4), (2, 5), (2, 6)]), ticks("C", [(2, 7), (9, 8)])]
    feeds = [
        listed(merged([file(f"{name}{place}", parts[place]) for place in order]))
        for order in itertools.permutations(range(3))
        for name in ("x", "y")
    ]
    assert all(feed == feeds[0] for feed in feeds)


@given(st.lists(st.lists(st.integers(0, 50), max_size=20), min_size=1, max_size=4))
@settings(deadline=None)
def test_every_row_is_in_the_feed_once_and_each_file_keeps_its_order(files):
    parts = [
        ticks(f"S{place}", [(second, row) for row, second in enumerate(seconds, 1)])
        for place, seconds in enumerate(files)
    ]
    feed = listed(merged([file(str(place), part) for place, part in enumerate(parts)]))
    for place, part in enumerate(parts):
        assert [row for row in feed if row[0] == f"S{place}"] == listed(part)
    assert len(feed) == sum(map(len, files))


def test_one_symbol_over_the_same_time_in_two_files_is_refused():
    early, late = ticks("A", [(1, 1), (5, 2)]), ticks("A", [(4, 3), (9, 4)])
    with pytest.raises(InvalidValue, match=r"x.csv and y.csv both hold A .* another --source"):
        merged([file("x.csv", early), file("y.csv", late)])
    with pytest.raises(InvalidValue, match="both hold A"):
        merged([file("x.csv", early), file("x.csv", early)])


def test_a_file_that_was_cut_in_two_within_a_second_is_one_again_in_any_order():
    whole = [(1, 1), (5, 2), (5, 3), (9, 4)]
    halves = [file("x", ticks("A", whole[:2])), file("y", ticks("A", whole[2:]))]
    assert listed(merged(halves)) == listed(merged(halves[::-1])) == listed(ticks("A", whole))


# -- points ------------------------------------------------------------------------------------------------------------


def recorded(root: Path, feed: Ticks) -> dict[str, list[int]]:
    """The keys that a recorder gives the ticks, by symbol in order of arrival."""
    recorder = Recorder(root, source="replay", account="replay", zone=KOLKATA, ordinals="restart")
    for rows in feed.batches():
        assert recorder.ticks(rows).rejected == ()
    recorder.close()
    points = Spool(root).lane("replay", "ticks").pending(after=0, limit=10_000).batch
    names = [points.series_table[place]["symbol"] for place in points.series.tolist()]
    return {
        name: [time for known, time in zip(names, points.time.tolist(), strict=True) if known == name]
        for name in feed.symbols
    }


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 4), st.booleans()), min_size=1, max_size=25),
    st.sampled_from([1, SECOND]),
)
@settings(deadline=None, max_examples=40)
def test_points_are_those_that_a_recorder_makes(tmp_path_factory, rows, unit):
    parts = [
        ticks(symbol, [(offset * unit / SECOND, 5, 3 if has_volume else None)]) for symbol, offset, has_volume in rows
    ]
    feed = concatenated(parts)
    keys = points_of(feed).time
    expected = {name: keys[feed.symbol == place].tolist() for place, name in enumerate(feed.symbols)}
    assert recorded(tmp_path_factory.mktemp("spool"), feed) == expected


def stored(feed: Ticks, keys: np.ndarray) -> pa.Table:
    """The ticks as a reading of the store gives them, ascending."""
    order = np.argsort(keys)
    instant = pa.timestamp("ns", "UTC")
    columns = {"time": pa.array(keys[order]).cast(instant), "exchange_time": pa.array(feed.time[order]).cast(instant)}
    for name in NUMBERS:
        columns[name] = pa.array(getattr(feed, name)[order], from_pandas=True)
    absent = pa.nulls(len(feed), pa.float64())
    return pa.table(columns | dict.fromkeys(("bid", "ask", "last_quantity", "oi"), absent))


def test_what_is_stored_is_known_and_only_whole_instants_are_left_out():
    feed = ticks("A", [(1, 1), (2, 2), (2, 3), (3, 4)])
    points = points_of(feed)
    table = stored(feed, points.time)
    assert known_among("A", feed, points.time, table, source="s").all()
    assert known_among("A", feed, points.time, table.slice(0, 2), source="s").tolist() == [True, True, False, False]
    assert wanting(points, np.array([True, True, False, False])).tolist() == [False, True, True, True]
    assert not wanting(points, np.ones(4, dtype=bool)).any()


@pytest.mark.parametrize(
    "other",
    [
        [(1, 1), (2, 2.5)],  # another price
        [(1, 1), (2, 2), (2, 2)],  # one more of the same instant
        [(1, 1), (1.5, 7), (2, 2)],  # one more between
        [(1, 1, 5), (2, 2, 6)],  # with a volume
    ],
)
def test_other_ticks_over_the_same_time_are_refused(other):
    feed, there = ticks("A", [(1, 1), (2, 2)]), ticks("A", other)
    with pytest.raises(OtherInput, match="another --source"):
        known_among("A", feed, points_of(feed).time, stored(there, points_of(there).time), source="s")


def test_what_a_live_recorder_kept_beside_the_price_makes_it_another_tick():
    feed = ticks("A", [(1, 1)])
    keys = points_of(feed).time
    table = stored(feed, keys)
    table = table.set_column(table.column_names.index("bid"), "bid", pa.array([0.95]))
    with pytest.raises(OtherInput):
        known_among("A", feed, keys, table, source="s")


def test_no_ticks_make_no_points():
    points = points_of(empty())
    assert len(points.time) == 0
    assert len(wanting(points, np.array([], dtype=bool))) == 0
    assert list(empty().batches()) == []
