"""Angel One's trades and charges: prices by side, brokerage of orders, days with the month first, unrounded sums."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.trading.brokers import angelone_files as files
from tests.trading.brokers.books import opened, xlsx_of
from tests.trading.brokers.sheets import sheet_document
from trading.brokers import angelone_trades
from trading.brokers.containers.opening import open_head
from trading.brokers.document import CellRow, CellValue
from trading.brokers.values import Head, Segment, Statement
from trading.errors import UnknownLayout

COLUMNS = files.COLUMNS


def read(*rows: CellRow, columns: CellRow = COLUMNS, preamble: tuple[CellRow, ...] = files.PREAMBLE) -> Statement:
    return angelone_trades.read(sheet_document((files.SHEET, (*preamble, columns, *rows, *files.FOOTER))))


def changed(row: CellRow, **changes: CellValue) -> CellRow:
    """Return a row with other cells, by their column's name with `_` for a blank or a stroke."""
    spelled = {name.replace(" ", "_").replace("/", "_"): name for name in COLUMNS}
    cells = dict(zip(COLUMNS, row, strict=True)) | {spelled[name]: cell for name, cell in changes.items()}
    return tuple(cells.values())


def test_a_fill_has_the_price_of_its_side_its_charges_by_head_and_the_day_alone() -> None:
    bought, sold = read(files.PUT_BOUGHT, files.PUT_SOLD).fills
    assert (bought.side, bought.price, sold.side, sold.price) == ("BUY", Decimal("17.65"), "SELL", Decimal("32.90"))
    assert (bought.day, bought.at) == (date(2026, 8, 25), None)  # 8/25/26 is the 25th of August
    assert (bought.fill_id, bought.order_id, bought.product) == ("8000001", "1000000000000001", "intraday")
    assert sold.charges[Head.STT] == Decimal(3)
    assert sold.charges[Head.EXCHANGE] == Decimal("0.76")
    assert sold.charges[Head.IPFT] == Decimal("0.01")


def test_rows_of_quantity_0_are_the_brokerage_of_orders_and_no_fills() -> None:
    statement = read(*files.ROWS)
    assert len(statement.fills) == 4
    assert [(charge.head, charge.amount) for charge in statement.charges] == [
        (Head.BROKERAGE, Decimal(20)), (Head.GST, Decimal("3.6")),
        (Head.BROKERAGE, Decimal(20)), (Head.GST, Decimal("3.6")),
    ]  # fmt: skip
    assert {(charge.day, charge.segment, charge.exchange) for charge in statement.charges} == {
        (date(2026, 8, 25), Segment.OPTIONS, "NFO")
    }


def test_contracts_and_shares_have_the_names_of_their_exchanges() -> None:
    share, put, _, call = (line.instrument for line in read(*files.ROWS).fills)
    assert (share.exchange, share.company, share.symbol) == ("NSE", "MADE UP WIRES LTD", None)
    assert (put.exchange, put.symbol) == ("NFO", "NIFTY26AUG24150PE")  # the month's last Tuesday
    assert (call.exchange, call.symbol) == ("BFO", "SENSEX26AUG77600CE")  # the month's last Thursday


def test_sums_above_the_rows_are_unrounded_and_agree_within_what_rounding_may_take() -> None:
    statement = read(*files.ROWS)
    assert statement.stated["trade_charges"] == Decimal("55.9961")
    assert statement.computed["trade_charges"] == Decimal("55.98")
    assert statement.stated["gst"] == Decimal("7.4887")  # and not that of the charges that no trade caused
    assert statement.stated["trades"] == statement.computed["trades"] == 4
    assert statement.contradictions == ()


def test_a_row_that_is_missing_is_named_by_the_sums() -> None:
    missing = read(*files.ROWS[:-1])
    assert missing.contradictions == ("trades", "trade_charges", "exchange")
    assert "brokerage" in read(*files.ROWS[:4], files.SENSEX).contradictions


def test_client_and_period_stand_above_the_table() -> None:
    statement = read(*files.ROWS)
    assert (statement.client, statement.first_day, statement.last_day) == (
        "ZZ1234", date(2026, 8, 1), date(2026, 8, 31),
    )  # fmt: skip
    beside = (*files.PREAMBLE[:5], ("StartDate", "2026-08-01 00:00:00.0"), ("EndDate", "2026-08-31 23:59:59.0"),
              *files.PREAMBLE[7:])  # fmt: skip
    assert read(*files.ROWS, preamble=beside).last_day == date(2026, 8, 31)
    assert [remark.reason for remark in statement.ignored] == ["footer", "non_trade_charge", "non_trade_charge"]
    assert statement.ignored[1].text == "DP Charges 23.6: of the period, without a day."


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("8/27/26 0:00", date(2026, 8, 27)),
        ("8/7/2026", date(2026, 8, 7)),
        ("2026-08-07", date(2026, 8, 7)),
        (datetime(2026, 8, 7), date(2026, 8, 7)),
        (46241, date(2026, 8, 7)),
    ],
)
def test_a_day_is_read_with_the_month_first(cell: CellValue, day: date) -> None:
    assert read(changed(files.PUT_BOUGHT, Date=cell)).fills[0].day == day


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Date": "27/8/26 0:00"}, "unreadable_cell"),
        ({"Sell_Price": 17.65}, "side_conflict"),
        ({"Buy_Sell": "Sell"}, "side_conflict"),
        ({"Buy_Sell": "Hold"}, "unreadable_cell"),
        ({"Buy_Price": 0}, "unreadable_cell"),
        ({"Quantity": -65}, "unreadable_cell"),
        ({"Quantity": 0}, "unreadable_cell"),  # with a trade id it is no brokerage of an order
        ({"Scrip_Contract": "FUTIDX NIFTY Aug 25 2026"}, "contract"),
        ({"Segment": "CURRENCY"}, "contract"),
        ({"Exchange": "MCX"}, "unreadable_cell"),
        ({"GST": "n/a"}, "unreadable_cell"),
    ],
)
def test_a_row_that_cannot_be_booked_is_rejected_and_the_others_are_read(
    changes: dict[str, CellValue], reason: str
) -> None:
    statement = read(changed(files.PUT_BOUGHT, **changes), files.PUT_SOLD)
    assert [remark.reason for remark in statement.rejected] == [reason]
    assert len(statement.fills) == 1


def test_an_id_that_a_spreadsheet_ruined_is_none() -> None:
    line = read(changed(files.SENSEX, Order_ID=1787805984776337001)).fills[0]
    assert (line.order_id, line.fill_id) == (None, "17000001")


def test_a_file_without_trades_is_empty() -> None:
    assert read().is_empty


def test_other_columns_are_an_unknown_layout() -> None:
    with pytest.raises(UnknownLayout, match=r"new columns 'CTT'; missing columns 'Stamp Duty'"):
        read(columns=tuple("CTT" if name == "Stamp Duty" else name for name in COLUMNS))


def test_a_real_workbook_is_recognised_without_the_name_of_the_broker() -> None:
    rows = (*files.PREAMBLE, COLUMNS, *files.ROWS, *files.FOOTER)
    assert angelone_trades.matches(open_head(xlsx_of((files.SHEET, rows)), "x.xlsx"))
    assert not angelone_trades.matches(open_head(xlsx_of(("Sheet1", rows)), "x.xlsx"))
    statement = angelone_trades.read(opened((files.SHEET, rows)))
    assert (len(statement.fills), statement.rejected, statement.contradictions) == (4, (), ())
