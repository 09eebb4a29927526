"""Answers of Kite Connect, Dhan and Upstox: fills with their ids, orders as sums of fills, charges as estimates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from trading.brokers import dhan_api, dhan_api_ledger, kite_charges, kite_orders, kite_trades, upstox_api
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.document import Document
from trading.brokers.format import Format
from trading.brokers.formats import recognise
from trading.brokers.values import FillKind, Head, Segment, Statement
from trading.domain.chain import JSON
from trading.errors import UnknownLayout, UnreadableFile

INDIA = ZoneInfo("Asia/Kolkata")
Fields = Mapping[str, JSON]

KITE_TRADE: Fields = {
    "trade_id": "10000001", "order_id": "200000000000001", "exchange": "NSE", "tradingsymbol": "SBIN",
    "instrument_token": 779521, "product": "CNC", "average_price": 420.65, "quantity": 1,
    "exchange_order_id": "300000000000001", "transaction_type": "BUY", "fill_timestamp": "2026-05-29 09:16:39",
    "order_timestamp": "09:16:38", "exchange_timestamp": "2026-05-29 09:16:37",
}  # fmt: skip
KITE_ORDER: Fields = {
    "placed_by": "XX0000", "order_id": "220303000000001", "status": "COMPLETE", "exchange": "NFO",
    "tradingsymbol": "NIFTY2680424500CE", "transaction_type": "SELL", "product": "MIS", "quantity": 150,
    "filled_quantity": 150, "average_price": 12.350000000000001, "order_timestamp": "2026-08-04 09:24:25",
    "exchange_timestamp": "2026-08-04 09:24:26", "exchange_update_timestamp": "2026-08-04 09:24:27", "tag": "orb",
}  # fmt: skip
DHAN_TRADE: Fields = {
    "dhanClientId": "1000000001", "orderId": "112111182045", "exchangeOrderId": "15112111182045",
    "exchangeTradeId": "15112111182045", "transactionType": "BUY", "exchangeSegment": "NSE_EQ",
    "productType": "INTRADAY", "orderType": "LIMIT", "tradingSymbol": "TCS", "securityId": "11536",
    "tradedQuantity": 40, "tradedPrice": 3345.8, "createTime": "2026-03-10 11:20:06", "updateTime": "NA",
    "exchangeTime": "2026-03-10 11:20:07", "drvExpiryDate": "NA", "drvOptionType": "NA", "drvStrikePrice": 0.0,
}  # fmt: skip
UPSTOX_TRADE: Fields = {
    "exchange": "NSE", "product": "I", "tradingsymbol": "IDEA-EQ", "trading_symbol": "IDEA",
    "instrument_token": "NSE_EQ|INE669E01016", "order_type": "LIMIT", "transaction_type": "SELL", "quantity": 10,
    "exchange_order_id": "1", "order_id": "240000000000001", "exchange_timestamp": "03-Aug-2026 15:03:42",
    "average_price": 8.15, "trade_id": "50091502", "order_timestamp": "03-Aug-2026 15:03:41",
}  # fmt: skip


def answer(objects: Sequence[Fields] | Fields) -> Document:
    """Return an API's answer as it is saved to a file."""
    return open_document(json.dumps({"status": "success", "data": objects}).encode(), "answer.json")


def change(fields: Fields, **changes: JSON) -> Fields:
    return {**fields, **changes}


class TestKiteTrades:
    def test_a_fill_has_the_time_of_the_fill_and_its_trade_id(self) -> None:
        (fill,) = kite_trades.read(answer([KITE_TRADE])).fills
        assert fill.at == datetime(2026, 5, 29, 9, 16, 39, tzinfo=INDIA)
        assert (fill.fill_id, fill.order_id, fill.product) == ("10000001", "200000000000001", "delivery")
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.price) == ("NSE", "SBIN", Decimal("420.65"))

    def test_a_price_is_without_the_noise_of_binary_arithmetic(self) -> None:
        (fill,) = kite_trades.read(answer([change(KITE_TRADE, average_price=156.70000000000002)])).fills
        assert fill.price == Decimal("156.7")

    def test_an_id_that_is_a_long_number_stays_whole(self) -> None:
        (fill,) = kite_trades.read(answer([change(KITE_TRADE, trade_id=12345678901234567)])).fills
        assert fill.fill_id == "12345678901234567"

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"trade_id": None}, "no_trade_id"),
            ({"fill_timestamp": "09:16:39"}, "unreadable_cell"),
            ({"exchange": "NSEIX"}, "unknown_segment"),
            ({"quantity": 0}, "unreadable_cell"),
            ({"average_price": {"paise": 1}}, "unreadable_cell"),
        ],
    )
    def test_an_object_that_cannot_be_booked_is_rejected(self, changes: Fields, reason: str) -> None:
        statement = kite_trades.read(answer([change(KITE_TRADE, **changes), KITE_TRADE]))
        assert [(remark.reason, remark.place.row) for remark in statement.rejected] == [(reason, 1)]
        assert len(statement.fills) == 1

    def test_an_object_that_lacks_a_field_is_another_layout(self) -> None:
        fields = {"avg_price" if name == "average_price" else name: content for name, content in KITE_TRADE.items()}
        words = "object 2: new fields 'avg_price'; missing fields 'average_price'"
        with pytest.raises(UnknownLayout, match=words):
            kite_trades.read(answer([KITE_TRADE, fields]))

    def test_an_answer_of_no_layout_says_what_is_new_in_the_nearest(self) -> None:
        fields = {"tradeid" if name == "trade_id" else name: content for name, content in KITE_TRADE.items()}
        with pytest.raises(UnknownLayout, match=r"new fields 'tradeid'; missing fields 'trade_id'.*Kite"):
            recognise(answer([fields]))

    def test_an_error_is_no_answer(self) -> None:
        data = json.dumps({"status": "error", "message": "Token is invalid.", "data": None}).encode()
        with pytest.raises(UnreadableFile, match="an error that the API answered"):
            kite_trades.read(open_document(data, "answer.json"))


class TestKiteOrders:
    def test_an_order_stands_for_the_sum_of_its_fills(self) -> None:
        (fill,) = kite_orders.read(answer([KITE_ORDER])).fills
        assert (fill.kind, fill.fill_id, fill.order_id) == (FillKind.ORDER, None, "220303000000001")
        assert (fill.quantity, fill.price, fill.side, fill.tag) == (150, Decimal("12.35"), "SELL", "orb")
        assert fill.at == datetime(2026, 8, 4, 9, 24, 27, tzinfo=INDIA)
        assert fill.segment == Segment.OPTIONS

    def test_of_several_states_of_an_order_the_last_one_counts(self) -> None:
        partial = change(KITE_ORDER, status="UPDATE", filled_quantity=75)
        statement = kite_orders.read(answer([partial, KITE_ORDER]))
        assert [fill.quantity for fill in statement.fills] == [150]
        assert [remark.reason for remark in statement.ignored] == ["earlier_state"]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"status": "OPEN", "filled_quantity": 75}, "order_open"),
            ({"status": "UPDATE", "filled_quantity": 75}, "order_open"),
            ({"status": "REJECTED", "filled_quantity": 0, "average_price": 0}, "order_unfilled"),
            ({"status": "CANCELLED", "filled_quantity": 0, "average_price": 0}, "order_unfilled"),
        ],
    )
    def test_an_order_that_is_open_or_was_not_filled_stands_for_nothing(self, changes: Fields, reason: str) -> None:
        statement = kite_orders.read(answer([change(KITE_ORDER, **changes)]))
        assert (statement.fills, statement.is_empty) == ((), True)
        assert [remark.reason for remark in statement.ignored] == [reason]

    def test_an_order_that_was_cancelled_after_some_fills_stands_for_those(self) -> None:
        (fill,) = kite_orders.read(answer([change(KITE_ORDER, status="CANCELLED", filled_quantity=75)])).fills
        assert fill.quantity == 75

    def test_a_postback_and_a_message_of_the_websocket_are_orders_as_well(self) -> None:
        postback = {**KITE_ORDER, "user_id": "AB0001", "checksum": ""}
        for content in (postback, {"type": "order", "data": postback}):
            document = open_document(json.dumps(content).encode(), "update.json")
            assert recognise(document) is kite_orders
            statement = kite_orders.read(document)
            assert (statement.client, len(statement.fills)) == ("AB0001", 1)


CHARGES: Fields = {
    "transaction_tax": 1.25, "transaction_tax_type": "stt", "exchange_turnover_charge": 0.0307,
    "sebi_turnover_charge": 0.001, "brokerage": 0.3, "stamp_duty": 0.03,
    "gst": {"igst": 0.059705999999999996, "cgst": 0, "sgst": 0, "total": 0.059705999999999996}, "total": 1.671406,
}  # fmt: skip


class TestKiteCharges:
    def test_charges_of_an_order_are_an_estimate_by_head(self) -> None:
        order = {"exchange": "NSE", "tradingsymbol": "INFY", "charges": CHARGES}
        statement = kite_charges.read(answer([order]))
        (estimate,) = statement.estimates
        assert estimate.charges[Head.GST] == Decimal("0.059706")
        assert statement.charges == statement.fills == ()
        assert statement.contradictions == ()

    def test_a_total_that_its_heads_do_not_give_is_named(self) -> None:
        order = {
            "exchange": "MCX",
            "tradingsymbol": "X",
            "charges": change(CHARGES, transaction_tax_type="ctt", total=2),
        }
        statement = kite_charges.read(answer([order]))
        assert statement.estimates[0].charges[Head.CTT] == Decimal("1.25")
        assert statement.contradictions == ("charges",)

    def test_a_tax_of_an_unknown_kind_is_rejected(self) -> None:
        order = {"exchange": "NSE", "tradingsymbol": "X", "charges": change(CHARGES, transaction_tax_type="xyz")}
        assert [remark.reason for remark in kite_charges.read(answer([order])).rejected] == ["unknown_charges"]


class TestDhan:
    def test_a_trade_of_the_day(self) -> None:
        statement = dhan_api.read(answer([DHAN_TRADE]))
        (fill,) = statement.fills
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.instrument.code) == ("NSE", "TCS", "11536")
        assert (fill.fill_id, fill.product, fill.price) == ("15112111182045", "intraday", Decimal("3345.8"))
        assert fill.at == datetime(2026, 3, 10, 11, 20, 7, tzinfo=INDIA)
        assert statement.client == "1000000001"

    @pytest.mark.parametrize(
        ("changes", "exchange", "symbol", "segment"),
        [
            ({"exchangeSegment": "NSE_FNO", "tradingSymbol": "NIFTY-Aug2026-24500-CE", "drvExpiryDate": "2026-08-04",
              "drvOptionType": "CALL", "drvStrikePrice": 24500.0}, "NFO", "NIFTY2680424500CE", Segment.OPTIONS),
            ({"exchangeSegment": "NSE_FNO", "tradingSymbol": None, "customSymbol": "TATASTEEL 29 SEP 207.50 PUT",
              "drvExpiryDate": "2026-09-29 14:30:00", "drvOptionType": "PUT", "drvStrikePrice": 207.5},
             "NFO", "TATASTEEL26SEP207.5PE", Segment.OPTIONS),
            ({"exchangeSegment": "BSE_FNO", "tradingSymbol": "SENSEX-Aug2026-FUT", "drvExpiryDate": "2026-08-27"},
             "BFO", "SENSEX26AUGFUT", Segment.FUTURES),
            ({"exchangeSegment": "NSE_FNO", "tradingSymbol": "BAJAJ-AUTO-Aug2026-9000-CE",
              "drvExpiryDate": "2026-08-25", "drvOptionType": "CALL", "drvStrikePrice": 9000},
             "NFO", "BAJAJ-AUTO26AUG9000CE", Segment.OPTIONS),
            ({"exchangeSegment": "MCX_COMM", "tradingSymbol": "CRUDEOIL-Dec2026-5300-CE",
              "drvExpiryDate": "2026-11-17", "drvOptionType": "CALL", "drvStrikePrice": 5300},
             "MCX", None, Segment.COMMODITY_OPTIONS),
        ],
    )  # fmt: skip
    def test_contracts_have_the_exchanges_symbol_where_it_follows_from_their_terms(
        self, changes: Fields, exchange: str, symbol: str | None, segment: Segment
    ) -> None:
        (fill,) = dhan_api.read(answer([change(DHAN_TRADE, **changes)])).fills
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.segment) == (exchange, symbol, segment)
        assert fill.instrument.code == "11536"

    def test_the_history_has_charges_by_head(self) -> None:
        history = {name: content for name, content in DHAN_TRADE.items() if name != "tradingSymbol"}
        history |= {
            "customSymbol": "Tata Consultancy", "isin": "INE467B01029", "instrument": "EQUITY", "sebiTax": 0.13,
            "stt": 33.0, "brokerageCharges": 20, "serviceTax": 4.37,
            "exchangeTransactionCharges": 4.11, "stampDuty": -0.12,
        }  # fmt: skip
        (fill,) = dhan_api.read(answer([history])).fills
        assert fill.charges == {
            Head.SEBI: Decimal("0.13"), Head.STT: 33, Head.BROKERAGE: 20, Head.GST: Decimal("4.37"),
            Head.EXCHANGE: Decimal("4.11"), Head.STAMP: Decimal("-0.12"),
        }  # fmt: skip
        assert (fill.instrument.symbol, fill.instrument.isin, fill.instrument.company) == (
            None, "INE467B01029", "Tata Consultancy"
        )  # fmt: skip


POSTING: Fields = {
    "dhanClientId": "1000000001", "narration": "FUNDS WITHDRAWAL", "voucherdate": "Jun 22, 2026",
    "exchange": "NSE-CAPITAL", "voucherdesc": "PAYBNK", "vouchernumber": "202600036701", "debit": "20,000.00",
    "credit": "0.00", "runbal": "957.29",
}  # fmt: skip


class TestDhanLedger:
    def test_a_posting_is_a_bill_with_its_balance(self) -> None:
        statement = dhan_api_ledger.read(answer([POSTING]))
        (bill,) = statement.bills
        assert (bill.day, bill.amount, bill.balance) == (date(2026, 6, 22), -20000, Decimal("957.29"))
        assert (bill.text, bill.voucher, statement.client) == ("FUNDS WITHDRAWAL", "202600036701", "1000000001")

    def test_a_balance_is_no_posting_and_a_day_in_another_style_is_no_day(self) -> None:
        opening = change(POSTING, narration="OPENING BALANCE", voucherdate="Jan 01, 1970")
        statement = dhan_api_ledger.read(answer([opening, change(POSTING, voucherdate="22-06-2026"), POSTING]))
        assert [remark.reason for remark in statement.ignored] == ["balance_row"]
        assert [remark.place.row for remark in statement.rejected] == [2]
        assert len(statement.bills) == 1


class TestUpstox:
    def test_a_trade_of_the_day(self) -> None:
        (fill,) = upstox_api.read(answer([UPSTOX_TRADE])).fills
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.instrument.isin) == (
            "NSE",
            "IDEA",
            "INE669E01016",
        )
        assert fill.at == datetime(2026, 8, 3, 15, 3, 42, tzinfo=INDIA)
        assert (fill.fill_id, fill.product, fill.side) == ("50091502", "intraday", "SELL")

    @pytest.mark.parametrize(
        ("token", "symbol", "exchange", "name"),
        [
            ("NSE_FO|43919", "NIFTY 24500 CE 04 AUG 26", "NFO", "NIFTY2680424500CE"),
            ("NSE_FO|43920", "NIFTY26AUGFUT", "NFO", "NIFTY26AUGFUT"),
            ("BSE_FO|1", "SENSEX 77500 PE 13 AUG 26", "BFO", "SENSEX2681377500PE"),
            ("NCD_FO|1", "USDINR26AUGFUT", "CDS", "USDINR26AUGFUT"),
        ],
    )
    def test_contracts_are_on_exchanges_of_their_own(self, token: str, symbol: str, exchange: str, name: str) -> None:
        fields = change(
            UPSTOX_TRADE, instrument_token=token, trading_symbol=symbol, exchange="BSE" if "BSE" in token else "NSE"
        )
        (fill,) = upstox_api.read(answer([fields])).fills
        assert (fill.instrument.exchange, fill.instrument.symbol, fill.instrument.code) == (exchange, name, token)
        assert fill.instrument.isin is None


@pytest.mark.parametrize(
    ("objects", "reader"),
    [
        ([KITE_TRADE], kite_trades),
        ([KITE_ORDER], kite_orders),
        ([{"exchange": "NSE", "tradingsymbol": "INFY", "charges": CHARGES}], kite_charges),
        ([DHAN_TRADE], dhan_api),
        ([POSTING], dhan_api_ledger),
        ([UPSTOX_TRADE], upstox_api),
    ],
)
def test_each_answer_is_recognised_by_its_fields(objects: Sequence[Fields], reader: Format) -> None:
    assert recognise(answer(objects)) is reader


@pytest.mark.parametrize("content", ["[]", "{}", '{"data": null}', '{"data": []}', "[1, 2]", '[[{"trade_id": 1}]]'])
def test_other_json_is_no_answer(content: str) -> None:
    with pytest.raises(UnknownLayout):
        recognise(open_document(content.encode(), "answer.json"))


def real(market_data: Path, name: str, reader: Format) -> Statement:
    """Read a real answer in place, after it was recognised."""
    data = (market_data / name).read_bytes()
    assert recognise(open_head(data, name)) is reader
    return reader.read(open_document(data, name))


@pytest.mark.data
class TestRealAnswers:
    def test_kites_trades(self, market_data: Path) -> None:
        statement = real(market_data, "kite-mocks/trades.json", kite_trades)
        assert [(fill.instrument.exchange, fill.fill_id, fill.price) for fill in statement.fills] == [
            ("NSE", "10000000", Decimal("420.65")), ("CDS", "40000000", Decimal("72.755")),
            ("MCX", "70000000", 4852), ("MCX", "90000000", 4852),
        ]  # fmt: skip
        assert statement.fills[0].at == datetime(2021, 5, 31, 9, 16, 39, tzinfo=INDIA)
        of_order = real(market_data, "kite-mocks/order_trades.json", kite_trades)
        assert [fill.fill_id for fill in of_order.fills] == ["10000000"]

    def test_kites_orders(self, market_data: Path) -> None:
        statement = real(market_data, "kite-mocks/orders.json", kite_orders)
        assert [fill.instrument.symbol for fill in statement.fills] == [
            "IOC", "IOC", "GOLDPETAL21JUNFUT", "GOLDPETAL21JUNFUT", "TATASTEEL", "NIFTY2580724400CE"
        ]  # fmt: skip
        assert [remark.reason for remark in statement.ignored] == ["order_unfilled"] * 4
        assert {fill.kind for fill in statement.fills} == {FillKind.ORDER}

    def test_an_order_history_and_a_postback_of_kite(self, market_data: Path) -> None:
        history = real(market_data, "kite-mocks/order_info.json", kite_orders)
        assert (history.rows_read, history.fills, history.is_empty) == (8, (), True)
        postback = real(market_data, "kite-mocks/postback.json", kite_orders)
        assert [(fill.instrument.symbol, fill.quantity, fill.price) for fill in postback.fills] == [("SBIN", 1, 470)]
        assert postback.first_day == date(2022, 3, 3)

    def test_kites_charges_of_an_order_are_an_estimate_of_1_79255122(self, market_data: Path) -> None:
        statement = real(market_data, "kite-mocks-charges/order_margins.json", kite_charges)
        (estimate,) = statement.estimates
        assert estimate.charges == {
            Head.STT: Decimal("1.498"), Head.EXCHANGE: Decimal("0.051681"), Head.SEBI: Decimal("0.001498"),
            Head.BROKERAGE: Decimal("0.01"), Head.STAMP: Decimal("0.22"), Head.GST: Decimal("0.01137222"),
        }  # fmt: skip
        assert estimate.total == sum(estimate.charges.values()) == Decimal("1.79255122")
        assert statement.charges == ()

    @pytest.mark.parametrize("name", ["get_all_trades.json", "get_trade_history.json"])
    def test_dhans_shapes_are_recognised_and_their_placeholders_are_not_booked(
        self, market_data: Path, name: str
    ) -> None:
        statement = real(market_data, f"dhan-sdk/{name}", dhan_api)
        assert (statement.rows_read, statement.fills, len(statement.rejected)) == (1, (), 1)
