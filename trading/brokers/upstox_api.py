"""Upstox's trades of the day, or of an order, by its API: one object per fill, with its trade id."""

from __future__ import annotations

from trading.brokers import cells
from trading.brokers.contracts import exchange_of, named, named_in_words, segment_of
from trading.brokers.document import Document
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.packed_fills import packed_fills
from trading.brokers.reading import RefusedRow, read_rows, statement_of_fills
from trading.brokers.values import Broker, FillLine, InstrumentName, Statement

BROKER = Broker.UPSTOX
KIND = "api_trades"
NAME = "Upstox trades (JSON)"

_FIELDS = (
    *("trade_id", "order_id", "exchange", "average_price", "quantity", "transaction_type"),
    *("exchange_timestamp", "instrument_token"),
)
_PRODUCTS = {"D": "delivery", "MTF": "delivery", "I": "intraday", "CO": "intraday", "OCO": "intraday"}
_TIME_STYLES = ("%d-%b-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
_OTHERS = (
    *("product", "tag", "trading_symbol", "tradingsymbol", "order_type", "exchange_order_id"),
    *("order_ref_id", "order_timestamp"),
)  # fields that answers have as well


def matches(head: Document) -> bool:
    """Say whether an answer's objects are fills of Upstox, which have an instrument token of their own kind."""
    return has_fields(head, ("trade_id", "instrument_token", "exchange_timestamp"), without=("fill_timestamp",))


def read(document: Document) -> Statement:
    """Return the fills in order of time and trade id. Raises: UnknownLayout, UnreadableFile."""
    return statement_of_fills(
        document, BROKER, KIND, read_rows(object_lines(document, _FIELDS, _OTHERS), _fill, into=packed_fills())
    )


def _fill(line: ObjectLine) -> FillLine:
    # `NSE_FO|43919`: exchange, segment and Upstox's number; NCD and BCD are the exchanges' currency segments.
    token = cells.text(line["instrument_token"])
    prefix, _, number = token.partition("|")
    segment = "CDS" if prefix.startswith(("NCD", "BCD")) else prefix.partition("_")[2] if number else "EQ"
    exchange = exchange_of(cells.text(line["exchange"]), segment)
    if exchange is None:
        raise RefusedRow("unknown_segment", f"{token} is of an exchange that cannot be booked.")
    fill_id = cells.identifier(line["trade_id"])
    if fill_id is None:
        raise RefusedRow("no_trade_id", f"{token} has no trade id.")
    at = cells.moment(line["exchange_timestamp"], *_TIME_STYLES)
    instrument = _name(line, exchange, token)
    return FillLine(
        place=line.place,
        instrument=instrument,
        segment=segment_of(exchange, instrument.symbol or ""),
        side=cells.side(line["transaction_type"]),
        quantity=cells.above_zero(line["quantity"]),
        price=cells.above_zero(line["average_price"]),
        day=at.date(),
        at=at,
        currency="INR",
        fill_id=fill_id,
        order_id=cells.identifier(line["order_id"]),
        product=_PRODUCTS.get(cells.text(line["product"])),
        tag=cells.text(line["tag"]) or None,
    )


def _name(line: ObjectLine, exchange: str, token: str) -> InstrumentName:
    """Return the exchange's symbol where Upstox's is that or says it in words; the token is the code, and of a share
    it ends in the ISIN."""
    symbol = cells.text(line["trading_symbol"]) or cells.required_text(line["tradingsymbol"])
    isin = token.partition("|")[2] if exchange in ("NSE", "BSE") and token.startswith(exchange) else ""
    words = named_in_words(symbol, exchange)
    name = words.symbol if words else named(symbol, exchange).symbol
    return InstrumentName(exchange, name, isin or None, None, token or None)
