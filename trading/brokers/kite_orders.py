"""Kite Connect's orders: `/orders`, `/orders/:id`, postbacks, and order updates of its websocket.

Quantity and price of an order are cumulative: what an order stands for is the sum of its fills, in its last state. An
order that may still be filled stands for nothing yet. One without fills, rejected or cancelled, is left out.
"""

from __future__ import annotations

from dataclasses import replace

from trading.brokers import cells
from trading.brokers.contracts import exchange_of, named, segment_of
from trading.brokers.document import Document
from trading.brokers.kite_trades import PRODUCTS, TIME_STYLE
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.reading import RefusedRow, read_rows, statement_of_fills
from trading.brokers.values import Broker, FillKind, FillLine, Remark, Statement

BROKER = Broker.KITE
KIND = "orders"
NAME = "Kite Connect orders, postbacks and order updates (JSON)"

_FIELDS = (
    *("order_id", "status", "exchange", "tradingsymbol", "transaction_type", "average_price", "filled_quantity"),
    "order_timestamp",
)
_FINAL = ("COMPLETE", "CANCELLED", "REJECTED")
_OTHERS = (
    *("product", "tag", "user_id", "exchange_timestamp", "exchange_update_timestamp", "account_id"),
    *("app_id", "cancelled_quantity", "checksum", "disclosed_quantity", "exchange_order_id", "guid"),
    *("instrument_token", "market_protection", "meta", "modified", "order_type", "parent_order_id"),
    *("pending_quantity", "placed_by", "price", "quantity", "status_message", "status_message_raw"),
    *("trigger_price", "unfilled_quantity", "validity", "validity_ttl", "variety", "auction_number"),
    *("tags",),
)  # fields that answers have as well


def matches(head: Document) -> bool:
    """Say whether an answer's objects are orders of Kite."""
    return has_fields(head, ("order_id", "filled_quantity", "tradingsymbol", "status"), without=("trade_id",))


def read(document: Document) -> Statement:
    """Return one fill of kind ORDER for each order that was filled, of its last state. Raises: UnknownLayout,
    UnreadableFile."""
    lines = object_lines(document, _FIELDS, _OTHERS)
    # The API tells an order's states in their order.
    last_states = {cells.text(line["order_id"]): line for line in lines}
    rows = read_rows(last_states.values(), _sum_of_fills)
    superseded = [
        Remark(line.place, "earlier_state", "A later state of the same order follows.")
        for line in lines
        if last_states[cells.text(line["order_id"])] is not line
    ]
    users = {cells.text(line["user_id"]) for line in lines} - {""}
    return replace(
        statement_of_fills(document, BROKER, KIND, rows),
        rows_read=len(lines),
        client=users.pop() if len(users) == 1 else None,
        ignored=(*superseded, *rows.ignored),
        is_empty=not rows.read and not rows.rejected,
    )


def _sum_of_fills(line: ObjectLine) -> FillLine | Remark:
    status, symbol = cells.text(line["status"]), cells.required_text(line["tradingsymbol"])
    if status not in _FINAL:
        return Remark(line.place, "order_open", f"The order of {symbol} is {status}: it may still be filled.")
    return filled_so_far(line)


def filled_so_far(line: ObjectLine) -> FillLine | Remark:
    """Return what of an order is filled by its state, at its average. Raises: RefusedRow, UnreadableCell."""
    status, symbol = cells.text(line["status"]), cells.required_text(line["tradingsymbol"])
    if not cells.quantity(line["filled_quantity"]):
        return Remark(line.place, "order_unfilled", f"The order of {symbol} is {status} without a fill.")
    exchange = exchange_of(cells.text(line["exchange"]), "EQ")
    order_id = cells.identifier(line["order_id"])
    if exchange is None or order_id is None:
        raise RefusedRow("unknown_segment", f"{symbol} is of an exchange that cannot be booked, or has no order id.")
    times = (line["exchange_update_timestamp"], line["exchange_timestamp"], line["order_timestamp"])
    at = cells.moment(next((cell for cell in times if not cells.is_blank(cell)), times[-1]), TIME_STYLE)
    return FillLine(
        place=line.place,
        instrument=named(symbol, exchange),
        segment=segment_of(exchange, symbol),
        side=cells.side(line["transaction_type"]),
        quantity=cells.above_zero(line["filled_quantity"]),
        price=cells.above_zero(line["average_price"]),
        day=at.date(),
        at=at,
        currency="INR",
        order_id=order_id,
        product=PRODUCTS.get(cells.text(line["product"])),
        tag=cells.text(line["tag"]) or None,
        kind=FillKind.ORDER,
    )
