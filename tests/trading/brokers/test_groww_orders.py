"""Groww's order history: no price, no charges, no seconds, and ids that a spreadsheet may have ruined."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook

from tests.trading.brokers.sheets import sheet_document
from trading.brokers import groww_orders
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.document import CellRow, Document
from trading.brokers.formats import recognise
from trading.brokers.values import FillKind
from trading.errors import UnknownLayout

COLUMNS = (
    *("Stock name", "Symbol", "ISIN", "Type", "Quantity", "Value", "Exchange", "Exchange Order Id"),
    *("Execution date and time", "Order status"),
)
PREAMBLE: list[CellRow] = [
    ("Name", "Made Up"),
    ("Unique Client Code", 5_412_000_001.0),
    (),
    ("Order history for stocks from 01-04-2025 to 31-03-2026",),
    (),
]
CABLES = ("MADE UP CABLES LTD", "MADEUP", "INE000A01001")


def row(
    side: str = "BUY",
    quantity: float = 3,
    amount: float = 100.0,
    order_id: str | float = "1100000012345678",
    at: str = "11-04-2025 10:43 AM",
    status: str = "Executed",
    exchange: str = "NSE",
) -> CellRow:
    return (*CABLES, side, quantity, amount, exchange, order_id, at, status)


def history(*rows: CellRow) -> Document:
    return sheet_document(("Sheet1", [*PREAMBLE, COLUMNS, *rows]))


def test_a_price_is_the_amount_per_unit_and_the_amount_stays() -> None:
    even, uneven = groww_orders.read(history(row(quantity=4, amount=100.5), row())).fills

    assert (even.price, even.amount) == (Decimal("25.125"), Decimal("100.5"))
    assert (uneven.price, uneven.amount) == (Decimal("33.33333333"), Decimal("100.0"))


def test_an_order_stands_for_its_fills_at_the_minute_that_the_file_tells() -> None:
    (order,) = groww_orders.read(history(row(at="11-04-2025 02:30 PM"))).fills

    assert (order.kind, order.order_id, order.fill_id) == (FillKind.ORDER, "1100000012345678", None)
    assert order.at == datetime(2025, 4, 11, 14, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert (order.instrument.symbol, order.instrument.isin, order.instrument.exchange) == (
        "MADEUP",
        "INE000A01001",
        "NSE",
    )
    assert order.charges == {}


def test_the_clients_code_is_its_digits_though_a_number_stands_there() -> None:
    statement = groww_orders.read(history(row()))

    assert statement.client == "5412000001"
    assert (statement.first_day, statement.last_day) == (date(2025, 4, 1), date(2026, 3, 31))


def test_an_id_of_sixteen_digits_that_is_a_number_is_not_trusted() -> None:
    (order,) = groww_orders.read(history(row(order_id=1_100_000_012_345_678.0))).fills
    assert order.order_id is None


def test_orders_that_were_not_executed_are_left_out_with_their_status() -> None:
    statement = groww_orders.read(history(row(), row(status="Cancelled"), row(status="Rejected")))

    assert len(statement.fills) == 1
    assert [(remark.reason, remark.place.row) for remark in statement.ignored] == [
        ("not_executed", 8),
        ("not_executed", 9),
    ]
    assert "Cancelled" in statement.ignored[0].text
    assert statement.rows_read == 3


@pytest.mark.parametrize(
    "spoiled",
    [
        row(side="SHORT"),
        row(quantity=0),
        row(quantity=-3),
        row(amount=0),
        row(exchange="NCDEX"),
        row(at="2025-04-11 10:43"),
        row(at="13-13-2025 10:43 AM"),
    ],
)
def test_a_row_that_is_no_order_is_rejected_and_the_others_are_read(spoiled: CellRow) -> None:
    statement = groww_orders.read(history(row(), spoiled))
    assert (len(statement.fills), [remark.place.row for remark in statement.rejected]) == (1, [8])


def test_equal_orders_are_all_there() -> None:
    assert len(groww_orders.read(history(row(), row(order_id="1100000012345679"))).fills) == 2


def test_a_history_without_executed_orders_is_empty_and_one_of_spoiled_ones_is_not() -> None:
    assert groww_orders.read(history()).is_empty
    assert groww_orders.read(history(row(status="Cancelled"))).is_empty
    assert not groww_orders.read(history(row(side="SHORT"))).is_empty


def test_a_new_column_is_an_unknown_layout() -> None:
    with pytest.raises(UnknownLayout, match="new columns 'Price'"):
        groww_orders.read(sheet_document(("Sheet1", [(*COLUMNS, "Price")])))


def test_a_workbook_is_recognised_though_it_never_says_groww() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in (*PREAMBLE, COLUMNS, row(), row(side="SELL")):
        sheet.append(list(cells))
    stream = BytesIO()
    book.save(stream)

    assert recognise(open_head(stream.getvalue(), "a.xlsx")) is groww_orders
    statement = groww_orders.read(open_document(stream.getvalue(), "a.xlsx"))

    assert [fill.side for fill in statement.fills] == ["BUY", "SELL"]
    assert statement.client == "5412000001"
