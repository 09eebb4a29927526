"""What Fyers' reports have in common: a title, the client, and the period, as labels above a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from trading.brokers import cells
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled
from trading.brokers.tables import header_key

_PERIOD = re.compile(r"(?:from )?(?P<first>\d\d/\d\d/\d{4}) (?:to|-) (?P<last>\d\d/\d\d/\d{4})")
_PREAMBLE_ROWS = 30


@dataclass(frozen=True, slots=True)
class FyersReport:
    """A report's preamble; each None where the file does not tell it."""

    client: str | None
    first_day: date | None
    last_day: date | None


def is_report(head: Document, title: str) -> bool:
    """Say whether a CSV is Fyers' report of that title."""
    for sheet in head.sheets if head.container == "csv" else ():
        cell = labelled(head, sheet, "Report Title", _PREAMBLE_ROWS)
        if cell is not None and header_key(cell.content) == header_key(title):
            return True
    return False


def report_of(document: Document, sheet: Sheet) -> FyersReport:
    """Return what the preamble tells. Raises: UnreadableCell for a day that there is none of."""
    client = labelled(document, sheet, "Client ID", _PREAMBLE_ROWS)
    span = labelled(document, sheet, "Date Range", _PREAMBLE_ROWS)
    match = _PERIOD.fullmatch(" ".join(cells.text(span).casefold().split())) if span else None
    first_day = last_day = None
    if match and span:
        first_day, last_day = (
            cells.day(cells.PlacedCell(match[name], span.column, span.place), "%d/%m/%Y") for name in ("first", "last")
        )
    return FyersReport(cells.text(client) if client else None, first_day, last_day)
