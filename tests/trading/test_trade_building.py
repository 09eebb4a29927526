"""Trades from fills: worked days of a trader, an oracle that walks unit by unit, and any order of the same fills."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import trade_building
from trading.domain.position import BUY, ENTRY_SIDE, LONG, SELL, SHORT
from trading.domain.replaced_orders import without_replaced_orders
from trading.domain.trade_building import Built, ReportedFill, build, is_descending, order_key, row_key

DAY = date(2026, 6, 1)
OPEN = datetime(2026, 6, 1, 3, 45, tzinfo=UTC)


def fill(
    number: int,
    side: str,
    quantity: int,
    *,
    minute: int | None = None,
    day: int = 0,
    is_cash: bool = False,
    kind: str = trade_building.TRADE,
    order_id: str | None = None,
    key: str = "",
) -> ReportedFill:
    """Return a fill of a broker `b` at 100; without a ``minute`` its id is its place in time."""
    at = OPEN + timedelta(days=day, minutes=number if minute is None else minute)
    return ReportedFill(
        key or str(number),
        "b",
        "NFO",
        DAY + timedelta(days=day),
        at,
        side,
        quantity,
        100,
        kind,
        order_id,
        number,
        is_cash,
    )


def outline(built: Built) -> list[tuple[str, str, bool, list[tuple[str, int]]]]:
    return [
        (trade.trade_id, trade.side, trade.is_open, [(leg.fill.key, leg.quantity) for leg in trade.legs])
        for trade in built.trades
    ]


def left_over(built: Built) -> list[tuple[str, int]]:
    return [(leg.fill.key, leg.quantity) for leg in built.opening_sales]


def test_a_trade_goes_from_flat_to_flat_and_is_named_after_its_first_fill() -> None:
    built = build([fill(1, BUY, 50), fill(2, BUY, 25), fill(3, SELL, 75), fill(4, BUY, 10)])
    assert outline(built) == [
        ("b-NFO-1", LONG, False, [("1", 50), ("2", 25), ("3", 75)]),
        ("b-NFO-4", LONG, True, [("4", 10)]),
    ]


def test_a_fill_that_crosses_zero_closes_a_trade_and_opens_the_next() -> None:
    built = build([fill(1, BUY, 50), fill(2, SELL, 80), fill(3, BUY, 30)])
    assert outline(built) == [
        ("b-NFO-1", LONG, False, [("1", 50), ("2", 50)]),
        ("b-NFO-2", SHORT, False, [("2", 30), ("3", 30)]),
    ]


def test_fills_of_one_instant_are_ordered_by_the_size_of_their_ids() -> None:
    built = build([fill(10, SELL, 5, minute=0), fill(9, BUY, 5, minute=0)])
    assert outline(built) == [("b-NFO-9", LONG, False, [("9", 5), ("10", 5)])]


def test_ids_with_letters_are_ordered_by_the_size_of_their_numbers() -> None:
    keys = ["X10", "X9", "A2-X1", "X009", "A10-X1", "X8"]
    fills = [fill(number, BUY, 1, minute=0, key=key) for number, key in enumerate(keys)]
    ordered = sorted(fills, key=trade_building.sort_key)
    assert [each.key for each in ordered] == ["A2-X1", "A10-X1", "X8", "X009", "X9", "X10"]


def test_in_cash_a_sale_that_is_bought_back_on_its_day_is_a_short() -> None:
    built = build([fill(1, SELL, 10, is_cash=True), fill(2, BUY, 10, is_cash=True)])
    assert outline(built) == [("b-NFO-1", SHORT, False, [("1", 10), ("2", 10)])]
    assert left_over(built) == []


def test_in_cash_another_sale_from_nothing_is_one_of_holdings_whose_cost_is_unknown() -> None:
    built = build(
        [fill(1, SELL, 10, is_cash=True), fill(2, BUY, 4, is_cash=True), fill(3, BUY, 6, day=1, is_cash=True)]
    )
    assert outline(built) == [
        ("b-NFO-1", SHORT, False, [("1", 4), ("2", 4)]),
        ("b-NFO-3", LONG, True, [("3", 6)]),
    ]
    assert left_over(built) == [("1", 6)]


def test_in_cash_a_sale_beyond_the_holding_closes_it_and_the_rest_has_no_cost() -> None:
    built = build([fill(1, BUY, 10, is_cash=True), fill(2, SELL, 25, day=1, is_cash=True)])
    assert outline(built) == [("b-NFO-1", LONG, False, [("1", 10), ("2", 10)])]
    assert left_over(built) == [("2", 15)]


def test_in_futures_a_sale_that_opens_is_a_short_overnight() -> None:
    assert outline(build([fill(1, SELL, 10)])) == [("b-NFO-1", SHORT, True, [("1", 10)])]


def test_an_expiry_closes_and_says_so() -> None:
    built = build([fill(1, BUY, 50), fill(2, SELL, 50, kind=trade_building.EXPIRY)])
    assert [(trade.is_open, trade.reason) for trade in built.trades] == [(False, "expired")]


def test_a_settlement_never_opens() -> None:
    built = build(
        [fill(1, SELL, 50, kind=trade_building.EXERCISE), fill(2, BUY, 10), fill(3, SELL, 15, kind="exercise")]
    )
    assert [(leg.fill.key, leg.quantity) for leg in built.unmatched] == [("1", 50), ("3", 5)]
    assert [trade.reason for trade in built.trades] == ["settled"]


def test_fills_of_an_order_take_its_place() -> None:
    order = fill(1, BUY, 100, kind=trade_building.ORDER, order_id="O", key=order_key("O", "100"))
    early = fill(1, BUY, 40, kind=trade_building.ORDER, order_id="O", key=order_key("O", "40"))
    standing, replaced = without_replaced_orders([early, order])
    assert (standing, replaced) == ([order], [])
    fills = [fill(7, BUY, 60, order_id="O"), fill(8, BUY, 40, order_id="O")]
    standing, replaced = without_replaced_orders([*fills, order, early])
    assert standing == fills
    assert [(row.quantity, row.differs) for row in replaced] == [(100, False)]
    _, replaced = without_replaced_orders([fills[0], order])
    assert [row.differs for row in replaced] == [True]


def test_the_fills_of_a_day_take_the_place_of_its_sums() -> None:
    bought = fill(1, BUY, 100, kind=trade_building.ORDER, key=row_key(["bill", "BUY"], 1))
    sold = fill(2, SELL, 60, kind=trade_building.ORDER, key=row_key(["bill", "SELL"], 1))
    assert without_replaced_orders([bought, sold]) == ([bought, sold], [])

    fills = [
        fill(7, BUY, 60),
        fill(8, BUY, 40),
        fill(9, SELL, 60, day=1),
        fill(10, SELL, 60, kind=trade_building.EXPIRY),
    ]
    standing, replaced = without_replaced_orders([bought, *fills, sold])
    assert standing == [*fills, sold]
    assert [(row.order, row.quantity, row.differs) for row in replaced] == [(bought, bought.quantity, False)]

    _, replaced = without_replaced_orders([bought, fills[0]])
    assert [(row.quantity, row.differs) for row in replaced] == [(fills[0].quantity, True)]


def test_an_order_takes_the_place_of_a_days_sum_and_its_fills_of_the_order() -> None:
    bill = fill(1, BUY, 100, kind=trade_building.ORDER, key=row_key(["bill"], 1))
    order = fill(2, BUY, 100, kind=trade_building.ORDER, order_id="O", key=order_key("O", "100"))
    assert without_replaced_orders([bill, order])[0] == [order]
    fills = [fill(7, BUY, 100, order_id="O")]
    standing, replaced = without_replaced_orders([bill, order, *fills])
    assert standing == fills
    assert [row.differs for row in replaced] == [False, False]


def test_a_bill_that_comes_again_with_more_is_one_sum_and_its_sides_are_two() -> None:
    bought, sold = (trade_building.bill_id("501", side, 1) for side in (BUY, SELL))
    sums = [
        fill(n, side, quantity, kind=trade_building.ORDER, order_id=name, key=order_key(name, str(quantity)))
        for n, (side, name, quantity) in enumerate([(BUY, bought, 40), (BUY, bought, 100), (SELL, sold, 40)], 1)
    ]
    assert without_replaced_orders(sums) == (sums[1:], [])
    fills = [fill(7, BUY, 100), fill(8, SELL, 40)]
    standing, replaced = without_replaced_orders([*sums, *fills])
    assert standing == fills
    assert [row.differs for row in replaced] == [False, False]


def test_what_two_sums_of_a_day_lack_is_said_once() -> None:
    bills = [fill(n, BUY, 50, kind=trade_building.ORDER, key=row_key(["bill"], n)) for n in (1, 2)]
    _, replaced = without_replaced_orders([*bills, fill(7, BUY, 70)])
    assert [row.differs for row in replaced] == [True, False]
    assert sum(row.quantity for row in replaced) == fill(7, BUY, 70).quantity


def test_fills_without_ids_are_counted_by_content() -> None:
    assert row_key(["BUY", "10"], 1) == row_key(["BUY", "10"], 1)
    assert len({row_key(["BUY", "10"], 1), row_key(["BUY", "10"], 2), row_key(["BUY", "1", "0"], 1)}) == 3


def test_a_file_newest_first_is_descending() -> None:
    assert is_descending([OPEN, OPEN, OPEN - timedelta(minutes=1)])
    assert not is_descending([OPEN, OPEN])


def test_an_open_trade_is_continued_whole() -> None:
    fills = [fill(1, BUY, 50), fill(2, SELL, 20), fill(3, SELL, 30), fill(4, SELL, 5)]
    (begun,) = build(fills[:2]).trades
    assert outline(build(fills[2:], begun=begun)) == outline(build(fills))


FILLS = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 4), st.integers(0, 2), st.integers(0, 3)), max_size=14
)


def reported(rows: list[tuple[str, int, int, int]], *, is_cash: bool = False) -> list[ReportedFill]:
    return [
        fill(number, side, quantity, day=day, minute=minute, is_cash=is_cash)
        for number, (side, quantity, day, minute) in enumerate(rows, 1)
    ]


def walked(fills: list[ReportedFill]) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """Return the trades of a walk that takes one unit after another: (first fill, side, [(fill, units)])."""
    trades: list[tuple[str, str, list[tuple[str, int]]]] = []
    held = 0
    for each in sorted(fills, key=lambda row: (row.day, row.at, int(row.key))):
        sign = 1 if each.side == BUY else -1
        for _ in range(each.quantity):
            if not held:
                trades.append((each.key, LONG if sign > 0 else SHORT, []))
            legs = trades[-1][2]
            if legs and legs[-1][0] == each.key:
                legs[-1] = (each.key, legs[-1][1] + 1)
            else:
                legs.append((each.key, 1))
            held += sign
    return trades


@given(rows=FILLS)
def test_trades_are_those_of_a_walk_unit_by_unit(rows: list[tuple[str, int, int, int]]) -> None:
    fills = reported(rows)
    assert [
        (trade.trade_id.rpartition("-")[2], trade.side, [(leg.fill.key, leg.quantity) for leg in trade.legs])
        for trade in build(fills).trades
    ] == walked(fills)


@given(rows=FILLS, is_cash=st.booleans(), choice=st.randoms(use_true_random=False))
def test_any_order_of_the_same_fills_makes_the_same_trades(rows, is_cash, choice) -> None:  # type: ignore[no-untyped-def]
    fills = reported(rows, is_cash=is_cash)
    expected = build(fills)
    choice.shuffle(fills)
    again = build(fills)
    assert (outline(again), left_over(again)) == (outline(expected), left_over(expected))


@given(rows=FILLS, is_cash=st.booleans(), cut=st.integers(0, 2))
def test_days_taken_in_parts_make_the_same_trades(
    rows: list[tuple[str, int, int, int]], is_cash: bool, cut: int
) -> None:
    fills = reported(rows, is_cash=is_cash)
    first = build([row for row in fills if row.day <= DAY + timedelta(days=cut)])
    begun = first.trades.pop() if first.trades and first.trades[-1].is_open else None
    rest = build([row for row in fills if row.day > DAY + timedelta(days=cut)], begun=begun)
    whole = build(fills)
    assert outline(first) + outline(rest) == outline(whole)
    assert left_over(first) + left_over(rest) == left_over(whole)


@given(rows=FILLS)
def test_in_cash_nothing_is_lost_no_short_stays_overnight_and_no_sale_is_left_over_needlessly(
    rows: list[tuple[str, int, int, int]],
) -> None:
    fills = reported(rows, is_cash=True)
    built = build(fills)
    legs = [leg for trade in built.trades for leg in trade.legs] + built.opening_sales
    for each in fills:
        assert sum(leg.quantity for leg in legs if leg.fill.key == each.key) == each.quantity
    held = 0
    for day in sorted({each.day for each in fills}):
        of_day = [each for each in fills if each.day == day]
        bought, sold = (sum(each.quantity for each in of_day if each.side == side) for side in (BUY, SELL))
        without_cost = sum(leg.quantity for leg in built.opening_sales if leg.fill.day == day)
        assert without_cost == max(0, sold - bought - held)
        held += bought - sold + without_cost
    for trade in built.trades:
        entry = ENTRY_SIDE[trade.side]
        rest = 0
        for leg in trade.legs:
            rest += leg.quantity if leg.fill.side == entry else -leg.quantity
        assert bool(rest) == trade.is_open
        assert trade.side == LONG or len({leg.fill.day for leg in trade.legs}) == 1


@pytest.mark.parametrize("key", ["12", "A1", "order-5-10", "row-00-1"])
def test_a_made_up_key_is_told_from_an_id(key: str) -> None:
    assert fill(1, BUY, 1, key=key).is_made_up == key.startswith(("order-", "row-"))
