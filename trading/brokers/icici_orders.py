"""ICICI Direct's order book, CSV: one row per trade, with its charges and the broker's own code of a share.

A row's brokerage includes the tax on it, and its exchange charge the SEBI fee; `Brokerage incl. taxes` is the sum of
all its charges. It tells the day only, and no trade id. Written after what readers of such files expect: no real file
was seen.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.brokers import cells
from trading.brokers.contracts import exchange_of
from trading.brokers.document import Document
from trading.brokers.packed_fills import packed_fills
from trading.brokers.reading import RefusedRow, read_rows, statement_of_fills
from trading.brokers.tables import SheetLine, find_table, has_header
from trading.brokers.values import Broker, FillLine, Head, InstrumentName, Segment, Statement

BROKER = Broker.ICICI
KIND = "orders"
NAME = "ICICI Direct order book"

_COLUMNS = (
    *("Date", "Stock", "Action", "Qty", "Price", "Trade Value", "Order Ref.", "Settlement", "Segment", "Exchange"),
    *("STT", "Stamp Duty", "Brokerage + Service Tax", "Brokerage Incl. Taxes"),
)
# The exchange's charge is named in either way.
_EXCHANGE_CHARGES = ("Transaction and SEBI Turnover charges", "Transaction charges")
_DAY_STYLES = ("%d-%b-%Y", "%d-%b-%y")
_ROUNDING = Decimal("0.01")


def matches(head: Document) -> bool:
    """Say whether a sheet has the column that only ICICI Direct names so, and an order's reference."""
    return has_header(head, ("Brokerage + Service Tax", "Order Ref."))


def read(document: Document) -> Statement:
    """Return the fills by day, as they stand in the file within one; ``stated`` is the sum of the rows' totals of
    charges. Raises: UnknownLayout."""
    table = find_table(document, document.sheets[0], _COLUMNS, optional=_EXCHANGE_CHARGES)
    statement = statement_of_fills(document, BROKER, KIND, read_rows(table.lines(), _fill, into=packed_fills()))
    totals = read_rows(table.lines(), _total).read
    return replace(
        statement,
        stated={"charges": sum(totals, Decimal(0))},
        computed={"charges": sum((sum(fill.charges.values(), Decimal(0)) for fill in statement.fills), Decimal(0))},
        rounding={"charges": _ROUNDING * len(totals)},
    )


def _total(line: SheetLine) -> Decimal:
    return cells.money_or_none(line["Brokerage Incl. Taxes"]) or Decimal(0)


def _fill(line: SheetLine) -> FillLine:
    code = cells.required_text(line["Stock"])
    exchange = exchange_of(cells.text(line["Exchange"]), "EQ")
    if exchange is None:
        raise RefusedRow(
            "unknown_segment", f"{code} is of {cells.text(line['Exchange'])!r}, which is no exchange here."
        )
    quantity, price = cells.above_zero(line["Qty"]), cells.above_zero(line["Price"])
    if abs(quantity * price - cells.money(line["Trade Value"])) > _ROUNDING * quantity:
        raise RefusedRow("value_differs", f"{code}: {quantity} at {price} is not {cells.text(line['Trade Value'])}.")
    charges = {
        Head.STT: cells.money_or_none(line["STT"]),
        Head.EXCHANGE: next(
            (cells.money_or_none(line[name]) for name in _EXCHANGE_CHARGES if name in line.columns), None
        ),
        Head.STAMP: cells.money_or_none(line["Stamp Duty"]),
        Head.BROKERAGE: cells.money_or_none(line["Brokerage + Service Tax"]),
    }
    return FillLine(
        place=line.place,
        instrument=InstrumentName(exchange, code=code),
        segment=Segment.EQUITY,
        side=cells.side(line["Action"]),
        quantity=quantity,
        price=price,
        day=cells.day(line["Date"], *_DAY_STYLES),
        at=None,
        currency="INR",
        order_id=cells.identifier(line["Order Ref."]),
        charges={head: amount for head, amount in charges.items() if amount is not None},
    )
