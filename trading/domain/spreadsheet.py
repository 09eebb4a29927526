"""Cells of a CSV file that a spreadsheet opens: no text may run as a formula, and money stays a plain number."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from trading.domain.chain import JSON
from trading.domain.display import json_text, plain

# A spreadsheet takes a cell that begins like this for a formula, whatever blank stands before it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(content: JSON | Decimal | date) -> str:
    """Return one cell: decimals plain, dates and times ISO, a dict its JSON, None empty; text that could run gets an
    apostrophe."""
    # By its type, for a file has millions of cells; what is none of these is tried in turn.
    if content is None:
        return ""
    if type(content) is str:
        return f"'{content}" if is_formula(content) else content
    if isinstance(content, Decimal):
        return plain(content)
    if isinstance(content, int | float):
        return str(content)
    if isinstance(content, datetime | date):
        return content.isoformat()
    text = json_text(content) if isinstance(content, dict) else str(content)
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet could take a text for a formula."""
    if text[:1].isalnum():  # as nearly all begin
        return False
    return text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS)
