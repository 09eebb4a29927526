"""Heads of charges as Zerodha's Console names them, and the block in which it adds them up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.brokers import cells
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labels
from trading.brokers.values import Head, Place

# Without the ` - Z` behind them; the columns of the tax statement among them.
HEADS = {
    "brokerage": Head.BROKERAGE,
    "exchange transaction charges": Head.EXCHANGE,
    "central gst": Head.GST,
    "state gst": Head.GST,
    "integrated gst": Head.GST,
    "cgst": Head.GST,
    "sgst": Head.GST,
    "igst": Head.GST,
    "securities transaction tax": Head.STT,
    "stt": Head.STT,
    "commodities transaction tax": Head.CTT,
    "ctt": Head.CTT,
    "sebi turnover fees": Head.SEBI,
    "sebi charges": Head.SEBI,
    "stamp duty": Head.STAMP,
    "ipft": Head.IPFT,
    "clearing charges": Head.OTHER,
}
_MARK = " - z"


@dataclass(frozen=True, slots=True)
class HeadAmount:
    """One line of the block: what a head costs over the statement's period; a cost above 0."""

    place: Place
    head: Head
    amount: Decimal


def head_of(label: str) -> Head | None:
    """Return the head that a label or a column names."""
    return HEADS.get(label.casefold().removesuffix(_MARK))


def is_marked(label: str) -> bool:
    """Say whether a label ends as only Zerodha's heads do."""
    return label.casefold().endswith(_MARK)


def amounts_by_head(document: Document, sheet: Sheet) -> list[HeadAmount]:
    """Return the amounts of a sheet's block; a head with Zerodha's mark that is none of the above is OTHER. Raises:
    UnreadableCell."""
    return [
        HeadAmount(cell.place, head_of(label) or Head.OTHER, cells.money(cell))
        for label, cell in labels(document, sheet)
        if is_marked(label) or label.casefold() == "ipft"
    ]


def total_by_head(amounts: list[HeadAmount]) -> dict[Head, Decimal]:
    """Return the sums by head."""
    totals: dict[Head, Decimal] = {}
    for each in amounts:
        totals[each.head] = totals.get(each.head, Decimal(0)) + each.amount
    return totals
