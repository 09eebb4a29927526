"""Average prices: exact where the ledger's rounded values are not, and the same on every page and in every file."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tests import page_desk
from trading.domain import averages
from trading.domain.money import to_units
from trading.domain.position import Execution, value_of
from trading.hot import ledger_copy
from trading.models import Fill, Trade
from trading.models.trade import OF_A_FRACTION
from trading.operations.add_fill import add_fill
from trading.operations.amend import amend
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.queries.accounts import get_account
from trading.queries.average_prices import averages_of
from trading.queries.trades import get_trade, get_trades
from trading.queries.valuation import open_positions

AT = datetime(2024, 3, 15, 5, tzinfo=UTC)
PRICE, DUST = Decimal("1.13889"), Decimal("0.00000003")
units = st.integers(1, 10**14)


class TestTheFillsTellThem:
    @given(units, st.lists(st.tuples(st.booleans(), units), min_size=1, max_size=12))
    def test_fills_at_one_price_average_to_it_whatever_their_size(
        self, price: int, parts: list[tuple[bool, int]]
    ) -> None:
        bought, fills = 0, []
        for is_entry, quantity in parts:
            if is_entry or quantity <= bought:
                bought += quantity if is_entry else -quantity
                fills.append(Execution("BUY" if is_entry else "SELL", price, quantity))
        found = averages.of_fills("LONG", fills)
        for average in (found.entry, found.exit, found.held):
            assert average is None or to_units(average) == price
        assert (found.held is None) == (bought == 0)

    @given(st.lists(st.tuples(units, st.integers(1, 10**4)), min_size=1, max_size=9))
    def test_of_whole_fills_the_sums_have_what_the_fills_tell(self, parts: list[tuple[int, int]]) -> None:
        fills = [Execution("SELL", price, lots * 10**8) for price, lots in parts]
        worth = sum(value_of(fill.price, fill.quantity, 10**8) for fill in fills)
        quantity = sum(fill.quantity for fill in fills)
        assert averages.of_sums(worth, quantity, 10**8) == averages.of_fills("SHORT", fills).entry

    def test_an_exit_leaves_the_average_of_what_is_open(self) -> None:
        fills = [Execution("BUY", 100, 3), Execution("SELL", 500, 2), Execution("BUY", 400, 1)]
        found = averages.of_fills("LONG", fills)
        assert (found.entry, found.exit, found.held) == (
            Decimal("0.00000175"),
            Decimal("0.000005"),
            Decimal("0.0000025"),
        )

    def test_a_multiplier_is_taken_out_of_the_sums(self) -> None:
        worth = value_of(42 * 10**8, 2 * 10**8, 75 * 10**8)
        assert averages.of_sums(worth, 2 * 10**8, 75 * 10**8) == 42

    def test_where_a_value_may_be_rounded_the_sums_do_not_tell(self) -> None:
        assert averages.sums_tell(75 * 10**8, has_fractions=False)
        assert not averages.sums_tell(75 * 10**8, has_fractions=True)
        assert not averages.sums_tell(10**7, has_fractions=False)


def opened(name: str, quantity: Any, price: Any = PRICE, symbol: str = "RELIANCE") -> Any:
    return open_position("main", name, "fx", symbol, entry_price=price, quantity=quantity, entry_time=AT)


@pytest.mark.ledger
class TestInTheLedger:
    @pytest.mark.parametrize("quantity", [DUST, Decimal("0.61803399"), 1, 7, Decimal("1234.5678")])
    def test_one_fill_has_its_own_price_as_its_average_everywhere(self, ledger: Any, quantity: Any) -> None:
        assert opened("one", quantity).avg_price == PRICE
        assert open_positions(get_account("main"), lambda symbols: {})[0].avg_price == PRICE
        _, entries = ledger_copy._from_ledger("main", AT.date())
        assert entries["positions"]["positions"][0]["avg_price"] == "1.13889"
        closed = close_position(
            "main", "one", "fx", "RELIANCE", exit_price="1.13854", exit_time=AT + timedelta(hours=1)
        )
        assert (
            closed.avg_price
            == get_trade(get_account("main"), "one").avg_price
            == get_trades(get_account("main"))[0].avg_price
            == PRICE
        )

    def test_parts_at_one_price_average_to_it(self, ledger: Any) -> None:
        opened("parts", "0.61803399")
        for number in range(4):
            assert (
                add_fill("main", "parts", "BUY", PRICE, "0.41421356", AT + timedelta(seconds=number)).avg_price == PRICE
            )
        assert add_fill("main", "parts", "SELL", 2, "0.14159265", AT + timedelta(minutes=1)).avg_price == PRICE

    @pytest.mark.parametrize(
        ("fills", "entry", "exit"),
        [
            (
                [("BUY", "1", "100"), ("SELL", "0.18034064", "9311.57647946"), ("SELL", "0.81965936", "8419.64324912")],
                "100",
                "8580.49505872",
            ),
            (
                [("BUY", "0.5", "1.00000001"), ("BUY", "0.5", "1.00000002"), ("SELL", "1", "2")],
                "1.00000002",
                "2",
            ),
            (
                [("BUY", "1500.5", "2"), ("SELL", "0.00000003", "1.13889"), ("SELL", "0.00000003", "1.13889")],
                "2",
                "1.13889",
            ),
        ],
        ids=["exits of a whole unit", "entries of a whole unit", "little of a large position"],
    )
    def test_fractions_that_add_up_to_a_whole_size_are_averaged_by_fills(
        self, ledger: Any, fills: list[tuple[str, str, str]], entry: str, exit: str
    ) -> None:
        (_, first, price), *others = fills
        opened("sum", first, price)
        for number, (side, quantity, price) in enumerate(others, 1):
            add_fill("main", "sum", side, price, quantity, AT + timedelta(seconds=number))
        opened("whole", 3)  # beside it one whose sums tell
        rows = json.loads(answer("trade_export", "--format", "json"))["trades"]
        assert [(row["entry_price"], row["exit_price"]) for row in rows] == [(entry, exit), (str(PRICE), None)]
        found = averages_of(Trade.objects.filter(trade_id="sum").select_related("instrument"))
        assert [(average.entry, average.exit) for average in found.values()] == [(Decimal(entry), Decimal(exit))]

    def test_a_fill_that_was_amended_to_a_fraction_is_averaged_by_fills(self, ledger: Any) -> None:
        opened("amended", 1, price="1.00000001")
        add_fill("main", "amended", "BUY", "1.00000004", 1, AT + timedelta(seconds=1))
        pk = Trade.objects.get().pk
        amend(pk, fill=1, quantity="0.5", by="desk", reason="misread")
        trade = amend(pk, fill=2, quantity="0.5", by="desk", reason="misread")
        assert trade.avg_price == Decimal("1.00000002")

    def test_an_index_finds_the_fills_of_a_fraction(self, ledger: Any) -> None:
        opened("one", 1)
        query = Fill.objects.filter(OF_A_FRACTION, trade__in=[1, 2, 3]).values_list("trade_id").order_by()
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
        assert "fill_of_a_fraction" in query.explain()

    def test_a_corrected_fill_is_averaged_as_it_is_right(self, ledger: Any) -> None:
        opened("wrong", DUST, price="1.5")
        pk = Trade.objects.get().pk
        assert amend(pk, fill=1, price=PRICE, by="desk", reason="misread").avg_price == PRICE

    def test_averages_of_many_cost_the_same_number_of_queries(self, ledger: Any) -> None:
        counts = []
        for number in range(3):
            opened(f"t{number}", "0.3")
            with CaptureQueriesContext(connection) as captured:
                assert {trade.avg_price for trade in get_trades(get_account("main"))} == {PRICE}
            counts.append(len(captured))
        assert counts[0] == counts[1] == counts[2]


class TestForPeople:
    @pytest.fixture
    def trade(self, ledger: Any) -> Trade:
        opened("fx1", DUST)
        close_position("main", "fx1", "fx", "RELIANCE", exit_price="1.13854", exit_time=AT + timedelta(minutes=9))
        opened("fx2", 3, price="1.13333333")
        return Trade.objects.get(trade_id="fx1")

    def test_pages_and_admin_show_every_decimal(self, trade: Trade, client: Client) -> None:
        client.force_login(page_desk.member("asha"))
        for address in (f"/trades/{trade.pk}/", "/trades/", "/?day=2024-03-15", "/admin/trading/trade/"):
            assert re.search(r"₹1\.13889\s*<", text_of(client, address)), address
        for address in ("/trades/", "/", "/admin/trading/trade/"):
            assert re.search(r"₹1\.13333333\s*<", text_of(client, address)), address
        assert re.search(r"Average entry</dt><dd>₹1\.13889<", text_of(client, f"/trades/{trade.pk}/"))

    def test_a_list_in_the_admin_asks_once_for_all_rows(self, trade: Trade, client: Client) -> None:
        client.force_login(page_desk.member("asha"))
        client.get("/admin/trading/trade/")
        counts = []
        for number in range(2):
            with CaptureQueriesContext(connection) as captured:
                client.get("/admin/trading/trade/")
            counts.append(len(captured))
            opened(f"more{number}", "0.5")
        assert counts[0] == counts[1]

    def test_commands_tell_it_in_full(self, trade: Trade) -> None:
        assert "E entry 1.13889" in screen(trade.pk) or "no ticks" in screen(trade.pk)
        assert json.loads(answer("trade", "--pk", str(trade.pk), "--format", "json"))["entry_price"] == "1.13889"
        rows = json.loads(answer("trade_export", "--format", "json"))["trades"]
        assert [row["entry_price"] for row in rows] == ["1.13889", "1.13333333"]


def answer(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def screen(pk: int) -> str:
    return answer("trade", "--pk", str(pk))


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()
