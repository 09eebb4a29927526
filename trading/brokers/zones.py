"""Clock times of a file that names no zone, as Interactive Brokers' do: they wait for the zone that a person states."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trading.brokers.cells import PlacedCell, UnreadableCell, in_zone
from trading.brokers.packed_fills import few_or_packed, packed_fills
from trading.brokers.values import FillLine, Remark, Statement
from trading.errors import InvalidValue


def needs_zone(statement: Statement) -> bool:
    """Say whether a file has clock times and no zone for them: nothing of it may be booked before one is stated."""
    return not statement.zone and any(fill.at is not None for fill in statement.fills)


def with_zone(statement: Statement, zone: str) -> Statement:
    """Return a statement whose fills' naive times are read in ``zone`` (`America/New_York`); one that names its own
    zone as it is. A fill at a time that the zone's clocks skip or show twice is rejected and never guessed.

    Raises:
        InvalidValue: for a zone that there is none of.
    """
    if statement.zone:
        return statement
    try:
        rules = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(
            f"There is no time zone {zone!r}.", field="zone", hint="Name it as in America/New_York."
        ) from None
    fills, rejected = packed_fills(), list(statement.rejected)
    for fill in statement.fills:
        try:
            fills.append(_placed(fill, rules))
        except UnreadableCell as error:
            rejected.append(Remark(fill.place, "ambiguous_time", error.message))
    return replace(statement, zone=rules.key, fills=few_or_packed(fills), rejected=tuple(rejected))


def _placed(fill: FillLine, zone: ZoneInfo) -> FillLine:
    if fill.at is None or fill.at.tzinfo is not None:
        return fill
    return replace(fill, at=in_zone(fill.at, zone, PlacedCell(fill.at, "time", fill.place)))
