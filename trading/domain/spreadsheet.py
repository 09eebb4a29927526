"""Cells of a CSV file that a spreadsheet opens: no text may run as a formula, and money stays a plain number."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from trading.domain.display import plain

# A spreadsheet takes a cell that begins like this for a formula, whatever blank stands before it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any) -> str:
    """Return one cell: decimals plain, dates and times ISO, a dict its JSON, None empty; text that could run gets an
    apostrophe."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    if text[:1].isalnum():  # as nearly all begin
        return text
    is_formula = text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS)
    return f"'{text}" if is_formula else text
