"""Paytm Money's tradebook: codes that change, fills without id or clock, and charges that stand on one row of a day."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import paytm_tradebook
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.document import CellRow, Document
from trading.brokers.formats import recognise
from trading.brokers.values import FillKind, Head
from trading.errors import UnknownLayout

COLUMNS = (
    *("Date", "Script", "ISIN", "Exchange", "Product Type", "Type", "Quantity", "Price", "Brokerage", "ETT", "GST"),
    *("STT", "SEBI", "Stamp Duty", "Order Number", "Trade Number", "Trade Time"),
)
PREAMBLE: list[CellRow] = [
    *(("UCC", "TESTA0001B"), ("Name", "Made Up"), ("PAN Number", ""), ("Period", "01-06-2026 to 31-07-2026"), ()),
]


def row(**changes: str | float | None) -> CellRow:
    cells: dict[str, str | float | None] = {
        "Date": "03-07-2026",
        "Script": "544001",
        "ISIN": "INE000A01001",
        "Exchange": "NSE",
        "Product Type": "EQ",
        "Type": "BUY",
        "Quantity": "10",
        "Price": "209.51",
        "Brokerage": "2.10",
        "ETT": "0.06",
        "GST": "0.39",
        "STT": "0",
        "SEBI": "0.00",
        "Stamp Duty": "0",
        "Order Number": "1100000012345678",
        "Trade Number": "40000001",
        "Trade Time": "09:21:55",
        **changes,
    }
    return tuple(cells[column] for column in COLUMNS)


def book(*rows: CellRow) -> Document:
    return sheet_document(("Sheet1", [*PREAMBLE, COLUMNS, *rows]))


def test_a_fill_has_its_clock_ids_and_own_charges() -> None:
    (fill,) = paytm_tradebook.read(book(row())).fills

    assert (fill.side, fill.quantity, fill.price, fill.kind) == ("BUY", 10, Decimal("209.51"), FillKind.TRADE)
    assert fill.at == datetime(2026, 7, 3, 9, 21, 55, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert (fill.fill_id, fill.order_id) == ("40000001", "1100000012345678")
    assert fill.charges == {
        Head.BROKERAGE: Decimal("2.10"),
        Head.EXCHANGE: Decimal("0.06"),
        Head.GST: Decimal("0.39"),
        Head.SEBI: 0,
    }


def test_trade_number_zero_is_no_id_and_its_row_has_no_clock() -> None:
    (fill,) = paytm_tradebook.read(book(row(**{"Trade Number": "0", "Trade Time": ""}))).fills
    assert (fill.fill_id, fill.at, fill.day) == (None, None, date(2026, 7, 3))


def test_equal_rows_without_an_id_are_both_fills() -> None:
    nameless = row(**{"Trade Number": 0, "Trade Time": None})
    assert len(paytm_tradebook.read(book(nameless, nameless)).fills) == 2


def test_a_company_whose_code_changes_is_one_by_its_isin() -> None:
    ticker, code = paytm_tradebook.read(book(row(Date="30-06-2026", Script="MADEUP"), row(Script=544001))).fills

    assert ticker.instrument.isin == code.instrument.isin == "INE000A01001"
    assert (ticker.instrument.symbol, code.instrument.symbol) == (None, None)
    assert (ticker.instrument.code, code.instrument.code) == ("MADEUP", "544001")


def test_the_tax_and_duty_of_a_companys_day_on_one_of_its_rows_are_the_days() -> None:
    statement = paytm_tradebook.read(book(row(), row(), row(STT="160.75", **{"Stamp Duty": "24"})))

    days = {(charge.day, charge.instrument and charge.instrument.isin) for charge in statement.charges}
    assert days == {(date(2026, 7, 3), "INE000A01001")}
    assert sum(charge.amount for charge in statement.charges if charge.head is Head.STT) == Decimal("160.75")
    assert sum(charge.amount for charge in statement.charges if charge.head is Head.STAMP) == 24
    assert all(Head.STT not in fill.charges for fill in statement.fills)


def test_an_order_number_that_a_spreadsheet_ruined_is_none() -> None:
    (fill,) = paytm_tradebook.read(book(row(**{"Order Number": "1.1E+15"}))).fills
    assert fill.order_id is None


@pytest.mark.parametrize(
    ("column", "content"),
    [
        *(("ISIN", ""), ("Product Type", "FO"), ("Exchange", "MCX"), ("Type", "TRANSFER"), ("Quantity", "-10")),
        *(("Price", "0"), ("Date", "07/13/2026"), ("Trade Time", "9 o'clock"), ("STT", "")),
    ],
)
def test_a_row_that_is_no_fill_is_rejected_with_its_charges(column: str, content: str) -> None:
    statement = paytm_tradebook.read(book(row(), row(**{column: content})))

    assert (len(statement.fills), len(statement.charges)) == (1, 2)
    assert [(remark.place.row, remark.reason) for remark in statement.rejected] == [(8, "unreadable_cell")]


def test_client_and_period_are_told() -> None:
    statement = paytm_tradebook.read(book(row()))
    assert (statement.client, statement.first_day, statement.last_day) == (
        "TESTA0001B",
        date(2026, 6, 1),
        date(2026, 7, 31),
    )


def test_a_book_without_rows_is_empty_and_a_column_less_is_unknown() -> None:
    assert paytm_tradebook.read(book()).is_empty
    with pytest.raises(UnknownLayout, match="missing columns 'ETT'"):
        paytm_tradebook.read(sheet_document(("Sheet1", [[name for name in COLUMNS if name != "ETT"]])))


def test_a_workbook_is_recognised_though_it_never_says_paytm() -> None:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for cells in (*PREAMBLE, COLUMNS, row(), row(Type="SELL")):
        sheet.append(list(cells))
    stream = BytesIO()
    workbook.save(stream)

    assert recognise(open_head(stream.getvalue(), "a.xlsx")) is paytm_tradebook
    assert len(paytm_tradebook.read(open_document(stream.getvalue(), "a.xlsx")).fills) == 2
