"""Sales of holdings that were bought before a broker's files begin: no trade until a person gives their cost."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.utils import DatabaseError
from django.test import Client

from tests.trading.book import snapshot, sql
from tests.trading.statements import DAY, future, line, statement
from tests.trading.tampering import unguarded
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.brokers.values import FillLine
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.domain.values import Trade as TradeValue
from trading.errors import IdConflict, InvalidValue
from trading.models import BrokerFill, DayTotal, Fill, HoldingCost, Trade, User
from trading.operations.amend import amend
from trading.operations.back_up import back_up
from trading.operations.clear_account import clear_account
from trading.operations.give_cost import give_cost
from trading.operations.import_fills import import_fills
from trading.operations.restore import restore
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.opening_sales import opening_sales
from trading.queries.statistics import first_trading_day

pytestmark = pytest.mark.usefixtures("ledger")

BOUGHT = date(2020, 3, 23)
WHO = {"by": "asha", "reason": "contract note of 2020"}


def imported(*fills: FillLine, account: str = "main") -> ImportOutcome:
    return import_fills(account, statement(fills))


def listed(account: str = "main", **more: Any) -> list[tuple[str, Decimal]]:
    """Return id and quantity of each sale whose cost is unknown."""
    sales = opening_sales(get_account(account), **more)
    return [(BrokerFill.objects.get(pk=sale.pk).broker_fill_id, sale.quantity) for sale in sales]


def given(fill_id: str, price: Any = 80, day: date = BOUGHT, **who: str) -> TradeValue:
    sale = BrokerFill.objects.get(broker_fill_id=fill_id)
    return give_cost(sale.pk, price, day, **{**WHO, **who})


def trades() -> list[tuple[Any, ...]]:
    rows = Trade.objects.exclude(state="VOID").order_by("opened_at", "trade_id")
    return [(row.trading_day, row.side, row.state, row.entry_quantity, row.realised_pnl) for row in rows]


class TestCost:
    @pytest.mark.ledger
    def test_until_it_is_given_the_sale_is_listed_and_in_no_figure(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120), line("6", "SELL", 5, 121, day=1))
        assert listed() == [("5", 10), ("6", 5)]
        assert listed(day=DAY) == [("5", 10)]
        assert not Trade.objects.exists() and not DayTotal.objects.exists()

    @pytest.mark.ledger
    def test_once_it_is_given_the_sale_is_a_closed_trade(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120), line("6", "SELL", 5, 121, day=1))
        trade = given("5")
        assert (trade.state, trade.side, trade.realised_pnl) == ("CLOSED", "LONG", 400)
        assert trade.flags == ("cost_given", "day_only", "imported")
        assert trades() == [(BOUGHT, "LONG", "CLOSED", 10, 400)]
        assert [(row.day, row.gross_pnl) for row in DayTotal.objects.all()] == [(DAY, 400)]
        purchase, sale = Fill.objects.order_by("sequence")
        assert (purchase.is_day_only, purchase.price, sale.fill_id) == (True, 80, "5")
        assert listed() == [("6", 5)]
        assert verify_ledger().differences == []

    @pytest.mark.ledger
    def test_the_same_again_changes_nothing_and_another_is_refused(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120))
        given("5")
        before = snapshot()
        assert "known_already" in given("5", "80.00").flags
        for price, day in ((81, BOUGHT), (80, BOUGHT + timedelta(days=1))):
            with pytest.raises(IdConflict):
                given("5", price, day)
        imported(line("5", "SELL", 10, 120))
        assert snapshot() == before

    @pytest.mark.parametrize(
        "wrong", [{"day": DAY}, {"price": -1}, {"price": "x"}, {"by": ""}, {"reason": " "}], ids=str
    )
    def test_what_is_wrong_is_refused_and_writes_nothing(self, wrong: dict[str, Any]) -> None:
        imported(line("5", "SELL", 10, 120))
        before = snapshot()
        with pytest.raises(InvalidValue):
            given("5", **wrong)
        assert snapshot() == before

    @pytest.mark.ledger
    def test_only_such_a_sale_has_a_cost_to_give(self) -> None:
        imported(future("1", "SELL", 50), line("2", "BUY", 10), line("3", "SELL", 10, minute=5))
        before = snapshot()
        for fill_id in ("1", "2", "3"):
            with pytest.raises(InvalidValue):
                given(fill_id)
        with pytest.raises(InvalidValue):
            give_cost(4711, 80, BOUGHT, **WHO)
        assert snapshot() == before

    @pytest.mark.ledger
    def test_a_part_of_a_fill_may_be_of_holdings(self, proved: None) -> None:
        imported(line("1", "BUY", 10, 100), line("2", "SELL", 15, 120, day=2, charges={}))
        assert listed() == [("2", 5)]
        assert given("2").realised_pnl == 200
        assert trades() == [(BOUGHT, "LONG", "CLOSED", 5, 200), (DAY, "LONG", "CLOSED", 10, 200)]
        assert listed() == [] and verify_ledger().differences == []

    @pytest.mark.ledger
    def test_later_files_leave_it_and_earlier_ones_build_around_it(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120, day=3))
        given("5")
        imported(line("8", "BUY", 10, 110, day=5), line("9", "SELL", 10, 115, day=6))
        assert [row[-1] for row in trades()] == [400, 50]
        imported(line("1", "BUY", 4, 100), line("2", "SELL", 4, 90, day=1))
        assert [row[-1] for row in trades()] == [400, -40, 50]

    def test_a_cost_counts_no_longer_where_files_tell_of_the_purchase_and_that_is_named(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120, day=3))
        given("5")
        outcome = imported(line("1", "BUY", 10, 100))
        assert trades() == [(DAY, "LONG", "CLOSED", 10, 200)]
        (finding,) = outcome.findings
        assert "the cost of 80 on 2020-03-23 that was given for sale 5 of 2026-06-04 no longer counts" in finding
        assert imported(line("1", "BUY", 10, 100)).findings == []

    def test_a_cost_that_counts_for_fewer_units_is_named(self, proved: None) -> None:
        imported(line("5", "SELL", 15, 120, day=3))
        given("5")
        outcome = imported(line("1", "BUY", 10, 100))
        assert trades() == [(BOUGHT, "LONG", "CLOSED", 5, 200), (DAY, "LONG", "CLOSED", 10, 200)]
        assert "counts for 5 of 15 only" in outcome.findings[0]

    def test_a_purchase_that_a_person_moved_to_another_day_is_found_again(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120))
        given("5")
        trade = Trade.objects.get()
        amend(trade.pk, fill=1, at=trade.opened_at - timedelta(days=30), **WHO)
        assert "known_already" in given("5").flags
        assert imported(line("5", "SELL", 10, 120)).findings == []

    def test_the_days_charges_are_shared_with_it_at_once(self, proved: None) -> None:
        imported(line("1", "BUY", 10, 100), line("2", "SELL", 10, 100), line("5", "SELL", 20, 100, minute=9))
        stated = ChargeStatement(day=DAY, last_day=DAY, head=Head.SEBI, amount=Decimal(4), source=ChargeSource.PERSON)
        state_charges("main", [stated], by="asha", text="note")
        assert Trade.objects.get().charges == 4
        trade = given("5")
        assert Trade.objects.get(trade_id="zerodha-NSE-1").charges + (trade.charges or 0) == 4
        assert trade.charges
        before = snapshot()
        spread_charges("main", DAY, DAY, by="asha", reason="again")
        assert snapshot() == before, "nothing is left for the next import to share"

    @pytest.mark.ledger
    def test_the_days_of_figures_do_not_begin_with_it(self, proved: None) -> None:
        imported(line("5", "SELL", 10, 120), line("6", "BUY", 1, 100, day=2))
        given("5")
        assert first_trading_day(get_account("main")) == DAY + timedelta(days=2)


@pytest.mark.ledger
class TestGuarded:
    def test_no_row_is_changed_or_removed_and_what_was_tampered_with_is_named(self) -> None:
        imported(line("5", "SELL", 10, 120))
        given("5")
        for statement_ in ("UPDATE trading_holdingcost SET price = 1", "DELETE FROM trading_holdingcost"):
            with pytest.raises(DatabaseError, match="append-only"):
                sql(statement_)
        changes = {"price": "1", "day": "'2020-01-01'", "reason": "'x'", "author": "'x'", "id": "id + 7",
                   "recorded_at": "'2031-01-01 00:00:00'"}  # fmt: skip
        for name, value in changes.items():
            with unguarded():
                sql("CREATE TABLE kept AS SELECT * FROM trading_holdingcost")
                sql(f"UPDATE trading_holdingcost SET {name} = {value}")
            assert ("trading_holdingcost", name) in {(one.table, one.field) for one in verify_ledger().differences}
            with unguarded():
                sql("DELETE FROM trading_holdingcost")
                sql("INSERT INTO trading_holdingcost SELECT * FROM kept")
                sql("DROP TABLE kept")
        with unguarded():
            sql("DELETE FROM trading_holdingcost")
        assert ("missing", "trading_holdingcost") in {(one.kind, one.table) for one in verify_ledger().differences}

    def test_it_is_backed_up_restored_and_cleared(self) -> None:
        imported(line("5", "SELL", 10, 120), account="replay")
        given("5")
        before = snapshot()["trading_holdingcost"]
        restore(back_up(), force=True)
        assert snapshot()["trading_holdingcost"] == before and verify_ledger().ok
        assert clear_account("replay")["holding_costs"] == 1
        assert not HoldingCost.objects.exists() and verify_ledger().ok


@pytest.mark.ledger
def test_the_command_lists_them_and_takes_a_cost(capsys: Any) -> None:
    imported(line("5", "SELL", 10, 120))
    call_command("opening_sales", format="json")
    (sale,) = json.loads(capsys.readouterr().out)["sales"]
    assert (sale["symbol"], sale["quantity"], sale["day"]) == ("RELIANCE", "10", DAY.isoformat())
    call_command("opening_sales", give=sale["sale"], cost="80", on="2020-03-23", **WHO, format="json")
    assert json.loads(capsys.readouterr().out)["sales"] == []
    assert Trade.objects.get().realised_pnl == 400


@pytest.mark.ledger
def test_the_command_takes_no_number_of_another_account(capsys: Any) -> None:
    imported(line("5", "SELL", 10, 120), account="replay")
    (sale,) = opening_sales(get_account("replay"))
    for account, hint in (("main", "give --account replay"), ("nobody", "nobody")):
        with pytest.raises(CommandError, match=hint) as refused:
            call_command("opening_sales", account=account, give=sale.pk, cost="80", on="2020-03-23", **WHO)
        assert refused.value.returncode == 2 and listed("replay") == [("5", 10)]
    call_command("opening_sales", account="replay", give=sale.pk, cost="80", on="2020-03-23", **WHO)
    assert listed("replay") == []


def test_the_days_page_counts_them(client: Client) -> None:
    imported(line("5", "SELL", 10, 120))
    client.force_login(User.objects.create_superuser("asha"))
    assert "1 in no P&amp;L" in client.get(f"/?day={DAY}").content.decode()
    given("5")
    assert "in no P&amp;L" not in client.get(f"/?day={DAY}").content.decode()
