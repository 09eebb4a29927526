"""Groww's order history: one row per order with its amount and no price, no charges, and a clock without seconds.

The file never says Groww; its `Exchange Order Id` beside `Execution date and time` is Groww's wording.
"""

from __future__ import annotations

from trading.brokers.cells import UnreadableCell, above_zero, identifier, moment, required_text, side, text
from trading.brokers.contracts import EQUITY_EXCHANGES
from trading.brokers.document import Document
from trading.brokers.preamble import labelled_text, period
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, find_table, has_header
from trading.brokers.unit_prices import unit_price
from trading.brokers.values import Broker, FillKind, FillLine, InstrumentName, Segment, Statement

BROKER = Broker.GROWW
KIND = "orders"
NAME = "Groww order history of stocks (XLSX)"

_COLUMNS = (
    *("Stock name", "Symbol", "ISIN", "Type", "Quantity", "Value", "Exchange", "Exchange Order Id"),
    *("Execution date and time", "Order status"),
)
_EXECUTED = "executed"


def matches(head: Document) -> bool:
    """Say whether a file has the columns of an order history."""
    return has_header(head, _COLUMNS)


def read(document: Document) -> Statement:
    """Return what an order history says. Raises: UnknownLayout, UnreadableCell (in its period)."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    draft = StatementDraft(document)
    for line in table.lines():
        draft.rows_read += 1
        try:
            status = required_text(line["Order status"])
            if status.casefold() != _EXECUTED:
                draft.ignore(line.place, "not_executed", f"The order's status is {status}.")
                continue
            draft.fills.append(_order(line))
        except UnreadableCell as error:
            draft.reject(error)
    return draft.statement(
        BROKER,
        KIND,
        days=period(document, sheet, "Order history"),
        client=labelled_text(document, sheet, "Unique Client Code"),
        is_empty=not draft.fills and not draft.rejected,  # orders that were not executed are none
    )


def _order(line: SheetLine) -> FillLine:
    """Return an executed order. Raises: UnreadableCell."""
    units, amount = above_zero(line["Quantity"]), above_zero(line["Value"])
    at = moment(line["Execution date and time"], "%d-%m-%Y %I:%M %p")
    exchange = required_text(line["Exchange"])
    if exchange not in EQUITY_EXCHANGES:
        raise line["Exchange"].refused("neither NSE nor BSE")
    return FillLine(
        place=line.place,
        instrument=InstrumentName(
            exchange=exchange,
            symbol=identifier(line["Symbol"]),
            isin=identifier(line["ISIN"]),
            company=text(line["Stock name"]) or None,
        ),
        segment=Segment.EQUITY,
        side=side(line["Type"]),
        quantity=units,
        price=unit_price(amount, units),
        day=at.date(),
        at=at,
        currency="INR",
        order_id=identifier(line["Exchange Order Id"]),
        kind=FillKind.ORDER,
        amount=amount,
    )
