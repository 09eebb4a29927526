"""Facts at price 0 and below, and rebates: booked, proved, shown, and never divided by."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.test import Client

from tests.trading.book import AT, MINUTE, closed, filled, fills, opened, row, snapshot
from trading.domain import position
from trading.domain.attribution import aftermath
from trading.errors import IdConflict, InvalidValue, TradeClosed
from trading.models import DayTotal, Exchange, Instrument, Realisation, User
from trading.operations.amend import amend
from trading.operations.import_trades import import_trades
from trading.operations.measure_excursions import measure_excursions
from trading.operations.set_charges import set_charges, set_charges_of
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.queries.accounts import get_account
from trading.queries.daily_summary import summary_of
from trading.queries.statistics import strategy_stats

pytestmark = pytest.mark.usefixtures("proved")

WHO = {"by": "asha", "reason": "note of the exchange"}
CALL = {"trade_id": "O1", "symbol": "NIFTY26N2624500CE"}


@pytest.fixture
def oil() -> Instrument:
    """A future of 1,000 barrels."""
    return contract("CLK0", "FUTURE", multiplier=1000)


def contract(symbol: str, kind: str, multiplier: int = 1) -> Instrument:
    nse = Exchange.objects.get(code="NSE")
    more = {"currency": "INR", "multiplier": Decimal(multiplier)}
    return Instrument.objects.create(exchange=nse, symbol=symbol, kind=kind, **more)


def option(**more: Any) -> Any:
    return opened(**CALL, entry_price="42.35", quantity=75, **more)


# -- at 0 --------------------------------------------------------------------------------------------------------------


@pytest.mark.ledger
@pytest.mark.parametrize("reason", ["expired", "settled", "bonus"])
def test_an_option_that_expires_worthless_loses_its_premium(reason: str) -> None:
    option()
    trade = closed(**CALL, price=0, exit_reason=reason)
    assert (trade.state, trade.realised_pnl, trade.flags) == ("CLOSED", Decimal("-3176.25"), ("price_zero",))


@pytest.mark.ledger
def test_a_short_option_that_expires_keeps_its_premium() -> None:
    option(side="SHORT", stop_price=60)
    trade = closed(**CALL, price=0, exit_reason="expired", pnl="3176.25", pnl_percent=100)
    assert (trade.realised_pnl, trade.flags) == (Decimal("3176.25"), ("price_zero",))


@pytest.mark.ledger
@pytest.mark.parametrize("reason", ["", "target", "expiry of the week"])
def test_a_close_at_0_for_another_reason_is_booked_and_likely_a_slip(reason: str) -> None:
    option()
    trade = closed(**CALL, price=0, exit_reason=reason)
    assert (trade.realised_pnl, trade.flags) == (Decimal("-3176.25"), ("price_zero", "price_zero_unexplained"))


@pytest.mark.ledger
def test_a_part_sold_for_nothing_is_explained_by_the_close() -> None:
    option()
    assert filled("SELL", 0, 25, "O1").flags == ("price_zero", "price_zero_unexplained")
    assert closed(**CALL, price=0, exit_reason="Expired").flags == ("price_zero",)


@pytest.mark.ledger
def test_bonus_shares_come_for_nothing_and_lower_the_average() -> None:
    opened(entry_price=1500)
    after = filled("BUY", 0, 10)
    assert (after.open_quantity, after.avg_price, after.flags) == (20, 750, ("price_zero",))
    again = filled("BUY", 0, 10)
    assert again.open_quantity == 20, "the same gift of the same instant, told twice"
    assert filled("BUY", 0, 10, at=AT + 2 * MINUTE).open_quantity == 30
    assert closed(price=500).realised_pnl == 0


@pytest.mark.ledger
def test_nothing_opens_at_0_but_a_future_or_a_spread() -> None:
    before = snapshot()
    with pytest.raises(InvalidValue, match="add_fill") as caught:
        opened(entry_price=0)
    assert caught.value.field == "entry_price"
    assert snapshot() == before
    contract("CAL", "SPREAD")
    flat = opened(symbol="CAL", entry_price=0, quantity=1)
    assert (flat.avg_price, flat.flags) == (0, ())
    trade = closed(symbol="CAL", price="0.25", pnl="0.25", pnl_percent=9)
    assert (trade.realised_pnl, trade.flags) == (Decimal("0.25"), ()), "no percent of nothing, so none to differ from"


@pytest.mark.ledger
def test_a_stop_or_target_at_0_is_none() -> None:
    for name in ("stop_price", "target_price"):
        with pytest.raises(InvalidValue) as caught:
            opened(**{name: 0})
        assert caught.value.field == name


@pytest.mark.ledger
def test_a_second_close_at_0_answers_and_another_price_is_refused() -> None:
    option()
    first = closed(**CALL, price=0, exit_reason="expired")
    assert closed(**CALL, price=0).realised_pnl == first.realised_pnl
    with pytest.raises(TradeClosed):
        closed(**CALL, price=1)


@pytest.mark.ledger
def test_a_price_that_was_0_by_slip_is_amended_and_the_flag_goes() -> None:
    option()
    closed(**CALL, price=0)
    trade = amend(row("O1").pk, fill=2, price=40, **WHO)
    assert (trade.realised_pnl, trade.flags) == (Decimal("-176.25"), ("corrected",))
    assert amend(row("O1").pk, fill=2, price=0, **WHO).flags == ("corrected", "price_zero", "price_zero_unexplained")
    with pytest.raises(InvalidValue, match="price is 0"):
        amend(row("O1").pk, fill=1, price=0, **WHO)


@pytest.mark.ledger
def test_charges_are_shared_among_fills_that_have_no_value_by_their_quantity() -> None:
    opened(entry_price=100)
    filled("BUY", 0, 10)
    set_charges("main", "T1", "3", source="note")
    assert set_charges("main", "T1", "5", source="note 2").charges == 5
    void(row().pk, by="asha", reason="never was")
    contract("CAL", "SPREAD")
    opened("S1", symbol="CAL", entry_price=0, quantity=3)
    filled("BUY", 0, 1, "S1")
    pk = row("S1").pk
    assert set_charges_of(pk, 4, **WHO).charges == 4
    assert row("S1").corrections.get().body["by_fill"] == {"1": "3", "2": "1"}


# -- below 0 -----------------------------------------------------------------------------------------------------------


@pytest.mark.ledger
def test_oil_settled_below_0(oil: Instrument) -> None:
    opened(symbol="CLK0", entry_price="10.01", quantity=1)
    trade = closed(symbol="CLK0", price="-37.63", pnl=-47640, pnl_percent="-475.924076")
    assert (trade.realised_pnl, trade.flags) == (-47640, ())
    made = Realisation.objects.get()
    assert (made.cost, made.proceeds, made.pnl) == (10010, -37630, -47640)


@pytest.mark.ledger
def test_a_spread_below_0_has_stop_target_risk_and_percent_of_the_absolute_base() -> None:
    contract("CAL", "SPREAD", multiplier=10)
    held = opened(symbol="CAL", entry_price="-2.5", quantity=4, stop_price="-3", target_price=0)
    assert (held.avg_price, held.initial_risk, held.target_price) == (Decimal("-2.5"), 20, 0)
    assert update_trailing_sl("main", "T1", None, "CAL", "-2.75", "-2", "atr", at=AT + MINUTE)
    assert row().stop_price == Decimal("-2.75")
    part = filled("SELL", "-1.5", 1, at=AT + 2 * MINUTE)
    assert (part.realised_pnl, part.avg_price) == (10, Decimal("-2.5"))
    trade = closed(symbol="CAL", price="-3.5", exit_time=AT + 3 * MINUTE, pnl=-20, pnl_percent=-20)
    assert (trade.realised_pnl, trade.flags) == (-20, ()), "-20 of |-100|"


@pytest.mark.parametrize("kind", ["EQUITY", "OPTION", "CURRENCY", "CRYPTO"])
def test_other_kinds_have_no_price_below_0(kind: str) -> None:
    contract("X", kind)
    opened(symbol="X")
    before = snapshot()
    calls = {
        "entry_price": lambda: opened("T2", symbol="X", entry_price=-1),
        "stop_price": lambda: opened("T2", symbol="X", stop_price=-1),
        "target_price": lambda: opened("T2", symbol="X", target_price=-1),
        "exit_price": lambda: closed(symbol="X", price=-1),
        "price": lambda: filled("SELL", -1, 1),
        "extreme_price": lambda: update_trailing_sl("main", "T1", None, "X", 1, -1, "atr", at=AT),
    }
    for field, call in calls.items():
        with pytest.raises(InvalidValue, match="FUTURE and SPREAD") as caught:
            call()
        assert caught.value.field == field
    with pytest.raises(InvalidValue, match="FUTURE and SPREAD"):
        amend(row().pk, price=-1, **WHO)
    assert snapshot() == before


@pytest.mark.ledger
def test_a_correction_and_a_turn_go_below_0(oil: Instrument) -> None:
    opened(symbol="CLK0", entry_price="10.01", quantity=1)
    turned = filled("SELL", "-1.25", 3, flip_to="T2", fill_id="f", charges="-0.03")
    assert (turned.trade_id, turned.side, turned.avg_price, turned.charges) == (
        "T2",
        "SHORT",
        Decimal("-1.25"),
        Decimal("-0.02"),
    )
    assert amend(row("T2").pk, price="-2.25", **WHO).avg_price == Decimal("-2.25")
    assert closed("T2", symbol="CLK0", price=-1).realised_pnl == -2500


@pytest.mark.ledger
def test_what_is_worth_less_than_the_bound_is_refused(oil: Instrument) -> None:
    before = snapshot()
    with pytest.raises(InvalidValue, match="92,233,720,368"):
        opened(symbol="CLK0", entry_price=-92_233_720, quantity=2)
    assert snapshot() == before


def test_how_far_a_trade_went_is_seen_through_0(oil: Instrument) -> None:
    opened(symbol="CLK0", entry_price="10.01", quantity=1)
    closed(symbol="CLK0", price="-37.63")
    opened("B1", symbol="INFY", entry_price=1500)
    filled("BUY", 0, 10, "B1")
    closed("B1", symbol="INFY", price=760)
    measure_excursions("main", NoTicks())
    assert row().excursion.mae == -47640
    assert (row("B1").excursion.mae, row("B1").excursion.mfe) == (0, 200), "0 is no price of the market"


@pytest.mark.ledger
def test_percentages_of_nothing_are_none() -> None:
    assert position.pnl_percent(Decimal(5), Decimal(0)) is None
    assert position.pnl_percent(Decimal(5), Decimal(-10)) == 50
    times = np.array([1, 2, 3])
    assert aftermath(times, np.array([0.0, 1.0, 2.0]), 0, 1, 3, "LONG") is None
    below = aftermath(times, np.array([-2.0, -1.0, -3.0]), 0, 1, 3, "LONG")
    assert below is not None
    assert (below.end, below.best, below.worst) == (-50, 50, -50)


# -- rebates -----------------------------------------------------------------------------------------------------------


@pytest.mark.ledger
def test_a_maker_is_paid_for_the_exit() -> None:
    opened(entry_price=100, quantity=1, charges="0.02")
    trade = closed(price=101, charges="-0.03")
    assert trade.charges == Decimal("-0.01")
    total = summary_of(get_account("main"), date(2024, 3, 15), now=AT + timedelta(days=1))["total"]
    assert (total["charges"], total["total_pnl"]) == (Decimal("-0.01"), Decimal("1.01"))
    stats = strategy_stats(get_account("main"), "ema cross", None, now=AT + timedelta(days=1))
    assert (stats["charges"], stats["total_pnl"], stats["winning_trades"]) == (Decimal("-0.01"), Decimal("1.01"), 1)
    assert DayTotal.objects.get().charges == Decimal("-0.01")


@pytest.mark.ledger
def test_a_rebate_can_turn_a_loss_into_a_win() -> None:
    opened(entry_price=100, quantity=1)
    closed(price="99.99", charges="-0.02")
    total = DayTotal.objects.get()
    assert (total.wins, total.losses, total.gross_profit) == (1, 0, Decimal("0.01"))


@pytest.mark.ledger
def test_a_rebate_is_set_amended_imported_and_shared() -> None:
    opened(entry_price=100, quantity=3, charges=1)
    filled("SELL", 101, 1, charges="-0.5")
    assert set_charges("main", "T1", "-1", source="note").charges == -1
    assert sum(fill.charges or 0 for fill in row().realisations.all()) < 0
    assert amend(row().pk, fill=1, charges="-2", **WHO).charges == Decimal(-2) + Decimal(
        row().corrections.first().body["by_fill"]["2"]
    )
    one = {"trade_id": "I1", "strategy_id": "ema cross", "symbol": "TCS", "entry_price": 10, "quantity": 1}
    rows = [{**one, "entry_time": AT, "charges": "-0.1", "exit_price": 0, "exit_time": AT, "exit_reason": "settled"}]
    assert import_trades("main", rows).rejected == ()
    assert (row("I1").charges, row("I1").realised_pnl, row("I1").flags) == (Decimal("-0.1"), -10, ["price_zero"])


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.ledger
def test_a_fill_of_eleven_decimals_is_refused_with_what_to_do() -> None:
    before = snapshot()
    for call in (lambda: opened(entry_price="0.00000000021"), lambda: opened(entry_price=2.1e-10)):
        with pytest.raises(InvalidValue, match=r"8 decimals.*larger unit"):
            call()
    assert snapshot() == before


@pytest.mark.ledger
def test_a_gift_with_an_id_is_known_by_it() -> None:
    opened(entry_price=1500)
    filled("BUY", 0, 10, fill_id="bonus-2026")
    assert filled("BUY", 0, 10, fill_id="bonus-2026", at=AT + 5 * MINUTE).open_quantity == 20
    with pytest.raises(IdConflict):
        filled("BUY", 0, 11, fill_id="bonus-2026")
    assert len(fills()) == 2


def test_pages_show_what_is_0_or_below(oil: Instrument, client: Client) -> None:
    opened(symbol="CLK0", entry_price="-10.01", quantity=1, charges="-2.5", stop_price=-12)
    opened("B1", symbol="INFY", entry_price=1500)
    filled("BUY", 0, 10, "B1")
    client.force_login(User.objects.create_superuser("boss"))
    for path in ("/", "/trades/", f"/trades/{row().pk}/", f"/trades/{row('B1').pk}/", "/strategies/?days=all"):
        answer = client.get(path, headers={"host": "localhost"})
        assert answer.status_code == 200, path
    page = client.get(f"/trades/{row().pk}/", headers={"host": "localhost"}).content.decode()
    assert "−₹10.01" in page
    assert "−₹2.50" in page


class NoTicks:
    """A store without ticks: only the fills speak."""

    def ticks(self, symbol: str, start: int, stop: int, **_: object) -> Any:
        empty = {"exchange_time": pa.array([], pa.timestamp("ns", "UTC"))}
        return pa.table(empty | {name: pa.array([], pa.float64()) for name in ("close", "low", "high")})
