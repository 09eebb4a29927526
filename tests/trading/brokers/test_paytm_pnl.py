"""Paytm Money's P&L: two tables on one sheet, or with a sheet of closed lots beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import paytm_pnl
from trading.brokers.document import CellRow, Document
from trading.errors import UnknownLayout

HELD = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Average", "Buy Value", "Closing Price", "Present Value"),
    *("Unrealized P&L", "P&L%"),
)
REALISED = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Average", "Buy Value", "Sell Average", "Sell Value"),
    "Realized P&L",
)
LOTS = (
    *("Scrip Name", "ISIN", "Quantity", "Buy Date", "Buy Price", "Buy Value", "Sell Date", "Sell Price", "Sell Value"),
    "P&L Value",
)
CABLES, STEEL = ("Made Up Cables", "INE000A01001"), ("Held Steel", "INE000A01002")
REALISED_ROWS: tuple[CellRow, ...] = ((*CABLES, 30, 100, 3000, 110, 3300, 300),)
LOT_ROWS: tuple[CellRow, ...] = (
    (*CABLES, 10, "20-Jul-2026", 100, 1000, "03-Aug-2026", 110, 1100, 100),
    (*CABLES, 20, "05-Aug-2026", 100, 2000, "05-Aug-2026", 110, 2200, 200),
)


def summary(period: str, realised: Sequence[CellRow] = REALISED_ROWS) -> list[CellRow]:
    return [
        *(("UCC", "TESTA0001B"), ("Name", "Made Up"), ("PAN number", ""), ("Period", period), (), ()),
        *(("Unrealized P/L Summary (As on 18 Aug 2026)",), (), HELD),
        (*STEEL, "3", "33.33", "100.00", "34.00", "102.00", "2.00", "2%"),
        *(("Total", "", "", "", 100, "", 102, 2, "2%"), ()),
        *(("Realized P/L Summary (From 01 Aug 2026 - 18 Aug 2026)",), (), REALISED, *realised),
        ("Total", "", "", "", 3000, "", 3300, 300),
    ]


def one_sheet() -> Document:
    return sheet_document(("Sheet1", summary("01-08-2026 to 18-08-2026")))


def three_sheets(lots: Sequence[CellRow] = LOT_ROWS) -> Document:
    details: list[CellRow] = [("UCC", "TESTA0001B"), (), LOTS, *lots, ("Total", *[""] * 8, 300)]
    sheets = (("Summary P&L", summary("01-Aug-2026 to 18-Aug-2026")), ("Realized P&L Detail", details))
    return sheet_document(*sheets, ("Unrealized Transactions", [("UCC", "TESTA0001B")]), container="xls")


def test_both_downloads_are_recognised_by_title_and_columns() -> None:
    assert paytm_pnl.matches(one_sheet())
    assert paytm_pnl.matches(three_sheets())
    assert not paytm_pnl.matches(sheet_document(("Sheet1", [("UCC",), REALISED])))


def test_one_sheet_gives_what_each_company_made_over_the_period() -> None:
    statement = paytm_pnl.read(one_sheet())

    held, realised = statement.positions
    assert (held.quantity, held.average_price, held.day) == (3, Decimal("33.33333333"), date(2026, 8, 18))
    assert (realised.day, realised.last_day) == (date(2026, 8, 1), date(2026, 8, 18))
    assert (realised.sold_quantity, realised.sold_value, realised.realised_pnl) == (30, 3300, 300)
    assert statement.computed == statement.stated == {"unrealised_pnl": 2, "realised_pnl": 300}
    assert (statement.client, statement.rows_read) == ("TESTA0001B", 2)


def test_lots_stand_on_the_day_of_their_sale_and_take_the_place_of_the_companies_sums() -> None:
    statement = paytm_pnl.read(three_sheets())

    _, overnight, intraday = statement.positions
    assert (overnight.day, overnight.sold_quantity, overnight.bought_quantity) == (date(2026, 8, 3), 10, None)
    assert (intraday.day, intraday.bought_value, intraday.realised_pnl) == (date(2026, 8, 5), 2000, 200)
    assert statement.contradictions == ()


def test_a_lot_that_is_missing_or_contradicts_itself_shows_in_the_total() -> None:
    assert paytm_pnl.read(three_sheets(LOT_ROWS[:1])).contradictions == ("realised_pnl",)

    spoiled = paytm_pnl.read(three_sheets((LOT_ROWS[0], (*LOT_ROWS[1][:9], 250))))
    assert spoiled.contradictions == ("realised_pnl",)
    assert len(spoiled.rejected) == 1


def test_a_report_without_a_period_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="tells no period"):
        paytm_pnl.read(sheet_document(("Sheet1", summary(""))))
