"""Dhan's realised profit and loss report: amounts as texts, a remark among the rows, and no period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import dhan_pnl, dhan_realised
from trading.brokers.document import CellRow, Document
from trading.brokers.values import Head, Segment

SUMMARY = (
    *("Segment", "", "", "", "Buy Value", "Sell Value", "Gross P&L", "Brokerage", "Exch. Charges", "SEBI Fees", "GST"),
    *("STT", "Stamp Duty", "Other Charges", "Total Charges", "Net P&L"),
)
LOTS = (
    *("Sr.", "Security Name", "", "", "ISIN", "Qty.", "Avg. Buy Price", "Buy Value", "Avg. Sell Price", "Sell Value"),
    *("Realised P&L", "Realised P&L%"),
)
DASH = " -   "
EQUITY: CellRow = (
    *("Equity", "", "", "", " 3,00,000.00 ", " 3,01,500.00 ", " 1,500.00 ", " 20.00 ", " 3.50 ", " 0.10 ", " 4.23 "),
    *(" 100.00 ", " 15.00 ", "0.05 ", "142.88", "1,357.12 "),
)
OPTIONS: CellRow = (
    *("Futures and Options", "", "", "", " 8,840.00 ", " 5,512.00 ", "-3,328.00 ", " 40.00 ", " 1.20 ", " 0.01 "),
    *(" 7.42 ", " 3.00 ", " 0.00 ", "0.00 ", "51.63", "-3,379.63 "),
)
NOTHING: CellRow = ("Commodities", "", "", "", *(DASH,) * 9, "0.00 ", "0.00", DASH)
CABLES: CellRow = (
    *("1", "Made Up Cables", "", "", "INE000A01001", "1000", " 100.00 ", " 1,00,000.00 ", " 101.00 ", " 1,01,000.00 "),
    *(" 1,000.00 ", " 1.00 "),
)
STEEL: CellRow = (
    *("2", "Held Steel", "", "", "INE000A01002", "2000", " 100.00 ", " 2,00,000.00 ", " 100.25 ", " 2,00,500.00 "),
    *(" 500.00 ", " 0.25 ", "", "", "", "Generated on 03-09-2026"),
)
NIFTY: CellRow = (
    *("1", "OPT NIFTY 29 Sep 2026 24500 CE ", "", "", "-", "5200", " 1.70 ", " 8,840.00 ", " 1.06 ", " 5,512.00 "),
    *("-3,328.00 ", "-37.65 "),
)


def report(equity: Sequence[CellRow] = (CABLES, STEEL), period: str = "", summary: CellRow = EQUITY) -> Document:
    rows: list[CellRow] = [
        ("", "", "Realised Profit and Loss Report", *[""] * 9, "Name", "Made Up"),
        (*[""] * 12, "UCC", "TESTA0001B"),
        (*[""] * 13, "Realised Profit and Loss Report", period),
        *((), SUMMARY, summary, OPTIONS, NOTHING, (), ("Equity Segment",), LOTS, *equity, ()),
        *(("F&O Segment",), LOTS, NIFTY, (), ("Commodities Segment",), LOTS, (), ("Notes:",)),
        ("Raise Securities Private Limited (formerly known as Moneylicious Securities Private Limited)",),
    ]
    return sheet_document(("Realised P&L Report", rows), container="xls")


def test_it_is_recognised_by_its_title_and_segments_and_the_other_report_is_not() -> None:
    assert dhan_realised.matches(report())
    assert not dhan_pnl.matches(report())
    assert not dhan_realised.matches(sheet_document(("Realised P&L Report", [SUMMARY, EQUITY])))


def test_each_segments_totals_are_what_its_heads_and_lots_make() -> None:
    statement = dhan_realised.read(report())

    assert statement.stated["equity_gross_pnl"] == statement.computed["equity_gross_pnl"] == 1500
    assert statement.stated["equity_total_charges"] == statement.computed["equity_total_charges"] == Decimal("142.88")
    assert statement.stated["fno_net_pnl"] == statement.computed["fno_net_pnl"] == Decimal("-3379.63")
    assert statement.stated["commodity_net_pnl"] == 0
    assert statement.contradictions == ()
    assert (statement.client, statement.rows_read, statement.rejected) == ("TESTA0001B", 6, ())


def test_without_a_period_sums_are_totals_and_of_no_days() -> None:
    statement = dhan_realised.read(report())

    assert (statement.first_day, statement.positions, statement.charges) == (None, (), ())
    assert {remark.reason for remark in statement.ignored} == {"no_period"}


def test_with_a_period_lots_and_charges_are_its_own() -> None:
    statement = dhan_realised.read(report(period="From 01-04-2026 to 03-09-2026"))

    cables, steel, option = statement.positions
    assert (cables.instrument.isin, cables.sold_value, cables.realised_pnl) == ("INE000A01001", 101000, 1000)
    assert (steel.bought_value, steel.day, steel.last_day) == (200000, date(2026, 4, 1), date(2026, 9, 3))
    assert (option.instrument.code, option.instrument.isin) == ("OPT NIFTY 29 Sep 2026 24500 CE", None)
    brokerage = [charge for charge in statement.charges if charge.head is Head.BROKERAGE]
    assert [(charge.amount, charge.segment) for charge in brokerage] == [(20, Segment.EQUITY), (40, None), (0, None)]


def test_a_lot_that_is_missing_and_one_that_is_spoiled_show_in_the_segments_sum() -> None:
    assert dhan_realised.read(report(equity=(CABLES,))).contradictions == ("equity_gross_pnl",)

    spoiled = dhan_realised.read(report(equity=(CABLES, (*STEEL[:5], "two thousand", *STEEL[6:]))))
    assert spoiled.contradictions == ("equity_gross_pnl",)
    assert [remark.reason for remark in spoiled.rejected] == ["unreadable_cell"]


def test_a_head_that_the_total_lacks_is_named() -> None:
    assert dhan_realised.read(report(summary=(*EQUITY[:7], " 25.00 ", *EQUITY[8:]))).contradictions == (
        "equity_total_charges",
    )
