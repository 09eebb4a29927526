"""Dhan's realised profit and loss report: each segment's charges by head, then its closed lots.

The workbook is written for people: amounts are texts with blanks around them and `-` for none, a remark stands inside
the rows, a segment's lots begin somewhere under its title, and Dhan names itself by its company alone, in the last
row. No layout of it shows a period; without one its sums are of no days, so that they stand as totals and nothing
else. Futures and options are one segment there, so that their charges are of no segment here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading.brokers.cells import UnreadableCell, money_or_none, quantity, required_text, text
from trading.brokers.dhan_contracts import without_exchange
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled_text, period, row_texts
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine, find_header, find_table
from trading.brokers.values import Broker, ChargeLine, Head, PositionLine, Segment, Statement

BROKER = Broker.DHAN
KIND = "realised_pnl"
NAME = "Dhan realised profit and loss report (XLS)"

_TITLE = "realised profit and loss report"
_HEADS = {
    "Brokerage": Head.BROKERAGE,
    "Exch. Charges": Head.EXCHANGE,
    "SEBI Fees": Head.SEBI,
    "GST": Head.GST,
    "STT": Head.STT,
    "Stamp Duty": Head.STAMP,
    "Other Charges": Head.OTHER,
}
_SUMMARY = ("Segment", "Buy Value", "Sell Value", "Gross P&L", *_HEADS, "Total Charges", "Net P&L")
_LOTS = (
    *("Sr.", "Security Name", "ISIN", "Qty.", "Avg. Buy Price", "Buy Value", "Avg. Sell Price", "Sell Value"),
    *("Realised P&L", "Realised P&L%"),
)
_SEGMENTS = {  # a segment as the summary names it: its name among the totals, and the title of its lots
    "equity": ("equity", "equity segment"),
    "futures and options": ("fno", "f&o segment"),
    "commodities": ("commodity", "commodities segment"),
    "currency": ("currency", "currency segment"),
}
_REMARK = "generated on"  # stands behind a row of lots
_TITLE_ROWS_MAX = 20
_NONE = Decimal(0)


def matches(head: Document) -> bool:
    """Say whether a sheet has the report's title and its table of segments."""
    return _sheet(head) is not None


def read(document: Document) -> Statement:
    """Return what a report says. Raises: UnknownLayout, UnreadableCell (in its period)."""
    sheet = _sheet(document) or document.sheets[0]
    days = period(document, sheet)
    draft = StatementDraft(document)
    for line in find_table(document, sheet, _SUMMARY).lines():
        names = _SEGMENTS.get(text(line["Segment"]).casefold()) if not line.is_overlong else None
        if names is None:
            break  # the summary ends at the first title
        draft.rows_read += 1
        try:
            _read_segment(draft, line, names[0], days)
        except UnreadableCell as error:
            draft.reject(error)
            continue
        realised = [_read_lot(draft, lot, days) for lot in _lots(document, sheet, names[1])]
        draft.compare(f"{names[0]}_gross_pnl", sum(realised, _NONE), HALF_PAISA * (len(realised) + 1))
    is_empty = not draft.rejected and not any(draft.stated.values())
    return draft.statement(BROKER, KIND, days=days, client=labelled_text(document, sheet, "UCC"), is_empty=is_empty)


def _sheet(document: Document) -> Sheet | None:
    for sheet in document.sheets:
        titles = (cell.casefold() for row in sheet.rows[:_TITLE_ROWS_MAX] for cell in row_texts(row))
        if find_header(sheet, _SUMMARY) is not None and any(title.startswith(_TITLE) for title in titles):
            return sheet
    return None


def _read_segment(draft: StatementDraft, line: SheetLine, name: str, days: tuple[date, date] | None) -> None:
    """Take a segment's totals, and its charges where the report tells their days. Raises: UnreadableCell."""
    amounts = {column: money_or_none(line[column]) or _NONE for column in _SUMMARY[1:]}
    charges = sum((amounts[column] for column in _HEADS), _NONE)
    draft.stated |= {
        f"{name}_gross_pnl": amounts["Gross P&L"],
        f"{name}_total_charges": amounts["Total Charges"],
        f"{name}_net_pnl": amounts["Net P&L"],
    }
    draft.compare(f"{name}_total_charges", charges, HALF_PAISA * (len(_HEADS) + 1))
    draft.compare(f"{name}_net_pnl", amounts["Gross P&L"] - amounts["Total Charges"], 3 * HALF_PAISA)
    if days is None:
        draft.ignore(line.place, "no_period", "The report tells no period: its charges are of no days.")
        return
    segment = Segment.EQUITY if name == "equity" else None
    draft.charges += [
        ChargeLine(line.place, head, amounts[column], *days, segment=segment) for column, head in _HEADS.items()
    ]


def _lots(document: Document, sheet: Sheet, title: str) -> Iterator[SheetLine]:
    """Yield the closed lots under a segment's title, the remark that stands behind one of them taken off."""
    start = next((index for index, row in enumerate(sheet.rows) if row and row_texts(row)[0].casefold() == title), None)
    if start is None:
        return
    table = find_table(document, sheet, _LOTS, start=start)
    width = max(table.columns.values()) + 1
    for line in table.lines():
        beyond = [cell for cell in row_texts(line.cells[width:]) if cell]
        if not row_texts(line.cells[:1])[0].isdecimal():
            return
        has_remark = len(beyond) == 1 and beyond[0].casefold().startswith(_REMARK)
        yield replace(line, cells=line.cells[:width], is_overlong=False) if has_remark else line


def _read_lot(draft: StatementDraft, line: SheetLine, days: tuple[date, date] | None) -> Decimal:
    """Take a lot where the report tells its days, and return what it made; 0 of one that is refused."""
    draft.rows_read += 1
    try:
        realised = money_or_none(line["Realised P&L"]) or _NONE
        name, units = required_text(line["Security Name"]), quantity(line["Qty."])
        bought, sold = (money_or_none(line[column]) or _NONE for column in ("Buy Value", "Sell Value"))
    except UnreadableCell as error:
        draft.reject(error)
        return _NONE
    if days is None:
        draft.ignore(line.place, "no_period", f"The report tells no period: what {name} made is of no days.")
        return realised
    isin = text(line["ISIN"])
    draft.positions.append(
        PositionLine(
            place=line.place,
            instrument=without_exchange(line["Security Name"], isin if isin != "-" and isin else None),
            day=days[0],
            last_day=days[1],
            bought_quantity=units,
            bought_value=bought,
            sold_quantity=units,
            sold_value=sold,
            realised_pnl=realised,
        )
    )
    return realised
