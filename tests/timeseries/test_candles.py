"""Candles, worked by hand: a trader's morning, then what holds for any ticks."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timeseries.batches import DAY, INDIA, MINUTE, SECOND, Point, at, batch, prices, session
from timeseries.measurements import MINUTES
from timeseries.stores.base import Session
from timeseries.stores.candles import SCHEMA, candles_of, days_within, minutes_of, ticks_of, with_each_bar_once
from timeseries.stores.tables import in_series_order, table_of

MONDAY = session("2021-04-12")
HOUR = 60 * MINUTE


def made(
    points: list[Point], *, every: int = MINUTE, days: list | None = None, exchange_times=None, start=0, stop=2**62
) -> list[tuple]:
    ordered = table_of(in_series_order(batch(points, exchange_times=exchange_times)))
    table = candles_of(ordered, every=every, start=start, stop=stop, sessions=days or [MONDAY])
    assert table.schema == SCHEMA
    return [tuple(row.values()) for row in table.set_column(0, "time", table["time"].cast(pa.int64())).to_pylist()]


def bar(end: str, open_: float, high: float, low: float, close: float, volume: float | None = None) -> Point:
    return (
        {"symbol": "A"},
        at(end),
        {"kind": "bar", "open": open_, "high": high, "low": low, "close": close, "volume": volume},
    )


def test_a_candle_holds_its_start_and_not_its_end() -> None:
    times = [at("2021-04-12 09:15:00"), at("2021-04-12 09:15:59.999999"), at("2021-04-12 09:16:00")]
    assert made(prices("A", times, [10, 12, 11])) == [
        (at("2021-04-12 09:15"), 10, 12, 10, 12, None, 2),
        (at("2021-04-12 09:16"), 11, 11, 11, 11, None, 1),
    ]


def test_empty_candles_are_absent() -> None:
    times = [at("2021-04-12 09:15"), at("2021-04-12 09:20")]
    assert [row[0] for row in made(prices("A", times, [1, 2]))] == times


def test_hours_start_at_a_quarter_past() -> None:
    times = [at("2021-04-12 09:15"), at("2021-04-12 10:14:59"), at("2021-04-12 10:15")]
    assert [row[0] for row in made(prices("A", times, [1, 2, 3]), every=HOUR)] == [times[0], times[2]]


def test_ticks_before_the_open_are_counted_backwards_from_it() -> None:
    times = [at("2021-04-12 09:07"), at("2021-04-12 09:14:59"), at("2021-04-12 09:15")]
    labels = [row[0] for row in made(prices("A", times, [1, 2, 3]), every=5 * MINUTE)]
    assert labels == [at("2021-04-12 09:05"), at("2021-04-12 09:10"), at("2021-04-12 09:15")]


def test_a_candle_that_midnight_cuts_is_labelled_by_midnight() -> None:
    sunday = session("2021-04-11")
    times = [at("2021-04-11 23:50"), at("2021-04-12 00:05")]
    labels = [row[0] for row in made(prices("A", times, [1, 2]), every=HOUR, days=[sunday, MONDAY])]
    assert labels == [at("2021-04-11 23:15"), at("2021-04-12 00:00")]


def test_a_day_is_one_candle_labelled_by_its_open() -> None:
    times = [at("2021-04-12 09:07"), at("2021-04-12 09:15"), at("2021-04-12 15:29:59")]
    assert made(prices("A", times, [5, 1, 3]), every=DAY) == [(at("2021-04-12 09:15"), 5, 5, 1, 3, None, 3)]


def test_several_days_each_have_their_own_open() -> None:
    evening = session("2021-04-13", "18:00")
    times = [at("2021-04-12 09:20"), at("2021-04-13 18:20")]
    labels = [row[0] for row in made(prices("A", times, [1, 2]), every=HOUR, days=[MONDAY, evening])]
    assert labels == [at("2021-04-12 09:15"), at("2021-04-13 18:00")]


def test_a_bar_belongs_to_the_candle_that_ends_where_it_is_stamped() -> None:
    bars = [bar("2021-04-12 09:16", 10, 15, 9, 11, 100), bar("2021-04-12 09:17", 11, 12, 8, 9, 50)]
    assert made(bars) == [
        (at("2021-04-12 09:15"), 10, 15, 9, 11, 100, 1),
        (at("2021-04-12 09:16"), 11, 12, 8, 9, 50, 1),
    ]
    assert made(bars, every=5 * MINUTE) == [(at("2021-04-12 09:15"), 10, 15, 8, 9, 150, 2)]


def test_a_bar_that_comes_half_made_and_then_whole_counts_once() -> None:
    end = at("2021-04-12 09:16")
    half, whole = bar("2021-04-12 09:16", 10, 15, 9, 11, 10), bar("2021-04-12 09:16", 10, 16, 9, 12, 100)
    for first, second in ((half, whole), (whole, half)):  # a file may have them in any order
        points = [first, (second[0], end + 1, second[2])]
        assert made(points, exchange_times=[end, end]) == [(at("2021-04-12 09:15"), 10, 16, 9, 12, 100, 1)]


def test_of_bars_without_volume_the_wider_counts_and_of_equal_ones_the_last() -> None:
    end = at("2021-04-12 09:16")
    bars = [bar("2021-04-12 09:16", 10, 12, 9, 11), bar("2021-04-12 09:16", 10, 12, 8, 9)]
    points = [(tags, end + place, fields) for place, (tags, _, fields) in enumerate([*bars, *bars[:1]])]
    assert made(points, exchange_times=[end] * 3) == [(at("2021-04-12 09:15"), 10, 12, 8, 9, None, 1)]
    equal = [({"symbol": "A"}, end + place, {**bars[0][2], "close": close}) for place, close in enumerate((11, 10))]
    assert made(equal, exchange_times=[end] * 2) == [(at("2021-04-12 09:15"), 10, 12, 9, 10, None, 1)]


def test_a_bar_stamped_at_midnight_closes_the_day_before() -> None:
    assert made([bar("2021-04-13 00:00", 1, 2, 1, 2)], every=DAY, days=[MONDAY, session("2021-04-13")]) == [
        (at("2021-04-12 09:15"), 1, 2, 1, 2, None, 1)
    ]


def test_a_ticks_exchange_time_decides_not_its_place_in_the_row_of_equal_ones() -> None:
    last = at("2021-04-12 09:16") - 1
    points = prices("A", [last, last + 1], [1, 2])
    assert made(points, exchange_times=[last, last]) == [(at("2021-04-12 09:15"), 1, 2, 1, 2, None, 2)]


def test_day_volume_is_the_highest_so_far_and_never_a_sum_of_steps() -> None:
    times = [at("2021-04-12 09:15:01") + n * 20 * SECOND for n in range(6)]
    points = prices("A", times, [1] * 6, day_volume=[100, 300, 200, 250, 400, 390])
    assert [(row[0], row[5]) for row in made(points)] == [(at("2021-04-12 09:15"), 300), (at("2021-04-12 09:16"), 100)]


def test_day_volume_starts_at_zero_each_day_and_the_candles_add_up_to_the_last() -> None:
    days = [MONDAY, session("2021-04-13")]
    times = [at(f"2021-04-{day} 09:{minute}") for day in (12, 13) for minute in (15, 16, 20)]
    points = prices("A", times, [1] * 6, day_volume=[1000, 1500, 1600, 10, 30, 60])
    assert [row[5] for row in made(points, days=days)] == [1000, 500, 100, 10, 20, 30]
    assert [row[5] for row in made(points, days=days, every=DAY)] == [1600, 60]


def test_part_of_a_day_has_the_same_candles_as_the_whole_of_it() -> None:
    times = [at(f"2021-04-12 09:{minute}") for minute in range(15, 45)]
    points = prices("A", times, range(30), day_volume=[n * n for n in range(30)])
    whole = made(points)
    part = made(points, start=at("2021-04-12 09:20:30"), stop=at("2021-04-12 09:25"))
    assert part == [row for row in whole if at("2021-04-12 09:21") <= row[0] < at("2021-04-12 09:25")]


def test_own_volumes_are_summed_and_a_feed_without_volume_has_none() -> None:
    times = [at("2021-04-12 09:15:01"), at("2021-04-12 09:15:02"), at("2021-04-12 09:16")]
    assert [row[5] for row in made(prices("A", times, [1, 2, 3], volume=[5, 7, None]))] == [12, 0]
    assert [row[5] for row in made(prices("A", times, [1, 2, 3]))] == [None, None]


def test_a_late_tick_joins_its_own_candle_in_order_of_time() -> None:
    times = [at("2021-04-12 09:15:10"), at("2021-04-12 09:16:10"), at("2021-04-12 09:15:50")]
    assert made(prices("A", times, [1, 2, 3])) == [
        (at("2021-04-12 09:15"), 1, 3, 1, 3, None, 2),
        (at("2021-04-12 09:16"), 2, 2, 2, 2, None, 1),
    ]


def test_no_ticks_and_no_days_make_no_candles() -> None:
    assert made([]) == []
    assert made(prices("A", [at("2021-04-14 09:15")], [1])) == []
    assert days_within([MONDAY], at("2021-04-13 00:00"), 2**62) == []
    assert days_within([MONDAY], at("2021-04-12 15:30"), at("2021-04-12 15:31")) == [MONDAY]


@pytest.mark.parametrize("every", [SECOND, MINUTE, 15 * MINUTE, HOUR, DAY])
@given(
    ticks=st.lists(
        st.tuples(st.integers(0, DAY // SECOND - 1), st.integers(1, 9999), st.integers(0, 10_000)),
        min_size=1, max_size=60, unique_by=lambda tick: tick[0],
    )
)  # fmt: skip
def test_candles_hold_every_tick_once_and_their_volumes_add_up_to_the_highest(every: int, ticks: list[tuple]) -> None:
    times = [MONDAY.start + second * SECOND for second, _, _ in ticks]
    rows = made(prices("A", times, [c for _, c, _ in ticks], day_volume=[v for _, _, v in ticks]), every=every)
    assert sum(row[6] for row in rows) == len(ticks)
    assert sum(row[5] for row in rows) == max(volume for _, _, volume in ticks)
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    for label, open_, high, low, close, _, count in rows:
        end = DAY + MONDAY.start if every == DAY else label + every
        inside = sorted(
            (t, c) for t, (_, c, _) in zip(times, ticks, strict=True) if (every == DAY or label <= t) and t < end
        )
        if label == MONDAY.start and every != DAY:
            inside = [
                tick for tick in inside if tick[0] < MONDAY.anchor - (MONDAY.anchor - MONDAY.start - 1) // every * every
            ]
        closes = [c for _, c in inside]
        assert (open_, high, low, close, count) == (closes[0], max(closes), min(closes), closes[-1], len(closes))


TICK = st.tuples(
    st.integers(0, 3 * DAY // SECOND - 1),
    st.sampled_from(["price", "bar"]),
    st.integers(1, 9999),
    st.one_of(st.none(), st.integers(0, 10_000)),
    st.one_of(st.none(), st.integers(0, 10_000)),
)


@pytest.mark.parametrize("every", [MINUTE, 15 * MINUTE, HOUR, DAY])
@given(ticks=st.lists(TICK, min_size=1, max_size=60, unique_by=lambda tick: tick[0]))
def test_candles_of_minutes_are_those_of_their_ticks(every: int, ticks: list[tuple]) -> None:
    """Price ticks and bars, with and without volumes, on whole minutes and between them."""
    days = [MONDAY, session("2021-04-13", "18:00"), session("2021-04-14", "09:00")]
    points = [
        (
            {"symbol": "A"},
            MONDAY.start + (second - second % 30) * SECOND + number,
            {"kind": kind, "close": c, "open": c + 1, "high": c + 2, "low": c - 2, "volume": v, "day_volume": d},
        )
        for number, (second, kind, c, v, d) in enumerate(sorted(ticks))
    ]
    exact = [time - number for number, (_, time, _) in enumerate(points)]
    table = table_of(in_series_order(batch(points, exchange_times=exact)))
    minutes = minutes_of(table)
    assert sum(minutes["ticks"]) == len(with_each_bar_once(table))
    assert not (minutes["time"] % MINUTE).any()
    bounds = {"every": every, "start": 0, "stop": 2**62, "sessions": days}
    kept = ticks_of(pa.table({field.name: minutes[field.name] for field in MINUTES.fields} | {"time": minutes["time"]}))
    assert candles_of(kept, **bounds).equals(candles_of(table, **bounds))


def test_bars_of_two_symbols_with_one_stamp_are_two() -> None:
    points = [({"symbol": name}, at("2021-04-12 09:16"), bar("2021-04-12 09:16", 1, 2, 1, 2, 5)[2]) for name in "AB"]
    assert minutes_of(table_of(in_series_order(batch(points))))["volume"].tolist() == [5, 5]


def test_minutes_are_counted_symbol_by_symbol() -> None:
    times = [at("2021-04-12 09:15:10"), at("2021-04-12 09:15:50"), at("2021-04-12 09:16:10")]
    table = table_of(in_series_order(batch([*prices("B", times, [1, 2, 3]), *prices("A", times[:2], [7, 8])])))
    made = minutes_of(table.sort_by("time"))
    keys = ("symbol", "time", "open", "close", "ticks", "first_time")
    assert sorted(zip(*(made[key].tolist() for key in keys), strict=True)) == [
        ("A", at("2021-04-12 09:15"), 7, 8, 2, times[0]),
        ("B", at("2021-04-12 09:15"), 1, 2, 2, times[0]),
        ("B", at("2021-04-12 09:16"), 3, 3, 1, times[2]),
    ]


def test_labels_are_utc_instants() -> None:
    table = candles_of(
        table_of(batch(prices("A", [MONDAY.anchor], [1]))), every=MINUTE, start=0, stop=2**62, sessions=[MONDAY]
    )
    assert table["time"].to_pylist()[0] == datetime(2021, 4, 12, 3, 45, tzinfo=UTC)


class TestADaysVolumeThatRunsOverMidnight:
    """A session from 18:00 to 17:00 of the next day: its volume so far starts anew at 18:00, never at midnight."""

    eve, day = "2021-04-12", "2021-04-13"
    session = Session(
        at(f"{day} 00:00"), at(f"{day} 00:00") + DAY, at(f"{day} 00:00"), (at(f"{eve} 18:00"), at(f"{day} 18:00"))
    )
    feed = (
        (f"{eve} 16:59", 901_000),  # the session before
        (f"{eve} 18:00", 120),
        (f"{eve} 23:59", 52_000),
        (f"{day} 00:00", 52_010),
        (f"{day} 00:01", 52_050),
        (f"{day} 16:59", 800_000),
        (f"{day} 18:00", 70),
        (f"{day} 18:01", 90),
    )

    def volumes(self, every: int, feed: tuple[tuple[str, int], ...] | None = None) -> dict[str, float]:
        points = [(at(time), volume) for time, volume in feed or self.feed]
        ticks = [
            ({"symbol": "A"}, time, {"close": 1.0, "kind": "tick", "day_volume": volume}) for time, volume in points
        ]
        rows = made(ticks, every=every, days=[self.session])
        return {f"{datetime.fromtimestamp(row[0] // 10**9, INDIA):%d %H:%M}": row[5] for row in rows}

    def test_a_candle_after_midnight_counts_from_what_was_reached_before(self) -> None:
        expected = {"13 00:00": 10, "13 00:01": 40, "13 16:59": 747_950, "13 18:00": 70, "13 18:01": 20}
        assert self.volumes(MINUTE) == expected

    def test_a_candle_that_holds_the_end_of_one_session_and_the_start_of_the_next_has_both(self) -> None:
        assert self.volumes(DAY) == {"13 00:00": 748_000 + 90}
        assert sum(self.volumes(HOUR).values()) == 748_000 + 90

    def test_what_comes_out_of_order_within_a_minute_is_counted_once(self) -> None:
        late = (*self.feed[:5], (f"{self.day} 00:02", 52_040), (f"{self.day} 00:03", 52_060))
        assert self.volumes(MINUTE, late) == {"13 00:00": 10, "13 00:01": 40, "13 00:02": 0, "13 00:03": 10}

    def test_without_a_tick_before_midnight_the_first_candle_has_all(self) -> None:
        assert self.volumes(MINUTE, self.feed[3:5]) == {"13 00:00": 52_010, "13 00:01": 40}
