"""Kite Connect's trades, as `/trades` and `/orders/:id/trades` answer: one object per fill, with its trade id.

A fill's time is `fill_timestamp`: `order_timestamp` is a bare clock there, equal for all fills of an order.
"""

from __future__ import annotations

from trading.brokers import cells
from trading.brokers.contracts import exchange_of, named, segment_of
from trading.brokers.document import Document
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.packed_fills import packed_fills
from trading.brokers.reading import RefusedRow, read_rows, statement_of_fills
from trading.brokers.values import Broker, FillLine, Statement

BROKER = Broker.KITE
KIND = "trades"
NAME = "Kite Connect trades (JSON)"

PRODUCTS = {"CNC": "delivery", "MTF": "delivery", "MIS": "intraday"}
TIME_STYLE = "%Y-%m-%d %H:%M:%S"
_FIELDS = (
    *("trade_id", "order_id", "exchange", "tradingsymbol", "average_price", "quantity", "transaction_type"),
    "fill_timestamp",
)
_OTHERS = (
    *("product", "tag", "instrument_token", "exchange_order_id", "order_timestamp", "exchange_timestamp"),
    *("placed_by", "user_id", "account_id"),
)  # fields that answers have as well


def matches(head: Document) -> bool:
    """Say whether an answer's objects are fills of Kite."""
    return has_fields(head, ("trade_id", "tradingsymbol", "fill_timestamp"))


def read(document: Document) -> Statement:
    """Return the fills in order of time and trade id. Raises: UnknownLayout, UnreadableFile."""
    return statement_of_fills(
        document, BROKER, KIND, read_rows(object_lines(document, _FIELDS, _OTHERS), _fill, into=packed_fills())
    )


def _fill(line: ObjectLine) -> FillLine:
    exchange = exchange_of(cells.text(line["exchange"]), "EQ")
    symbol = cells.required_text(line["tradingsymbol"])
    if exchange is None:
        raise RefusedRow("unknown_segment", f"{symbol} is of an exchange that cannot be booked.")
    fill_id = cells.identifier(line["trade_id"])
    if fill_id is None:
        raise RefusedRow("no_trade_id", f"{symbol} has no trade id.")
    at = cells.moment(line["fill_timestamp"], TIME_STYLE)
    return FillLine(
        place=line.place,
        instrument=named(symbol, exchange),
        segment=segment_of(exchange, symbol),
        side=cells.side(line["transaction_type"]),
        quantity=cells.above_zero(line["quantity"]),
        price=cells.above_zero(line["average_price"]),
        day=at.date(),
        at=at,
        currency="INR",
        fill_id=fill_id,
        order_id=cells.identifier(line["order_id"]),
        product=PRODUCTS.get(cells.text(line["product"])),
        tag=cells.text(line["tag"]) or None,
    )
