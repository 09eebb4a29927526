"""Upstox's realised P&L: results by the day on which they were made, and the period's charges by head."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers import upstox_files as files
from tests.trading.brokers.books import opened, xlsx_of
from tests.trading.brokers.sheets import sheet_document
from trading.brokers import upstox_pnl
from trading.brokers.containers.opening import open_head
from trading.brokers.document import CellRow
from trading.brokers.values import Head, Segment, Statement
from trading.errors import UnknownLayout

PERIOD = (date(2026, 8, 28), date(2026, 9, 4))


def read(*rows: CellRow, preamble: tuple[CellRow, ...] = files.PNL_PREAMBLE) -> Statement:
    return upstox_pnl.read(sheet_document(("REALIZED_PNL", (*preamble, files.PNL_COLUMNS, *rows, *files.FOOTER))))


def test_a_result_under_speculation_was_made_within_a_day() -> None:
    intraday, delivery = read(files.INTRADAY, files.DELIVERY).positions
    assert (intraday.realised_pnl, intraday.intraday_pnl) == (Decimal("-1.05"), Decimal("-1.05"))
    assert (delivery.realised_pnl, delivery.intraday_pnl) == (Decimal(100), None)
    assert (delivery.bought_value, delivery.sold_value, delivery.sold_quantity) == (
        Decimal(1000), Decimal(1100), Decimal(10),
    )  # fmt: skip
    assert delivery.day == delivery.last_day == date(2026, 8, 31)  # of the sale
    assert (delivery.instrument.symbol, delivery.instrument.isin) == ("CABLES", "INE000A01028")


def test_charges_are_of_the_period_and_added_up_by_head() -> None:
    statement = read(files.INTRADAY, files.DELIVERY)
    assert {charge.head: charge.amount for charge in statement.charges} == {
        Head.BROKERAGE: Decimal("2.66"), Head.EXCHANGE: Decimal("0.08"), Head.GST: Decimal("0.49"),
    }  # fmt: skip
    assert {(charge.day, charge.last_day) for charge in statement.charges} == {PERIOD}
    assert {(charge.segment, charge.on_note) for charge in statement.charges} == {(Segment.EQUITY, False)}


def test_totals_agree_with_the_rows_or_are_named() -> None:
    statement = read(files.INTRADAY, files.DELIVERY)
    assert statement.stated == {
        "gross_pnl": Decimal("98.95"), "net_pnl": Decimal("95.72"), "charges": Decimal("3.23"),
    }  # fmt: skip
    assert statement.contradictions == ()
    assert read(files.DELIVERY).contradictions == ("gross_pnl",)
    taller = tuple(("TOTAL", 3.24) if row[:1] == ("TOTAL",) else row for row in files.PNL_PREAMBLE)
    assert read(files.INTRADAY, files.DELIVERY, preamble=taller).contradictions == ("charges",)


def test_a_result_that_is_not_the_sale_less_the_purchase_is_rejected() -> None:
    row = (*files.DELIVERY[:13], 101, *files.DELIVERY[14:])
    statement = read(row)
    assert [remark.reason for remark in statement.rejected] == ["amount_conflict"]
    assert statement.positions == ()


def test_a_statement_without_results_is_empty() -> None:
    preamble = (*files.PREAMBLE, ("Segment", "EQ"), ("P&L Summary",), ("Gross P&L", 0), ("Net P&L", 0), ("Charges",),
                ("TOTAL", 0), ())  # fmt: skip
    statement = read(preamble=preamble)
    assert (statement.is_empty, statement.charges, statement.contradictions) == (True, (), ())


def test_a_statement_without_its_period_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="does not say its period"):
        read(files.DELIVERY, preamble=files.PNL_PREAMBLE[:7])


def test_a_real_workbook_is_recognised_though_its_header_stands_in_row_22() -> None:
    rows = (*files.PNL_PREAMBLE, files.PNL_COLUMNS, files.INTRADAY, files.DELIVERY, *files.FOOTER)
    assert rows[21] == files.PNL_COLUMNS
    assert upstox_pnl.matches(open_head(xlsx_of(("REALIZED_PNL", rows)), "x.xlsx"))
    statement = upstox_pnl.read(opened(("REALIZED_PNL", rows)))
    assert statement.contradictions == ()
    assert [line.realised_pnl for line in statement.positions] == [Decimal("-1.05"), Decimal(100)]
