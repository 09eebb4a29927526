"""Fyers: a tradebook in which each trade stands twice, and a profit and loss whose charges are of the whole period."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.trading.brokers.sheets import csv_document
from trading.brokers import fyers_pnl, fyers_tradebook
from trading.brokers.containers.opening import open_document
from trading.brokers.document import Document
from trading.brokers.formats import recognise
from trading.brokers.values import Head, Segment, Statement
from trading.errors import UnknownLayout

INDIA = ZoneInfo("Asia/Kolkata")
SENSEX, CDSL = "SENSEX2681377500PE", "CDSL26SEP1400CE"
BOOK_COLUMNS = "Name,Date & time,Side,Product type,Qty,Traded price,Total value,Segment,Exchange order ID,OMS order ID"
OTHER_SIDE = {"BUY": "SELL", "SELL": "BUY"}


def trade(
    symbol: str,
    side: str,
    quantity: str,
    price: str,
    total: str,
    clock: str = "03:20:21 PM",
    identifier: str = "2.2E+15",
) -> str:
    return (
        f'{symbol},"25 Aug 2026, {clock}",{side},INTRADAY,{quantity},{price},"{total}",Derivatives,{identifier},2.6E+11'
    )


def mirror(row: str, clock: str = "12:00:00 AM", identifier: str = "NDIR0001", product: str = "-") -> str:
    """Return a trade's second row as Fyers adds it."""
    name, day, _, side, _, quantity, price, *total = row.replace('"', "").split(",")
    value = ",".join(total[:-3])
    return (
        f'{name},"{day}, {clock}",{OTHER_SIDE[side]},{product},{quantity},{price},"{value}",Derivatives,{identifier},'
    )


def tradebook(*rows: str, title: str = "Tradebook report") -> Document:
    preamble = (
        f"Report Title,{title},,,,,,,,", "Date Range,From 25/07/2026 to 25/08/2026,,,,,,,,",
        "Client Name,Made Up,,,,,,,,", "Client ID,XA00001,,,,,,,,", "PAN,AAAAA0000A,,,,,,,,",
        "Download Timestamp,26/08/2026 09:00,,,,,,,,", ",,,,,,,,,",
    )  # fmt: skip
    return csv_document("\n".join((*preamble, BOOK_COLUMNS, *rows)))


def profit(statement: Statement) -> Decimal:
    sign = {"BUY": -1, "SELL": 1}
    return sum((sign[fill.side] * fill.quantity * fill.price for fill in statement.fills), Decimal(0))


ROUND_TRIP = (
    trade(SENSEX, "BUY", "1000.00", "152.25", "1,52,250.00", "03:20:21 PM"),
    trade(SENSEX, "SELL", "600.00", "160.25", "96,150.00", "03:21:00 PM"),
    trade(SENSEX, "SELL", "400.00", "160.00", "64,000.00", "03:21:05 PM"),
)


class TestTradebook:
    def test_a_profit_is_not_brought_to_zero_by_the_mirrors(self) -> None:
        statement = fyers_tradebook.read(tradebook(*ROUND_TRIP, *map(mirror, ROUND_TRIP)))
        assert profit(statement) == Decimal("7900")
        assert [remark.reason for remark in statement.ignored] == ["mirrored"] * 3
        assert (statement.rows_read, statement.rejected) == (6, ())

    def test_a_fill_has_its_time_its_lakhs_and_its_exchange_but_no_ruined_id(self) -> None:
        fill = fyers_tradebook.read(tradebook(ROUND_TRIP[0])).fills[0]
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.segment) == ("BFO", SENSEX, Segment.OPTIONS)
        assert (fill.quantity, fill.price) == (1000, Decimal("152.25"))
        assert fill.at == datetime(2026, 8, 25, 15, 20, 21, tzinfo=INDIA)
        assert (fill.fill_id, fill.order_id, fill.product) == (None, None, "intraday")

    def test_a_stocks_contract_stands_without_an_exchange(self) -> None:
        (fill,) = fyers_tradebook.read(tradebook(trade(CDSL, "BUY", "475", "12.5", "5,937.50"))).fills
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.segment) == (None, CDSL, Segment.OPTIONS)

    @pytest.mark.parametrize(("segment", "charged_as"), [("Equity", Segment.EQUITY), ("Currency", None)])
    def test_a_share_is_charged_as_one_and_what_is_not_certain_as_nothing(
        self, segment: str, charged_as: Segment | None
    ) -> None:
        row = trade("PNB-EQ", "BUY", "1", "2", "2").replace("Derivatives", segment)
        (fill,) = fyers_tradebook.read(tradebook(row)).fills
        assert (fill.instrument.symbol, fill.segment) == ("PNB", charged_as)

    def test_a_whole_order_id_is_kept(self) -> None:
        (fill,) = fyers_tradebook.read(
            tradebook(trade(CDSL, "BUY", "1", "2", "2", identifier="1300000012345678"))
        ).fills
        assert fill.order_id == "1300000012345678"

    def test_a_row_that_a_broken_download_has_cut_is_rejected(self) -> None:
        whole = "\n".join(",".join(f'"{cell}"' for cell in row) for row in tradebook(*ROUND_TRIP).sheets[0].rows)
        statement = fyers_tradebook.read(open_document(whole[: -len('+15","2.6E+11"')].encode() + b'"', "book.csv"))
        assert [(remark.reason, remark.place.row) for remark in statement.rejected] == [("unreadable_cell", 11)]
        assert len(statement.fills) == 2

    def test_equal_rows_are_fills_of_their_own(self) -> None:
        equal = trade(CDSL, "BUY", "475", "12.5", "5,937.50")
        statement = fyers_tradebook.read(tradebook(equal, equal, mirror(equal), mirror(equal)))
        assert len(statement.fills) == len(statement.ignored) == 2

    def test_a_mirror_without_its_trade_is_rejected(self) -> None:
        equal = trade(CDSL, "BUY", "475", "12.5", "5,937.50")
        statement = fyers_tradebook.read(tradebook(equal, mirror(equal), mirror(equal)))
        assert [(remark.reason, remark.place.row) for remark in statement.rejected] == [("mirror_without_trade", 11)]

    @pytest.mark.parametrize(
        "row",
        [
            mirror(ROUND_TRIP[0], clock="03:20:21 PM"),
            mirror(ROUND_TRIP[0], identifier="2.2E+15"),
            mirror(ROUND_TRIP[0], product="INTRADAY"),
            ROUND_TRIP[0].replace("03:20:21 PM", "12:00:00 AM"),
        ],
    )
    def test_a_row_with_some_marks_of_a_mirror_is_neither_booked_nor_dropped(self, row: str) -> None:
        statement = fyers_tradebook.read(tradebook(row))
        assert (statement.fills, statement.ignored) == ((), ())
        assert [remark.reason for remark in statement.rejected] == ["half_mirrored"]

    def test_a_value_that_its_quantity_and_price_do_not_give_is_rejected(self) -> None:
        (remark,) = fyers_tradebook.read(tradebook(trade(CDSL, "BUY", "475", "12.5", "5,937.00"))).rejected
        assert remark.reason == "value_differs"

    def test_the_newest_row_may_stand_first(self) -> None:
        fills = fyers_tradebook.read(tradebook(*reversed(ROUND_TRIP))).fills
        assert [fill.side for fill in fills] == ["BUY", "SELL", "SELL"]
        assert [fill.quantity for fill in fills] == [1000, 600, 400]

    def test_client_and_period(self) -> None:
        statement = fyers_tradebook.read(tradebook(*ROUND_TRIP))
        assert (statement.client, statement.first_day, statement.last_day) == (
            "XA00001", date(2026, 7, 25), date(2026, 8, 25)
        )  # fmt: skip

    def test_a_tradebook_without_rows_is_empty(self) -> None:
        assert fyers_tradebook.read(tradebook()).is_empty

    def test_a_missing_column_is_named(self) -> None:
        document = csv_document("Report Title,Tradebook report\nName,Date & time,Side,Product,Qty\n")
        with pytest.raises(UnknownLayout, match=r"'Product'.*'Product type'"):
            fyers_tradebook.read(document)

    def test_reports_are_recognised_by_their_title(self) -> None:
        assert recognise(tradebook(*ROUND_TRIP)) is fyers_tradebook
        assert recognise(pnl()) is fyers_pnl


CHARGES = (
    "Total turnover (ICAI),15000", "Gross P&L,{gross}", "Transaction charges,\"1,045.10\"", "IPFT,14.71",
    "Stamp duty,88",
    "GST,694.16", "Brokerage,\"2,700.00\"", "CTT,0", "SEBI,2.94", "STT,\"2,204\"", "Total charges,{total}", "",
)  # fmt: skip
PNL_ROWS = (
    "BSE:SENSEX2681377500PE,BSE:SENSEX 13 Aug 77500 PE,Derivatives,\"7,900.00\",1000,1000,152.25,160.15",
    "NSE:CDSL26SEP1400CE,NSE:CDSL 29 Sep 1400 CE,Derivatives,-250.50,475,475,12.5,11.97",
    "NSE:PNB-EQ,NSE:PNB-EQ,Equity,10,1,1,100,110",
    "NSE:USDINR26AUGFUT,NSE:USDINR 26 Aug FUT,Currency,0,0,0,0,0",
)  # fmt: skip


def pnl(gross: str = "7659.50", total: str = '"6,748.91"', span: str = "From 25/07/2026 to 25/08/2026") -> Document:
    preamble = ("Report Title,Realised P&L report", f"Date Range,{span}", "Client ID,XA00001", "PAN,AAAAA0000A", "")
    block = (line.format(gross=gross, total=total) for line in CHARGES)
    columns = "Symbol name,Symbol code,Segment,Gross P&L,Buy qty,Sell qty,Buy price,Sell price"
    return csv_document("\n".join((*preamble, *block, columns, *PNL_ROWS)))


class TestProfitAndLoss:
    def test_charges_are_of_the_period_by_head(self) -> None:
        charges = fyers_pnl.read(pnl()).charges
        assert {charge.head: charge.amount for charge in charges} == {
            Head.EXCHANGE: Decimal("1045.10"), Head.IPFT: Decimal("14.71"), Head.STAMP: 88, Head.GST: Decimal("694.16"),
            Head.BROKERAGE: 2700, Head.CTT: 0, Head.SEBI: Decimal("2.94"), Head.STT: 2204,
        }  # fmt: skip
        assert {(charge.day, charge.last_day) for charge in charges} == {(date(2026, 7, 25), date(2026, 8, 25))}

    def test_symbols_with_their_exchange_are_instruments(self) -> None:
        names = [each.instrument for each in fyers_pnl.read(pnl()).positions]
        assert [(name.exchange, name.symbol) for name in names] == [
            ("BFO", SENSEX), ("NFO", CDSL), ("NSE", "PNB"), ("CDS", "USDINR26AUGFUT")
        ]  # fmt: skip

    def test_totals_that_agree_and_that_do_not(self) -> None:
        assert fyers_pnl.read(pnl()).contradictions == ()
        assert fyers_pnl.read(pnl(gross="7659.00")).contradictions == ("gross_pnl",)
        assert fyers_pnl.read(pnl(total="6748.90")).contradictions == ("charges",)

    def test_without_a_period_nothing_is_read(self) -> None:
        with pytest.raises(UnknownLayout, match="no period"):
            fyers_pnl.read(pnl(span="last month"))
