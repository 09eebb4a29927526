"""An activity statement: its sections, the executions behind orders, totals, and cash."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from trading.brokers import ibkr_activity
from trading.brokers.document import Document, Sheet
from trading.brokers.ibkr import NEW_YORK
from trading.brokers.values import FillKind, Head, Statement
from trading.brokers.zones import needs_zone
from trading.errors import InvalidValue, UnknownLayout
from trading.models import Trade
from trading.operations.create_account import create_account
from trading.operations.find_breaks import find_breaks
from trading.operations.import_fills import import_fills

HEAD = """\
Statement,Header,Field Name,Field Value
Statement,Data,BrokerName,Interactive Brokers LLC
Statement,Data,Title,Activity Statement
Statement,Data,Period,"January 1, 2026 - January 31, 2026"
Account Information,Header,Field Name,Field Value
Account Information,Data,Account,U7654321 (Custom Consolidated)
Account Information,Data,Base Currency,USD
"""
TRADES = (
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
    "Comm/Fee,Basis,Realized P/L,MTM P/L,Code\n"
)
INSTRUMENTS = """\
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Listing Exch,Multiplier,Code
Financial Instrument Information,Data,Stocks,"QZA, QZOLD",QZA CORP,900001,US0000000001,NYSE,1,
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Listing Exch,Multiplier,Expiry,Code
Financial Instrument Information,Data,Equity and Index Options,QZA 16JAN26 150 C,QZA 16JAN26 150 C,900002,CBOE,100,x,
"""
EASTERN = "Notes/Legal Notes,Header,Note\nNotes/Legal Notes,Data,Trade execution times are displayed in Eastern Time.\n"


def row(
    quantity: str,
    price: str,
    proceeds: str,
    *,
    kind: str = "Order",
    category: str = "Stocks",
    symbol: str = "QZA",
    when: str = "2026-01-26, 11:57:15",
    commission: str = "-1",
    code: str = "O",
    currency: str = "USD",
) -> str:
    start = f'Trades,Data,{kind},{category},{currency},{symbol},"{when}","{quantity}"'
    return f"{start},{price},,{proceeds},{commission},0,0,0,{code}\n"


def document(*parts: str, head: str = HEAD) -> Document:
    rows = tuple(csv.reader("".join((head, *parts)).splitlines()))
    return Document("activity.csv", "0" * 64, "csv", sheets=(Sheet("", rows),))


def read(*parts: str, head: str = HEAD) -> Statement:
    return ibkr_activity.read(document(*parts, head=head))


def test_a_trade_is_a_fill_of_the_instrument_that_the_statement_describes() -> None:
    statement = read(TRADES, row("1,000", "150.25", "-150250", commission="-1.0025"), INSTRUMENTS)
    (line,) = statement.fills
    assert (line.side, line.quantity, line.price, line.currency) == ("BUY", Decimal(1000), Decimal("150.25"), "USD")
    name = line.instrument
    assert (name.symbol, name.isin, name.exchange, name.code) == ("QZA", "US0000000001", "NYSE", "900001")
    assert line.charges == {Head.BROKERAGE: Decimal("1.0025")}
    assert (line.fill_id, line.order_id) == (None, None)
    assert (statement.client, statement.first_day, statement.last_day) == (
        "U7654321", date(2026, 1, 1), date(2026, 1, 31),
    )  # fmt: skip


def test_a_former_symbol_names_the_same_instrument() -> None:
    (line,) = read(TRADES, row("1", "5", "-5", symbol="QZOLD"), INSTRUMENTS).fills
    assert line.instrument.code == "900001"


@pytest.mark.parametrize(("commission", "is_empty"), [("", True), ("0", False), ("-1", False)])
def test_a_commission_that_is_left_empty_is_told(commission: str, is_empty: bool) -> None:
    (line,) = read(TRADES, row("-100", "155", "15500", commission=commission)).fills
    assert line.is_uncharged is is_empty


def test_sales_and_rebates_are_read_by_their_signs() -> None:
    (line,) = read(TRADES, row("-100", "155", "15500", commission="0.31")).fills
    assert (line.side, line.quantity, line.charges) == ("SELL", Decimal(100), {Head.BROKERAGE: Decimal("-0.31")})


class TestExecutions:
    def test_executions_take_the_place_of_their_order(self) -> None:
        statement = read(
            TRADES,
            row("100", "10.5", "-1050"),
            row("40", "10.5", "-420", kind="Trade", commission="-0.4"),
            row("60", "10.5", "-630", kind="Trade", commission="-0.6"),
            row("100", "10.5", "-1050", kind="ClosedLot"),
        )
        assert [line.quantity for line in statement.fills] == [Decimal(40), Decimal(60)]
        assert [remark.reason for remark in statement.ignored] == ["not_an_execution"] * 2

    def test_executions_that_do_not_add_up_to_their_orders_are_rejected_with_them(self) -> None:
        statement = read(
            TRADES,
            row("100", "10.5", "-1050"),
            row("40", "10.5", "-420", kind="Trade"),
            row("1", "5", "-5", symbol="B"),
        )
        assert [line.instrument.symbol for line in statement.fills] == ["B"]
        assert [remark.reason for remark in statement.rejected] == ["order_conflict"] * 2

    def test_an_order_without_executions_is_taken_itself(self) -> None:
        statement = read(TRADES, row("100", "10.5", "-1050"), row("7", "2", "-14", kind="Trade", symbol="B"))
        assert [line.quantity for line in statement.fills] == [Decimal(100), Decimal(7)]


class TestOptions:
    def test_an_option_has_the_symbol_that_a_flex_query_gives_it(self) -> None:
        option = {"category": "Equity and Index Options", "symbol": "QZA 16JAN26 150 C"}
        (line,) = read(TRADES, row("-2", "6.95", "1390", **option), INSTRUMENTS).fills
        assert (line.instrument.symbol, line.instrument.multiplier) == ("QZA260116C00150000", Decimal(100))

    @pytest.mark.parametrize(
        ("code", "kind"), [("Ep;C", FillKind.EXPIRY), ("A;C", FillKind.EXERCISE), ("C;Ex", FillKind.EXERCISE)]
    )
    def test_a_settlement_at_price_0_is_no_sale(self, code: str, kind: FillKind) -> None:
        option = {"category": "Equity and Index Options", "symbol": "QZA 16JAN26 150 C", "commission": "0"}
        (line,) = read(TRADES, row("2", "0", "0", code=code, **option), INSTRUMENTS).fills
        assert (line.kind, line.price) == (kind, Decimal(0))


class TestTotals:
    ROWS = (row("10", "10", "-100"), row("-10", "12", "120", commission="-1.5", code="C"))

    def test_subtotals_and_totals_are_no_trades_and_agree(self) -> None:
        statement = read(
            TRADES, *self.ROWS,
            "Trades,SubTotal,,Stocks,USD,QZA,,0,,,20,-2.5,0,0,0,\n",
            "Trades,Total,,Stocks,USD,,,,,,20,-2.5,0,0,0,\n",
        )  # fmt: skip
        assert len(statement.fills) == 2
        assert statement.stated["Stocks USD proceeds"] == statement.computed["Stocks USD proceeds"] == Decimal(20)
        assert statement.contradictions == ()

    def test_a_total_that_its_rows_do_not_add_up_to_is_named(self) -> None:
        statement = read(TRADES, *self.ROWS, "Trades,Total,,Stocks,USD,,,,,,20,-2.6,0,0,0,\n")
        assert statement.contradictions == ("Stocks USD commissions",)


class TestZone:
    def test_eastern_time_where_the_notes_say_so(self) -> None:
        (line,) = read(TRADES, row("1", "5", "-5"), EASTERN).fills
        assert line.at == datetime(2026, 1, 26, 11, 57, 15, tzinfo=ZoneInfo("America/New_York"))

    def test_asked_for_where_they_do_not(self) -> None:
        assert needs_zone(read(TRADES, row("1", "5", "-5")))


def test_a_table_of_other_columns_in_the_same_section_has_a_header_of_its_own() -> None:
    forex = (
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,Proceeds,"
        "Comm in USD,MTM in USD,Code\n"
        'Trades,Data,Order,Forex,HKD,USD.HKD,"2026-01-03, 12:00:00",100,7.8,-780,-0.35,2.1,O\n'
    )
    statement = read(TRADES, row("1", "5", "-5"), forex)
    assert len(statement.fills) == 1
    assert [remark.reason for remark in statement.ignored] == ["currency_conversion"]


def test_cash_is_read_by_line_and_its_totals_are_left_out() -> None:
    statement = read(
        "Dividends,Header,Currency,Date,Description,Amount\n",
        'Dividends,Data,USD,2026-01-10,QZA(US0000000001) Cash Dividend,"1,207.28"\n',
        "Dividends,Data,Total,,,1207.28\n",
        "Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount\n",
        "Deposits & Withdrawals,Data,EUR,2026-01-12,Funds Transfer,-50\n",
    )
    assert [(bill.amount, bill.currency) for bill in statement.bills] == [
        (Decimal("1207.28"), "USD"), (Decimal(-50), "EUR"),
    ]  # fmt: skip
    assert [remark.reason for remark in statement.ignored] == ["total"]


def test_positions_and_actions_are_read() -> None:
    statement = read(
        "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis\n",
        "Open Positions,Data,Summary,Stocks,USD,QZA,340,1,34.405,11697.7\n",
        "Open Positions,Data,Lot,Stocks,USD,QZA,340,1,34.405,11697.7\n",
        "Open Positions,Total,,Stocks,USD,,,,,11697.7\n",
        "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds\n",
        'Corporate Actions,Data,Stocks,USD,2026-01-18,"2026-01-17, 20:25:00",'
        "QZA(US0000000001) SPLIT 4 FOR 1 (QZA),30,0\n",
        "Corporate Actions,Data,Total,,,,,,0\n",
        INSTRUMENTS,
    )
    (position,) = statement.positions
    assert (position.quantity, position.average_price, position.day) == (
        Decimal(340), Decimal("34.405"), date(2026, 1, 31),
    )  # fmt: skip
    (action,) = statement.actions
    assert (action.kind, action.new, action.old, action.instrument.symbol) == ("split", Decimal(4), Decimal(1), "QZA")
    assert statement.rejected == ()


@pytest.mark.parametrize(
    "broken",
    [
        row("x", "5", "-5"),
        row("1", "5", "-5", when="26.01.2026 11:57"),
        row("1", "5", "5"),
        row("1", "0", "0"),
        row("1", "5", "-5", category="Bonds"),
        row("1", "5", "-5", code="Ca"),
        row("1", "5", "-5").rstrip("\n") + ",one cell too many\n",
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_and_the_others_are_read(broken: str) -> None:
    statement = read(TRADES, broken, row("1", "5", "-5", symbol="B"), INSTRUMENTS)
    assert [line.instrument.symbol for line in statement.fills] == ["B"]
    assert len(statement.rejected) == 1


def test_a_statement_in_another_language_or_of_another_kind_is_refused() -> None:
    for head in (
        "Statement,Header,Feldname,Feldwert\nStatement,Data,Titel,Kontoauszug\n",
        HEAD.replace("Activity Statement", "MTM Summary"),
    ):
        with pytest.raises(UnknownLayout, match="no activity statement in English"):
            read(TRADES, row("1", "5", "-5"), head=head)


def test_a_statement_of_two_accounts_is_refused() -> None:
    header = TRADES.replace("Currency,Symbol", "Currency,Account,Symbol")
    rows = [row("1", "5", "-5").replace("USD,QZA", f"USD,{account},QZA") for account in ("U1", "U2")]
    with pytest.raises(InvalidValue, match="2 accounts"):
        read(header, *rows)


def test_a_hidden_account_is_none() -> None:
    assert read(head=HEAD.replace("U7654321", "U***4321")).client is None


def test_a_statement_without_entries_is_empty() -> None:
    assert read().is_empty


ORDERS = (
    row("100", "10.52", "-1052", commission="-1"),
    row("-100", "11", "1100", commission="-1.1", when="2026-01-26, 13:57:15"),
)
EXECUTIONS = (
    row("40", "10.55", "-422", kind="Trade", commission="-0.4"),
    row("60", "10.5", "-630", kind="Trade", commission="-0.6"),
    row("-100", "11", "1100", kind="Trade", commission="-1.1", when="2026-01-26, 13:57:15"),
)


def test_an_order_is_told_as_one_and_a_settlement_as_what_it_is() -> None:
    rows = (*ORDERS, row("-5", "0", "0", code="Ep", symbol="B"))
    assert [fill.kind for fill in read(TRADES, *rows).fills] == [FillKind.ORDER, FillKind.ORDER, FillKind.EXPIRY]
    assert {fill.kind for fill in read(TRADES, *ORDERS, *EXECUTIONS).fills} == {FillKind.TRADE}


@pytest.mark.ledger
@pytest.mark.parametrize("detailed_first", [True, False])
def test_a_statement_of_orders_beside_one_of_their_executions_is_booked_once(proved: Any, detailed_first: bool) -> None:
    on_cme = INSTRUMENTS.replace("NYSE", "CME")
    create_account("us", book="live", currency="USD", zone=NEW_YORK, capital=0, capital_date=date(2026, 1, 1))
    statements = [
        replace(read(TRADES, *rows, on_cme, EASTERN), sha256=digit * 64)
        for digit, rows in (("1", ORDERS), ("2", (*ORDERS, *EXECUTIONS)))
    ]
    for statement in reversed(statements) if detailed_first else statements:
        outcome = import_fills("us", statement)
        assert (outcome.refused, outcome.findings) == ([], [])
    trade = Trade.objects.exclude(state="VOID").get()
    assert (trade.open_quantity, trade.realised_pnl, trade.charges) == (0, Decimal(48), Decimal("2.1"))
    assert not find_breaks("us", statements, now=datetime(2026, 2, 1, tzinfo=ZoneInfo(NEW_YORK))).breaks.open
