"""What the letters of an XLSX cell mean: its column, its text, its number, and by its style a day or a time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from xml.etree.ElementTree import Element

from trading.brokers.document import CellValue

_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_NOT_PATTERN = re.compile(r'"[^"]*"|\\.|_.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_START = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's times have no zone
_SERIALS = (61, 2_958_466)  # from the first of March 1900, before which the count is off, to the end of 9999


@lru_cache(maxsize=256)  # asked twice for every cell
def local(tag: str) -> str:
    """Return an element's name without its namespace."""
    return tag.rpartition("}")[2]


def unescaped(text: str) -> str:
    """Return a text with its letters in place of escapes as `_x000D_`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def column_of(reference: str) -> int:
    """Return the column's number, from 1, of a cell as `AB12`. Raises: ValueError."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError("no reference of a cell")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return column


def number_of(text: str, is_date: bool) -> CellValue:
    """Return a number cell: whole, a double, or in a date's style the day, the time of day, or both together."""
    content = int(text) if text.lstrip("-").isdigit() and len(text) < 16 else float(text)
    if not is_date or not (0 <= content < 1 or _SERIALS[0] <= content < _SERIALS[1]):
        return content
    instant = _START + timedelta(milliseconds=round(Decimal(text) * 86_400_000))
    if content < 1:
        return instant.time()
    return instant.date() if isinstance(content, int) else instant


def date_styles(styles: Element) -> frozenset[int]:
    """Return the numbers of the cell styles that show a date or a time."""
    patterns = {each.get("numFmtId"): each.get("formatCode", "") for each in styles.iterfind("{*}numFmts/{*}numFmt")}
    formats = [each.get("numFmtId", "0") for each in styles.iterfind("{*}cellXfs/{*}xf")]
    return frozenset(index for index, number in enumerate(formats) if _is_date(number, patterns.get(number)))


def _is_date(number: str, pattern: str | None) -> bool:
    """Say whether a number format shows a date or a time: by its pattern, or by the number of a built-in one."""
    if pattern is None:
        return number.isdigit() and int(number) in _BUILT_IN_DATES
    letters = _NOT_PATTERN.sub("", pattern).casefold()
    return letters != "general" and any(letter in letters for letter in "ymdhs")
