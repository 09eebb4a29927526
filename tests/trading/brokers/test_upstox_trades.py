"""Upstox's trade report: shares by their company's name, options by their terms, a sentence below the table."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.trading.brokers import upstox_files as files
from tests.trading.brokers.books import opened, xlsx_of
from tests.trading.brokers.sheets import sheet_document
from trading.brokers import upstox_trades
from trading.brokers.cells import INDIA
from trading.brokers.containers.opening import open_head
from trading.brokers.document import CellRow, CellValue
from trading.brokers.values import FillLine, Segment, Statement
from trading.errors import UnknownLayout

COLUMNS = files.TRADE_COLUMNS


def read(*rows: CellRow, columns: CellRow = COLUMNS) -> Statement:
    return upstox_trades.read(sheet_document(("TRADE", (*files.PREAMBLE, columns, *rows, *files.FOOTER))))


def changed(row: CellRow, **changes: CellValue) -> CellRow:
    """Return a row with other cells, by their column's name with `_` for a blank."""
    cells = dict(zip(COLUMNS, row, strict=True)) | {name.replace("_", " "): cell for name, cell in changes.items()}
    return tuple(cells.values())


def fill(row: CellRow) -> FillLine:
    statement = read(row)
    assert statement.rejected == ()
    return statement.fills[0]


def test_a_share_is_known_by_its_company_and_code_with_date_and_clock_of_two_columns() -> None:
    line = fill(files.SHARE)
    assert (line.instrument.exchange, line.instrument.company, line.instrument.code, line.instrument.symbol) == (
        "NSE", "MADE UP WIRES LTD", "500001", None,
    )  # fmt: skip
    assert (line.side, line.quantity, line.price, line.segment) == (
        "BUY", Decimal(2), Decimal("621.85"), Segment.EQUITY,
    )  # fmt: skip
    assert line.at == datetime(2026, 8, 28, 11, 52, 13, tzinfo=INDIA)
    assert (line.fill_id, line.order_id, line.product, line.charges) == ("204257888", None, None, {})


def test_an_option_is_the_whole_contract_on_its_exchange_of_derivatives() -> None:
    names = [line.instrument for line in read(files.NIFTY, files.SENSEX).fills]
    assert [(name.exchange, name.symbol) for name in names] == [
        ("NFO", "NIFTY2690124000PE"), ("BFO", "SENSEX2690378300CE"),
    ]  # fmt: skip
    assert names[1].code == "OPT SENSEX 03 Sep 2026 78300 CE"  # BSX is the exchange's code of the Sensex


def test_the_period_and_the_client_stand_above_the_table_and_the_sentence_below_is_no_row() -> None:
    statement = read(files.NIFTY, files.NIFTY_SALE)
    assert (statement.first_day, statement.last_day) == (date(2026, 8, 28), date(2026, 9, 4))
    assert statement.client == "ZZ1234"
    assert [line.side for line in statement.fills] == ["BUY", "SELL"]
    assert [remark.reason for remark in statement.ignored] == ["footer"]


def test_a_report_without_trades_is_empty() -> None:
    statement = read()
    assert (statement.is_empty, statement.fills, statement.rejected) == (True, (), ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Instrument_Type": "Future"}, "instrument_type"),
        ({"Exchange": "MCX"}, "instrument_type"),
        ({"Amount": 2471}, "amount_conflict"),
        ({"Quantity": -65}, "side_conflict"),
        ({"Quantity": 0}, "unreadable_cell"),
        ({"Side": "Hold"}, "unreadable_cell"),
        ({"Price": 0, "Amount": 0}, "unreadable_cell"),
        ({"Date": "28/08/2026"}, "unreadable_cell"),
        ({"Expiry": "soon"}, "unreadable_cell"),
        ({"Trade_Time": "25:00:00"}, "unreadable_cell"),
    ],
)
def test_a_row_that_cannot_be_booked_is_rejected_and_the_others_are_read(
    changes: dict[str, CellValue], reason: str
) -> None:
    statement = read(changed(files.NIFTY, **changes), files.SENSEX)
    assert [remark.reason for remark in statement.rejected] == [reason]
    assert len(statement.fills) == 1


def test_a_sale_may_have_its_quantity_below_0() -> None:
    assert fill(changed(files.NIFTY_SALE, Quantity=-65)).side == "SELL"


def test_without_a_clock_the_day_alone_is_known() -> None:
    line = fill(changed(files.NIFTY, Trade_Time=None))
    assert (line.at, line.day) == (None, date(2026, 8, 28))


def test_other_columns_are_an_unknown_layout() -> None:
    with pytest.raises(UnknownLayout, match=r"new columns 'Brokerage'; missing columns 'Amount'"):
        read(files.NIFTY, columns=tuple("Brokerage" if name == "Amount" else name for name in COLUMNS))


def test_a_real_workbook_is_recognised_and_read() -> None:
    rows = (*files.PREAMBLE, COLUMNS, files.SHARE, files.NIFTY, *files.FOOTER)
    assert upstox_trades.matches(open_head(xlsx_of(("TRADE", rows)), "x.xlsx"))
    statement = upstox_trades.read(opened(("TRADE", rows)))
    assert [line.price for line in statement.fills] == [Decimal("621.85"), Decimal(38)]
    assert statement.rejected == ()
