"""Angel One's tax P&L (XLSX): several tables under titles on each sheet, every number a text.

Results stand there by purchase and sale, never by fill. Their charges are not apart by head and their net results hold
them, so that values alone are taken: what was made is the sale less the purchase. Transfers and buybacks are proposed
as actions. The public files have no entries: columns are theirs, and a date with slashes is refused, since whether day
or month comes first is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial

from trading.brokers.angelone_tax_rows import TaxRow, is_sentence, is_total
from trading.brokers.angelone_tax_sections import SECTIONS, TaxSection
from trading.brokers.cells import UnreadableCell, money_or_none, text
from trading.brokers.document import CellRow, Document, Sheet
from trading.brokers.preamble import labelled
from trading.brokers.reading import ReadRows, read_rows
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetLine, SheetTable, find_header, find_table, header_key, is_blank_row
from trading.brokers.values import ActionLine, BillLine, Broker, PositionLine, Statement
from trading.errors import UnknownLayout

BROKER = Broker.ANGELONE
KIND = "tax_pnl"
NAME = "Angel One tax P&L"

_COMPANY = "angel one limited"
_SHEETS = ("Equity+Bonds+SGB Trade Details", "Derivatives Trade Details")
_CLIENT_LABELS = ("Client Code", "ClientCode", "Client ID")
_SUMMED = ("Buy Value", "Sell Value", "Dividend Amount", "Debit Amount", "Credit Amount")


def matches(head: Document) -> bool:
    """Say whether the first sheet begins with the broker's name and one of its sheets of trades is there."""
    names = {*head.sheet_names, *(sheet.name for sheet in head.sheets)}
    rows = head.sheets[0].rows if head.sheets else ()
    return bool(rows and rows[0]) and header_key(rows[0][0]).startswith(_COMPANY) and not names.isdisjoint(_SHEETS)


def read(document: Document) -> Statement:
    """Return the results, holdings and cash lines of every table. Raises: UnknownLayout."""
    tables = [each for sheet in document.sheets for each in _tables(document, sheet)]
    if not tables:
        raise UnknownLayout(f"{document.name} has none of the tables of a tax P&L.", hint="Nothing was read.")
    draft = StatementDraft(document)
    for title, section, table in tables:
        lines = list(_lines(table))
        rows: ReadRows[TaxRow] = read_rows(
            (line for line in lines if not is_total(line)), partial(section.row_of, title)
        )
        for row in draft.add(rows):
            _take(row, draft)
        _compare(section, lines, draft)
    lists: tuple[Sequence[TaxRow], ...] = (draft.positions, draft.actions, draft.bills)
    days = [each.day for rows_of_kind in lists for each in rows_of_kind]
    return draft.statement(
        BROKER,
        KIND,
        days=(min(days), max(days)) if days else None,
        client=_client(document),
        is_empty=not draft.rows_read,
    )


def _take(row: TaxRow, draft: StatementDraft) -> None:
    match row:
        case PositionLine():
            draft.positions.append(row)
        case ActionLine():
            draft.actions.append(row)
        case BillLine():
            draft.bills.append(row)


def _client(document: Document) -> str | None:
    cells = (labelled(document, document.sheets[0], label) for label in _CLIENT_LABELS)
    return next((text(cell) for cell in cells if cell is not None), None)


def _tables(document: Document, sheet: Sheet) -> Iterator[tuple[str, TaxSection, SheetTable]]:
    """Yield each table with its title: a row of one cell, or the sheet's name where the table is alone on it.

    Raises: UnknownLayout where the columns under a title lack some that are needed.
    """
    alone = _section(sheet.name)
    if alone is not None and find_header(sheet, alone.columns) is not None:
        yield sheet.name, alone, find_table(document, sheet, alone.columns)
        return
    for index, row in enumerate(sheet.rows):
        title = _title(row)
        section = _section(title)
        following = range(index + 1, len(sheet.rows))
        header = next((n for n in following if not is_blank_row(sheet.rows[n])), None)
        if section is None or header is None or _title(sheet.rows[header]):
            continue  # no title, or none with a table
        # Of this row alone: the columns of a later table would hide that this one's are new.
        own = Sheet(sheet.name, sheet.rows[: header + 1])
        table = find_table(document, own, section.columns, start=header)
        yield title, section, SheetTable(document.name, sheet, header, table.columns)


def _title(row: CellRow) -> str:
    """Return the text of a row that has one cell with something in it, else an empty one."""
    filled = [cell for cell in row if not is_blank_row([cell])]
    return header_key(filled[0]) if len(filled) == 1 else ""


def _section(title: str) -> TaxSection | None:
    return next((section for section in SECTIONS if header_key(title).startswith(section.title)), None)


def _lines(table: SheetTable) -> Iterator[SheetLine]:
    """Yield the rows of a table, up to the first blank one or the next title."""
    row = table.header_index + 1
    for line in table.lines():
        row += 1
        if line.place.row != row or is_sentence(line):
            return
        yield line


def _compare(section: TaxSection, lines: list[SheetLine], draft: StatementDraft) -> None:
    """Put the sums that a table states beside what its rows add up to."""
    for total in filter(is_total, lines):
        for column in _SUMMED:
            amount = money_or_none(total.get(column))
            if amount is None:
                continue
            name = f"{section.title} {column.casefold()}"
            draft.stated[name] = draft.stated.get(name, Decimal(0)) + amount
            amounts = (_amount(line, column) for line in lines if not is_total(line))
            draft.compare(name, draft.computed.get(name, Decimal(0)) + sum(amounts, Decimal(0)))


def _amount(line: SheetLine, column: str) -> Decimal:
    """Return an amount, 0 of a row that is rejected."""
    try:
        return money_or_none(line.get(column)) or Decimal(0)
    except UnreadableCell:
        return Decimal(0)
