"""Zerodha Console's profit and loss, and tax statements: both layouts of each, totals that disagree with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import zerodha_pnl, zerodha_tax_pnl
from trading.brokers.document import CellRow, Document
from trading.brokers.formats import recognise
from trading.brokers.values import Head, Segment
from trading.errors import UnknownLayout

COLUMNS = (
    *("Symbol", "ISIN", "Quantity", "Buy Value", "Sell Value", "Realized P&L", "Realized P&L Pct."),
    *("Previous Closing Price", "Open Quantity", "Open Quantity Type", "Open Value", "Unrealized P&L"),
)
HEADS: list[tuple[str, float]] = [
    ("Brokerage - Z", 60.0),
    ("Exchange Transaction Charges - Z", 9.46),
    ("Clearing Charges - Z", 0.0),
    ("Central GST - Z", 6.25),
    ("State GST - Z", 6.25),
    ("Integrated GST - Z", 0.0),
    ("Securities Transaction Tax - Z", 31.0),
    ("SEBI Turnover Fees - Z", 0.3),
    ("Stamp Duty - Z", 4.0),
    ("IPFT", 0.29),
]
ROWS: list[CellRow] = [
    ("INFY", "INE009A01021", 10, 15000.0, 15210.5, 210.5, 1.4, 1530.0, 0, "", 0, 0),
    ("TATASTEEL", "INE081A01020", 0, 0, 0, 0, 0, 157.0, 25, "BUY", 3900.0, 25.0),
    ("NIFTY2680424500CE", "", 75, 20099.9999, 19850.25, -249.7499, -1.2, 0, 75, "SELL", 900.0, -12.5),
    ("INE0000A0001", "", 0, 0, 0, 0, 0, 0, 0, "", 0, 0),
]


def in_column_b(rows: Sequence[CellRow]) -> list[CellRow]:
    return [(None, *row) if row else () for row in rows]


def console(charges: float = 117.55, realised: float = -39.2499) -> Document:
    return sheet_document(
        (
            "Equity",
            in_column_b(
                [
                    ("Client ID", "ZX0001"), (), ("P&L Statement for Equity from 2026-04-01 to 2026-06-30",), (),
                    ("Summary",), ("Charges", charges), ("Other Credit & Debit", -15.34), ("Realized P&L", realised),
                    ("Unrealized P&L", 12.5), (), ("Charges",), ("Account Head", "Amount"), *HEADS, (), COLUMNS, *ROWS,
                ]
            ),
        )
    )  # fmt: skip


class TestConsole:
    def test_charges_and_positions_are_of_the_whole_period(self) -> None:
        statement = zerodha_pnl.read(console())
        assert statement.client == "ZX0001"
        assert {(charge.day, charge.last_day) for charge in statement.charges} == {
            (date(2026, 4, 1), date(2026, 6, 30))
        }
        assert sum(charge.amount for charge in statement.charges if charge.head == Head.GST) == Decimal("12.5")
        assert sum(charge.amount for charge in statement.charges if charge.head == Head.IPFT) == Decimal("0.29")
        infy, steel, nifty = statement.positions
        assert (infy.bought_quantity, infy.bought_value, infy.sold_value) == (10, 15000, Decimal("15210.5"))
        assert (steel.quantity, nifty.quantity) == (25, -75)
        assert nifty.realised_pnl == Decimal("-249.7499")
        assert (nifty.instrument.exchange, infy.instrument.exchange) == ("NFO", None)
        assert not statement.fills

    def test_totals_that_agree(self) -> None:
        statement = zerodha_pnl.read(console())
        assert statement.stated == {
            "charges": Decimal("117.55"), "realised_pnl": Decimal("-39.2499"), "unrealised_pnl": Decimal("12.5")
        }  # fmt: skip
        assert statement.contradictions == ()

    def test_amounts_and_totals_are_without_the_noise_of_binary_arithmetic(self) -> None:
        heads = [(name, 9.459999999999999 if amount == 9.46 else amount) for name, amount in HEADS]
        rows = [
            ("P&L Statement for Equity from 2026-04-01 to 2026-06-30",),
            ("Charges", 117.55000000000003),
            *heads,
            COLUMNS,
        ]
        statement = zerodha_pnl.read(sheet_document(("Equity", [*rows, *ROWS])))
        assert Decimal("9.46") in {charge.amount for charge in statement.charges}
        assert statement.stated["charges"] == Decimal("117.55") and statement.contradictions == ()

    def test_totals_that_disagree_are_named(self) -> None:
        assert zerodha_pnl.read(console(charges=200.0)).contradictions == ("charges",)
        assert zerodha_pnl.read(console(realised=-39.24)).contradictions == ("realised_pnl",)

    def test_an_isin_for_a_symbol_without_quantity_is_left_out(self) -> None:
        (remark,) = zerodha_pnl.read(console()).ignored
        assert (remark.reason, remark.place.row) == ("no_quantity", 28)

    def test_the_layout_in_column_a_tells_no_period_so_that_nothing_is_laid_to_a_day(self) -> None:
        rows: list[CellRow] = [*HEADS[1:], (), (), (), (), COLUMNS, *ROWS]
        statement = zerodha_pnl.read(sheet_document(("Sheet1", rows)))
        assert (statement.first_day, statement.charges, statement.positions) == (None, (), ())
        assert {remark.reason for remark in statement.ignored} == {"no_period", "no_quantity"}
        assert len(statement.ignored) == statement.rows_read == 13
        assert statement.computed["charges"] == Decimal("57.55")

    def test_an_open_quantity_that_is_neither_long_nor_short_is_rejected(self) -> None:
        rows: list[CellRow] = [
            ("P&L Statement for Equity from 2026-04-01 to 2026-06-30",), *HEADS, COLUMNS,
            ("INFY", "INE009A01021", 0, 0, 0, 0, 0, 0, 5, "MAYBE", 0, 0),
        ]  # fmt: skip
        (remark,) = zerodha_pnl.read(sheet_document(("Equity", rows))).rejected
        assert remark.reason == "unknown_open_quantity"

    def test_it_is_recognised(self) -> None:
        assert recognise(console()) is zerodha_pnl


TAX_COLUMNS = (
    *(
        "Symbol",
        "ISIN",
        "Entry Date",
        "Exit Date",
        "Quantity",
        "Buy Value",
        "Sell Value",
        "Profit",
        "Period of Holding",
    ),
    *("Fair Market Value", "Taxable Profit", "Turnover", "Brokerage", "Exchange Transaction Charges", "IPFT"),
    *("SEBI Charges", "CGST", "SGST", "IGST", "Stamp Duty", "STT"),
)
FNO_COLUMNS = tuple(
    name for name in TAX_COLUMNS if name not in ("ISIN", "Period of Holding", "Fair Market Value", "Taxable Profit")
)


def share(symbol: str, entry: str, leave: str, bought: float, sold: float) -> CellRow:
    profit = round(sold - bought, 2)
    costs = (20.0, 3.5, 0.1, 0.1, 0.0, 0.0, 4.25, 1.0, 10.0)
    return (symbol, "INE000A01010", entry, leave, 10, bought, sold, profit, 0, 0, profit, abs(profit), *costs)


def option(symbol: str, entry: str, leave: str, profit: float) -> CellRow:
    return (
        symbol,
        entry,
        leave,
        75,
        1000.0,
        1000.0 + profit,
        profit,
        abs(profit),
        40.0,
        5.0,
        0.2,
        0.1,
        0.0,
        0.0,
        8.2,
        1.0,
        5.0,
    )


def tax(brokerage: float = 120.0, intraday: float = 100.5) -> Document:
    trades = [
        ("View Zerodha's guide on using tax reports for filing.",), (), ("Client ID", "ZX0001"), ("PAN", "AAAAA0000A"),
        ("Tradewise Exits from 2025-04-01 to 2026-03-31",), (),
        ("Equity - Intraday",), (), TAX_COLUMNS, share("INFY", "2025-06-05", "2025-06-05", 1000.0, 1100.5), (),
        ("Equity - Short Term",), TAX_COLUMNS, share("TATASTEEL", "2025-03-10", "2025-08-10", 1000.0, 900.0), (),
        ("Mutual Funds",), TAX_COLUMNS, share("ABC-FUND", "2024-03-10", "2025-08-10", 1000.0, 1900.0), (),
        ("F&O",), FNO_COLUMNS, option("NIFTY2540323750CE", "2025-04-02T09:29:49", "2025-04-02T10:00:00", 500.0),
        option("SENSEX25AUGFUT", "2025-08-02T09:29:49", "2025-08-05T10:00:00", -50.0), (),
        ("Currency",), FNO_COLUMNS, (), ("Commodity",), FNO_COLUMNS,
    ]  # fmt: skip
    shares = [
        ("Client ID", "ZX0001"), ("Realized Profit Breakdown",), ("Equity Intraday/Speculative profit", intraday),
        ("Equity Short Term profit", -100.0), ("Turnover Breakdown",), ("Charges",), ("Account Head", "Amount"),
        ("Brokerage - Z", 40.0), ("Securities Transaction Tax - Z", 20.0), ("IPFT", 0.2),
    ]  # fmt: skip
    contracts = [
        ("Options Realized Profit", 500.0), ("Futures Realized Profit", -50.0), ("Account Head", "Amount"),
        ("Brokerage - Z", brokerage - 40.0), ("Securities Transaction Tax - Z", 10.0), ("IPFT", 0.4),
    ]  # fmt: skip
    return sheet_document(
        ("Tradewise Exits from 2025-04-01", in_column_b(trades)),
        ("Equity and Non Equity", in_column_b(shares)),
        ("F&O", in_column_b(contracts)),
    )


class TestTaxStatement:
    def test_exits_are_positions_of_the_day_of_exit_with_charges_from_entry_on(self) -> None:
        statement = zerodha_tax_pnl.read(tax())
        assert (statement.client, statement.first_day, statement.last_day) == (
            "ZX0001",
            date(2025, 4, 1),
            date(2026, 3, 31),
        )
        assert [(each.instrument.symbol, each.day, each.realised_pnl) for each in statement.positions] == [
            ("INFY", date(2025, 6, 5), Decimal("100.5")),
            ("TATASTEEL", date(2025, 8, 10), -100),
            ("NIFTY2540323750CE", date(2025, 4, 2), 500),
            ("SENSEX25AUGFUT", date(2025, 8, 5), -50),
        ]
        assert [each.intraday_pnl for each in statement.positions] == [Decimal("100.5"), None, None, None]
        gst = [charge for charge in statement.charges if charge.head == Head.GST]
        assert [(charge.day, charge.last_day, charge.amount, charge.segment) for charge in gst] == [
            (date(2025, 6, 5), date(2025, 6, 5), Decimal("4.25"), Segment.EQUITY),
            (date(2025, 3, 10), date(2025, 8, 10), Decimal("4.25"), Segment.EQUITY),
            (date(2025, 4, 2), date(2025, 4, 2), Decimal("8.2"), Segment.OPTIONS),
            (date(2025, 8, 2), date(2025, 8, 5), Decimal("8.2"), Segment.FUTURES),
        ]
        assert not statement.fills

    def test_a_mutual_fund_is_left_out(self) -> None:
        (remark,) = zerodha_tax_pnl.read(tax()).ignored
        assert remark.reason == "mutual_fund"

    def test_profits_and_heads_that_agree(self) -> None:
        statement = zerodha_tax_pnl.read(tax())
        assert statement.stated["options_profit"] == 500
        assert statement.stated["stt"] == statement.computed["stt"] == 30
        assert statement.contradictions == ()

    def test_heads_that_hold_charges_without_a_trade_are_named(self) -> None:
        statement = zerodha_tax_pnl.read(tax(brokerage=307.35))
        assert statement.contradictions == ("brokerage",)
        assert statement.stated["brokerage"] - statement.computed["brokerage"] == Decimal("187.35")

    def test_a_profit_that_its_rows_do_not_give_is_named(self) -> None:
        assert zerodha_tax_pnl.read(tax(intraday=100.0)).contradictions == ("intraday_profit",)

    def test_without_charges_per_row_the_heads_are_taken_for_the_period(self) -> None:
        rows: list[CellRow] = [
            ("Tradewise Exits from 2025-04-01 to 2026-03-31",), ("Equity - Intraday",), TAX_COLUMNS[:12],
            share("INFY", "2025-06-05", "2025-06-05", 1000.0, 1100.5)[:12],
        ]  # fmt: skip
        heads: list[CellRow] = [("Brokerage - Z", 40.0), ("IPFT", 0.2)]
        statement = zerodha_tax_pnl.read(sheet_document(("Tradewise Exits", rows), ("Equity", heads)))
        assert [(charge.head, charge.amount, charge.last_day) for charge in statement.charges] == [
            (Head.BROKERAGE, 40, date(2026, 3, 31)), (Head.IPFT, Decimal("0.2"), date(2026, 3, 31))
        ]  # fmt: skip
        assert statement.contradictions == ()

    @pytest.mark.parametrize("column", ["Turnover", "Entry Date"])
    def test_a_section_with_another_header_is_named_and_not_skipped(self, column: str) -> None:
        renamed = tuple("New Name" if name == column else name for name in FNO_COLUMNS)
        rows: list[CellRow] = [
            ("Equity - Intraday",), TAX_COLUMNS, share("INFY", "2025-06-05", "2025-06-05", 1000.0, 1100.5),
            ("F&O",), (), renamed, option("NIFTY2540323750CE", "2025-04-02", "2025-04-02", 500.0),
        ]  # fmt: skip
        own_sheet = (("Equity", rows[:3]), ("F&O", rows[3:]))
        for document in (sheet_document(("Tradewise Exits", rows)), sheet_document(*own_sheet)):
            with pytest.raises(UnknownLayout, match=f"'New Name'.*; missing columns '{column}'"):
                zerodha_tax_pnl.read(document)

    def test_rows_of_an_unknown_section_are_rejected(self) -> None:
        rows: list[CellRow] = [("Bonds",), TAX_COLUMNS, share("GSEC", "2025-06-05", "2025-06-05", 1000.0, 1100.5)]
        (remark,) = zerodha_tax_pnl.read(sheet_document(("Tradewise Exits", rows))).rejected
        assert remark.reason == "unknown_section"

    def test_it_is_recognised_and_is_no_statement_of_the_other_kind(self) -> None:
        assert recognise(tax()) is zerodha_tax_pnl
