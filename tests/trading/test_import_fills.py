"""A broker's fills in the ledger: each once, whatever files bring them and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.trading.book import AT, closed, opened, snapshot
from tests.trading.statements import future, line, statement
from trading.bookkeeping import settling
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.brokers.values import Broker, FillKind, FillLine, Head
from trading.domain import trade_building
from trading.errors import CurrencyMismatch, InvalidValue, LedgerReadOnly, WrongClient
from trading.models import BrokerFile, BrokerFill, DayTotal, Fill, Instrument, Trade
from trading.operations.import_fills import import_fills
from trading.proof.verify import verify_ledger
from trading.transactions import read_only

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]


def imported(*fills: FillLine, **more: Any) -> ImportOutcome:
    return import_fills("main", statement(fills, **more))


def trades() -> list[tuple[Any, ...]]:
    rows = Trade.objects.exclude(state="VOID").order_by("opened_at", "trade_id")
    return [(row.trade_id, row.side, row.state, row.open_quantity, row.realised_pnl) for row in rows]


def test_fills_become_trades_from_flat_to_flat() -> None:
    outcome = imported(future("1", "BUY", 50, 100), future("2", "SELL", 80, 110), future("3", "BUY", 30, 105))
    assert trades() == [
        ("zerodha-NFO-1", "LONG", "CLOSED", 0, 500),
        ("zerodha-NFO-2", "SHORT", "CLOSED", 0, 150),
    ]
    assert (outcome.fills, outcome.trades_opened, outcome.trades_closed, outcome.refused) == (3, 2, 2, [])
    assert DayTotal.objects.get().gross_pnl == 650
    assert Trade.objects.first().strategy.code == "imported"  # type: ignore[union-attr]


def test_the_same_file_again_changes_nothing() -> None:
    fills = [future("1", "BUY", 50), future("2", "SELL", 20, charges={})]
    imported(*fills)
    before = snapshot()
    outcome = imported(*fills)
    assert (outcome.fills, outcome.already_known, outcome.trades_opened, outcome.trades_closed) == (0, 2, 0, 0)
    assert snapshot() == before


def test_what_was_written_before_a_refusal_is_said_to_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise read_only("no space left on device")

    fills = future("1", "BUY", 50), future("2", "SELL", 20)
    with (
        monkeypatch.context() as patch,
        pytest.raises(LedgerReadOnly, match="What was written before stays") as refused,
    ):
        patch.setattr(settling, "book_all", refuse)
        imported(*fills)
    assert "Nothing" not in str(refused.value)
    assert (BrokerFill.objects.count(), Trade.objects.count()) == (2, 0)
    outcome = imported(*fills)
    assert (outcome.fills, outcome.already_known, outcome.trades_opened) == (0, 2, 1)


@pytest.mark.parametrize("day", [date.min, date(1999, 12, 31), date.max])
def test_a_fill_of_a_day_that_the_ledger_never_has_is_refused_alone(day: date) -> None:
    at = datetime.combine(day, time(10), ZoneInfo("Asia/Kolkata"))
    imported(future("1", "BUY", 50))
    outcome = imported(future("2", "SELL", 20), replace(future("3", "BUY", 10), day=day, at=at))
    assert ([remark.reason for remark in outcome.refused], outcome.fills) == (["unbookable"], 1)
    assert str(day) in outcome.refused[0].text


def test_an_open_trade_is_gone_on_with_by_the_next_file() -> None:
    imported(future("1", "BUY", 50), future("2", "SELL", 20, 110))
    outcome = imported(future("2", "SELL", 20, 110), future("3", "SELL", 30, 120, day=1))
    assert (outcome.fills, outcome.already_known, outcome.trades_opened, outcome.trades_closed) == (1, 1, 0, 1)
    assert trades() == [("zerodha-NFO-1", "LONG", "CLOSED", 0, 800)]


def test_fills_of_an_earlier_time_build_the_trades_anew() -> None:
    imported(future("3", "SELL", 50, 120), future("4", "BUY", 50, 90, day=1))
    assert trades() == [("zerodha-NFO-3", "SHORT", "CLOSED", 0, 1500)]
    imported(future("1", "BUY", 50, 100))
    assert trades() == [
        ("zerodha-NFO-1", "LONG", "CLOSED", 0, 1000),
        ("zerodha-NFO-4", "LONG", "OPEN", 50, 0),
    ]
    imported(future("0", "SELL", 50, 100))
    assert trades() == [
        ("zerodha-NFO-0", "SHORT", "CLOSED", 0, 0),
        ("zerodha-NFO-3", "SHORT", "CLOSED", 0, 1500),
    ]


def test_a_sale_of_holdings_has_no_cost_until_an_earlier_file_brings_it() -> None:
    outcome = imported(line("5", "SELL", 10, 120, day=3))
    assert (outcome.opening_sales, trades()) == (1, [])
    imported(line("1", "BUY", 10, 100))
    assert trades() == [("zerodha-NSE-1", "LONG", "CLOSED", 0, 200)]


def test_a_worthless_expiry_closes_at_nothing_and_says_so() -> None:
    imported(future("1", "SELL", 50, 10), future("2", "BUY", 50, 0, kind=FillKind.EXPIRY))
    row = Trade.objects.get()
    assert (row.realised_pnl, row.exit_reason, "price_zero_unexplained" in row.flags) == (500, "expired", False)


def test_an_order_stands_for_its_fills_until_they_come() -> None:
    order = future(None, "BUY", 50, 100, minute=1, order_id="O1", kind=FillKind.ORDER)
    imported(order, future("9", "SELL", 50, 110, minute=9))
    assert trades() == [("zerodha-NFO-order-O1-50", "LONG", "CLOSED", 0, 500)]
    outcome = imported(future("1", "BUY", 20, 100, order_id="O1"), future("2", "BUY", 30, 100, order_id="O1"))
    assert trades() == [("zerodha-NFO-1", "LONG", "CLOSED", 0, 500)]
    assert outcome.findings == []


def test_fills_of_another_quantity_than_their_order_are_named() -> None:
    imported(future(None, "BUY", 50, 100, minute=1, order_id="O1", kind=FillKind.ORDER))
    outcome = imported(future("1", "BUY", 20, 100, order_id="O1"))
    assert outcome.findings == ["NFO:NIFTY26JUNFUT: order O1 is of 50, its fills are of 20."]
    assert trades() == [("zerodha-NFO-1", "LONG", "OPEN", 20, 0)]


def test_what_a_strategy_booked_is_not_booked_again() -> None:
    opened(fill_id="77", entry_time=AT)
    closed(fill_id="78")
    before = snapshot()
    day = (AT.date() - statement([]).first_day).days  # type: ignore[operator]
    same = line("77", "BUY", 10, "2450.05", day=day, minute=15)
    other = line("78", "SELL", 11, "2465", day=day, minute=17)
    outcome = imported(same, other)
    assert (outcome.already_known, [remark.reason for remark in outcome.refused]) == (1, ["id_conflict"])
    after = snapshot()
    assert [after[table] for table in ("trading_trade", "trading_fill")] == [
        before[table] for table in ("trading_trade", "trading_fill")
    ]


def test_equal_fills_without_ids_are_as_many_as_the_file_has() -> None:
    fills = [future(None, "BUY", 10, minute=1), future(None, "BUY", 10, minute=1), future(None, "SELL", 20, minute=2)]
    imported(*fills)
    assert imported(*fills).already_known == 3
    assert [(row[3], row[2]) for row in trades()] == [(0, "CLOSED")]
    assert Fill.objects.count() == 3


def test_charges_finer_than_the_ledger_are_rounded_half_even_and_the_same_again_is_known() -> None:
    amounts = ("0.361764979", "0.000000015", "-0.000000025")
    fills = [
        future(str(number), "BUY", 1, charges={Head.BROKERAGE: Decimal(text)}) for number, text in enumerate(amounts)
    ]
    for count in (3, 0):
        outcome = imported(*fills)
        assert (outcome.fills, outcome.findings) == (count, [])
    assert Trade.objects.get().charges == Decimal("0.36176498")


def test_other_charges_of_a_fill_that_is_known_are_told() -> None:
    first, later = (future("1", "BUY", 10, charges={Head.BROKERAGE: Decimal(amount)}) for amount in (1, 2))
    imported(first)
    assert imported(first).findings == imported(future("1", "BUY", 10)).findings == []
    for other in (later, future("1", "BUY", 10, is_uncharged=True)):
        (finding,) = imported(other).findings
        assert finding.startswith("NFO:NIFTY26JUNFUT: the file has other charges for 1 fills that are known.")
    assert Trade.objects.get().charges == 1
    uncharged = future("2", "BUY", 10, is_uncharged=True)
    assert imported(uncharged).findings == imported(uncharged).findings == []


@pytest.mark.parametrize(("first", "second"), [("2200000000012345", None), (None, "2200000000012345"), ("22", "2200")])
def test_a_row_whose_orders_id_a_spreadsheet_or_a_broken_download_ruined_is_booked_once(
    first: str | None, second: str | None
) -> None:
    entry, sale = future(None, "BUY", 20, minute=1), future(None, "SELL", 10, 110, minute=2, order_id=first)
    imported(entry, sale)
    outcome = imported(entry, replace(sale, order_id=second), replace(sale, order_id=second))
    assert [remark.reason for remark in outcome.refused] == ["order_told_otherwise"]
    assert (outcome.fills, outcome.already_known) == (1, 1)  # the second of two equal rows is one more
    assert [row[1:] for row in trades()] == [("LONG", "CLOSED", 0, 200)]


def test_an_import_that_was_killed_within_a_long_trade_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fills = [future(str(number), "BUY", 1) for number in range(1, 8)]
    booked = settling.book_trades
    monkeypatch.setattr(settling, "FILLS_AT_ONCE", 2)
    runs = iter([booked, booked, None])
    monkeypatch.setattr(settling, "book_trades", lambda *of: next(runs)(*of))
    with pytest.raises(TypeError):
        imported(*fills)
    assert 0 < Fill.objects.count() < 7
    monkeypatch.setattr(settling, "book_trades", booked)
    imported(*fills)
    assert [row[1:4] for row in trades()] == [("LONG", "OPEN", 7)]
    assert Fill.objects.count() == 7


def test_equal_rows_of_two_orders_are_two_fills() -> None:
    fills = [future(None, "BUY", 10, minute=1, order_id=order) for order in ("21", "22")]
    imported(fills[0])
    outcome = imported(*fills)
    assert (outcome.fills, outcome.already_known, outcome.refused) == (1, 1, [])


def test_a_file_of_another_client_or_currency_is_refused_whole() -> None:
    imported(future("1", "BUY", 1), client="AB1234")
    before = snapshot()
    with pytest.raises(WrongClient):
        imported(future("2", "BUY", 1), client="XY9999")
    with pytest.raises(CurrencyMismatch) as caught:
        imported(future("2", "BUY", 1, currency="USD"))
    assert "manage.py account create main-usd" in caught.value.hint
    with pytest.raises(InvalidValue):
        imported(future("2", "BUY", 1, at=future("2", "BUY", 1).at.replace(tzinfo=None)))  # type: ignore[union-attr]
    assert snapshot() == before
    imported(future("2", "BUY", 1), client="ab1234 ")
    assert "AB1234" not in str(snapshot())


def test_dhans_api_and_its_reports_name_one_client_by_two_codes_and_each_is_held_to_its_own() -> None:
    report = {"broker": Broker.DHAN, "kind": "transactions"}
    answer = {"broker": Broker.DHAN, "kind": "api_trades"}
    imported(future("1", "BUY", 1), client="TESTA0001B", **report)
    imported(future("2", "BUY", 1), client="1000000001", **answer)
    for other, of in (("TESTA0009Z", report), ("1000000009", answer)):
        with pytest.raises(WrongClient):
            imported(future("3", "BUY", 1), client=other, **of)


def test_the_fills_of_an_api_take_the_place_of_a_bills_sums_and_the_bill_comes_to_nothing_after_them() -> None:
    def bill(side: str, quantity: int, price: str) -> FillLine:
        of = {"order_id": trade_building.bill_id("501", side, 1), "kind": FillKind.ORDER}
        return future(None, side, quantity, price, at=None, **of)

    bills = {"broker": Broker.DHAN, "kind": "transactions"}
    answer = {"broker": Broker.DHAN, "kind": "api_trades"}
    fills = [future("1", "BUY", 50), future("2", "BUY", 25, 103), future("3", "SELL", 75, 110)]
    imported(bill("BUY", 75, "101"), bill("SELL", 75, "110"), **bills)
    assert [row[1:] for row in trades()] == [("LONG", "CLOSED", 0, 675)]
    imported(*fills, **answer)
    assert [row[1:] for row in trades()] == [("LONG", "CLOSED", 0, 675)]
    assert Fill.objects.exclude(trade__state="VOID").count() == 3
    imported(bill("BUY", 75, "101"), bill("SELL", 75, "110"), file="again.csv", sha256="0" * 64, **bills)
    assert Fill.objects.exclude(trade__state="VOID").count() == 3


def test_an_unknown_instrument_is_refused_with_its_row() -> None:
    outcome = imported(line("1", "BUY", 1, instrument={"symbol": None, "isin": "INE002A01018"}), future("2", "BUY", 1))
    assert [(remark.reason, remark.place.row) for remark in outcome.refused] == [("unknown_instrument", 1)]
    assert outcome.fills == 1


def test_a_contract_that_is_new_expires_when_the_file_says_where_its_symbol_proves_no_day() -> None:
    stated = [
        ("1", "NIFTY26JUNFUT", date(2026, 6, 30)),
        ("2", "NIFTY26JUNFUT", date(2026, 6, 25)),  # a later row changes nothing
        ("3", "NIFTY2660224500CE", date(2026, 6, 1)),  # whose symbol has a day of its own
        ("4", "BANKNIFTY26JUNFUT", None),
    ]
    fills = [
        future(fill_id, "BUY", 1, instrument={"symbol": symbol, "exchange": "NFO", "expiry": expiry})
        for fill_id, symbol, expiry in stated
    ]
    imported(*fills)
    assert dict(Instrument.objects.filter(exchange__code="NFO").values_list("symbol", "expiry")) == {
        "NIFTY26JUNFUT": date(2026, 6, 30),
        "NIFTY2660224500CE": date(2026, 6, 2),
        "BANKNIFTY26JUNFUT": None,
    }
    imported(replace(fills[3], fill_id="5", instrument=replace(fills[3].instrument, expiry=date(2026, 6, 30))))
    assert Instrument.objects.get(symbol="BANKNIFTY26JUNFUT").expiry is None  # known already: a person says it


def test_many_fills_ask_the_ledger_no_more_than_few() -> None:
    statements = []
    for day, count in enumerate((2, 20, 120)):
        fills = [
            future(str(day * 1000 + number), ("BUY", "SELL")[number % 2], 1, minute=number, day=day)
            for number in range(count)
        ]
        with CaptureQueriesContext(connection) as captured:
            imported(*fills)
        statements.append(len(captured))
    assert statements[1] == statements[2] < statements[0]  # the first makes instrument and strategy


def test_a_changed_fact_is_seen_by_the_proof(ledger: Any) -> None:
    imported(future("1", "BUY", 50))
    assert BrokerFile.objects.count() == BrokerFill.objects.count() == 1
    assert verify_ledger().checked["brokerfill"] == 1
