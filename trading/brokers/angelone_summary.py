"""What stands above the table of Angel One's trades: sums of charges, by label, and the days of the report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from trading.brokers.cells import PlacedCell, day, money, text
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labels
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.tables import SheetTable, header_key
from trading.brokers.values import Head, Place

_OTHERS = "non trade charges"


def read_sums(
    document: Document, sheet: Sheet, table: SheetTable, heads: Mapping[str, Head], draft: StatementDraft
) -> None:
    """Take the sums above the table; those of charges that no trade caused are left out: they tell no day."""
    names = {header_key(column): head.value for column, head in heads.items()}
    names |= {"total trade charges": "trade_charges", "total trades": "trades"}
    titles = [header_key(row[0]) if row else "" for row in sheet.rows[: table.header_index]]
    other_charges = titles.index(_OTHERS) + 1 if _OTHERS in titles else table.header_index
    for label, cell in labels(document, sheet, table.header_index):
        name = names.get(header_key(label))
        if cell.place.row > other_charges:
            draft.ignore(cell.place, "non_trade_charge", f"{label} {text(cell)}: of the period, without a day.")
        elif name is not None:
            draft.stated[name] = money(cell)


def period(document: Document, sheet: Sheet, table: SheetTable) -> list[date]:
    """Return the first and the last day, which stand beside their labels or below them; nothing where they do not."""
    days = []
    for label in ("StartDate", "EndDate"):
        cell = _beside_or_below(document, sheet, table, label)
        if cell is not None:
            # `2026-08-31 23:59:59.0`: ISO, with a clock that means the whole day
            days.append(day(PlacedCell(text(cell)[:10], label, cell.place), "%Y-%m-%d"))
    return days if len(days) == 2 else []


def _beside_or_below(document: Document, sheet: Sheet, table: SheetTable, label: str) -> PlacedCell | None:
    """Return the cell right of a label in the first column, or below it where another label stands right of it."""
    rows = sheet.rows[: table.header_index]
    for index, row in enumerate(rows[:-1]):
        keys = [header_key(cell) for cell in row]
        if header_key(label) not in keys:
            continue
        column = keys.index(header_key(label))
        is_beside = column == 0 and len(keys) > 1 and keys[1] not in ("", "enddate")
        source, place = (row, 1) if is_beside else (rows[index + 1], column)
        content = source[place] if place < len(source) else None
        return None if content is None else PlacedCell(content, label, Place(document.name, sheet.name, index + 1))
    return None
