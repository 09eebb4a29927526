"""MAE and MFE: the fast walk against a plain one, and the gaps of a feed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import feed_gaps, position
from trading.domain.excursions import PricePath
from trading.domain.feed_gaps import SECOND, Gap
from trading.domain.money import SCALE
from trading.domain.position import BUY, LONG, SELL, SHORT, Execution

Fills = list[tuple[int, Execution]]


@st.composite
def lives(draw: Any) -> tuple[str, Fills]:
    """A closed trade in seconds: entries and exits at instants that may coincide."""
    side = draw(st.sampled_from((LONG, SHORT)))
    entry, exit = (BUY, SELL) if side == LONG else (SELL, BUY)
    price = st.integers(50, 150)
    at, held, fills = 10, draw(st.integers(1, 9)), []
    fills.append((at, Execution(entry, draw(price) * SCALE, held * SCALE)))
    for _ in range(draw(st.integers(0, 4))):
        at += draw(st.integers(0, 3))
        enters = draw(st.booleans())
        quantity = draw(st.integers(1, 9)) if enters else draw(st.integers(1, held))
        held += quantity if enters else -quantity
        fills.append((at, Execution(entry if enters else exit, draw(price) * SCALE, quantity * SCALE)))
        if not held:
            return side, fills
    fills.append((at + draw(st.integers(0, 3)), Execution(exit, draw(price) * SCALE, held * SCALE)))
    return side, fills


ticks = st.lists(st.tuples(st.integers(5, 35), st.integers(40, 160)), max_size=30).map(
    lambda made: sorted(made, key=lambda tick: tick[0])
)


def plainly(side: str, fills: Fills, seen: list[tuple[int, int]]) -> tuple[Fraction, Fraction, int]:
    """Every price on the way: what was paid and got so far, and what the rest is worth. No average, no cost."""
    sign = 1 if side == LONG else -1
    opened, closed = fills[0][0], fills[-1][0]
    points, counted = [], 0
    for place, (_, fill) in enumerate(fills):
        points.append(worth(sign, fills[: place + 1], Fraction(fill.price, SCALE)))
    for at, price in seen:
        if opened <= at <= closed:
            before = [one for one in fills if one[0] < at] or fills[:1]
            if sum(signed(side, fill) for _, fill in before):
                counted += 1
                points.append(worth(sign, before, Fraction(price)))
    return min(points), max(points), counted


def signed(side: str, fill: Execution) -> int:
    return fill.quantity if (fill.side == BUY) == (side == LONG) else -fill.quantity


def worth(sign: int, fills: Fills, price: Fraction) -> Fraction:
    cash, held = Fraction(0), Fraction(0)
    for _, fill in fills:
        quantity = Fraction(fill.quantity, SCALE) * (1 if fill.side == BUY else -1)
        cash -= quantity * Fraction(fill.price, SCALE)
        held += quantity
    assert held * sign >= 0
    return cash + held * price


def walked(side: str, fills: Fills, seen: list[tuple[int, int]], *, pieces: int = 1) -> Any:
    walk = PricePath(side, SCALE, fills)
    inside = [tick for tick in seen if tick[0] <= fills[-1][0]]
    for part in np.array_split(np.array(inside, dtype=np.int64).reshape(-1, 2), pieces):
        prices = part[:, 1].astype(np.float64)
        walk.add(part[:, 0], prices, prices)
    return walk.result()


@given(lives(), ticks, st.integers(1, 4))
def test_the_walk_finds_what_a_plain_one_finds(life: tuple[str, Fills], seen: list, pieces: int) -> None:
    side, fills = life
    low, high, counted = plainly(side, fills, seen)
    made = walked(side, fills, seen)
    # A released part of a cost is rounded at the 8th decimal, once per exit.
    room = Fraction(len(fills), SCALE)
    assert abs(Fraction(made.mae.pnl, SCALE) - low) <= room
    assert abs(Fraction(made.mfe.pnl, SCALE) - high) <= room
    assert made.ticks == counted


@given(lives(), ticks)
def test_the_end_lies_between_the_worst_and_the_best(life: tuple[str, Fills], seen: list) -> None:
    side, fills = life
    made = walked(side, fills, seen)
    pnl = position.fold(side, SCALE, [fill for _, fill in fills])[0].realised_pnl
    assert made.mae.pnl <= min(0, pnl) and made.mfe.pnl >= max(0, pnl)
    assert fills[0][0] <= min(made.mae.at, made.mfe.at) and max(made.mae.at, made.mfe.at) <= fills[-1][0]


@given(lives(), ticks)
def test_the_days_of_a_long_trade_may_come_piece_by_piece(life: tuple[str, Fills], seen: list) -> None:
    apart = sorted({at: (at, price) for at, price in seen}.values())  # no two at one instant lie in two pieces
    assert walked(*life, apart, pieces=3) == walked(*life, apart)


def test_a_quantity_taken_off_early_weighs_less() -> None:
    fills = [(0, Execution(BUY, 100 * SCALE, 10 * SCALE)), (5, Execution(SELL, 110 * SCALE, 8 * SCALE))]
    fills += [(9, Execution(SELL, 100 * SCALE, 2 * SCALE))]
    made = walked(LONG, fills, [(1, 97), (6, 130), (8, 60)])
    assert (made.mae.pnl, made.mae.price, made.mae.at) == (-30 * SCALE, 97 * SCALE, 1)  # 60 costs only 2 × 40 of 80
    assert (made.mfe.pnl, made.mfe.price, made.mfe.at) == (140 * SCALE, 130 * SCALE, 6)


def test_without_ticks_only_the_fills_speak() -> None:
    fills = [(0, Execution(SELL, 100 * SCALE, SCALE)), (5, Execution(BUY, 90 * SCALE, SCALE))]
    made = walked(SHORT, fills, [])
    assert (made.mae.pnl, made.mfe.pnl, made.mfe.at, made.ticks) == (0, 10 * SCALE, 5, 0)


def test_a_bar_counts_with_both_its_ends() -> None:
    walk = PricePath(LONG, SCALE, [(0, Execution(BUY, 100 * SCALE, SCALE)), (9, Execution(SELL, 100 * SCALE, SCALE))])
    walk.add(np.array([5]), np.array([90.0]), np.array([120.0]))
    assert (walk.result().mae.pnl, walk.result().mfe.pnl) == (-10 * SCALE, 20 * SCALE)


class TestGaps:
    OPENS, CLOSES = 1000 * SECOND, 2000 * SECOND

    def found(self, seconds: list[float]) -> list[Gap]:
        times = np.array([round(second * SECOND) for second in seconds], dtype=np.int64)
        return feed_gaps.gaps(times, self.OPENS, self.CLOSES)

    def test_a_gap_is_longer_than_ten_seconds_between_two_ticks_of_the_session(self) -> None:
        steady = [float(second) for second in range(1000, 1500)]
        assert self.found(steady) == []
        assert self.found([*steady, 1509]) == []  # ten seconds are none
        (gap,) = self.found([*steady, 1509.5, 1510])
        assert (gap.start, gap.seconds) == (1499 * SECOND, 10.5)

    def test_the_night_and_what_lies_outside_the_session_is_no_gap(self) -> None:
        steady = [float(second) for second in range(1100, 1600)]
        assert self.found([500, 950, *steady, 2030]) == []

    def test_a_symbol_that_seldom_ticks_has_none(self) -> None:
        assert self.found([1000.0 + 30 * number for number in range(20)]) == []
        assert self.found([1000.0, 1500.0]) == []

    def test_late_ticks_do_not_make_one(self) -> None:
        steady = [float(second) for second in range(1000, 1500)]
        assert self.found([*steady[::2], *steady[1::2]]) == []

    @pytest.mark.parametrize(
        ("opened", "closed", "touched"), [(1, 4, False), (1, 6, True), (6, 7, True), (9, 20, True), (10, 20, False)]
    )
    def test_it_touches_who_was_open_in_it(self, opened: int, closed: int, touched: bool) -> None:
        assert Gap(5, 10).touches(opened, closed) is touched

    def test_its_mark_says_how_long(self) -> None:
        assert (feed_gaps.mark(30.0), feed_gaps.mark(None)) == ("30 s without ticks", "")
