"""Groww's P&L of stocks: each closed lot with its days, what is held, and the period's charges by head.

Prices are rounded to two decimals and amounts are exact. A lot counts on the day of its sale; that it was intraday is
told by a remark alone. The client's code is a number there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, day, money, text
from trading.brokers.document import CellRow, Document, Sheet
from trading.brokers.lots import LotColumns, closed_lot, holding
from trading.brokers.preamble import labelled_text, period, row_texts
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine, find_table
from trading.brokers.values import (
    Broker,
    ChargeLine,
    Head,
    Place,
    Segment,
    Statement,
)
from trading.errors import UnknownLayout

BROKER = Broker.GROWW
KIND = "pnl"
NAME = "Groww P&L of stocks (XLSX)"

_LOTS, _SCRIPS = "Trade Level", "Scrip Level"
_REALISED = (
    *("Stock name", "ISIN", "Quantity", "Buy date", "Buy price", "Buy value", "Sell date", "Sell price"),
    *("Sell value", "Realised P&L", "Remark"),
)
_UNREALISED = (
    *("Stock name", "ISIN", "Quantity", "Avg Buy price", "Buy value", "Closing price", "Closing value"),
    *("Unrealised P&L", "Unrealised P&L %"),
)
_HELD = re.compile(r"Unrealised \(Holdings as on (?P<day>\d{2}-\d{2}-\d{4})\)")
_LOT = LotColumns(
    company="Stock name",
    bought_on="Buy date",
    sold_on="Sell date",
    bought="Buy value",
    sold="Sell value",
    realised="Realised P&L",
    day_styles=("%d-%m-%Y",),
)
_INTRADAY = "intraday trade"
_ENDS = ("unrealised trades", "disclaimer")  # how a row starts that ends the closed lots
_HEADS = {
    "exchange transaction charges": Head.EXCHANGE,
    "sebi charges": Head.SEBI,
    "stt": Head.STT,
    "stamp duty": Head.STAMP,
    "ipft charges": Head.IPFT,
    "brokerage": Head.BROKERAGE,
    "cdsl dp charges": Head.DP,
    "groww dp charges": Head.DP,
    "total gst": Head.GST,
}  # any other, such as the three of margin funding, is one that no schedule computes
_TOTALS = {"realised p&l": "realised_pnl", "unrealised p&l": "unrealised_pnl"}


def matches(head: Document) -> bool:
    """Say whether a file has the two sheets of Groww's P&L."""
    return {_LOTS, _SCRIPS} <= {sheet.name for sheet in head.sheets} | set(head.sheet_names)


def read(document: Document) -> Statement:
    """Return what a P&L says. Raises: UnknownLayout, UnreadableCell (in its period, summary or charges)."""
    sheets = {sheet.name: sheet for sheet in document.sheets}
    lots = sheets[_LOTS]
    days = period(document, lots, "P&L Statement")
    if days is None:
        raise UnknownLayout(f"{document.name} tells no period.", hint="Nothing was read. Download the report anew.")
    draft = StatementDraft(document)
    _read_summary(draft, lots, days)
    _read_realised(draft, lots)
    _read_held(draft, sheets[_SCRIPS])
    draft.compare("total_charges", sum((line.amount for line in draft.charges), Decimal(0)))
    is_empty = not draft.rows_read and not any(draft.stated.values())
    client = labelled_text(document, lots, "Unique Client Code")
    return draft.statement(BROKER, KIND, days=days, client=client, is_empty=is_empty)


def _read_summary(draft: StatementDraft, sheet: Sheet, days: tuple[date, date]) -> None:
    """Take the totals above the tables, and the charges between `Charges` and their `Total`."""
    is_charge = False
    for index, cells in enumerate(sheet.rows):
        label, amount = _pair(cells)
        if label.casefold() == "realised trades":
            return
        place = Place(draft.document.name, sheet.name, index + 1)
        if label.casefold() == "charges":
            is_charge = True
        elif label and amount is not None:
            _take(draft, PlacedCell(amount, label, place), days, is_charge=is_charge)


def _take(draft: StatementDraft, cell: PlacedCell, days: tuple[date, date], *, is_charge: bool) -> None:
    label = cell.column.casefold()
    if not is_charge:
        if label in _TOTALS:
            draft.stated[_TOTALS[label]] = money(cell)
    elif label == "total":
        draft.stated["total_charges"] = money(cell)
    else:
        head = _HEADS.get(label, Head.OTHER)
        draft.charges.append(ChargeLine(cell.place, head, money(cell), *days, segment=Segment.EQUITY))


def _pair(cells: CellRow) -> tuple[str, str | int | float | None]:
    """Return the first cell's text, and the second cell where it is filled with a text or a number."""
    row = row_texts(cells[:2])
    amount = cells[1] if len(row) > 1 and row[1] else None
    return (row[0] if row else "", amount if isinstance(amount, str | int | float) else None)


def _read_realised(draft: StatementDraft, sheet: Sheet) -> None:
    """Take every closed lot; the open ones under them are those of the other sheet, one by one."""
    table = find_table(draft.document, sheet, _REALISED)
    for line in table.lines():
        if row_texts(line.cells[:1])[0].casefold().startswith(_ENDS):
            break
        draft.rows_read += 1
        try:
            lot = closed_lot(line, _LOT)
            is_intraday = text(line["Remark"]).casefold() == _INTRADAY
            draft.positions.append(replace(lot, intraday_pnl=lot.realised_pnl if is_intraday else Decimal(0)))
        except UnreadableCell as error:
            draft.reject(error)
    lots = [lot.realised_pnl or Decimal(0) for lot in draft.positions]
    draft.compare("realised_pnl", sum(lots, Decimal(0)), HALF_PAISA * (len(lots) + 1))


def _read_held(draft: StatementDraft, sheet: Sheet) -> None:
    """Take what is held at the end of the period, one row per scrip."""
    for index, cells in enumerate(sheet.rows):
        match = _HELD.fullmatch(row_texts(cells[:1])[0]) if cells else None
        if match is None:
            continue
        place = Place(draft.document.name, sheet.name, index + 1)
        held_on = day(PlacedCell(match["day"], "Unrealised", place), "%d-%m-%Y")
        table = find_table(draft.document, sheet, _UNREALISED, start=index)
        unrealised = [_take_held(draft, line, held_on) for line in table.lines()]
        draft.compare("unrealised_pnl", sum(unrealised, Decimal(0)), HALF_PAISA * (len(unrealised) + 1))


def _take_held(draft: StatementDraft, line: SheetLine, held_on: date) -> Decimal:
    """Take one scrip that is held, and return what it would make; 0 of the total, and of a row that is refused."""
    if row_texts(line.cells[:1])[0].casefold() == "total":
        return Decimal(0)
    draft.rows_read += 1
    try:
        unrealised = money(line["Unrealised P&L"])
        draft.positions.append(holding(line, "Stock name", "Buy value", held_on))
        return unrealised
    except UnreadableCell as error:
        draft.reject(error)
        return Decimal(0)
