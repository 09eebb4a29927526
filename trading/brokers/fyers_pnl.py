"""Fyers' report of realised profit and loss, CSV: charges by head for the period, and gross profit per contract.

The block of charges has not always agreed with the tradebook of the same window; it is taken as stated.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial

from trading.brokers import cells
from trading.brokers.contracts import exchange_of_contract, listed_on, named
from trading.brokers.document import Document
from trading.brokers.fyers_report import is_report, report_of
from trading.brokers.preamble import labels
from trading.brokers.reading import read_rows
from trading.brokers.tables import SheetLine, find_table
from trading.brokers.values import Broker, ChargeLine, Head, PositionLine, Statement
from trading.errors import UnknownLayout

BROKER = Broker.FYERS
KIND = "pnl"
NAME = "Fyers realised profit and loss"

_COLUMNS = ("Symbol name", "Symbol code", "Segment", "Gross P&L", "Buy qty", "Sell qty", "Buy price", "Sell price")
_HEADS = {
    "transaction charges": Head.EXCHANGE,
    "ipft": Head.IPFT,
    "stamp duty": Head.STAMP,
    "gst": Head.GST,
    "brokerage": Head.BROKERAGE,
    "ctt": Head.CTT,
    "sebi": Head.SEBI,
    "stt": Head.STT,
}
_TOTALS = {"gross p&l": "gross_pnl", "total charges": "charges"}


def matches(head: Document) -> bool:
    """Say whether the title is that of Fyers' report of profit and loss."""
    return is_report(head, "Realised P&L report")


def read(document: Document) -> Statement:
    """Return positions and charges over the period, as stated. Raises: UnknownLayout, UnreadableCell."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS)
    report = report_of(document, sheet)
    if report.first_day is None or report.last_day is None:
        raise UnknownLayout(f"{document.name} tells no period.", field="Date Range", hint="Nothing was read.")
    charges = [
        ChargeLine(cell.place, _HEADS[label.casefold()], cells.money(cell), report.first_day, report.last_day)
        for label, cell in labels(document, sheet, table.header_index)
        if label.casefold() in _HEADS
    ]
    rows = read_rows(table.lines(), partial(_position, report.first_day, report.last_day))
    return Statement(
        file=document.name,
        sha256=document.sha256,
        broker=BROKER,
        kind=KIND,
        zone=cells.INDIA.key,
        rows_read=rows.count,
        first_day=report.first_day,
        last_day=report.last_day,
        client=report.client,
        charges=tuple(charges),
        positions=tuple(rows.read),
        rejected=tuple(rows.rejected),
        stated={
            _TOTALS[label.casefold()]: cells.money(cell)
            for label, cell in labels(document, sheet, table.header_index)
            if label.casefold() in _TOTALS
        },
        computed={
            "gross_pnl": sum((each.realised_pnl or Decimal(0) for each in rows.read), Decimal(0)),
            "charges": sum((charge.amount for charge in charges), Decimal(0)),
        },
        is_empty=not rows.count and not any(charge.amount for charge in charges),
    )


def _position(first_day: date, last_day: date, line: SheetLine) -> PositionLine:
    prefix, _, symbol = cells.required_text(line["Symbol name"]).rpartition(":")
    return PositionLine(
        place=line.place,
        instrument=named(symbol, listed_on(prefix, symbol) if prefix else exchange_of_contract(symbol)),
        day=first_day,
        last_day=last_day,
        bought_quantity=cells.number_or_none(line["Buy qty"]),
        sold_quantity=cells.number_or_none(line["Sell qty"]),
        realised_pnl=cells.money(line["Gross P&L"]),
    )
