"""Kite Connect's charges of an order before it is placed or after: `/margins/orders` and `/charges/orders` (the
"virtual contract note"). They are estimates, per order and unrounded: they do not add up to the contract note's, which
rounds by the day and takes the day's average price for STT.
"""

from __future__ import annotations

from decimal import Decimal

from trading.brokers import cells
from trading.brokers.contracts import exchange_of, named
from trading.brokers.document import Document
from trading.brokers.objects import ObjectLine, has_fields, object_lines
from trading.brokers.reading import RefusedRow, read_rows
from trading.brokers.values import Broker, EstimateLine, Head, Statement

BROKER = Broker.KITE
KIND = "charges"
NAME = "Kite Connect charges of orders (JSON)"

_HEADS = {
    "exchange_turnover_charge": Head.EXCHANGE,
    "sebi_turnover_charge": Head.SEBI,
    "brokerage": Head.BROKERAGE,
    "stamp_duty": Head.STAMP,
}
_TAXES = {"stt": Head.STT, "ctt": Head.CTT}


def matches(head: Document) -> bool:
    """Say whether an answer's objects have a block of charges."""
    return has_fields(head, ("tradingsymbol", "exchange", "charges"))


def read(document: Document) -> Statement:
    """Return one estimate per order; ``stated`` is the API's total of all, ``computed`` that of their heads. Raises:
    UnknownLayout, UnreadableFile."""
    lines = object_lines(document, ("tradingsymbol", "exchange", "charges"))
    rows = read_rows(lines, _estimate)
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count,
        estimates=tuple(rows.read),
        rejected=tuple(rows.rejected),
        stated={"charges": sum((estimate.total for estimate in rows.read), Decimal(0))},
        computed={"charges": sum((sum(estimate.charges.values(), Decimal(0)) for estimate in rows.read), Decimal(0))},
        is_empty=not rows.count,
    )


def _estimate(line: ObjectLine) -> EstimateLine:
    charges, symbol = line.inside("charges"), cells.required_text(line["tradingsymbol"])
    exchange = exchange_of(cells.text(line["exchange"]), "EQ")
    tax = _TAXES.get(cells.text(charges["transaction_tax_type"]).lower())
    if exchange is None or (tax is None and cells.number_or_none(charges["transaction_tax"])):
        raise RefusedRow("unknown_charges", f"{symbol} has an exchange or a transaction tax that is not known.")
    amounts = {head: cells.number(charges[name]) for name, head in _HEADS.items()}
    amounts[Head.GST] = cells.number(charges.inside("gst")["total"])
    if tax is not None:
        amounts[tax] = cells.number(charges["transaction_tax"])
    is_side_told = not cells.is_blank(line["transaction_type"])
    return EstimateLine(
        place=line.place,
        instrument=named(symbol, exchange),
        charges=amounts,
        total=cells.number(charges["total"]),
        side=cells.side(line["transaction_type"]) if is_side_told else None,
        quantity=cells.number_or_none(line["quantity"]),
        price=cells.number_or_none(line["price"]),
    )
