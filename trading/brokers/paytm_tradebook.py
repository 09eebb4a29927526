"""Paytm Money's tradebook: each fill with its charges.

`Script` (as Paytm spells it) changes from month to month for one and the same company, so that the ISIN tells what was
traded. Trade number 0 means none, and such a row has no clock. STT and stamp duty of a company's day stand on one of
its rows; here they are charges of the day, since they belong to no fill. `ETT` is the exchange's transaction charge.
"""

from __future__ import annotations

from datetime import date, datetime

from trading.brokers.cells import (
    UnreadableCell,
    above_zero,
    clock,
    day,
    identifier,
    moment_of,
    money,
    required_text,
    side,
    text,
)
from trading.brokers.contracts import EQUITY_EXCHANGES
from trading.brokers.document import Document
from trading.brokers.preamble import labelled_text, period
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, find_table, has_header
from trading.brokers.values import Broker, ChargeLine, FillLine, Head, InstrumentName, Segment, Statement

BROKER = Broker.PAYTM
KIND = "tradebook"
NAME = "Paytm Money tradebook (XLSX)"

_OF_FILL = {"Brokerage": Head.BROKERAGE, "ETT": Head.EXCHANGE, "GST": Head.GST, "SEBI": Head.SEBI}
_OF_DAY = {"STT": Head.STT, "Stamp Duty": Head.STAMP}
_COLUMNS = (
    *("Date", "Script", "ISIN", "Exchange", "Product Type", "Type", "Quantity", "Price", "Brokerage", "ETT", "GST"),
    *("STT", "SEBI", "Stamp Duty", "Order Number", "Trade Number", "Trade Time"),
)
_NO_TRADE_NUMBER = "0"
_EQUITY = "EQ"


def matches(head: Document) -> bool:
    """Say whether a file has the tradebook's columns, two of which only Paytm writes so."""
    return has_header(head, _COLUMNS)


def read(document: Document) -> Statement:
    """Return what a tradebook says. Raises: UnknownLayout, UnreadableCell (in its period)."""
    sheet = document.sheets[0]
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    draft = StatementDraft(document)
    for line in table.lines():
        draft.rows_read += 1
        try:
            fill = _fill(line)
            charges = [
                ChargeLine(
                    place=line.place,
                    head=head,
                    amount=money(line[column]),
                    day=fill.day,
                    last_day=fill.day,
                    segment=Segment.EQUITY,
                    exchange=fill.instrument.exchange,
                    instrument=fill.instrument,
                )
                for column, head in _OF_DAY.items()
            ]
        except UnreadableCell as error:
            draft.reject(error)
            continue
        draft.fills.append(fill)
        draft.charges.extend(charges)
    return draft.statement(
        BROKER,
        KIND,
        days=period(document, sheet, "Period"),
        client=labelled_text(document, sheet, "UCC"),
        is_empty=not draft.rows_read,
    )


def _fill(line: SheetLine) -> FillLine:
    """Return a fill with the charges that are its own. Raises: UnreadableCell."""
    if required_text(line["Product Type"]) != _EQUITY:
        raise line["Product Type"].refused("and only rows of EQ are known")
    exchange = required_text(line["Exchange"])
    if exchange not in EQUITY_EXCHANGES:
        raise line["Exchange"].refused("neither NSE nor BSE")
    fill_day = day(line["Date"], "%d-%m-%Y")
    trade_number = identifier(line["Trade Number"])
    return FillLine(
        place=line.place,
        instrument=InstrumentName(
            exchange=exchange, isin=required_text(line["ISIN"]), code=text(line["Script"]) or None
        ),
        segment=Segment.EQUITY,
        side=side(line["Type"]),
        quantity=above_zero(line["Quantity"]),
        price=above_zero(line["Price"]),
        day=fill_day,
        at=_at(line, fill_day),
        currency="INR",
        fill_id=None if trade_number == _NO_TRADE_NUMBER else trade_number,
        order_id=identifier(line["Order Number"]),
        charges={head: money(line[column]) for column, head in _OF_FILL.items()},
    )


def _at(line: SheetLine, fill_day: date) -> datetime | None:
    """Return the fill's instant, None where the row has no clock."""
    cell = line["Trade Time"]
    if text(cell) in ("", "-"):
        return None
    return moment_of(cell, fill_day, clock(cell, "%H:%M:%S"))
