"""Walks over ticks: how orders are filled, that nothing sees the future, that skipping changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.backtest.days import DayTicks
from lab.backtest.desk import NotInABacktest
from lab.backtest.outcome import digests_of
from lab.backtest.skipping import can_skip, skipping
from lab.domain.fills import FillModel
from lab.domain.trials import DayDigest
from tests.lab.made_days import DAY, OPENS, SECOND, day_of, fills_of, played, random_day, ticks_of
from tests.lab.plain_cross import PlainCross
from trading.domain.money import SCALE
from trading.errors import CrossesZero, IdConflict, NotTradable, TradeClosed, UnknownTrade
from trading.strategies.base import Strategy, Tick, instant
from trading.strategies.ema_cross import EmaCross
from trading.strategies.opening_range import OpeningRangeBreakout


class Scripted(Strategy):
    """A strategy that does at its n-th tick what a test says."""

    strategy_id = "scripted"

    def __init__(self, **script) -> None:
        self.script = {int(name[1:]): act for name, act in script.items() if name != "end"}
        self.end = script.get("end", lambda dm: None)
        self.count = 0
        self.last: Tick | None = None

    def on_tick(self, tick: Tick) -> None:
        self.last = tick
        act = self.script.get(self.count)
        self.count += 1
        if act is not None:
            act(self.dm, tick)

    def on_end(self) -> None:
        self.end(self.dm)


def long(trade_id="T", *, quantity=1, stop=None):
    return lambda dm, tick: dm.open_position(
        trade_id, "scripted", tick.symbol, 1, quantity, tick.at, side="LONG", stop_price=stop
    )


def short(trade_id="T", *, quantity=1, stop=None):
    return lambda dm, tick: dm.open_position(
        trade_id, "scripted", tick.symbol, 1, quantity, tick.at, side="SHORT", stop_price=stop
    )


def out(trade_id="T", reason="asked"):
    return lambda dm, tick: dm.close_position(trade_id, "scripted", tick.symbol, 10**6, tick.at, exit_reason=reason)


def stop_at(price, trade_id="T"):
    return lambda dm, tick: dm.update_trailing_sl(trade_id, "scripted", tick.symbol, price, price, "T", at=tick.at)


def prices(desk) -> list[tuple[float, float]]:
    """Second since the opening and price of each fill."""
    return [
        ((fill.at - instant(OPENS)).total_seconds(), fill.execution.price / SCALE)
        for trade in desk.trades
        for fill in trade.fills
    ]


def ticks(*points, symbol="A"):
    return day_of(ticks_of(symbol, [second for second, _ in points], [price for _, price in points]))


FIVE = ticks((0, 100), (1, 101), (1.4, 102), (1.6, 103), (2, 104))


def test_without_latency_the_tick_at_which_a_strategy_speaks_fills_whatever_price_it_says():
    desk = played(Scripted(t1=long(), t3=out()), [FIVE])
    assert prices(desk) == [(1, 101), (1.6, 103)]
    assert desk.trades[0].holding.realised_pnl == 2 * SCALE


def test_with_latency_the_first_tick_from_then_on_fills_a_little_worse():
    desk = played(Scripted(t0=long(), t2=out()), [FIVE], FillModel(latency_ms=1000, slippage_ticks=2))
    assert prices(desk) == [(1, 101.1)]  # the exit is due after the last tick
    assert digests_of(desk, [DAY])[DAY] == DayDigest(opened=1, censored=1, unfilled=1)
    desk = played(Scripted(t0=long(), t2=out()), [FIVE], FillModel(latency_ms=500, slippage_ticks=0))
    assert prices(desk) == [(1, 101), (2, 104)]


def test_an_entry_that_no_tick_fills_never_was_a_trade():
    desk = played(Scripted(t4=long(), end=lambda dm: None), [FIVE], FillModel(latency_ms=1))
    assert digests_of(desk, [DAY])[DAY] == DayDigest(unfilled=1)
    assert desk.trades[0].is_over


def test_an_exit_of_an_entry_that_was_not_filled_closes_nothing():
    desk = played(Scripted(t3=long(), t4=out()), [FIVE], FillModel(latency_ms=900))
    assert digests_of(desk, [DAY])[DAY] == DayDigest(unfilled=1)


def test_a_stop_is_filled_by_the_tick_that_reaches_it_gap_included_and_without_latency():
    day = ticks((0, 100), (1, 100), (2, 99.5), (3, 98), (4, 120))
    desk = played(Scripted(t0=long(stop=99)), [day], FillModel(latency_ms=1000, slippage_ticks=1))
    assert prices(desk) == [(1, 100.05), (3, 97.95)]
    assert desk.trades[0].exit_reason == "stop"
    assert desk.trades[0].initial_risk == round(1.05 * SCALE)
    short_desk = played(Scripted(t0=short(stop=101)), [ticks((0, 100), (1, 100), (2, 101), (3, 98))])
    assert prices(short_desk) == [(0, 100), (2, 101)]


def test_the_old_stop_is_tested_before_it_is_raised():
    day = ticks((0, 100), (1, 110), (2, 105), (3, 104))
    desk = played(Scripted(t0=long(stop=90), t1=stop_at(108)), [day])
    assert prices(desk) == [(0, 100), (2, 105)]  # not by the tick at 110 that raised it
    beyond = ticks((0, 100), (1, 103), (2, 106))
    desk = played(Scripted(t0=long(stop=90), t1=stop_at(104)), [beyond])
    assert prices(desk) == [(0, 100)]  # the tick at 103 had passed the old one already


def test_a_stop_that_was_moved_while_the_entry_was_on_its_way_rests_from_the_fill_on():
    day = ticks((0, 100), (1, 101), (2, 102), (3, 100), (4, 99))
    desk = played(Scripted(t0=long(stop=90), t1=stop_at(100)), [day], FillModel(latency_ms=1500, slippage_ticks=0))
    assert prices(desk) == [(2, 102), (3, 100)]


def test_a_late_tick_and_one_out_of_the_session_reach_no_stop():
    day = day_of(ticks_of("A", [-5, 0, 10, 9, 11, 22_500, 22_501], [50, 100, 101, 50, 101, 50, 50]))
    desk = played(Scripted(t0=long(stop=60)), [day])
    assert [fill[0] for fill in prices(desk)] == [-5]
    assert digests_of(desk, [DAY])[DAY].censored == 1


def test_what_is_closed_once_the_day_is_over_goes_by_its_last_tick_or_with_latency_not_at_all():
    second = day_of(ticks_of("A", [0, 5], [200, 201], days_on=1))

    class Leaving(Scripted):
        def on_tick(self, tick):
            if self.count == 5:  # the first of the second day
                self.dm.close_position("T", "scripted", "A", 1, self.last.at, exit_reason="left")
            super().on_tick(tick)

    desk = played(Leaving(t0=long()), [FIVE, second])
    assert prices(desk) == [(0, 100), (2, 104)]
    days = [DAY, DAY + timedelta(days=1)]
    assert digests_of(desk, days)[DAY].closed == 1
    desk = played(Leaving(t0=long()), [FIVE, second], FillModel(latency_ms=1, slippage_ticks=0))
    assert prices(desk) == [(1, 101)]
    assert digests_of(desk, days)[DAY] == DayDigest(opened=1, censored=1, unfilled=1)


def test_on_the_end_the_last_tick_fills_without_latency():
    strategy = Scripted(t0=long())
    strategy.end = lambda dm: dm.close_position("T", "scripted", "A", 1, strategy.last.at, exit_reason="end")
    assert prices(played(strategy, [FIVE])) == [(0, 100), (2, 104)]


def test_parts_are_closed_one_by_one_and_their_charges_are_known():
    def half(dm, tick):
        position = dm.add_fill("T", "SELL", 1, 1, tick.at)
        assert position.open_quantity == (1 if not dm.book.waiting.get("A") else 2)

    desk = played(
        Scripted(t0=long(quantity=2), t2=half, t3=out()), [FIVE],
        FillModel(latency_ms=0, slippage_ticks=0, charge_percent=Decimal("0.1")),
    )  # fmt: skip
    assert prices(desk) == [(0, 100), (1.4, 102), (1.6, 103)]
    digest = digests_of(desk, [DAY])[DAY]
    charges = round((0.2 + 0.102 + 0.103) * SCALE)
    assert (digest.pnl, digest.charges, digest.uncharged) == (5 * SCALE - charges, charges, 0)


def test_what_the_ledger_would_refuse_is_refused():
    def refuses(error, act):
        def check(dm, tick):
            with pytest.raises(error):
                act(dm, tick)

        return check

    played(
        Scripted(
            t0=long(quantity=2), t1=refuses(IdConflict, long()),
            t2=refuses(CrossesZero, lambda dm, tick: dm.add_fill("T", "SELL", 1, 3, tick.at)),
            t3=out(), t4=refuses(TradeClosed, stop_at(3)),
        ),
        [FIVE],
    )  # fmt: skip
    played(Scripted(t0=refuses(UnknownTrade, out("nobody"))), [FIVE])
    played(Scripted(t0=refuses(NotTradable, long())), [ticks((0, 1), symbol="NIFTY 50")])


@pytest.mark.parametrize("ask", [
    lambda dm: dm.get_candles("A", "1m", datetime(2021, 4, 12, tzinfo=UTC), datetime(2021, 4, 13, tzinfo=UTC)),
    lambda dm: dm.get_latest_tick("A"), lambda dm: dm.query_sql("SELECT 1"), lambda dm: dm.get_strategy_stats("x"),
    lambda dm: dm.aio, lambda dm: dm.flush(),
])  # fmt: skip
def test_what_would_look_ahead_cannot_be_asked(ask):
    def asks(dm, tick):
        with pytest.raises(NotInABacktest):
            ask(dm)

    played(Scripted(t0=asks), [FIVE])


# -- skipping ----------------------------------------------------------------------------------------------------------


class Eager(EmaCross):
    """One that trades quiet markets too."""

    quiet_share = 0.0
    fast, slow, atr_period = 3, 8, 3
    stop_ranges = 1.0


class Early(EmaCross):
    """One that squares off at a time of its own."""

    def _is_over(self, watch, tick):
        return tick.time > OPENS + 3_600 * SECOND


KINDS = (EmaCross, Eager, PlainCross)
MODELS = (FillModel(0, 0), FillModel(500, 1), FillModel(90_000, 3), FillModel(0, 2))


def test_only_classes_of_candles_alone_are_skipped():
    assert [can_skip(kind()) for kind in (EmaCross, Eager, PlainCross, OpeningRangeBreakout, Scripted, Early)] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


@given(some.integers(0, 10**6), some.sampled_from(KINDS), some.sampled_from(MODELS), some.integers(1, 2))
def test_skipping_makes_the_same_calls_and_the_same_fills_as_walking(seed, kind, model, days):
    played_days = [random_day(seed, days_on=number) for number in range(days)]
    plain, skipped = played(kind(), played_days, model), played(kind(), played_days, model, skipping)
    assert skipped.calls == plain.calls
    assert fills_of(skipped) == fills_of(plain)
    assert skipped.book.unfilled == plain.book.unfilled


def test_the_made_up_days_bring_trades_stops_and_unfilled_orders():
    """Else the property above would be of nothing."""
    desks = [played(Eager(), [random_day(seed)], FillModel(90_000, 3), skipping) for seed in range(5)]
    reasons = {trade.exit_reason for desk in desks for trade in desk.trades}
    assert {"stop", "cross"} <= reasons
    assert sum(len(desk.trades) for desk in desks) > 50


# -- the future --------------------------------------------------------------------------------------------------------


def poisoned(day: DayTicks, at: int, seed: int) -> DayTicks:
    """The day with all prices after an instant replaced."""
    chance = np.random.default_rng(seed)
    return replace(day, symbols=[
        replace(of, price=np.where(of.time > at, chance.integers(1, 90_000, size=len(of.time)) * 0.05, of.price))
        for of in day.symbols
    ])  # fmt: skip


def until(desk, at: int):
    """What was decided and filled up to an instant."""
    moment = instant(at)
    calls = [call for call in desk.calls if _when(call) <= moment]
    return calls, [fill[:1] + fill[4:] for fill in fills_of(desk) if fill[4] <= moment]


def _when(call) -> datetime:
    _, arguments, keywords = call
    return next(word for word in (*arguments, *(word for _, word in keywords)) if isinstance(word, datetime))


@given(some.integers(0, 10**6), some.integers(0, 22_500), some.sampled_from(KINDS), some.sampled_from(MODELS[:3]),
       some.booleans())  # fmt: skip
def test_no_decision_and_no_fill_changes_when_all_later_prices_do(seed, second, kind, model, skips):
    at = OPENS + second * SECOND
    day = random_day(seed)
    by = {"by": skipping} if skips else {}
    truth, lie = (until(played(kind(), [one], model, **by), at) for one in (day, poisoned(day, at, seed)))
    assert lie == truth
