"""Splits and bonuses on open positions: other units, the same money, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests.redis_server import RedisServer
from tests.trading.book import AT, MINUTE, closed, filled, fills, opened, row, snapshot
from tests.trading.test_intake import held
from trading import book, summon, transactions
from trading.companion.follower import Follower
from trading.data_manager import DataManager
from trading.domain.split import ratio_of
from trading.errors import CrossesZero, IdConflict, InvalidValue, UnknownTrade
from trading.hot import ledger_copy
from trading.models import Journal, User
from trading.operations.amend import amend
from trading.operations.apply_split import apply_split
from trading.operations.measure_excursions import measure_excursions
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.operations.void import void
from trading.queries.as_known import retold

pytestmark = pytest.mark.usefixtures("proved")

EX = AT + timedelta(days=4)  # 09:30 at the desk, a Tuesday
WHO = {"by": "asha", "reason": "as the broker says"}


def split(
    new: Any = 2, old: Any = 1, *, symbol: str = "RELIANCE", at: Any = EX, key: str = "split-1", **more: Any
) -> Any:
    return apply_split("main", symbol, new, old, at, key=key, **more)


# -- what it does --


@pytest.mark.ledger
def test_two_for_one_doubles_the_quantity_and_leaves_the_cost() -> None:
    opened(entry_price=1500, stop_price=1450, target_price=1600)
    before = row()
    (held,) = split()
    assert (held.open_quantity, held.avg_price, held.flags) == (20, 750, ("split",))
    assert (held.stop_price, held.target_price, held.initial_risk) == (725, 800, 500)
    after = row()
    assert (after.open_cost, after.entry_value, after.entry_quantity) == (before.open_cost, before.entry_value, 20)
    fill = fills()[1]
    assert (fill.role, fill.side, fill.quantity, fill.price, fill.order_id) == ("SPLIT", "BUY", 10, 0, "split 2:1")
    trade = closed(price=760, exit_time=EX + MINUTE)
    assert (trade.realised_pnl, trade.state) == (200, "CLOSED")


@pytest.mark.parametrize(
    ("kind", "new", "old", "quantity", "average"),
    [("split", 10, 1, 100, 150), ("split", 1, 5, 2, 7500), ("bonus", 1, 1, 20, 750), ("bonus", 1, 2, 15, 1000),
     ("split", "1.5", 1, 15, 1000)],
)  # fmt: skip
def test_a_ratio_gives_quantity_and_average(kind: str, new: Any, old: Any, quantity: int, average: int) -> None:
    opened(entry_price=1500)
    (held,) = split(new, old, kind=kind)
    assert (held.open_quantity, held.avg_price) == (quantity, average)


@pytest.mark.ledger
def test_a_short_and_a_partly_closed_trade_follow() -> None:
    opened(entry_price=1500, side="SHORT", stop_price=1600)
    filled("BUY", 1400, 4)
    (held,) = split(1, 3)
    assert (held.open_quantity, held.avg_price, held.stop_price, held.realised_pnl) == (2, 4500, 4800, 400)
    assert fills()[2].side == "BUY", "units of a short went"
    trade = closed(price=4200, exit_time=EX + MINUTE)
    assert trade.realised_pnl == 1000
    assert [one.quantity for one in row().realisations.order_by("pk")] == [4, 2], "what was sold before stays as it was"


@pytest.mark.ledger
def test_every_open_trade_of_the_symbol_is_booked_and_no_other() -> None:
    opened("A")
    opened("B", strategy_id="orb", quantity=4)
    opened("C", symbol="TCS")
    opened("late", entry_time=EX + MINUTE)
    assert [one.trade_id for one in split()] == ["A", "B"]
    assert [row(name).open_quantity for name in ("A", "B", "C", "late")] == [20, 8, 10, 10]
    assert Journal.objects.filter(operation="apply_split").count() == 2


@pytest.mark.ledger
def test_one_trade_alone_can_be_named() -> None:
    opened("A")
    opened("B", strategy_id="orb")
    assert [one.trade_id for one in split(trade_id="B", strategy_id="orb")] == ["B"]
    assert row("A").open_quantity == 10


@pytest.mark.ledger
def test_the_same_again_changes_nothing_even_after_a_close() -> None:
    opened("A")
    opened("B", strategy_id="orb")
    split()
    closed("A", exit_time=EX + MINUTE)
    before = snapshot()
    assert [one.flags for one in split()] == [("known_already", "split")] * 2
    assert snapshot() == before
    with pytest.raises(IdConflict):
        split(3, 1)
    assert snapshot() == before


# -- stops --


@pytest.mark.ledger
def test_a_trailing_stop_goes_on_from_its_new_price() -> None:
    opened(entry_price=1500, stop_price=1400)
    update_trailing_sl("main", "T1", None, "RELIANCE", 1450, 1550, "atr", at=AT + MINUTE)
    split()
    last = row().stop_changes.order_by("at").last()
    assert (last.stop_price, last.extreme_price, last.method, last.moved_back) == (725, 775, "split", False)
    assert update_trailing_sl("main", "T1", None, "RELIANCE", 725, 775, "atr", at=EX + MINUTE)
    assert row().stop_changes.count() == 2, "it stood there already"
    assert update_trailing_sl("main", "T1", None, "RELIANCE", 740, 790, "atr", at=EX + 2 * MINUTE)
    assert row().flags == ["split"], "it has not moved back"


@pytest.mark.ledger
def test_a_stop_that_has_more_decimals_is_rounded_at_the_eighth() -> None:
    opened(entry_price=100, quantity=10, stop_price=100 - 1)
    (held,) = split(3, 1)
    assert held.stop_price == Decimal(33)
    (held,) = split(7, 1, key="again", at=EX + MINUTE)
    assert held.stop_price == Decimal("4.71428571")


# -- what is refused --


@pytest.mark.ledger
@pytest.mark.parametrize(
    ("quantity", "new", "old", "odd"), [(5, 3, 2, "1"), (10, 1, 3, "1"), (7, 1, 7, None), (6, 1, 7, "6")]
)
def test_whole_units_do_not_become_fractions(quantity: int, new: int, old: int, odd: str | None) -> None:
    opened(quantity=quantity)
    before = snapshot()
    if odd is None:
        assert split(new, old)[0].open_quantity == 1
        return
    with pytest.raises(InvalidValue, match=f"Book the {odd} for which cash is paid"):
        split(new, old)
    assert snapshot() == before


@pytest.mark.ledger
def test_the_odd_one_is_sold_for_the_cash_in_its_lieu_and_the_rest_follows() -> None:
    opened(quantity=5, entry_price=100)
    filled("SELL", 110, 1, at=EX - MINUTE)
    assert split(3, 2)[0].open_quantity == 6


@pytest.mark.ledger
def test_fractions_of_what_has_fractions_are_no_harm() -> None:
    opened(symbol="BTC", quantity="0.5")
    assert split(1, 4, symbol="BTC")[0].open_quantity == Decimal("0.125")


@pytest.mark.parametrize(
    "said",
    [
        *({"new": value} for value in (0, -1, None, "x", 1)),
        *({"at": value} for value in (None, AT - MINUTE + timedelta(days=9999), "today")),
        *({"key": value} for value in ("", None, " x")),
        {"kind": "merger"},
    ],
    ids=str,
)
def test_bad_input_is_refused_and_changes_no_row(said: dict[str, Any]) -> None:
    opened()
    before = snapshot()
    with pytest.raises(InvalidValue):
        split(**said)
    assert snapshot() == before


def test_nothing_open_is_said() -> None:
    opened()
    with pytest.raises(UnknownTrade):
        split(symbol="TCS")
    with pytest.raises(UnknownTrade):
        split(at=AT - MINUTE)
    closed()
    with pytest.raises(UnknownTrade):
        split()


@pytest.mark.ledger
def test_all_trades_are_booked_or_none() -> None:
    opened("A", quantity=4)
    opened("B", strategy_id="orb", quantity=5)
    before = snapshot()
    with pytest.raises(InvalidValue, match="fraction"):
        split(1, 2)
    assert snapshot() == before


@pytest.mark.ledger
def test_one_that_comes_after_later_fills_or_stops_is_refused() -> None:
    opened(stop_price=2400)
    filled("BUY", 1225, 5, at=EX + MINUTE)
    before = snapshot()
    with pytest.raises(InvalidValue, match="cannot be told"):
        split()
    assert snapshot() == before
    assert split(at=EX + 2 * MINUTE)[0].open_quantity == 30


@pytest.mark.ledger
def test_a_fill_from_before_a_split_is_refused_after_it() -> None:
    opened()
    split()
    before = snapshot()
    for call in (lambda: filled("BUY", 2400, 1, at=EX - MINUTE), lambda: closed(exit_time=EX - MINUTE)):
        with pytest.raises(InvalidValue, match="before a split"):
            call()
    assert snapshot() == before


# -- corrections --


@pytest.mark.ledger
def test_a_wrong_split_is_taken_back_by_its_inverse() -> None:
    opened(entry_price=1500, stop_price=1450)
    split(4, 1)
    with pytest.raises(InvalidValue, match="cannot be told"):
        split(1, 4, key="back")
    assert split(1, 4, key="back", at=EX + MINUTE)[0].avg_price == 1500
    trade = amend(row().pk, fill=1, quantity=12, **WHO)
    assert (trade.open_quantity, trade.stop_price) == (12, 1450)
    assert split(key="right", at=EX + 2 * MINUTE)[0].open_quantity == 24


@pytest.mark.ledger
def test_what_lies_before_a_split_is_corrected_only_without_it() -> None:
    opened(entry_price=1500)
    filled("BUY", 1510, 10)
    split()
    before = snapshot()
    refused = [
        lambda: amend(row().pk, fill=1, quantity=12, **WHO),
        lambda: void(row().pk, fill=2, **WHO),
        lambda: amend(row().pk, fill=3, price=5, **WHO),
        lambda: amend(row().pk, fill=3, quantity=5, **WHO),
        lambda: void(row().pk, fill=3, **WHO),
    ]
    for call in refused:
        with pytest.raises(InvalidValue, match="split"):
            call()
    assert snapshot() == before
    assert amend(row().pk, fill=1, price=1400, **WHO).avg_price == Decimal("727.5"), "money may be put right"


@pytest.mark.ledger
def test_charges_are_shared_among_what_was_traded() -> None:
    opened(entry_price=1500)
    split()
    closed(price=750, exit_time=EX + MINUTE)
    assert set_charges("main", "T1", 9, source="note").charges == 9
    assert [fill.role for fill in fills()] == ["ENTRY", "SPLIT", "EXIT"]
    assert set(row().corrections.get().body["by_fill"]) == {"1", "3"}


@pytest.mark.ledger
def test_a_fill_after_it_is_voided_and_the_trade_stands_as_before() -> None:
    opened(entry_price=1500)
    split()
    filled("SELL", 760, 5, at=EX + MINUTE)
    trade = void(row().pk, fill=3, **WHO)
    assert (trade.open_quantity, trade.avg_price, trade.realised_pnl) == (20, 750, 0)
    with pytest.raises(CrossesZero):
        filled("SELL", 760, 21, at=EX + MINUTE)


# -- what follows --


@pytest.mark.ledger
def test_an_earlier_day_is_told_in_the_units_of_then() -> None:
    opened(entry_price=1500)
    filled("SELL", 1510, 4)
    then = datetime.now(UTC)
    split()
    closed(price=760, exit_time=EX + MINUTE)
    (known,) = retold(row().account, then)
    assert (known.closed_at, [one.pnl for one in known.exits]) == (None, [40 * 10**8])


@pytest.mark.ledger
def test_it_is_measured_through_the_split() -> None:
    opened(entry_price=1500)
    split()
    closed(price=760, exit_time=EX + MINUTE)
    measure_excursions("main", Ticks({AT + MINUTE: 1490.0, EX + timedelta(seconds=30): 770.0}))
    assert (row().excursion.mae, row().excursion.mfe, row().excursion.ticks) == (-100, 400, 2)


@pytest.mark.ledger
def test_units_that_went_tell_no_price_either() -> None:
    opened(entry_price=1500)
    split(1, 5)
    closed(price=7600, exit_time=EX + MINUTE)
    measure_excursions("main", Ticks({AT + MINUTE: 1490.0, EX + timedelta(seconds=30): 7700.0}))
    assert (row().excursion.mae, row().excursion.mfe) == (-100, 400)


def test_the_hot_copy_the_points_and_the_tables_have_it(shared_ledger: RedisServer) -> None:
    with DataManager() as dm:
        dm.open_position("T1", "orb", "RELIANCE", 1500, 10, AT, stop_price=1400)
        (held,) = dm.apply_split("RELIANCE", 2, 1, EX, key="s")
        assert held.open_quantity == 20
        ledger_copy.rebuild("main", datetime.now(UTC))
        (copy,) = book.open_positions("main", dm.telemetry.known_ticks, since_ns=0)
        assert (copy.origin, copy.open_quantity, copy.avg_price, copy.stop_price) == ("hot", 20, 750, 700)
        assert dm.get_position("orb", "RELIANCE").open_quantity == 20
        assert dm.get_executions("T1").column("role").to_pylist() == ["ENTRY", "SPLIT"]
        assert dm.get_trailing_sl_history("T1").column("method").to_pylist() == ["split"]
        (stop,) = dm.get_trailing_stops()
        assert (stop.stop_price, stop.method) == (700, "split")


@pytest.mark.ledger
def test_the_follower_projects_it(ledger: Any) -> None:
    opened(stop_price=2400)
    split()
    follower = Follower()
    try:
        assert follower.run_once() > 0
        assert follower.run_once() == 0
    finally:
        follower.close()


def test_a_busy_ledger_keeps_it_in_the_intake(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    monkeypatch.setattr(transactions, "PATIENCE_SECONDS", 0.05)
    with DataManager(ledger_intake=True) as dm:
        opened()
        with held(ledger):
            pending = dm.apply_split("RELIANCE", 2, 1, EX, key="s")
        assert (pending.operation, pending.state, pending.trade_id) == ("apply_split", "PENDING", None)
        dm.ledger.intake.post()
    assert row().open_quantity == 20


# -- where people see it --


def test_pages_and_screen_show_it(client: Client, capsys: Any) -> None:
    opened(entry_price=1500, stop_price=1400)
    split(1, 1, kind="bonus", key="bonus-2026")
    client.force_login(User.objects.create_superuser("boss"))
    for path in (f"/trades/{row().pk}/", f"/admin/trading/trade/{row().pk}/change/"):
        page = client.get(path, headers={"host": "localhost"}).content.decode()
        assert "bonus 1:1" in page
        assert "in other units since a split or a bonus" in page
    call_command("trade", "T1")
    assert "bonus 1:1" in capsys.readouterr().out


@pytest.mark.ledger
def test_the_command_books_it_once(capsys: Any) -> None:
    opened(entry_price=1500)
    words = ["RELIANCE", "--split", "2:1", "--at", "2024-03-19 09:15", "--key", "s", "--by", "asha", "--format", "json"]
    for expected in (["split"], ["known_already", "split"]):
        call_command("corporate_action", *words)
        (trade,) = json.loads(capsys.readouterr().out)["trades"]
        assert (trade["open_quantity"], list(trade["flags"])) == ("20", expected)
    assert Journal.objects.get(operation="apply_split").recorded_by == "asha"
    with pytest.raises(CommandError, match="NEW:OLD"):
        call_command("corporate_action", "RELIANCE", "--split", "two", *words[3:])


def test_ratios_are_read_from_their_words() -> None:
    assert (ratio_of("split 2:1"), ratio_of("bonus 1:2"), ratio_of("split 1:10")) == (2, Decimal("1.5"), Decimal("0.1"))
    assert ratio_of("bonus 0.5:1") == 1.5


class Ticks:
    """A store with these prices."""

    def __init__(self, prices: dict[datetime, float]) -> None:
        self.prices = prices

    def ticks(self, symbol: str, start: int, stop: int, **_: object) -> pa.Table:
        some = {int(at.timestamp()) * 10**9: price for at, price in self.prices.items()}
        inside = {at: price for at, price in some.items() if start <= at < stop}
        close = pa.array(list(inside.values()), pa.float64())
        nothing = pa.array([None] * len(inside), pa.float64())
        times = pa.array(np.array(list(inside), dtype="datetime64[ns]"), pa.timestamp("ns", "UTC"))
        return pa.table({"exchange_time": times, "close": close, "low": nothing, "high": nothing})
