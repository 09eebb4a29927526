"""The sessions before the demo's day: prices that hang together, and trades that those prices allow."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from trading.demo.days import GAP_DAY, GAP_SYMBOL, MINUTE, TICK_SYMBOL, Bars, MadeUpDay, days_before, history_feed
from trading.demo.traders import TRADERS, MadeUpTrade, trades_of, walked
from trading.domain.feed_gaps import gaps
from trading.domain.sessions import DaySession
from trading.simulator import SHARES
from trading.strategies.base import nanoseconds

OPENS = datetime(2026, 11, 2, 3, 45, tzinfo=UTC)
SESSIONS = [
    DaySession((OPENS + timedelta(days=n)).date(), OPENS + timedelta(days=n), OPENS + timedelta(days=n, minutes=375))
    for n in range(12)
]


@pytest.fixture(scope="module")
def days() -> list[MadeUpDay]:
    return days_before(SESSIONS, seed=8)


@pytest.fixture(scope="module")
def trades(days: list[MadeUpDay]) -> list[tuple[MadeUpDay, MadeUpTrade]]:
    return [
        (day, trade)
        for back, day in zip(range(len(days), 0, -1), days, strict=True)
        for trade in trades_of(day, seed=8, back=back, reviewed=0.5)[0]
    ]


def test_the_same_seed_gives_the_same_days_and_trades(days: list[MadeUpDay]) -> None:
    again = days_before(SESSIONS, seed=8)
    for one, same in zip(days, again, strict=True):
        assert all(np.array_equal(bars.close, same.kept[name].close) for name, bars in one.kept.items())
        assert trades_of(one, seed=8, back=1, reviewed=1) == trades_of(same, seed=8, back=1, reviewed=1)


def test_each_day_ends_near_where_the_next_begins(days: list[MadeUpDay]) -> None:
    begins = {share.name: share.price for share in SHARES}
    for day in reversed(days):
        for name, bars in day.minutes.items():
            assert abs(float(bars.close[-1]) / begins[name] - 1) < 0.02
            begins[name] = float(bars.open[0])


def test_bars_enclose_their_prices_and_end_within_the_session(days: list[MadeUpDay]) -> None:
    for day in days:
        for bars in day.minutes.values():
            assert (bars.low <= np.minimum(bars.open, bars.close)).all()
            assert (bars.high >= np.maximum(bars.open, bars.close)).all()
            assert (np.diff(bars.time) > 0).all()
            assert nanoseconds(day.session.opens_at) < bars.time[0]
            assert bars.time[-1] <= nanoseconds(day.session.closes_at)


def test_one_feed_has_one_gap(days: list[MadeUpDay]) -> None:
    day = days[-GAP_DAY]
    edges = nanoseconds(day.session.opens_at), nanoseconds(day.session.closes_at)
    (gap,) = gaps(day.kept[GAP_SYMBOL].time, *edges)
    assert 14 * 60 < gap.seconds < 16 * 60
    assert history_feed(days).size == sum(len(ticks) for day in days for ticks in day.kept.values())


def test_of_one_share_the_ticks_are_kept_that_its_minutes_are_made_of(days: list[MadeUpDay]) -> None:
    for day in days:
        for name, kept in day.kept.items():
            assert np.isnan(kept.high).all() == (name == TICK_SYMBOL)
        ticks, minutes = day.kept[TICK_SYMBOL], day.minutes[TICK_SYMBOL]
        assert (ticks.close.max(), ticks.close.min()) == (minutes.high.max(), minutes.low.min())
        assert ticks.close[-1] == minutes.close[-1]


def test_every_trade_could_have_been_made_at_its_prices(trades: list[tuple[MadeUpDay, MadeUpTrade]]) -> None:
    for day, trade in trades:
        bars = day.minutes[trade.symbol]
        (out,) = np.flatnonzero(bars.time == trade.closed_at)
        before = np.flatnonzero(bars.time <= trade.opened_at)[-1]
        assert trade.entry == bars.close[before]
        assert trade.opened_at < trade.closed_at
        assert bars.low[out] <= trade.exit <= bars.high[out]
        assert trade.side * (trade.entry - trade.stop) > 0
        steps = [trade.stop, *(stop.price for stop in trade.stops)]
        assert all(trade.side * (later - stop) > 0 for stop, later in itertools.pairwise(steps))


def test_the_traders_differ_and_leave_something_to_look_at(trades: list[tuple[MadeUpDay, MadeUpTrade]]) -> None:
    assert {trade.strategy_id for _, trade in trades} == {trader.strategy_id for trader in TRADERS}
    reasons = Counter(trade.exit_reason for _, trade in trades)
    assert set(reasons) == {"stop", "trailing_stop", "target", "time", "square_off"}
    assert {trade.side for _, trade in trades} == {1, -1}
    assert {trade.side * (trade.exit - trade.entry) > 0 for _, trade in trades} == {True, False}
    assert {trade.review is None for _, trade in trades} == {True, False}
    assert any(trade.stops for _, trade in trades)


def test_of_a_bar_that_reaches_stop_and_target_the_stop_counts() -> None:
    flat = np.full(60, 100.0)
    bars = Bars(np.arange(60) * MINUTE, flat, flat + 5, flat - 5, flat, flat)
    outcome = walked(bars, replace(TRADERS[1], target_risks=1.0), 10, 1)
    assert (outcome.reason, outcome.bar, round(outcome.gain, 9)) == ("stop", 11, -1.0)
