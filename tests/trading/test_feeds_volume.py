"""What a file's volumes are read as: by evidence, by what was asked, or not at all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import InvalidValue
from trading.feeds.ticks import NUMBERS, Ticks, concatenated
from trading.feeds.volume import CHANCE_MAX, VolumeEvidence, VolumeReading, _chance, with_volumes

KOLKATA = ZoneInfo("Asia/Kolkata")
SECOND = 10**9
START = int(datetime(2021, 4, 12, 3, 45, tzinfo=UTC).timestamp()) * SECOND
DAY = 86_400


def ticks(symbol: str, rows: list[tuple], *, field: str = "volume", is_bar: bool = False) -> Ticks:
    """Ticks at seconds after 09:15 with their volume: rows of (second, volume)."""
    columns = {name: np.full(len(rows), np.nan) for name in NUMBERS}
    for name in ("close", "open", "high", "low") if is_bar else ("close",):
        columns[name] = np.full(len(rows), 5.0)
    columns[field] = np.array([np.nan if row[1] is None else row[1] for row in rows], dtype=np.float64)
    time = np.array([START + int(row[0] * SECOND) for row in rows], dtype=np.int64)
    return Ticks((symbol,), np.zeros(len(rows), dtype=np.int64), time, **columns)


def read(feed: Ticks, mode: str = "auto") -> tuple[list, list, tuple[VolumeReading, ...]]:
    found, readings = with_volumes(feed, mode=mode, zone=KOLKATA, name="a.csv")
    own, so_far = (
        [None if np.isnan(value) else value for value in column] for column in (found.volume, found.day_volume)
    )
    return own, so_far, readings


def modes(feed: Ticks) -> list[tuple[str, str]]:
    return [(reading.symbol, reading.mode) for reading in read(feed)[2]]


def every_second(volumes: list[float], start: int = 0) -> list[tuple]:
    return [(start + second, volume) for second, volume in enumerate(volumes)]


def test_twenty_steps_that_rise_cannot_be_chance_nor_can_one_fall_among_them():
    rising = list(range(21))
    one_falls = [*rising[:10], 8, *rising[11:]]
    for volumes in (rising, one_falls):
        own, so_far, (reading,) = read(ticks("A", every_second(volumes)))
        assert (own, so_far, reading.mode) == ([None] * 21, volumes, "cumulative")
    assert reading.evidence == "1 of 20 changes fall"


def test_sizes_that_fall_about_half_of_the_time_are_each_ticks_own():
    random = np.random.default_rng(1)
    for _ in range(200):
        sizes = random.integers(1, 500, 60).tolist()
        own, so_far, (reading,) = read(ticks("A", every_second(sizes)))
        assert (own, so_far, reading.mode) == (sizes, [None] * 60, "per_tick")


@pytest.mark.parametrize(
    "volumes",
    [
        [75] * 500,  # a lot each, or a day in which nothing more was traded
        [75] * 250 + [150] * 250,  # one change
        [100 + second // 50 for second in range(500)],  # nine changes, all rising
    ],
    ids=["constant", "one change", "nine changes"],
)
def test_what_both_readings_explain_is_asked(volumes):
    with pytest.raises(InvalidValue, match=r"a\.csv: the volumes of A on 2021-04-12 .* --volume per_tick") as error:
        read(ticks("A", every_second(volumes)))
    assert error.value.field == "volume"
    assert read(ticks("A", every_second(volumes)), "per_tick")[0] == volumes
    assert read(ticks("A", every_second(volumes)), "cumulative")[1] == volumes


def test_rows_mixed_up_within_two_seconds_are_no_fall_of_a_days_volume():
    volumes = [1000 * second + shift for second in range(200) for shift in (0, 30, 10)]
    rows = [(place // 3, volume) for place, volume in enumerate(volumes)]
    assert modes(ticks("A", rows)) == [("A", "cumulative")]
    assert modes(ticks("A", [(10 * second, volume) for second, volume in rows])) == [("A", "cumulative")]


def test_a_volume_that_starts_anew_with_a_session_is_still_the_days():
    morning, evening = every_second(list(range(0, 3000, 10))), every_second(list(range(0, 500, 10)), 3600)
    assert modes(ticks("A", [*morning, *evening])) == [("A", "cumulative")]


def test_fewer_than_twenty_steps_tell_nothing_and_are_each_ticks_own():
    own, so_far, (reading,) = read(ticks("A", every_second(list(range(20)))))
    assert (own, so_far) == (list(range(20)), [None] * 20)
    assert (reading.mode, reading.is_assumed, reading.evidence) == ("per_tick", True, "20 volumes tell nothing")


def test_an_index_without_volume_asks_nobody():
    own, so_far, (reading,) = read(ticks("NIFTY 50", every_second([0] * 50)))
    assert (own, so_far, reading.evidence) == ([None] * 50, [0] * 50, "every volume is 0: both readings agree")


def test_bars_have_their_own_however_they_rise():
    own, _, (reading,) = read(ticks("A", every_second(list(range(1, 100))), is_bar=True))
    assert (own, reading.mode, reading.is_assumed) == (list(range(1, 100)), "per_tick", False)


def test_volume_is_what_the_caller_says_it_is():
    rows = [(1, 9), (2, None), (3, 1)]
    assert read(ticks("A", rows), "per_tick")[:2] == ([9, None, 1], [None] * 3)
    assert read(ticks("A", rows), "cumulative")[:2] == ([None] * 3, [9, None, 1])


def test_each_symbol_and_day_is_decided_for_itself_and_a_short_day_is_as_the_symbols_others():
    rising, short = list(range(1, 40)), [5, 6, 7]
    random = np.random.default_rng(2).integers(1, 500, 60).tolist()
    feed = concatenated(
        [ticks("A", [*every_second(rising), *every_second(short, DAY)]), ticks("B", every_second(random))]
    )
    assert modes(feed) == [("A", "cumulative"), ("B", "per_tick")]
    assert read(feed)[1][39:42] == short


def test_a_day_begins_at_midnight_of_the_desk():
    late = every_second(list(range(1000, 1030)), int(14.5 * 3600))  # 23:45 at the desk
    early = every_second(list(range(30)), 15 * 3600)  # 00:15 of the next day: no fall of that day's volume
    assert modes(ticks("A", [*late, *early])) == [("A", "cumulative")]


def test_of_a_symbols_days_each_mode_is_told_once_and_each_day_that_is_assumed():
    sizes = np.random.default_rng(3).integers(1, 500, 60).tolist()
    days = [list(range(40)), sizes, list(range(1, 40)), [1, 2], [3, 4, 5], [6, 7]]
    feed = ticks("A", [row for day, volumes in enumerate(days) for row in every_second(volumes, day * DAY)])
    told = [(reading.mode, reading.evidence) for reading in read(feed)[2]]
    assert told[1:] == [
        ("cumulative", "0 of 38 changes fall"),
        ("per_tick", "3 volumes tell nothing"),
        ("per_tick", "2 volumes tell nothing"),
    ]
    assert told[0][0] == "per_tick"
    assert read(feed)[0][-4:] == [4, 5, 6, 7]


def test_a_day_volume_given_by_name_stays():
    assert read(ticks("A", [(1, 7), (2, 3)], field="day_volume"))[1] == [7, 3]
    both = ticks("A", every_second(list(range(30))))
    both.day_volume[:] = np.arange(30) * 100
    assert read(both)[:2] == (list(range(30)), [number * 100 for number in range(30)])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5) | st.integers(0, 10**6), min_size=21, max_size=80), st.randoms(use_true_random=False))
def test_no_shuffled_sizes_are_read_as_the_days(sizes, random):
    random.shuffle(sizes)
    if any(sizes):
        try:
            assert modes(ticks("A", every_second(sizes))) == [("A", "per_tick")]
        except InvalidValue:
            assert len(set(sizes)) < 15 or len(sizes) < 30  # so few, or so like another, that nobody could tell


def test_the_bound_of_chance_is_above_what_shuffling_gives():
    """The exact law (Eulerian numbers) for up to 25 values, each below its bound."""
    law = [1]
    for values in range(2, 26):
        law = [
            (falls + 1) * (law[falls] if falls < len(law) else 0) + (values - falls) * (law[falls - 1] if falls else 0)
            for falls in range(values)
        ]
        total = sum(law)
        for falls in range(values):
            assert sum(law[: falls + 1]) / total <= _chance(values - 1, falls) * (1 + 1e-9)
    assert _chance(20, 1) < CHANCE_MAX < _chance(11, 0)


def kept_evidence(parts: Iterable[Ticks]) -> int:
    """The bytes that the evidence of a file's parts, all of it the day's so far, takes once they are gone."""
    evidence = VolumeEvidence(mode="auto", zone=KOLKATA, name="a.csv")
    tracemalloc.start()
    try:
        for part in parts:
            evidence.add(part)
        del part
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {reading.mode for reading in evidence.meaning().readings} == {"cumulative"}
    return kept


def test_the_evidence_of_many_days_keeps_no_rows_of_them():
    kept = kept_evidence(ticks("A", [(day * DAY + row, float(row)) for row in range(10_000)]) for day in range(30))
    assert kept < 1_000_000  # 30 days of two columns would be 4.8 MB


def test_the_evidence_of_a_day_that_is_over_is_a_row_of_numbers():
    parts = (
        concatenated([ticks(f"S{n}", every_second(list(range(25)), day * DAY)) for n in range(100)])
        for day in range(50)
    )
    assert kept_evidence(parts) < 5_000 * 100  # of 500 bytes each it would be 2.5 MB
