"""Zerodha's tradebook: both spellings, ids out of order, segments, rows that cannot be booked."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.trading.brokers.sheets import csv_document, sheet_document
from trading.brokers import zerodha_tradebook
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.formats import recognise
from trading.brokers.values import FillLine, Segment
from trading.errors import UnknownLayout

INDIA = ZoneInfo("Asia/Kolkata")
HEADER = (
    "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,"
    "order_execution_time"
)
SHARE = "TATASTEEL,INE081A01020,2026-08-03,NSE,EQ,EQ,{side},false,{quantity},157.05,{id},1100000000000001,{at}"
TITLES = (
    *("Symbol", "ISIN", "Trade Date", "Exchange", "Segment", "Series", "Trade Type", "Auction", "Quantity", "Price"),
    *("Trade ID", "Order ID", "Order Execution Time"),
)


def share(
    identifier: str = "70001", side: str = "buy", at: str = "2026-08-03T09:21:55", quantity: str = "10.000000"
) -> str:
    return SHARE.format(side=side, quantity=quantity, id=identifier, at=at)


def fills_of(*rows: str, header: str = HEADER) -> tuple[FillLine, ...]:
    return tuple(zerodha_tradebook.read(csv_document("\n".join((header, *rows)))).fills)


def test_a_fill_is_read_with_its_id_and_its_time_in_india() -> None:
    (fill,) = fills_of(share())
    assert (fill.instrument.exchange, fill.instrument.symbol, fill.instrument.isin) == (
        "NSE",
        "TATASTEEL",
        "INE081A01020",
    )
    assert (fill.side, fill.quantity, fill.price) == ("BUY", Decimal(10), Decimal("157.05"))
    assert fill.at == datetime(2026, 8, 3, 9, 21, 55, tzinfo=INDIA)
    assert (fill.fill_id, fill.order_id) == ("70001", "1100000000000001")
    assert (fill.product, fill.charges, fill.currency) == (None, {}, "INR")


def test_the_series_of_a_share_at_bse_is_its_group() -> None:
    at_bse = share().replace(",NSE,EQ,EQ,", ",BSE,EQ,X,")
    assert [fill.instrument.group for fill in fills_of(share(), at_bse.replace("70001", "70002"))] == [None, "X"]


def test_fills_of_one_second_are_in_the_order_of_their_ids_by_number() -> None:
    fills = fills_of(share("1000"), share("999"), share("2", at="2026-08-03T09:21:56"), share("998"))
    assert [fill.fill_id for fill in fills] == ["998", "999", "1000", "2"]


@pytest.mark.parametrize(
    ("exchange", "segment", "symbol", "code", "charged_as"),
    [
        ("NSE", "EQ", "INFY", "NSE", Segment.EQUITY),
        ("BSE", "EQ", "INFY", "BSE", Segment.EQUITY),
        ("NSE", "FO", "NIFTY26AUGFUT", "NFO", Segment.FUTURES),
        ("NSE", "FO", "NIFTY2680424500CE", "NFO", Segment.OPTIONS),
        ("BSE", "FO", "SENSEX2681377500PE", "BFO", Segment.OPTIONS),
        ("NFO", "FO", "CDSL26SEP1400CE", "NFO", Segment.OPTIONS),
        ("CDS", "CDS", "USDINR26AUGFUT", "CDS", Segment.CURRENCY_FUTURES),
        ("BSE", "BCD", "EURINR26AUG90.5PE", "BCD", Segment.CURRENCY_OPTIONS),
        ("MCX", "COM", "CRUDEOIL26AUGFUT", "MCX", Segment.COMMODITY_FUTURES),
    ],
)
def test_each_segment_is_an_exchange_of_its_own(
    exchange: str, segment: str, symbol: str, code: str, charged_as: Segment
) -> None:
    expiry = "2026-08-25" if symbol == "NIFTY26AUGFUT" else ""
    ids = f"238243,1500000005277076,2026-08-03T09:21:55,{expiry}"
    row = f"{symbol},,2026-08-03,{exchange},{segment},,sell,false,75,12.5,{ids}"
    (fill,) = fills_of(row, header=f"{HEADER},expiry_date")
    assert (fill.instrument.exchange, fill.instrument.symbol, fill.segment) == (code, symbol, charged_as)
    assert fill.instrument.expiry == (date(2026, 8, 25) if expiry else None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (share("2.2E+15"), "no_trade_id"),
        (share(""), "no_trade_id"),
        (share(side="gift"), "unreadable_cell"),
        (share(quantity="0"), "unreadable_cell"),
        (share(quantity="-5"), "unreadable_cell"),
        (share(at="2026-08-04T09:21:55"), "days_differ"),
        (share(at="09:21:55"), "unreadable_cell"),
        (share(at="2026-08-03T09:21:5"), "unreadable_cell"),  # the end of a file that was cut
        (share().replace("NSE,EQ", "BSE,MF"), "unknown_segment"),
        (share().replace("NSE,EQ", "NCDEX,COM"), "unknown_segment"),
        (share().replace("157.05", "0"), "unreadable_cell"),
        (share() + ",surplus,cells", "unreadable_cell"),
    ],
)
def test_a_row_that_cannot_be_booked_is_rejected_with_its_place_and_the_others_are_read(row: str, reason: str) -> None:
    statement = zerodha_tradebook.read(csv_document("\n".join((HEADER, row, share("70002")))))
    assert [(remark.place.row, remark.reason) for remark in statement.rejected] == [(2, reason)]
    assert [fill.fill_id for fill in statement.fills] == ["70002"]
    assert statement.rows_read == 2


def test_a_workbook_with_a_preamble_tells_client_and_period() -> None:
    rows = [
        (None, "Client ID", "ZX0001"), (), (), (),
        (None, "Tradebook for Equity from 2026-04-01 to 2026-08-20"), (), (), (),
        (None, *TITLES),
        (None, "GOKEX", "INE887G01027", 46237.0, "NSE", "EQ", "BE", "sell", False, 40, 812.35, "501",
         "1100000000000009", datetime(2026, 8, 3, 11, 14, 28)),
    ]  # fmt: skip
    statement = zerodha_tradebook.read(sheet_document(("Equity", rows)))
    assert statement.client == "ZX0001"
    assert (statement.first_day, statement.last_day) == (datetime(2026, 4, 1).date(), datetime(2026, 8, 20).date())
    (fill,) = statement.fills
    assert (fill.place.row, fill.place.sheet) == (10, "Equity")
    assert fill.at == datetime(2026, 8, 3, 11, 14, 28, tzinfo=INDIA)


def test_a_header_with_thousands_of_formatted_blank_rows_is_an_empty_file() -> None:
    blank = (None,) * len(TITLES)
    statement = zerodha_tradebook.read(sheet_document(("Sheet1", [TITLES, *[blank] * 3291])))
    assert statement.is_empty
    assert (statement.rows_read, statement.fills) == (0, ())


def test_missing_and_new_columns_are_named() -> None:
    header = HEADER.replace("trade_date", "traded_on")
    with pytest.raises(UnknownLayout, match=r"new columns 'traded_on'; missing columns 'trade_date'"):
        zerodha_tradebook.read(csv_document(f"{header}\n{share()}"))


def test_the_file_is_recognised_by_its_columns_alone() -> None:
    assert zerodha_tradebook.matches(csv_document(HEADER, "groww.csv"))
    assert not zerodha_tradebook.matches(csv_document(HEADER.replace("auction,", ""), "zerodha-tradebook.csv"))
    assert recognise(csv_document(HEADER)) is zerodha_tradebook


@pytest.mark.data
def test_a_real_tradebook_of_derivatives(market_data: Path) -> None:
    data = (market_data / "zerodha-fno-sample" / "sample-trades.csv").read_bytes()
    assert recognise(open_head(data, "a.csv")) is zerodha_tradebook
    statement = zerodha_tradebook.read(open_document(data, "a.csv"))
    assert [fill.fill_id for fill in statement.fills] == ["238241", "238242", "238243", "279744", "279745", "279746"]
    assert {(fill.instrument.exchange, fill.instrument.symbol) for fill in statement.fills} == {
        ("NFO", "NIFTY2560524750PE")
    }
    signed = {"BUY": 1, "SELL": -1}
    assert sum(signed[fill.side] * fill.quantity for fill in statement.fills) == -75
    # By weighted average cost, as the sample's own note states.
    sold = sum(fill.quantity * fill.price for fill in statement.fills if fill.side == "SELL") / 300
    bought = sum(fill.quantity * fill.price for fill in statement.fills if fill.side == "BUY")
    assert 225 * sold - bought == Decimal("-3194.0625")


@pytest.mark.parametrize(
    ("symbol", "expiry", "is_refused"),
    [
        ("NIFTY2680424500CE", "2026-08-04", False),
        ("NIFTY2680424500CE", "2026-08-03", False),  # the exchange moved it for a holiday
        ("NIFTY2680424500CE", "2026-09-01", True),
        ("NIFTY26AUGFUT", "2026-08-25", False),
        ("NIFTY26AUGFUT", "2026-09-29", True),
        ("NIFTY26AUGFUT", "", False),
        ("TATASTEEL", "", False),
    ],
)
def test_a_day_of_expiry_that_its_symbol_contradicts_is_refused(symbol: str, expiry: str, is_refused: bool) -> None:
    row = share().replace("TATASTEEL", symbol).replace("INE081A01020", "")
    row = f"{row if symbol == 'TATASTEEL' else row.replace(',EQ,EQ,', ',FO,,')},{expiry}"
    statement = zerodha_tradebook.read(csv_document(f"{HEADER},expiry_date\n{row}"))
    assert [remark.reason for remark in statement.rejected] == ["expiry_differs"] * is_refused
    assert len(statement.fills) == (not is_refused)
