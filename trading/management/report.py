"""A command's answer before it is written in any format: tables, charts, notes, and the JSON object itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from trading.domain import display
from trading.domain.drawing import Chart
from trading.domain.plain_json import jsonable

Value = str | int | float | Decimal | date | None  # of a cell; a datetime is a date, a bool an int


@dataclass(frozen=True, slots=True)
class Table:
    """One table: column titles and rows of values.

    Decimals are money in ``currency``; numbers are set right, above and below zero in colour where ``coloured`` names
    the column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    currency: str = ""
    coloured: frozenset[str] = frozenset()
    last_is_total: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A command's answer: ``data`` is the JSON object, ``tables`` the same for people, ``notes`` lines below them.

    ``sheet`` is what CSV gets where people are better served by several narrow tables.
    """

    title: str
    data: Mapping[str, Any]
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=tuple)
    sheet: Table | None = None
    charts: Sequence[Chart] = field(default_factory=tuple)


def cell_text(cell: Value, currency: str) -> str:
    """Return a cell's value as people read it."""
    if cell is None:
        return display.UNDEFINED
    if isinstance(cell, Decimal):
        return display.money(cell, currency)
    if isinstance(cell, float):
        return display.ratio(cell)
    return str(jsonable(cell)) if isinstance(cell, date) else str(cell)


def is_numeric(table: Table, number: int) -> bool:
    """Tell whether a column holds numbers."""
    cells = [row[number] for row in table.rows if row[number] is not None]
    return bool(cells) and all(isinstance(cell, int | float | Decimal) for cell in cells)


def tone(table: Table, number: int, cell: Value) -> str:
    """Return `gain` or `loss` for a coloured cell above or below zero, else nothing."""
    if table.columns[number] not in table.coloured or not isinstance(cell, int | float | Decimal) or not cell:
        return ""
    return "gain" if cell > 0 else "loss"
