"""Upstox's realised P&L (XLSX): one row per purchase matched with its sale, and the charges of the whole period.

A result under `Speculation` was made within a day. The exchange of a share is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from trading.brokers.cells import (
    PlacedCell,
    day,
    identifier,
    is_blank,
    money,
    money_or_none,
    number,
    text,
)
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled, labels
from trading.brokers.reading import RefusedRow, read_rows
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, SheetTable, find_table, header_key, sheet_with
from trading.brokers.upstox import client_of, head_of, is_report, period_of
from trading.brokers.values import Broker, ChargeLine, Head, InstrumentName, PositionLine, Remark, Segment, Statement
from trading.errors import UnknownLayout

BROKER = Broker.UPSTOX
KIND = "pnl"
NAME = "Upstox realised P&L"

_COLUMNS = (
    *("Scrip Name", "Scrip Code", "Symbol", "ISIN", "Scrip Opt", "Qty", "Buy Date", "Buy Rate", "Buy Amt"),
    *("Sell Date", "Sell Rate", "Sell Amt", "Days", "Total PL", "Short Term", "Long Term", "Speculation", "Turn Over"),
)
_MARKS = ("Scrip Opt", "Speculation", "Turn Over", "Total PL")
_DAY_STYLES = ("%d-%m-%Y", "%Y-%m-%d")
_CHARGES_TITLE, _CHARGES_TOTAL = "charges", "total"
_PAISA = Decimal("0.01")


def matches(head: Document) -> bool:
    """Say whether a sheet names Upstox above the columns of realised results."""
    return is_report(head, _MARKS)


def read(document: Document) -> Statement:
    """Return the results, and the charges by head. Raises: UnknownLayout."""
    sheet = sheet_with(document, _COLUMNS)
    table = find_table(document, sheet, _COLUMNS, is_exact=True)
    period = period_of(document, sheet)
    if period is None:
        raise UnknownLayout(f"{document.name} does not say its period.", hint="Nothing was read.")
    draft = StatementDraft(document)
    draft.positions = list(draft.add(read_rows(table.lines(), _result)))
    is_empty = draft.is_empty
    segment = labelled(document, sheet, "Segment", table.header_index)
    is_equity = segment is not None and text(segment).upper() == "EQ"
    draft.charges = [
        ChargeLine(cell.place, head, amount, *period, segment=Segment.EQUITY if is_equity else None)
        for head, (cell, amount) in _charges(document, sheet, table).items()
    ]
    draft.stated = _stated(document, sheet, table)
    paid = sum((charge.amount for charge in draft.charges), Decimal(0))
    gross = sum((row.realised_pnl or Decimal(0) for row in draft.positions), Decimal(0))
    draft.compare("gross_pnl", gross)
    draft.compare("charges", paid)
    draft.compare("net_pnl", draft.stated.get("gross_pnl", gross) - paid)
    return draft.statement(BROKER, KIND, days=period, client=client_of(document, sheet), is_empty=is_empty)


def _result(line: SheetLine) -> PositionLine | Remark:
    """Return one matched purchase and sale, on the day on which the second of them was made."""
    if all(is_blank(line[name]) for name in _COLUMNS[1:]):
        return Remark(line.place, "footer", "A sentence below the table.")
    if header_key(line["Scrip Name"].content) == _CHARGES_TOTAL:
        return Remark(line.place, "total", "The sum of the rows above.")
    closed_on = max(day(line["Buy Date"], *_DAY_STYLES), day(line["Sell Date"], *_DAY_STYLES))
    units, bought, sold = number(line["Qty"]), money(line["Buy Amt"]), money(line["Sell Amt"])
    realised = money(line["Total PL"])
    if abs(sold - bought - realised) > _PAISA:
        raise RefusedRow("amount_conflict", f"The result {realised} is not {sold} less {bought}.")
    name = InstrumentName(
        symbol=text(line["Symbol"]) or None,
        isin=text(line["ISIN"]) or None,
        company=text(line["Scrip Name"]) or None,
        code=identifier(line["Scrip Code"]),
    )
    return PositionLine(
        line.place,
        name,
        closed_on,
        closed_on,
        bought_quantity=units,
        bought_value=bought,
        sold_quantity=units,
        sold_value=sold,
        realised_pnl=realised,
        intraday_pnl=money_or_none(line["Speculation"]) or None,
    )


def _charge_cells(document: Document, sheet: Sheet, table: SheetTable) -> Iterator[tuple[str, PlacedCell]]:
    """Yield the labels and amounts between the title of the charges and the table, their total among them."""
    titles = [header_key(row[0]) if row else "" for row in sheet.rows[: table.header_index]]
    if _CHARGES_TITLE in titles:
        start = titles.index(_CHARGES_TITLE) + 1
        yield from (
            (label, cell)
            for label, cell in labels(document, sheet, table.header_index)
            if cell.place.row > start and not is_blank(cell)
        )


def _charges(document: Document, sheet: Sheet, table: SheetTable) -> dict[Head, tuple[PlacedCell, Decimal]]:
    """Return what each head cost in the period, with its first cell; two labels of one head are added up."""
    charges: dict[Head, tuple[PlacedCell, Decimal]] = {}
    for label, cell in _charge_cells(document, sheet, table):
        if header_key(label) != _CHARGES_TOTAL:
            first, amount = charges.get(head_of(label), (cell, Decimal(0)))
            charges[head_of(label)] = first, amount + money(cell)
    return charges


def _stated(document: Document, sheet: Sheet, table: SheetTable) -> dict[str, Decimal]:
    stated = {
        name: money(cell)
        for name, label in (("gross_pnl", "Gross P&L"), ("net_pnl", "Net P&L"))
        if (cell := labelled(document, sheet, label, table.header_index)) is not None
    }
    for label, cell in _charge_cells(document, sheet, table):
        if header_key(label) == _CHARGES_TOTAL:
            stated["charges"] = money(cell)
    return stated
