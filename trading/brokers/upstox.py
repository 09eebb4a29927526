"""What Upstox's files have in common: its names, the period of its reports, the heads of charges as it spells them."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from trading.brokers.cells import PlacedCell, day, text
from trading.brokers.document import Document, Sheet
from trading.brokers.preamble import labelled, texts
from trading.brokers.tables import find_header
from trading.brokers.values import Head

# Of today, and of the company whose business it took over.
COMPANIES = ("UPSTOX SECURITIES PRIVATE LIMITED", "RKSV SECURITIES")
PREAMBLE_ROWS_MAX = 40
_PERIOD = re.compile(r"(\d\d-\d\d-\d{4})\s+to\s+(\d\d-\d\d-\d{4})", re.IGNORECASE)
# In this order: "IGST 18% On Brokerage" is GST, and "SEBI turnover fees" are SEBI's.
_HEADS = (
    (re.compile(r"GST"), Head.GST),
    (re.compile(r"\bSTT\b|SECURIT(?:Y|IES) TRANSACTION TAX"), Head.STT),
    (re.compile(r"\bCTT\b|COMMODIT(?:Y|IES) TRANSACTION TAX"), Head.CTT),
    (re.compile(r"SEBI"), Head.SEBI),
    (re.compile(r"STAMP"), Head.STAMP),
    (re.compile(r"IPFT"), Head.IPFT),
    (re.compile(r"DEMAT|\bDP\b"), Head.DP),
    (re.compile(r"TURNOVER|TRANSACTION CH"), Head.EXCHANGE),
    (re.compile(r"BROKERAGE"), Head.BROKERAGE),
)


def names_upstox(content: str) -> bool:
    """Say whether a cell or a line has the company's name in it."""
    return any(company in content.upper() for company in COMPANIES)


def is_report(head: Document, columns: Collection[str]) -> bool:
    """Say whether a sheet names Upstox above a header with these columns."""
    return any(
        find_header(sheet, columns) is not None and any(map(names_upstox, texts(sheet, PREAMBLE_ROWS_MAX)))
        for sheet in head.sheets
    )


def period_of(document: Document, sheet: Sheet) -> tuple[date, date] | None:
    """Return the days of `28-08-2026 To 04-09-2026`, the day first; None where the report does not say them."""
    cell = labelled(document, sheet, "Report Time Period", PREAMBLE_ROWS_MAX)
    match = None if cell is None else _PERIOD.fullmatch(text(cell))
    if cell is None or match is None:
        return None
    first, last = (day(PlacedCell(each, cell.column, cell.place), "%d-%m-%Y") for each in match.groups())
    return first, last


def client_of(document: Document, sheet: Sheet) -> str | None:
    """Return the client's code."""
    cell = labelled(document, sheet, "UCC", PREAMBLE_ROWS_MAX)
    return text(cell) if cell is not None else None


def head_of(label: str) -> Head:
    """Return the head that a label stands for, `OTHER` for one that no rule names. The exchange's charge has the
    contribution to the investor protection fund in it."""
    return next((head for pattern, head in _HEADS if pattern.search(label.upper())), Head.OTHER)
