"""The strategies that come along, on made-up days, against a facade that only remembers."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from talipp.indicators import ATR, EMA
from talipp.ohlcv import OHLCV

from tests.trading.fake_desk import FakeDesk
from trading.errors import InvalidValue
from trading.strategies.base import Strategy, Tick, instant, nanoseconds
from trading.strategies.candles import Candles
from trading.strategies.ema_cross import EmaCross
from trading.strategies.loading import STRATEGIES, load_strategy
from trading.strategies.opening_range import OpeningRangeBreakout
from trading.strategies.together import Together

KOLKATA = ZoneInfo("Asia/Kolkata")
SECOND = 10**9
OPEN = nanoseconds(datetime(2021, 4, 12, 9, 15, tzinfo=KOLKATA).astimezone(UTC))
DAY = 86_400 * SECOND
KINDS = [EmaCross, OpeningRangeBreakout]


def tick(second: float, price: float, symbol: str = "RELIANCE") -> Tick:
    return Tick(symbol, OPEN + int(second * SECOND), price, price, price)


def wave(
    *, seconds: int = 22_000, period: int = 4_000, size: float = 12.0, step: int = 5, noise: float = 0.3
) -> list[Tick]:
    """A day that rises and falls steadily enough for both strategies, on the grid of prices."""
    prices = (
        (s, 1900 + size * math.sin(2 * math.pi * s / period) + noise * math.sin(s)) for s in range(0, seconds, step)
    )
    return [tick(second, round(round(price / 0.05) * 0.05, 2)) for second, price in prices]


def played(strategy: Strategy, ticks: list[Tick], desk: FakeDesk | None = None) -> FakeDesk:
    desk = desk or FakeDesk()
    strategy.on_start(desk)
    for one in ticks:
        strategy.on_tick(one)
    strategy.on_end()
    return desk


def wall(at: datetime) -> str:
    return at.astimezone(KOLKATA).strftime("%H:%M:%S")


# -- candles -----------------------------------------------------------------------------------------------------------


def test_a_candle_is_handed_over_by_the_first_tick_of_the_next():
    candles = Candles(OPEN, 60 * SECOND)
    assert [candles.add(tick(second, price)) for second, price in ((0, 5), (30, 7), (59.999, 4))] == [None] * 3
    assert candles.add(tick(60, 9)) == OHLCV(5, 7, 4, 4)
    assert candles.add(tick(500, 8)) == OHLCV(9, 9, 9, 9)  # minutes without ticks have no candle


def test_a_bar_counts_with_its_high_and_low():
    candles = Candles(OPEN, 60 * SECOND)
    candles.add(Tick("A", OPEN, 5, 9, 1))
    assert candles.add(tick(60, 5)) == OHLCV(5, 9, 1, 5)


# -- what both do ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_brings_trades_on_both_sides_all_flat_in_the_end(kind):
    desk = played(kind(), wave())
    sides = {trade.side for trade in desk.trades.values()}
    assert sides == {"LONG", "SHORT"}
    assert all(trade.closed_at and trade.open_quantity == 0 for trade in desk.trades.values())
    assert desk.indicators
    assert desk.snapshots


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ticks_bring_the_same_calls(kind):
    assert played(kind(), wave()).__dict__ == played(kind(), wave()).__dict__


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_brings_skipped_signals_only(kind):
    desk = played(kind(), [one._replace(symbol="NIFTY 50") for one in wave()])
    assert desk.trades == {}
    assert desk.signals
    assert {(decision, reason) for *_, decision, reason, _ in desk.signals} == {
        ("SKIPPED", "an index cannot be traded")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_open_is_squared_off_15_minutes_before_the_session_ends(kind):
    desk = played(kind(), wave(seconds=22_500))
    assert max(trade.closed_at for trade in desk.trades.values()) <= instant(OPEN + 21_600 * SECOND)
    held = [trade for trade in desk.trades.values() if trade.exit_reason == "square_off"]
    assert all(wall(trade.closed_at) == "15:15:00" for trade in held)


def rising_late() -> list[Tick]:
    """A slow fall, then from 12:45 on a steady rise that stops no trade out."""
    fall = [tick(s, round(1905 - s / 2_520 + (s // 20 % 2) * 0.8, 2)) for s in range(0, 12_600, 20)]
    return [*fall, *(tick(s, round(1900 + (s - 12_600) / 400, 2)) for s in range(12_600, 22_490, 10))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trade_that_runs_is_closed_by_the_square_off(kind):
    desk = played(kind(), rising_late())
    last = list(desk.trades.values())[-1]
    assert last.exit_reason == "square_off"
    assert wall(last.closed_at) == "15:15:00"


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_that_ends_elsewhen_is_squared_off_before_that(kind):
    desk = played(kind(), rising_late(), FakeDesk(closes=datetime(2021, 4, 12, 15, 0).time()))
    assert wall(list(desk.trades.values())[-1].closed_at) == "14:45:00"


@pytest.mark.parametrize("kind", KINDS)
def test_when_ticks_stop_what_is_open_is_closed_at_the_last_price(kind):
    ticks = rising_late()[:1500]
    desk = played(kind(), ticks)
    last = list(desk.trades.values())[-1]
    assert last.exit_reason == "ticks_stopped"
    assert last.closed_at == ticks[-1].at


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_day_begins_anew_and_closes_what_the_last_ticks_left_open(kind):
    ticks = rising_late()[:1500]
    tomorrow = [one._replace(time=one.time + DAY) for one in ticks]
    desk = played(kind(), [*ticks, *tomorrow])
    by_day = {day: [t for t in desk.trades.values() if t.opened_at.day == day] for day in (12, 13)}
    assert len(by_day[12]) == len(by_day[13]) > 0
    assert {trade.closed_at.day for trade in by_day[12]} == {12}
    assert [t.entry for t in by_day[12]] == [t.entry for t in by_day[13]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_carried_symbol_is_held_over_the_close(kind):
    desk = played(kind(carried=frozenset({"RELIANCE"})), rising_late())
    assert list(desk.trades.values())[-1].closed_at is None


@pytest.mark.parametrize("kind", KINDS)
def test_ticks_outside_the_session_and_on_closed_days_are_not_traded_on(kind):
    early = [one._replace(time=one.time - 22_500 * SECOND) for one in wave()]
    assert not played(kind(), early).trades
    closed = FakeDesk(closed_days=(date(2021, 4, 12),))
    desk = played(kind(), wave(), closed)
    assert not desk.trades
    assert not desk.signals


@pytest.mark.parametrize("kind", KINDS)
def test_a_tick_that_is_older_than_its_predecessor_changes_nothing(kind):
    ticks = wave()
    late = [ticks[0], *(one for two in pairwise(ticks) for one in (two[1], two[0]._replace(price=1.0, low=1.0)))]
    assert played(kind(), late).trades == played(kind(), ticks).trades


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_say_what_they_stand_for(kind):
    ids = list(played(kind(), wave()).trades)
    assert len(ids) == len(set(ids))
    assert all(name.startswith(f"{kind.strategy_id}-RELIANCE-20210412T") for name in ids)


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_can_be_kept_and_say_what_was_seen(kind):
    desk = played(kind(), wave())
    seen = [trade.conditions for trade in desk.trades.values()] + [conditions for *_, conditions in desk.signals]
    for conditions in seen:
        assert {"side", "price", "stop", "quantity", "atr"} <= conditions.keys()
        assert json.loads(json.dumps(conditions, allow_nan=False)) == conditions


@pytest.mark.parametrize("kind", KINDS)
def test_a_trade_risks_and_costs_no_more_than_it_may(kind):
    desk = played(kind(risk_cash=Decimal(100), notional_max=Decimal(20_000)), wave())
    for trade in desk.trades.values():
        first_stop = Decimal(str(trade.conditions["stop"]))
        assert abs(trade.entry - first_stop) * trade.quantity <= 100
        assert trade.entry * trade.quantity <= 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_beyond_the_limits_is_skipped(kind):
    desk = played(kind(notional_max=Decimal(1_000)), wave())
    assert desk.trades == {}
    assert "one unit is beyond the limits" in {reason for *_, reason, _ in desk.signals}


@pytest.mark.parametrize("kind", KINDS)
def test_stops_lie_on_the_grid_and_never_move_back(kind):
    desk = played(kind(), wave())
    assert any(trade.stops for trade in desk.trades.values())
    for trade in desk.trades.values():
        sign = 1 if trade.side == "LONG" else -1
        stops = [Decimal(str(trade.conditions["stop"])), *(stop for _, stop in trade.stops)]
        assert all(stop % Decimal("0.05") == 0 for stop in stops)
        assert all(sign * (after - before) > 0 for before, after in pairwise(stops))


@pytest.mark.parametrize("kind", KINDS)
def test_charges_are_said_when_they_are_known(kind):
    class Charged(FakeDesk):
        charges = []

        def open_position(self, *args, charges, **said):
            self.charges.append((args[3] * args[4], charges))
            super().open_position(*args, **said)

    desk = played(kind(charge_percent=Decimal("0.03")), wave(), Charged())
    assert all(charge == (value * Decimal("0.0003")).quantize(Decimal("0.01")) for value, charge in desk.charges)
    desk.charges.clear()
    assert {charge for _, charge in played(kind(), wave(), Charged()).charges} == {None}


class Eager(OpeningRangeBreakout):
    """Moves its stop at every tick."""

    def manage(self, watch, holding, tick):
        self.move_stop(watch, holding.stop + holding.side * Decimal("0.05"), tick, "EAGER")


def test_a_stop_moves_at_most_once_in_an_instant_so_that_a_repeat_can_tell_it_from_a_move_back():
    ticks = [one for one in rising_late() for _ in range(2)]  # two of every second
    trades = played(Eager(), ticks).trades.values()
    assert all(len({at for at, _ in trade.stops}) == len(trade.stops) for trade in trades)
    assert max(len(trade.stops) for trade in trades) > 5


# -- EMA cross ---------------------------------------------------------------------------------------------------------


def test_ema_cross_trades_where_two_averages_computed_apart_cross():
    ticks = wave()
    desk = played(EmaCross(), ticks)
    candles, closes = Candles(OPEN, 60 * SECOND), []
    crosses, side = [], 0
    fast, slow = EMA(9), EMA(21)
    for one in ticks:
        done = candles.add(one)
        if done is None:
            continue
        closes.append(done.close)
        fast.add(done.close), slow.add(done.close)
        if slow[-1] is not None:
            before, side = side, 1 if fast[-1] > slow[-1] else -1
            if before and before != side:
                crosses.append((one.at, side))
    signals = [(trade.opened_at, 1 if trade.side == "LONG" else -1) for trade in desk.trades.values()]
    skipped = [(at, 1 if conditions["side"] == "LONG" else -1) for _, at, _, _, conditions in desk.signals]
    assert len(crosses) > 5
    assert sorted([*signals, *skipped]) == [cross for cross in crosses if cross[0] < instant(OPEN + 21_600 * SECOND)]


def test_ema_cross_trails_by_two_average_true_ranges():
    ticks = wave()
    desk = played(EmaCross(), ticks)
    candles, atr = Candles(OPEN, 60 * SECOND), ATR(14)
    ranges = {}
    for one in ticks:
        done = candles.add(one)
        if done is not None:
            atr.add(done)
            ranges[one.at] = atr[-1]
    for trade in desk.trades.values():
        for at, stop in trade.stops:
            assert abs(abs(Decimal(str(2 * ranges[at])) - abs(stop - extreme(trade, ticks, at)))) <= Decimal("0.03")


def extreme(trade, ticks, at) -> Decimal:
    prices = [Decimal(str(one.price)) for one in ticks if trade.opened_at <= one.at <= at]
    return max(prices) if trade.side == "LONG" else min(prices)


def test_ema_cross_skips_a_market_that_hardly_moves():
    desk = played(EmaCross(), wave(size=1.0, noise=0.05))
    assert desk.trades == {}
    assert {reason for *_, reason, _ in desk.signals} == {"the market hardly moves"}


def test_ema_cross_turns_around_on_a_cross_the_other_way():
    strategy = EmaCross()
    strategy.stop_ranges = 200.0  # no stop comes in between
    desk = played(strategy, wave())
    trades = list(desk.trades.values())
    assert [trade.exit_reason for trade in trades[:-1]] == ["cross"] * (len(trades) - 1)
    assert all(before.closed_at == after.opened_at for before, after in pairwise(trades))


# -- opening range -----------------------------------------------------------------------------------------------------


def test_opening_range_waits_for_a_close_beyond_the_first_quarter_of_an_hour():
    desk = played(OpeningRangeBreakout(), wave())
    first = next(iter(desk.trades.values()))
    assert wall(first.opened_at) > "09:30:00"
    early = [one.price for one in wave() if one.time < OPEN + 900 * SECOND]
    for trade in desk.trades.values():
        assert (trade.conditions["range_high"], trade.conditions["range_low"]) == (max(early), min(early))
        sign = 1 if trade.side == "LONG" else -1
        edge = max(early) if sign > 0 else min(early)
        candle = [one for one in wave() if trade.opened_at - timedelta(minutes=3) <= one.at < trade.opened_at]
        assert sign * (candle[-1].price - edge) > 0


def test_opening_range_books_half_at_one_time_the_risk_and_is_then_safe():
    desk = played(OpeningRangeBreakout(), rising_late())
    trade = list(desk.trades.values())[-1]
    assert trade.stops
    assert trade.stops[0][1] >= trade.entry
    assert trade.pnl > 0


def test_opening_range_skips_a_second_breakout_while_it_holds_and_one_that_ran_too_far():
    flat = [tick(s, 1900 + (s // 60 % 2) * 2) for s in range(0, 1_800, 20)]
    jump = [tick(s, 1950) for s in range(1_800, 2_400, 20)]
    desk = played(OpeningRangeBreakout(), [*flat, *jump])
    assert [reason for *_, reason, _ in desk.signals] == ["the price has run too far"]
    wild = [tick(s, 1900 + (s // 60 % 2) * 100) for s in range(0, 1_800, 20)]
    desk = played(OpeningRangeBreakout(), [*wild, *(tick(s, 2010) for s in range(1_800, 2_400, 20))])
    assert [reason for *_, reason, _ in desk.signals] == ["the opening range is too wide"]


# -- choosing ----------------------------------------------------------------------------------------------------------


def test_strategies_are_chosen_by_name():
    assert load_strategy("none") is None
    assert {name: type(load_strategy(name)) for name in STRATEGIES} == {
        "ema_cross": EmaCross,
        "opening_range": OpeningRangeBreakout,
    }


def test_a_strategy_of_ones_own_is_found_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "my_strategies_of_this_test.py").write_text(
        "class Mine:\n    def on_start(self, dm): ...\n    def on_tick(self, tick): ...\n    def on_end(self): ...\n"
        "class Half:\n    def on_tick(self, tick): ...\n"
        "class Broken:\n    def __init__(self): raise RuntimeError('boom')\n"
    )
    monkeypatch.chdir(tmp_path)
    module = "my_strategies_of_this_test"
    assert load_strategy(f"{module}:Mine").strategy_id == "Mine"
    for name, words in (("Half", "on_start, on_end"), ("Broken", "boom"), ("None_", "None_")):
        with pytest.raises(InvalidValue, match=words):
            load_strategy(f"{module}:{name}")


@pytest.mark.parametrize("name", ["", "nope", "no_such_module_at_all:X", ":", "a:"])
def test_an_unknown_strategy_is_refused(name):
    with pytest.raises(InvalidValue):
        load_strategy(name)


def test_strategies_together_do_what_each_does_alone():
    together = played(Together([EmaCross(), OpeningRangeBreakout()]), wave(), Shared())
    alone = [played(kind(), wave()) for kind in KINDS]
    assert together.trades == alone[0].trades | alone[1].trades


class Shared(FakeDesk):
    """Two strategies may hold the same symbol."""

    def open_position(self, trade_id, strategy_id, *args, **said):
        others = {name: trade for name, trade in self.trades.items() if not name.startswith(strategy_id)}
        mine = {name: trade for name, trade in self.trades.items() if name.startswith(strategy_id)}
        self.trades = mine
        super().open_position(trade_id, strategy_id, *args, **said)
        self.trades = others | self.trades
