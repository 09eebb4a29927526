"""Cuts tie out; what must not matter does not; a mirrored short equals its long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import cuts, figures, position, runs
from trading.domain.cuts import CUTS, Traded, TradedExit
from trading.domain.exit_lists import lists_of
from trading.domain.figures import Capital, ClosedTrade, EquityPath, Exit, Sample
from trading.domain.money import SCALE
from trading.domain.position import BUY, LONG, SELL, SHORT, Execution

KOLKATA = ZoneInfo("Asia/Kolkata")
START = datetime(2021, 4, 12, 9, 15, tzinfo=KOLKATA)
money = st.integers(min_value=-(10**13), max_value=10**13)
ADDED = ("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "total_pnl", "gross_pnl", "charges")
ALSO = ("trades_without_charges", "open_trades_pnl", "trades_with_initial_risk")


@st.composite
def parts(draw: Any) -> TradedExit:
    opened_at = START + timedelta(days=draw(st.integers(0, 60)), minutes=draw(st.integers(0, 374)))
    pnl, charges = draw(money), draw(st.none() | st.integers(0, 10**10))
    state = draw(st.sampled_from(("closed", "partial", "open")))
    at = opened_at + timedelta(minutes=draw(st.sampled_from((0, 1, 5, 15, 59, 60, 240, 3000))))
    whole = ClosedTrade(pnl, charges, draw(st.none() | st.integers(1, 10**12)), (at - opened_at).total_seconds())
    made = Exit(at, at.date(), pnl, charges, whole if state == "closed" else None, state == "open")
    trade = Traded(
        strategy_id=draw(st.sampled_from(("ema cross", "orb"))),
        symbol=draw(st.sampled_from(("RELIANCE", "M&M"))),
        side=draw(st.sampled_from((LONG, SHORT))),
        exit_reason=draw(st.sampled_from(("", "stop", "square_off"))),
        opened_at=opened_at,
        closed_at=None if state == "open" else at,
        tags=tuple(draw(st.sets(st.sampled_from(("late", "news", "fomo"))))),
        conditions=draw(st.dictionaries(st.sampled_from(("rsi", "trend")), st.floats(0, 100))),
    )
    return TradedExit(made, trade)


everything = st.lists(parts(), max_size=25)


@given(everything)
def test_every_cut_has_the_total_of_the_whole(made: list[TradedExit]) -> None:
    whole = figures.trade_figures(Sample.of([part.exit for part in made]))
    edges = cuts.edges_of([0.0, 30.0, 60.0, 90.0], is_boolean=False)
    keys = {**CUTS, "rsi": cuts.by_condition("rsi", edges), "trend": cuts.by_condition("trend", None)}
    for name, key in keys.items():
        groups = cuts.places(made, key)
        rows = [figures.trade_figures(Sample.of([made[place].exit for place in of])) for of in groups.values()]
        for figure in (*ADDED, *ALSO):
            assert sum(row[figure] for row in rows) == whole[figure], (name, figure)
    for name, groups in cuts.by_each_condition(made).items():
        assert sorted(place for of in groups.values() for place in of) == list(range(len(made))), name


def test_time_held_is_elapsed_also_over_a_change_of_the_clocks() -> None:
    there = ZoneInfo("America/New_York")
    opened_at, closed_at = datetime(2021, 3, 14, 1, 55, tzinfo=there), datetime(2021, 3, 14, 3, 5, tzinfo=there)
    trade = Traded("a", "b", LONG, "", opened_at, closed_at)
    assert cuts.holding(TradedExit(Exit(closed_at, closed_at.date(), 0, None), trade)) == "5 to 15 min"


@given(everything.flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_the_order_in_which_exits_come_changes_nothing(pair: tuple[list[TradedExit], list[TradedExit]]) -> None:
    days = sorted({part.exit.day for part in pair[0]})
    capital = Capital(10**14, days, {}, {})
    columns = [lists_of(made).columns() for made in pair]
    one, other = (figures.report_figures(exits.path(capital), exits.sample()) for exits in columns)
    assert one.keys() == other.keys()
    for name, figure in one.items():
        assert other[name] == (pytest.approx(figure, rel=1e-9) if isinstance(figure, float) else figure), name


prices, sizes = st.integers(1, 10**12), st.integers(1, 50)


@st.composite
def lives(draw: Any) -> list[tuple[bool, int, int]]:
    """Fills of one trade: (is an entry, price, quantity), never more out than in, flat at the end."""
    made, held = [(True, draw(prices), draw(sizes))], 0
    held = made[0][2]
    for _ in range(draw(st.integers(0, 5))):
        enters = draw(st.booleans())
        quantity = draw(sizes) if enters else draw(st.integers(1, held))
        held += quantity if enters else -quantity
        made.append((enters, draw(prices), quantity))
        if not held:
            return made
    return [*made, (False, draw(prices), held)]


def fold(side: str, life: list[tuple[bool, int, int]], *, times: int = 1, mirror: int | None = None) -> int:
    entry, exit = (BUY, SELL) if side == LONG else (SELL, BUY)
    fills = [
        Execution(entry if enters else exit, (price if mirror is None else mirror - price) * times, quantity * SCALE)
        for enters, price, quantity in life
    ]
    return position.fold(side, SCALE, fills)[0].realised_pnl


@given(lives(), st.integers(2, 50), st.sampled_from((LONG, SHORT)))
def test_scaling_all_prices_scales_all_money(life: list[tuple[bool, int, int]], times: int, side: str) -> None:
    # Parts of a cost are rounded at the 8th decimal, so each exit may lie one unit beside the scaled one.
    assert abs(fold(side, life, times=times) - times * fold(side, life)) <= times * len(life)


@given(lives())
def test_a_mirrored_short_equals_its_long(life: list[tuple[bool, int, int]]) -> None:
    top = 2 * 10**12 + 1  # each price is as far below it as the long's is above nothing
    assert abs(fold(SHORT, life, mirror=top) - fold(LONG, life)) <= len(life)


@given(lives())
def test_the_same_fills_the_other_way_round_lose_what_they_won(life: list[tuple[bool, int, int]]) -> None:
    assert fold(SHORT, life) == -fold(LONG, life)


class TestBuckets:
    @pytest.mark.parametrize(
        ("minutes", "name"),
        [
            (0, "under 1 min"),
            (1, "1 to 5 min"),
            (5, "5 to 15 min"),
            (15, "15 to 60 min"),
            (60, "1 to 4 h"),
            (240, "over 4 h"),
            (1440, "overnight"),
        ],
    )
    def test_holding_is_half_open(self, minutes: int, name: str) -> None:
        closed_at = START + timedelta(minutes=minutes)
        trade = Traded("a", "b", LONG, "", START, closed_at)
        assert cuts.holding(TradedExit(Exit(closed_at, closed_at.date(), 0, None), trade)) == name

    def test_weeks_are_iso_weeks(self) -> None:
        trade = Traded("a", "b", LONG, "", START, None)
        day = date(2021, 1, 3)
        assert CUTS["week"](TradedExit(Exit(datetime(2021, 1, 3, tzinfo=UTC), day, 0, None), trade)) == "2020-W53"

    def test_quantile_edges_put_each_value_in_one_bucket(self) -> None:
        edges = cuts.edges_of([1, 2, 3, 4, 5, 6, 7, 8], is_boolean=False)
        assert edges == (2, 4, 6)
        assert [cuts.bucket(value, edges) for value in (1, 2, 2.5, 6, 7)] == [
            "up to 2",
            "up to 2",
            "2 to 4",
            "4 to 6",
            "over 6",
        ]
        assert cuts.edges_of([5, 5, 5], is_boolean=False) == ()
        assert cuts.bucket(5, ()) == "all"

    def test_hours_of_the_day_and_buckets_come_in_their_order_and_the_unknown_last(self) -> None:
        names = ["over 4 h", "still open", "under 1 min", "overnight", "15 to 60 min"]
        trades = [
            TradedExit(Exit(START, START.date(), 0, None), Traded(name, "", "", "", START, None)) for name in names
        ]
        assert list(cuts.places(trades, lambda part: part.trade.strategy_id)) == [
            "under 1 min",
            "15 to 60 min",
            "over 4 h",
            "overnight",
            "still open",
        ]


class TestRuns:
    def test_streaks_count_wins_losses_and_the_last_run(self) -> None:
        pnls = [1, 2, -1, -1, -1, 0, 5, -2, -3]
        closed = [(START + timedelta(minutes=place), pnl) for place, pnl in enumerate(pnls)]
        assert runs.streaks(closed) == runs.Streaks(2, 3, -2)
        assert runs.streaks([]) == runs.Streaks(0, 0, 0)

    def test_a_report_knows_where_equity_stands_and_when_it_was_made_good(self) -> None:
        day = START.date()
        exits = [
            Exit(START + timedelta(minutes=place), day, pnl * 10**8, None, ClosedTrade(pnl * 10**8, None, None, 1.0))
            for place, pnl in enumerate([100, -50, 60, -20])
        ]
        path = EquityPath.of(exits, Capital(1000 * 10**8, [day], {}, {}))
        told = figures.report_figures(path, Sample.of(exits))
        assert (told["current_drawdown"], told["max_drawdown"], told["recovery_factor"]) == (20, 50, 90 / 50)
        assert told["current_drawdown_pct"] == pytest.approx(100 * 20 / 1110)
        assert told["max_drawdown_recovered"] == told["best_day_date"] == "2021-04-12"
        assert told["cagr"] is None
