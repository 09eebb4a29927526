"""Cells of brokers' files, read exactly: money, quantities, days, clocks and instants; nothing in them is guessed.

A format states how its file writes a number or a date; a cell that is written otherwise is refused with its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from trading.brokers.document import CellValue
from trading.brokers.values import Place
from trading.errors import InvalidValue

INDIA = ZoneInfo("Asia/Kolkata")
RUPEE_MARKS = ("₹", "Rs.", "Rs", "INR")
# The style of a date that a text tells as a day's number in a spreadsheet: "45810".
SERIAL = "serial"
_SERIAL_START = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's days have no zone
# A number cell outside these days (1954 to 2119) is no day, but a year, a compact date or an amount.
_SERIAL_DAYS = (20_000, 80_000)
_TEXT_LENGTH_MAX = 80
_DIGITS_KEPT_BY_SHEETS = 15
_DOUBLE = Context(prec=15)  # the digits that a double keeps of any decimal
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\ufeff", " "))
_EMPTY = ("", "-", "--")
_SIDES = {"BUY": "BUY", "B": "BUY", "SELL": "SELL", "S": "SELL"}
_RUINED = re.compile(r"\d+(?:\.\d*)?[eE]\+?\d+")


class DecimalStyle(Enum):
    """How a file writes numbers; the groups are those of thousands or of lakhs and crores."""

    POINT = "point"  # 1,52,250.00 and 152,250.00
    COMMA = "comma"  # 152.250,00


_NUMBERS = {
    DecimalStyle.POINT: re.compile(
        r"(?:(?P<whole>[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}|\d+)(?:\.(?P<part>\d*))?|\.(?P<bare>\d+))"
        r"(?P<exponent>[eE]-\d{1,2})?"
    ),
    DecimalStyle.COMMA: re.compile(
        r"(?:(?P<whole>[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,(?P<part>\d*))?|,(?P<bare>\d+))(?P<exponent>[eE]-\d{1,2})?"
    ),
}


class UnreadableCell(InvalidValue):
    """A cell that does not hold what its column should, at ``place``: its row is to be rejected, never guessed."""

    code = "unreadable_cell"

    def __init__(self, message: str, *, place: Place, column: str) -> None:
        super().__init__(f"{describe(place)}: {message}", field=column, hint="Correct the row or leave it out.")
        self.place = place
        self.column = column


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """One cell: what stands in it, the column's name, and the place of its row."""

    content: CellValue
    column: str
    place: Place

    def refused(self, kind: str) -> UnreadableCell:
        """Return the error that this cell is not what its column holds: ``kind`` as in "no amount"."""
        content = repr(text(self)[:_TEXT_LENGTH_MAX]) if not is_blank(self) else "an empty cell"
        return UnreadableCell(f"{self.column!r} is {content}, {kind}.", place=self.place, column=self.column)


def describe(place: Place) -> str:
    """Return a place for people: file, sheet where there is one, row."""
    return f"{place.file}{f', sheet {place.sheet!r}' if place.sheet else ''}, row {place.row}"


def text(cell: PlacedCell) -> str:
    """Return a cell as text: outer blanks gone, whole numbers without a fraction, an empty cell as ""."""
    content = cell.content
    if isinstance(content, str):
        return (content if content.isascii() else content.translate(_BLANKS)).strip()
    if content is None:
        return ""
    if isinstance(content, float) and content.is_integer() and abs(content) < 1e15:
        return str(int(content))
    return content.isoformat() if isinstance(content, date | time) else str(content)


def is_blank(cell: PlacedCell) -> bool:
    """Say whether a cell has nothing but blanks in it; a dash is something."""
    return cell.content is None or (isinstance(cell.content, str) and not cell.content.translate(_BLANKS).strip())


def required_text(cell: PlacedCell) -> str:
    """Return a cell's text. Raises: UnreadableCell where it is empty."""
    content = text(cell)
    if content in _EMPTY:
        raise cell.refused("and may not be")
    return content


def identifier(cell: PlacedCell) -> str | None:
    """Return a broker's id as it stands; None where the cell is empty or a spreadsheet ruined it.

    Ruined is `2.2E+15`, and a number of more than 15 digits: a spreadsheet keeps no further ones, so that two ids
    could become one.
    """
    content = text(cell)
    if content in _EMPTY or _RUINED.fullmatch(content):
        return None
    if isinstance(cell.content, float) and not cell.content.is_integer():
        raise cell.refused("no id")
    if isinstance(cell.content, int | float) and len(content.lstrip("-")) > _DIGITS_KEPT_BY_SHEETS:
        return None
    return content


def number(cell: PlacedCell, style: DecimalStyle = DecimalStyle.POINT, *, marks: tuple[str, ...] = ()) -> Decimal:
    """Return a cell's exact number, its sign by minus before or behind, or by brackets; a double's is without the noise
    of binary arithmetic: 9.459999999999999 is 9.46.

    ``marks`` are the currency's marks that may stand before or behind it. Raises: UnreadableCell, also where the cell
    is empty.
    """
    content = cell.content
    if isinstance(content, bool):
        raise cell.refused("no number")
    if isinstance(content, int):
        return Decimal(content)
    if isinstance(content, float):
        exact = Decimal(repr(content))
        if not exact.is_finite():
            raise cell.refused("no number")
        return _DOUBLE.plus(exact)
    if not isinstance(content, str):
        raise cell.refused("no number")
    exact_text = _exact(text(cell), style, marks)
    if exact_text is None:
        raise cell.refused("no number")
    return exact_text


def number_or_none(
    cell: PlacedCell, style: DecimalStyle = DecimalStyle.POINT, *, marks: tuple[str, ...] = ()
) -> Decimal | None:
    """Return a cell's exact number, None where it is empty or a dash. Raises: UnreadableCell."""
    return None if text(cell) in _EMPTY else number(cell, style, marks=marks)


def money(cell: PlacedCell) -> Decimal:
    """Return an amount in rupees: groups of lakhs or thousands, `₹`, brackets. Raises: UnreadableCell."""
    return number(cell, marks=RUPEE_MARKS)


def money_or_none(cell: PlacedCell) -> Decimal | None:
    """Return an amount in rupees, None where the cell is empty or a dash. Raises: UnreadableCell."""
    return number_or_none(cell, marks=RUPEE_MARKS)


def quantity(cell: PlacedCell) -> Decimal:
    """Return a quantity in units, signed as it stands; without a currency's mark. Raises: UnreadableCell."""
    return number(cell)


def above_zero(cell: PlacedCell) -> Decimal:
    """Return a quantity or price, which must be above 0. Raises: UnreadableCell."""
    exact = number(cell, marks=RUPEE_MARKS)
    if exact <= 0:
        raise cell.refused("not above 0")
    return exact


def side(cell: PlacedCell) -> str:
    """Return BUY or SELL. Raises: UnreadableCell for any other word."""
    word = _SIDES.get(text(cell).upper())
    if word is None:
        raise cell.refused("neither buy nor sell")
    return word


@lru_cache(maxsize=8192)  # a file repeats its quantities and prices
def _exact(content: str, style: DecimalStyle, marks: tuple[str, ...]) -> Decimal | None:
    """Return the number that a text is, None where it is none."""
    if len(content) > _TEXT_LENGTH_MAX:
        return None
    content = content.replace("\u2212", "-")
    is_negative = content.startswith("(") and content.endswith(")")
    content = content[1:-1].strip() if is_negative else content
    for _ in range(2):  # a mark and a sign, in either order: "-$5", "$-5", "5-"
        content, had_sign = _without_sign(_without_mark(content, marks))
        if had_sign and is_negative:
            return None
        is_negative = is_negative or had_sign
    match = _NUMBERS[style].fullmatch(content)
    if match is None or not content.isascii():
        return None
    whole = (match["whole"] or "0").replace(",", "").replace(".", "")
    exact = Decimal(f"{whole}.{match['part'] or match['bare'] or '0'}{match['exponent'] or ''}")
    exact = (
        exact if (match["part"] or match["bare"]) or exact != exact.to_integral_value() else exact.to_integral_value()
    )
    return -exact if is_negative else exact


def _without_mark(content: str, marks: tuple[str, ...]) -> str:
    for mark in marks:
        if content.startswith(mark):
            return content[len(mark) :].strip()
        if content.endswith(mark):
            return content[: -len(mark)].strip()
    return content


def _without_sign(content: str) -> tuple[str, bool]:
    if content.startswith("-"):
        return content[1:].strip(), True
    if content.endswith("-"):
        return content[:-1].strip(), True
    return content.removeprefix("+").strip(), False


def day(cell: PlacedCell, *styles: str) -> date:
    """Return a cell's day. ``styles`` are strptime's, as the format's file writes it, or `SERIAL`; a sheet's own date
    and its day's number need none. Raises: UnreadableCell."""
    content = cell.content
    if isinstance(content, datetime):
        return content.date()
    if isinstance(content, date):
        return content
    return _instant(cell, styles, "no day").date()


def clock(cell: PlacedCell, *styles: str) -> time:
    """Return a cell's naive time of day, in strptime's ``styles`` (`%I:%M:%S %p` for twelve hours); a sheet's own time
    and a fraction of a day need none. Raises: UnreadableCell."""
    content = cell.content
    if isinstance(content, time):
        return content
    if isinstance(content, datetime):
        return content.time()
    if isinstance(content, float | int) and not isinstance(content, bool) and 0 <= content < 1:
        return (_SERIAL_START + _of_days(content)).time()
    if isinstance(content, str):
        parsed = _parsed(text(cell), styles)
        if parsed is not None:
            return parsed.time()
    raise cell.refused("no time of day")


def moment(cell: PlacedCell, *styles: str, zone: ZoneInfo = INDIA) -> datetime:
    """Return a cell's aware instant, in ``zone``; a style with `%z` reads the offset that stands there. Raises:
    UnreadableCell, also for a time that the zone's clocks skip or show twice."""
    instant = naive_moment(cell, *styles)
    return instant.astimezone(zone) if instant.tzinfo else in_zone(instant, zone, cell)


def naive_moment(cell: PlacedCell, *styles: str) -> datetime:
    """Return a cell's date and time as they stand, for a file that names no zone; aware only where a style reads an
    offset. Raises: UnreadableCell."""
    content = cell.content
    return content if isinstance(content, datetime) else _instant(cell, styles, "no date and time")


def moment_of(day_cell: PlacedCell, naive_day: date, naive_clock: time, zone: ZoneInfo = INDIA) -> datetime:
    """Return the aware instant of a day and a clock that stand in two columns. Raises: UnreadableCell as `moment`."""
    return in_zone(datetime.combine(naive_day, naive_clock), zone, day_cell)


def in_zone(naive: datetime, zone: ZoneInfo, cell: PlacedCell) -> datetime:
    """Return a naive time as an instant of the zone. Raises: UnreadableCell where it is none there, or two."""
    aware = naive.replace(tzinfo=zone)
    if aware.utcoffset() != aware.replace(fold=1).utcoffset():
        raise cell.refused(f"a time that the clocks of {zone.key} skip or show twice")
    return aware


def _instant(cell: PlacedCell, styles: tuple[str, ...], kind: str) -> datetime:
    content = cell.content
    if isinstance(content, float | int) and not isinstance(content, bool):
        if _SERIAL_DAYS[0] <= content <= _SERIAL_DAYS[1]:
            return _SERIAL_START + _of_days(content)
    elif isinstance(content, str):
        parsed = _parsed(text(cell), styles)
        if parsed is not None:
            return parsed
    raise cell.refused(kind)


def _of_days(days: float) -> timedelta:
    """Return a sheet's days as a duration: whole milliseconds, since a double tells a time of day no finer."""
    return timedelta(milliseconds=round(Decimal(repr(days)) * 86_400_000))


@lru_cache(maxsize=8192)  # a file repeats its days and seconds
def _parsed(content: str, styles: tuple[str, ...]) -> datetime | None:
    """Return what the first fitting style reads, None where none fits."""
    if len(content) > _TEXT_LENGTH_MAX:
        return None
    for style in styles:
        if style == SERIAL:
            if re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", content) and _SERIAL_DAYS[0] <= float(content) <= _SERIAL_DAYS[1]:
                return _SERIAL_START + timedelta(milliseconds=round(Decimal(content) * 86_400_000))
            continue
        if style.endswith(("%M", "%S")) and not content[-2:].isdigit():
            continue  # a file that is cut within its last cell
        try:
            return datetime.strptime(content, style)  # noqa: DTZ007 - the caller gives the zone
        except ValueError:
            continue
    return None
