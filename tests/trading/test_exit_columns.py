"""Columns tell the same figures as rows: every figure of every part of every cut, and of the period, whatever the sizes
of the numbers and the order in which exits come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.test_cuts import everything
from trading.domain import cuts, exit_runs, figures, runs, statistics
from trading.domain.cuts import CUTS, TradedExit
from trading.domain.exit_columns import (
    ExitColumns,
    Groups,
    group_squares,
    group_sums,
    local_micros,
    whole_numbers,
)  # fmt: skip
from trading.domain.exit_lists import lists_of
from trading.domain.exit_runs import distinct
from trading.domain.figures import Capital, EquityPath, Sample
from trading.domain.intervals import Sums
from trading.queries.exposure import Held
from trading.queries.held_columns import HeldColumns, union_micros, union_micros_of_each

numbers = st.lists(st.integers(-(2**70), 2**70) | st.integers(-(10**12), 10**12), min_size=1, max_size=30)


def grown(exits: list[TradedExit], size: int) -> list[TradedExit]:
    """Return the same exits with every P&L so many times as large: beyond 64 bits, too."""
    return [
        TradedExit(
            exit._replace(
                pnl=exit.pnl * size,
                closed=None if exit.closed is None else exit.closed._replace(pnl=exit.closed.pnl * size),
            ),
            trade,
        )
        for exit, trade in exits
    ]


def same(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert mine.keys() == theirs.keys()
    for name, figure in theirs.items():
        expected = pytest.approx(figure, rel=1e-12) if isinstance(figure, float) else figure
        assert mine[name] == expected, name


def parts(columns: ExitColumns, groups: Groups) -> dict[str, Sample]:
    return dict(zip(groups.names, columns.samples(groups), strict=True))


@settings(max_examples=25)
@given(everything, st.sampled_from((1, 10**3, 10**9)))
def test_every_figure_of_every_part_of_every_cut_is_that_of_its_rows(exits: list[TradedExit], size: int) -> None:
    exits = grown(exits, size)
    columns = lists_of(exits).columns()
    by_rows = {cut: cuts.places(exits, key) for cut, key in CUTS.items()} | cuts.by_each_condition(exits)
    by_columns = columns.groups | {name: columns.by_condition(name) for name in columns.recorded_conditions()}
    assert by_columns.keys() == by_rows.keys()
    together = columns.sums().samples_of([(groups.codes, len(groups.names)) for groups in by_columns.values()])
    assert together == [columns.samples(groups) for groups in by_columns.values()]
    for cut, places in by_rows.items():
        samples = parts(columns, by_columns[cut])
        assert list(samples) == list(places), cut
        for name, of in places.items():
            same(figures.part_figures(samples[name]), figures.part_figures(Sample.of([exits[at].exit for at in of])))
            alone = columns.take(np.flatnonzero(by_columns[cut].codes == list(samples).index(name)))
            assert alone.sample() == samples[name]


@settings(max_examples=25)
@given(everything, st.sampled_from((1, 10**9)), st.integers(-(10**15), 10**15))
def test_a_periods_figures_are_those_of_its_rows(exits: list[TradedExit], size: int, capital: int) -> None:
    exits = grown(exits, size)
    days = sorted({exit.day for exit, _ in exits})
    whole = Capital(capital, days, dict.fromkeys(days[1::2], 10**9), dict.fromkeys(days[::3], -(10**8)))
    columns, rows = lists_of(exits).columns(), [exit for exit, _ in exits]
    theirs = figures.report_figures(EquityPath.of(rows, whole), Sample.of(rows))
    same(figures.report_figures(columns.path(whole), columns.sample()), theirs)
    sums: dict[tuple[int, int], Sums] = {}
    for exit, trade in exits:
        if exit.closed is not None:
            hour = trade.opened_at.weekday(), trade.opened_at.hour
            sums[hour] = sums.get(hour, Sums()).plus(exit.closed.net)
    assert columns.hours() == sums


amounts = st.integers(-30, 30) | st.integers(-(10**12), 10**12) | st.integers(-(2**66), 2**66)


@settings(max_examples=150)
@given(st.lists(st.tuples(amounts, st.sampled_from((0, 0, 0, 5, -5, 2**63))), max_size=40), st.integers(-50, 10**4))
def test_falls_of_equity_are_those_of_its_changes_one_by_one(steps: list[tuple[int, int]], capital: int) -> None:
    changes, flows = [change for change, _ in steps], [flow for _, flow in steps]
    mine = exit_runs.drawdowns(whole_numbers(changes), capital, whole_numbers(flows))
    assert mine.episodes == statistics.drawdowns(changes, capital, flows)
    assert (mine.equity, mine.peak) == runs.peak_of(changes, capital, flows)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 6), amounts | st.just(0)), max_size=30))
def test_streaks_are_those_of_the_trades_one_by_one(closed: list[tuple[int, int]]) -> None:
    at = np.array([instant for instant, _ in closed], dtype=np.int64)
    assert exit_runs.streaks(at, whole_numbers([pnl for _, pnl in closed])) == runs.streaks(closed)


@settings(max_examples=15)
@given(everything, st.sampled_from((1, 10**9)), st.integers(-(10**12), 10**12))
def test_a_days_figures_are_those_of_its_rows(exits: list[TradedExit], size: int, capital: int) -> None:
    exits = grown(exits, size)
    columns = lists_of(exits).columns()
    days = columns.groups["day"]
    dates = list(map(date.fromisoformat, days.names))
    wholes = [Capital(capital * number, [day], {day: 10**9}, {}) for number, day in enumerate(dates)]
    starts = np.searchsorted(days.codes, np.arange(len(dates)))
    falls = columns.worst_falls(np.arange(len(columns)), starts, wholes)
    for day, whole, fall, sample in zip(dates, wholes, falls, columns.samples(days), strict=True):
        rows = [exit for exit, _ in exits if exit.day == day]
        theirs = figures.day_figures(Sample.of(rows), EquityPath.of(rows, whole).episodes, whole)
        same(figures.day_figures(sample, fall, whole), theirs)


@given(st.lists(st.lists(amounts, min_size=1, max_size=12), min_size=1, max_size=8), st.data())
def test_the_worst_falls_of_many_stretches_are_those_of_each(stretches: list[list[int]], data: st.DataObject) -> None:
    capitals = [data.draw(amounts) for _ in stretches]
    changes = whole_numbers([change for stretch in stretches for change in stretch])
    starts = np.cumsum([0, *map(len, stretches[:-1])])
    worst = exit_runs.worst_falls(changes, starts, capitals)
    for fall, stretch, capital in zip(worst, stretches, capitals, strict=True):
        episodes = statistics.drawdowns(stretch, capital)
        deepest, steepest = statistics.deepest(episodes), statistics.steepest(episodes)
        expected = None if deepest is None else (deepest.depth, steepest and steepest.percent)
        assert ((fall[0].depth, fall[0].percent) if fall else None) == expected


spans = st.tuples(st.integers(0, 99), st.integers(0, 30))


@given(st.lists(st.lists(spans, min_size=1, max_size=6), max_size=6))
def test_times_in_the_market_of_many_days_are_those_of_each(days: list[list[tuple[int, int]]]) -> None:
    ordered = [sorted(day) for day in days]
    begins = np.array([begin for day in ordered for begin, _ in day], dtype=np.int64)
    ends = np.array([begin + held for day in ordered for begin, held in day], dtype=np.int64)
    starts = np.cumsum([0, *map(len, days[:-1])]) if days else np.zeros(0, dtype=np.int64)
    apart = [union_micros(*np.array([(begin, begin + held) for begin, held in day]).T) for day in ordered]
    assert union_micros_of_each(begins, ends, starts) == apart


@settings(max_examples=15)
@given(everything, everything)
def test_exits_joined_are_those_of_both(first: list[TradedExit], other: list[TradedExit]) -> None:
    joined, whole = lists_of(first).joined(lists_of(other)).columns(), lists_of([*first, *other]).columns()
    assert joined.sample() == whole.sample()
    for name in whole.recorded_conditions():
        assert parts(joined, joined.by_condition(name)) == parts(whole, whole.by_condition(name))


def test_a_condition_that_nobody_recorded_has_no_yes() -> None:
    assert lists_of([]).columns().by_condition("rsi").names == []


@given(numbers, st.data())
def test_sums_are_exact_whatever_their_size(values: list[int], data: st.DataObject) -> None:
    cutoffs = data.draw(st.sets(st.integers(1, max(1, len(values) - 1)), max_size=3))
    starts = [0, *sorted(cutoffs - {len(values)})] if len(values) > 1 else [0]
    stretches = [values[start:stop] for start, stop in zip(starts, [*starts[1:], len(values)], strict=True)]
    column, places = whole_numbers(values), np.array(starts)
    assert group_sums(column, places) == [sum(stretch) for stretch in stretches]
    assert group_squares(column, places) == [sum(value * value for value in stretch) for stretch in stretches]


@given(
    st.lists(st.datetimes(datetime(2000, 1, 2), datetime(2099, 1, 1)), max_size=20),
    st.sampled_from(("Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "UTC")),
)
def test_the_clock_on_the_wall_is_that_of_the_zone(instants: list[datetime], zone: str) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    aware = [at.replace(tzinfo=UTC) for at in instants]
    micros = np.array([(at - epoch) // timedelta(microseconds=1) for at in aware], dtype=np.int64)
    walls = [at.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC) for at in aware]
    assert local_micros(micros, ZoneInfo(zone)).tolist() == [(at - epoch) // timedelta(microseconds=1) for at in walls]


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 90)), max_size=12))
def test_time_in_the_market_counts_once(spans: list[tuple[int, int]]) -> None:
    begins = datetime(2024, 3, 15, 4, tzinfo=UTC)
    pairs = [(begins + timedelta(seconds=at), begins + timedelta(seconds=at + held)) for at, held in spans]
    held = [Held("orb", "INFY", ("NSE", ""), begins.date(), span) for span in pairs]
    columns = HeldColumns.of(held)
    assert union_micros(columns.start, columns.stop) == 10**6 * figures.exposure_seconds(pairs)


@given(st.lists(st.integers(-(2**62), 2**62) | st.integers(-50, 50), max_size=40))
def test_different_numbers_are_those_of_a_set(values: list[int]) -> None:
    different, places = distinct(np.array(values, dtype=np.int64))
    assert different.tolist() == sorted(set(values))
    assert different[places].tolist() == values
