"""A command's answer before it is written in any format: tables, charts, notes, and the JSON object itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from timeseries.values import instant_text
from trading.domain import display

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
class Chart:
    """Amounts under their labels, drawn on the page only: a line that goes on, or bars from zero."""

    title: str
    labels: Sequence[str]
    values: Sequence[Decimal]
    currency: str = ""
    is_line: bool = False


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


def cell_text(value: Value, currency: str) -> str:
    """Return a cell's value as people read it."""
    if value is None:
        return display.UNDEFINED
    if isinstance(value, Decimal):
        return display.money(value, currency)
    if isinstance(value, float):
        return display.ratio(value)
    return str(jsonable(value)) if isinstance(value, date) else str(value)


def is_numeric(table: Table, number: int) -> bool:
    """Tell whether a column holds numbers."""
    values = [row[number] for row in table.rows if row[number] is not None]
    return bool(values) and all(isinstance(value, int | float | Decimal) for value in values)


def tone(table: Table, number: int, value: Value) -> str:
    """Return `gain` or `loss` for a coloured cell above or below zero, else nothing."""
    if table.columns[number] not in table.coloured or not isinstance(value, int | float | Decimal) or not value:
        return ""
    return "gain" if value > 0 else "loss"


def jsonable(value: Decimal | date) -> str:
    """Return what stands for a value in JSON: decimals as plain strings, times ISO UTC with `Z`. Raises: TypeError."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} has no place in JSON")
        return display.plain(value)
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")
