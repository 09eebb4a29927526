"""ICICI Direct's order book: codes of its own, charges that include tax, two date styles."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.trading.brokers.sheets import csv_document
from trading.brokers import icici_orders
from trading.brokers.document import Document
from trading.brokers.formats import recognise
from trading.brokers.values import Head

COLUMNS = (
    "Date,Stock,Action,Qty,Price,Trade Value,Order Ref.,Settlement,Segment,DP Id - Client DP Id,Exchange,STT,"
    "Transaction and SEBI Turnover charges,Stamp Duty,Brokerage + Service Tax,Brokerage incl. taxes"
)
BUY = (
    '"28-Jul-26","RELIND","Buy","2","670.7","1341.4","20260728T700000001","2026140","Rolling T1","IN000000-1","NSE",'
    '"1","0.04","0","4.6","5.64"'
)
SELL = (
    '"11-Jul-2017","3MIND","Sell","50","1,434.00","71,700","20170711T700000002","2017131","Rolling T2","IN000000-1",'
    '"BSE","71.7","2.46","0","394.35","468.51"'
)


def book(*rows: str, columns: str = COLUMNS) -> Document:
    return csv_document("\n".join((columns, *rows)))


def test_a_row_is_a_fill_of_a_code_with_its_charges() -> None:
    sale, purchase = icici_orders.read(book(BUY, SELL)).fills
    assert (purchase.instrument.exchange, purchase.instrument.code, purchase.instrument.symbol) == (
        "NSE",
        "RELIND",
        None,
    )
    assert purchase.charges == {
        Head.STT: 1, Head.EXCHANGE: Decimal("0.04"), Head.STAMP: 0, Head.BROKERAGE: Decimal("4.6")
    }  # fmt: skip
    assert (purchase.day, purchase.at, purchase.order_id, purchase.fill_id) == (
        date(2026, 7, 28), None, "20260728T700000001", None
    )  # fmt: skip
    assert (sale.side, sale.quantity, sale.price, sale.day) == ("SELL", 50, 1434, date(2017, 7, 11))


def test_the_rows_totals_agree_with_their_charges_or_are_named() -> None:
    statement = icici_orders.read(book(BUY, SELL))
    assert statement.stated == statement.computed == {"charges": Decimal("474.15")}
    assert icici_orders.read(book(BUY.replace("5.64", "6.64"))).contradictions == ("charges",)


def test_the_exchanges_charge_is_named_in_either_way() -> None:
    columns = COLUMNS.replace("Transaction and SEBI Turnover charges", "Transaction charges")
    (fill,) = icici_orders.read(book(BUY, columns=columns)).fills
    assert fill.charges[Head.EXCHANGE] == Decimal("0.04")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (BUY.replace("1341.4", "1431.4"), "value_differs"),
        (BUY.replace('"NSE"', '"XYZ"'), "unknown_segment"),
        (BUY.replace("28-Jul-26", "07/28/26"), "unreadable_cell"),
        (BUY.replace('"Buy"', '"Bonus"'), "unreadable_cell"),
    ],
)
def test_what_cannot_be_booked_is_rejected(row: str, reason: str) -> None:
    statement = icici_orders.read(book(row, SELL))
    assert [remark.reason for remark in statement.rejected] == [reason]
    assert len(statement.fills) == 1


def test_a_day_stays_in_the_files_order_and_a_file_with_its_newest_row_first_is_turned() -> None:
    other = BUY.replace("RELIND", "INFTEC")
    assert [fill.instrument.code for fill in icici_orders.read(book(SELL, BUY, other)).fills] == [
        "3MIND",
        "RELIND",
        "INFTEC",
    ]
    assert [fill.instrument.code for fill in icici_orders.read(book(other, BUY, SELL)).fills] == [
        "3MIND",
        "RELIND",
        "INFTEC",
    ]


def test_it_is_recognised() -> None:
    assert recognise(book(BUY)) is icici_orders
