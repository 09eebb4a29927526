"""From fills to position and P&L, against a few plain lines in fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import position
from trading.domain.money import SCALE
from trading.domain.position import Execution, Holding, Realised

MIRROR = {"BUY": "SELL", "SELL": "BUY"}
PRICES = st.integers(1, 10**6 * SCALE)
QUANTITIES = st.integers(1, 10**4 * SCALE)
CHARGES = st.none() | st.integers(0, 1000 * SCALE)


@st.composite
def long_fills(draw: st.DrawFn) -> list[Execution]:
    """Fills of a long trade: in and out, never beyond what is open, closed at the end."""
    fills, held = [], 0
    for _ in range(draw(st.integers(1, 8))):
        if held and draw(st.booleans()):
            quantity = draw(st.integers(1, held))
            fills.append(Execution("SELL", draw(PRICES), quantity, draw(CHARGES)))
            held -= quantity
            if not held:
                return fills
        else:
            quantity = draw(QUANTITIES)
            fills.append(Execution("BUY", draw(PRICES), quantity, draw(CHARGES)))
            held += quantity
    return [*fills, Execution("SELL", draw(PRICES), held, draw(CHARGES))]


def mirrored(fills: list[Execution]) -> list[Execution]:
    return [Execution(MIRROR[fill.side], fill.price, fill.quantity, fill.charges) for fill in fills]


def money_of(fill: Execution, multiplier: int = SCALE) -> int:
    return round(Fraction(fill.price * fill.quantity * multiplier, SCALE * SCALE))


def oracle(fills: list[Execution], multiplier: int) -> list[int]:
    """The P&L of each exit of a long trade."""
    held = cost = 0
    gains = []
    for fill in fills:
        if fill.side == "BUY":
            held, cost = held + fill.quantity, cost + money_of(fill, multiplier)
            continue
        share = cost if fill.quantity == held else round(Fraction(cost) * fill.quantity / held)
        held, cost = held - fill.quantity, cost - share
        gains.append(money_of(fill, multiplier) - share)
    return gains


def units(number: float | str) -> int:
    return round(Fraction(number) * SCALE)


def test_a_long_trade_in_two_steps_in_and_two_out() -> None:
    fills = [
        Execution("BUY", units(100), units(10), units("1.5")),
        Execution("BUY", units(110), units(30)),
        Execution("SELL", units(120), units(20), units(2)),
        Execution("SELL", units(100), units(20)),
    ]
    holding, parts = position.fold("LONG", SCALE, fills)
    assert [part.cost for part in parts] == [units(2150), units(2150)]
    assert [part.pnl for part in parts] == [units(250), units(-150)]
    assert [part.charges for part in parts] == [units("2.75"), units("0.75")]
    assert [part.closes for part in parts] == [False, True]
    assert holding == Holding(
        "LONG", SCALE, 0, 0, 0, units(40), units(4300), realised_pnl=units(100), charges=units("3.5")
    )


def test_a_short_trade_earns_when_the_price_falls() -> None:
    fills = [Execution("SELL", units(100), units(10)), Execution("BUY", units(90), units(10))]
    holding, parts = position.fold("SHORT", units(50), fills)
    assert parts == [Realised(units(10), units(50_000), units(45_000), units(5000), None, closes=True)]
    assert (holding.open_quantity, holding.realised_pnl, holding.charges) == (0, units(5000), None)


def test_the_last_exit_takes_the_remainder() -> None:
    thirds = [Execution("BUY", 10, units(3)), *[Execution("SELL", 7, units(1))] * 3]
    assert [part.cost for part in position.fold("LONG", SCALE, thirds)[1]] == [10, 10, 10]
    uneven = [Execution("BUY", 10, units(1)), *[Execution("SELL", 7, units("0.25"))] * 4]
    assert [part.cost for part in position.fold("LONG", SCALE, uneven)[1]] == [2, 3, 2, 3]
    _, parts = position.fold("LONG", SCALE, [Execution("BUY", 1, units(1)), *[Execution("SELL", 1, units("0.25"))] * 4])
    assert [part.cost for part in parts] == [0, 0, 0, 1], "a quarter is nothing each time; the last has all of it"


def test_an_exit_beyond_what_is_open_is_refused() -> None:
    with pytest.raises(position.CrossesZeroError):
        position.fold("LONG", SCALE, [Execution("BUY", 1, 10), Execution("SELL", 1, 11)])
    with pytest.raises(position.CrossesZeroError):
        position.fold("SHORT", SCALE, [Execution("BUY", 1, 1)])


@given(long_fills(), st.sampled_from([SCALE, 75 * SCALE, SCALE // 3]))
def test_the_parts_are_those_of_the_oracle_and_add_up(fills: list[Execution], multiplier: int) -> None:
    holding, parts = position.fold("LONG", multiplier, fills)
    assert [part.pnl for part in parts] == oracle(fills, multiplier)
    paid = sum(money_of(fill, multiplier) for fill in fills if fill.side == "BUY")
    got = sum(money_of(fill, multiplier) for fill in fills if fill.side == "SELL")
    assert sum(part.cost for part in parts) == paid == holding.entry_value
    assert sum(part.pnl for part in parts) == got - paid == holding.realised_pnl
    assert sum(part.quantity for part in parts) == holding.entry_quantity
    assert (holding.open_quantity, holding.open_cost) == (0, 0)
    assert [part.closes for part in parts] == [False] * (len(parts) - 1) + [True]


@given(long_fills())
def test_known_charges_add_up_and_nobody_saying_one_stays_unknown(fills: list[Execution]) -> None:
    holding, parts = position.fold("LONG", SCALE, fills)
    said = [fill.charges for fill in fills if fill.charges is not None]
    assert holding.charges == (sum(said) if said else None)
    assert sum(part.charges or 0 for part in parts) == sum(said)


@given(long_fills())
def test_a_mirrored_short_earns_what_the_long_loses(fills: list[Execution]) -> None:
    long, long_parts = position.fold("LONG", SCALE, fills)
    short, short_parts = position.fold("SHORT", SCALE, mirrored(fills))
    assert [part.pnl for part in short_parts] == [-part.pnl for part in long_parts]
    assert (short.entry_value, short.charges) == (long.entry_value, long.charges)


@given(long_fills(), st.integers(2, 1000))
def test_whole_prices_scaled_scale_the_money_of_a_single_exit(fills: list[Execution], factor: int) -> None:
    whole = [Execution(fill.side, fill.price * SCALE, fill.quantity) for fill in fills]
    scaled = [Execution(fill.side, fill.price * factor, fill.quantity) for fill in whole]
    assert position.fold("LONG", SCALE, scaled)[0].realised_pnl == (
        factor * position.fold("LONG", SCALE, whole)[0].realised_pnl
    )


@given(long_fills(), st.data())
def test_any_beginning_of_the_fills_keeps_the_balance(fills: list[Execution], data: st.DataObject) -> None:
    some = fills[: data.draw(st.integers(1, len(fills)))]
    holding, parts = position.fold("LONG", SCALE, some)
    assert holding.open_cost + sum(part.cost for part in parts) == holding.entry_value
    assert holding.open_quantity + sum(part.quantity for part in parts) == holding.entry_quantity
    assert holding.open_cost >= 0
