"""Angel One's tax P&L: every table under its title, numbers as texts, results without their charges."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers import angelone_files as files
from tests.trading.brokers.books import opened, xlsx_of
from tests.trading.brokers.sheets import sheet_document
from trading.brokers import angelone_tax_pnl
from trading.brokers.containers.opening import open_head
from trading.brokers.document import CellRow
from trading.brokers.values import PositionLine, Statement
from trading.errors import UnknownLayout


def read(*tables: tuple[CellRow, ...]) -> Statement:
    """Return the statement of a workbook whose sheet of shares has these tables."""
    rows = tuple(row for table in tables for row in table)
    return angelone_tax_pnl.read(sheet_document(files.TAX_SUMMARY, (files.EQUITY_SHEET, rows)))


def position(*table: CellRow) -> PositionLine:
    statement = read(table)
    assert statement.rejected == ()
    return statement.positions[0]


def test_each_table_of_a_sheet_is_read_under_its_title() -> None:
    statement = angelone_tax_pnl.read(sheet_document(*files.TAX))
    assert statement.rejected == ()
    assert [line.instrument.company or line.instrument.symbol for line in statement.positions] == [
        "MADE UP WIRES", "CABLES", "ZETA", "GONE", "HELD", "BANKNIFTY26JULFUT", "NIFTY26JUN24500CE",
    ]  # fmt: skip
    assert [action.instrument.company for action in statement.actions] == ["MOVED"]
    assert [bill.amount for bill in statement.bills] == [Decimal("-23.60"), Decimal("23.60"), Decimal("20.00")]
    assert [remark.reason for remark in statement.ignored] == ["quantity_breakup"]
    assert statement.client == "ZZ1234"
    assert statement.fills == statement.charges == ()


def test_a_result_within_a_day_is_the_sale_less_the_purchase() -> None:
    line = position(*files.INTRADAY)
    assert (line.bought_value, line.sold_value, line.realised_pnl, line.intraday_pnl) == (
        Decimal("1000.00"), Decimal("1020.00"), Decimal(20), Decimal(20),
    )  # fmt: skip
    assert line.day == line.last_day == date(2026, 7, 1)


def test_a_delivery_is_of_the_day_of_its_sale_and_lakhs_are_read() -> None:
    line = position(*files.DELIVERY)
    assert (line.day, line.sold_value, line.intraday_pnl) == (date(2026, 6, 15), Decimal("152250.00"), None)


def test_a_sale_without_purchase_has_no_result() -> None:
    line = position(*files.OPEN_SELL)
    assert (line.sold_quantity, line.sold_value, line.realised_pnl) == (Decimal(3), Decimal(1500), None)


def test_holdings_are_of_the_day_in_their_title() -> None:
    line = position(*files.HOLDINGS)
    assert (line.day, line.quantity, line.average_price) == (date(2026, 3, 31), Decimal(10), Decimal(90))


def test_shares_that_were_moved_are_proposed_and_no_sale() -> None:
    statement = read(files.TRANSFER)
    (action,) = statement.actions
    assert (action.kind, action.quantity, action.day) == ("other", Decimal(-7), date(2026, 5, 10))
    assert statement.positions == ()


def test_derivatives_are_whole_contracts() -> None:
    statement = angelone_tax_pnl.read(sheet_document(files.TAX_SUMMARY, files.DERIVATIVES))
    future, option = statement.positions
    assert (future.instrument.exchange, future.instrument.symbol) == ("NFO", "BANKNIFTY26JULFUT")
    assert (option.realised_pnl, option.intraday_pnl) == (Decimal(1500), Decimal(1500))
    assert (future.realised_pnl, future.intraday_pnl) == (Decimal(7500), None)


def test_totals_agree_with_their_rows_or_are_named() -> None:
    statement = read(files.INTRADAY)
    assert statement.stated["intraday (speculation) buy value"] == Decimal("1050.00")
    assert statement.contradictions == ()
    assert len(statement.positions) == 2  # the total is no result
    fewer = (*files.INTRADAY[:3], *files.INTRADAY[4:])
    assert read(fewer).contradictions == ("intraday (speculation) buy value", "intraday (speculation) sell value")


@pytest.mark.parametrize(("column", "cell"), [(2, "ten"), (3, "01/07/2026"), (5, ""), (1, ""), (7, "1,02,0.00")])
def test_a_row_that_cannot_be_read_is_rejected_and_the_others_are_read(column: int, cell: str) -> None:
    title, header, first, *rest = files.INTRADAY
    broken = tuple(cell if index == column else former for index, former in enumerate(first))
    statement = read((title, header, broken, *rest))
    assert [remark.reason for remark in statement.rejected] == ["unreadable_cell"]
    assert [line.instrument.company for line in statement.positions] == ["CABLES"]


def test_a_title_without_a_table_has_no_rows_of_the_next() -> None:
    statement = read((("Delivery P&L",), ()), files.INTRADAY)
    assert len(statement.positions) == 2
    assert all(line.intraday_pnl is not None for line in statement.positions)


def test_new_columns_under_a_title_are_an_unknown_layout_and_not_taken_from_a_later_table() -> None:
    renamed = (files.DELIVERY[0], tuple("Sold On" if name == "Sell Date" else name for name in files.DELIVERY[1]))
    with pytest.raises(UnknownLayout, match="missing columns 'Sell Date'"):
        read((*renamed, ()), files.DELIVERY)


def test_a_workbook_without_entries_is_empty_and_one_without_tables_is_unknown() -> None:
    assert read(files.INTRADAY[:2]).is_empty
    with pytest.raises(UnknownLayout, match="none of the tables"):
        read((("Something else",),))


def test_a_real_workbook_is_recognised_by_its_first_cell() -> None:
    assert angelone_tax_pnl.matches(open_head(xlsx_of(*files.TAX), "x.xlsx"))
    assert not angelone_tax_pnl.matches(open_head(xlsx_of(*files.TAX[1:]), "x.xlsx"))
    statement = angelone_tax_pnl.read(opened(*files.TAX))
    assert (len(statement.positions), statement.rejected, statement.contradictions) == (7, (), ())
