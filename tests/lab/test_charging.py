"""What a backtest's fills cost: a percentage to the last digit, or as contract notes have it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.backtest.charging import charge_by_plan, charged_as
from lab.backtest.desk import LabDesk
from lab.backtest.market import instrument_of
from lab.backtest.orders import OrderBook
from lab.backtest.outcome import digests_of
from lab.backtest.walk import plainly, walk
from lab.domain.fills import FillModel, TradedInstrument
from tests.lab.made_days import DAY, day_of, ticks_of
from tests.lab.test_walks import Scripted, long, out
from trading.domain.charge_heads import Segment
from trading.domain.money import SCALE, from_units
from trading.domain.position import value_of

SHARE = TradedInstrument(segment=Segment.EQUITY, exchange="NSE")
FUTURE = replace(SHARE, segment=Segment.FUTURES, exchange="NFO")
OPTION = replace(SHARE, segment=Segment.OPTIONS, exchange="NFO")


def round_trip(
    plan: str, day: date, quantity: int, bought: float, sold: float, instrument: TradedInstrument
) -> tuple[LabDesk, dict[str, str]]:
    """One unit of time apart bought and sold; return the desk, and the heads of which something is charged."""
    shift = (day - DAY).days
    desk = LabDesk(OrderBook(FillModel(0, 0, plan=plan), {"A": instrument}))
    script = Scripted(t0=long(quantity=quantity), t1=out())
    walk(desk, script, [day_of(ticks_of("A", [60, 61], [bought, sold], days_on=shift))], plainly)
    lines = charge_by_plan(desk)
    return desk, {str(head): f"{from_units(units):f}" for head, units in lines.by_head.items() if units}


@pytest.mark.parametrize(
    ("plan", "day", "fills", "instrument", "heads", "net"),
    [
        # Zerodha's calculator, 500 at 1,000 both ways: 224.61, 179.97 and 982.63 (see tests/trading/test_charges.py).
        ("zerodha", date(2024, 10, 7), (500, 1000, 1000), SHARE,
         {"brokerage": "40", "stt": "125", "sebi": "1", "stamp": "15", "gst": "12.91"}, "-224.61"),
        ("zerodha", date(2024, 10, 7), (500, 1000, 1000), FUTURE,
         {"brokerage": "40", "stt": "100", "sebi": "1", "stamp": "10", "gst": "10.67"}, "-179.97"),
        ("zerodha", date(2024, 10, 7), (500, 1000, 1000), OPTION,
         {"brokerage": "40", "stt": "500", "sebi": "1", "stamp": "15", "gst": "71.33"}, "-982.63"),
        # An Upstox contract note of 28 August 2026: net 4.28.
        ("upstox", date(2026, 8, 28), (3, 443.30, 442.95), SHARE, {"brokerage": "2.66", "gst": "0.49"}, "-4.28"),
        # Dhan's transaction report of July 2026, LTM 4400 CE: gross amount -1,835.28.
        ("dhan", date(2026, 7, 17), (150, 62, 50.2), OPTION,
         {"brokerage": "40", "stt": "11", "sebi": "0.02", "gst": "8.28"}, "-1835.28"),
    ],
    ids=["zerodha-share", "zerodha-future", "zerodha-option", "upstox-note", "dhan-option"],
)  # fmt: skip
def test_a_plan_charges_what_the_broker_says(plan, day, fills, instrument, heads, net):
    desk, lines = round_trip(plan, day, *fills, instrument)
    assert {name: lines[name] for name in heads} == heads
    digest = digests_of(desk, [day])[day]
    assert f"{from_units(digest.pnl):f}" == net
    [trade] = desk.trades
    assert sum(fill.execution.charges for fill in trade.fills) == trade.holding.charges == digest.charges
    assert digest.uncharged == 0


def test_what_the_schedule_does_not_know_leaves_a_trade_without_charges_and_never_with_nought():
    desk, lines = round_trip("groww", date(2024, 10, 7), 500, 1000, 1010, SHARE)  # its rows begin in 2026
    assert "brokerage" not in lines and lines["stt"] == "126"
    [trade] = desk.trades
    assert [fill.execution.charges for fill in trade.fills] == [None, None]
    day = date(2024, 10, 7)
    assert digests_of(desk, [day])[day]._asdict() == {
        "pnl": 5000 * SCALE, "charges": 0, "opened": 1, "closed": 1, "censored": 0, "unfilled": 0, "uncharged": 1,
    }  # fmt: skip


def test_a_share_held_over_night_is_delivery():
    desk = LabDesk(OrderBook(FillModel(0, 0, plan="zerodha"), {"A": SHARE}))
    shift = (date(2024, 10, 7) - DAY).days
    days = [day_of(ticks_of("A", [60, 61], [1000, 1000], days_on=shift + number)) for number in (0, 1)]
    walk(desk, Scripted(t0=long(quantity=500), t2=out()), days, plainly)
    lines = charge_by_plan(desk)
    by_head = {str(head): f"{from_units(units):f}" for head, units in lines.by_head.items() if units}
    assert (by_head["stt"], by_head["stamp"], by_head["dp"]) == ("1000", "75", "15.93")
    assert "brokerage" not in by_head


def test_fills_of_one_share_are_matched_over_all_trades_of_the_day():
    """Two trades of one day: STT is of the day's average, and rounded once to the rupee."""
    desk = LabDesk(OrderBook(FillModel(0, 0, plan="zerodha"), {"A": SHARE}))
    day = day_of(ticks_of("A", [60, 61, 62, 63], [1000] * 4, days_on=(date(2024, 10, 7) - DAY).days))
    walk(
        desk, Scripted(t0=long("T", quantity=250), t1=out("T"), t2=long("U", quantity=250), t3=out("U")), [day], plainly
    )
    charge_by_plan(desk)
    first, second = (trade.holding.charges for trade in desk.trades)
    one, _ = round_trip("zerodha", date(2024, 10, 7), 500, 1000, 1000, SHARE)
    [whole] = one.trades
    brokerage = 40 * SCALE + 40 * SCALE * 18 // 100  # of two orders more, with its GST
    assert first + second == pytest.approx(whole.holding.charges + brokerage, abs=SCALE // 100)


@given(some.integers(1, 10**13), some.integers(1, 10**12), some.decimals("0.00000001", "99", places=8))
def test_a_percentage_is_exact_to_the_last_unit(price, quantity, percent):
    units = FillModel(charge_percent=percent).charges(value_of(price, quantity, SCALE))
    exact = Fraction(value_of(price, quantity, SCALE)) * Fraction(percent) / 100
    assert abs(units - exact) <= Fraction(1, 2)
    assert units == round(exact)  # half-even


def test_an_instrument_that_was_never_used_is_charged_as_the_ledger_would(ledger):
    share, option = instrument_of("TCS"), instrument_of("RELIANCE26NOV1500PE")
    assert (share.segment, share.exchange, share.group) == (Segment.EQUITY, "NSE", None)
    assert (option.segment, option.group) == (None, "RELIANCE")  # an option of the cash exchange is in no segment


def test_a_trial_says_by_which_schedule_it_was_charged():
    assert charged_as(FillModel()) == "none"
    assert charged_as(FillModel(plan="zerodha")).startswith("zerodha ")
    assert len(charged_as(FillModel(plan="zerodha"))) == len("zerodha ") + 8
