"""The dated schedule of charges on Indian exchanges: its rows, and the one in force on a day. Pure.

The file (`trading/data/charge_schedule.json`, whose own `about` says how it is laid out) is add-only: a rate that
changes is another row. What no row covers is not known: None, and never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import pairwise, product

from trading.domain.chain import Body
from trading.domain.charge_heads import Head, Segment
from trading.domain.money import SCALE, to_units

DELIVERY, INTRADAY = "delivery", "intraday"
PRODUCTS = (DELIVERY, INTRADAY)
MARKETS = ("NSE", "BSE", "MCX")
# An exchange by the market that charges for it.
_MARKET_OF = {"NSE": "NSE", "NFO": "NSE", "CDS": "NSE", "BSE": "BSE", "BFO": "BSE", "BCD": "BSE", "MCX": "MCX"}
EVERY = "*"


class Base(StrEnum):
    """What a rate is taken of."""

    TURNOVER = "turnover"
    DAY_AVERAGE = "day_average"
    INTRINSIC = "intrinsic"
    SETTLEMENT = "settlement"
    ORDER = "order"
    ISIN_DAY = "isin_day"
    HEADS = "heads"


class Sure(StrEnum):
    """How sure a row is, the surest first."""

    RECOMPUTED = "V"
    SEVERAL = "S"
    SINGLE = "1"
    UNSETTLED = "?"


_WEAKNESS = {mark: rank for rank, mark in enumerate(Sure)}


def weakest(*marks: Sure) -> Sure:
    """Return the least sure of some marks: what rests on several rows is as sure as the weakest."""
    return max(marks, key=_WEAKNESS.__getitem__, default=Sure.RECOMPUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRate:
    """One dated row; ``rate`` in percent of the base, ``flat``, ``cap`` and ``floor`` in rupees.

    ``segment``, ``product``, ``exchange`` and ``plan`` are "" where it is for all of them; ``groups`` names those of
    shares or the underlyings that it is for, () all others. A row with neither rate nor flat says that the charge is
    not settled.
    """

    line: Head
    segment: str
    product: str
    exchange: str
    groups: tuple[str, ...]
    plan: str
    base: Base
    side: str
    heads: tuple[Head, ...]
    rate: Decimal | None
    flat: Decimal | None
    cap: Decimal | None
    floor: Decimal | None
    first_day: date
    source: str
    sure: Sure
    note: str

    def is_for(self, line: Head, base: Base, segment: str, product: str, exchange: str, plan: str) -> bool:
        """Tell whether the row is of this line and covers what is named."""
        return (
            (self.line, self.base, self.plan) == (line, base, plan)
            and self.segment in ("", segment)
            and self.product in ("", product)
            and self.exchange in ("", exchange)
        )

    def of_order(self, turnover: int) -> int:
        """Return the brokerage of an executed order of this turnover, both in 10^-48 rupees, unrounded."""
        if self.flat is not None:
            return exact(self.flat)
        amount = max(self.of(turnover), exact(self.floor or Decimal(0)))
        return amount if self.cap is None else min(amount, exact(self.cap))

    def of(self, amount: int) -> int:
        """Return the rate's percentage of an amount, both in 10^-48 rupees; 0 where the row has no rate."""
        return 0 if self.rate is None else amount * to_units(self.rate) // (100 * SCALE)


@dataclass(frozen=True, slots=True)
class ChargeSchedule:
    """All rows in the order of the file."""

    rows: tuple[ChargeRate, ...]
    _answers: dict[tuple[str, ...], tuple[list[ChargeRate], bool]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def in_force(
        self,
        line: Head,
        base: Base,
        day: date,
        *,
        segment: Segment,
        exchange: str,
        product: str = "",
        group: str | None = None,
        plan: str = "",
    ) -> tuple[ChargeRate | None, bool]:
        """Return the row in force on a day, None where the schedule has none; and whether the group leaves it open.

        ``exchange`` is the market (NSE, BSE, MCX); ``group`` a share's group or a contract's underlying, None where
        that is not known: where it decides, the row of all others is returned, and True beside it.
        """
        key = (line, base, segment, exchange, product, group or "", plan)
        if key not in self._answers:
            covering = [row for row in self.rows if row.is_for(line, base, segment, product, exchange, plan)]
            own = [row for row in covering if group in row.groups]
            is_open = group is None and any(row.groups for row in covering)
            self._answers[key] = (own or [row for row in covering if not row.groups], is_open)
        rows, is_open = self._answers[key]
        return next((row for row in reversed(rows) if row.first_day <= day), None), is_open

    def on(self, day: date) -> list[ChargeRate]:
        """Return the rows in force on a day, in the order of the file."""
        newest: dict[tuple[str, ...], ChargeRate] = {}
        for row in self.rows:
            if row.first_day <= day:
                newest[_family(row)] = row
        return list(newest.values())

    def plans(self) -> list[str]:
        """Return the names of the brokerage plans."""
        return sorted({row.plan for row in self.rows if row.plan})


def exact(rupees: Decimal) -> int:
    """Return rupees of at most 8 decimals in 10^-48."""
    return to_units(rupees) * 10**40


def market_of(exchange: str) -> str | None:
    """Return the market whose charges an exchange of VELOX has (NSE for NFO and CDS), None where none is known."""
    return _MARKET_OF.get(exchange)


def parse_schedule(text: str) -> ChargeSchedule:
    """Read the file of the schedule.

    Raises: ValueError, naming the row by its number from 1, where something is missing or no date, number or name.
    """
    content: Body = json.loads(text)
    rows = []
    for number, body in enumerate(content["rows"], 1):
        try:
            rows.append(_row(body, content["sources"]))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise ValueError(f"row {number} of the schedule of charges: {error!r} is wrong or missing") from error
    return ChargeSchedule(tuple(rows))


def _row(body: Body, sources: Body) -> ChargeRate:
    def amount(name: str) -> Decimal | None:
        text = body.get(name)
        return None if text is None else Decimal(text)

    segment, exchange = body["segment"], body["exchange"]
    return ChargeRate(
        line=Head(body["line"]),
        segment="" if segment == EVERY else Segment(segment),
        product=body.get("product", ""),
        exchange="" if exchange == EVERY else exchange,
        groups=tuple(body.get("of", ())),
        plan=body.get("plan", ""),
        base=Base(body["base"]),
        side=body.get("side", ""),
        heads=tuple(Head(head) for head in body.get("heads", ())),
        rate=amount("rate"),
        flat=amount("flat"),
        cap=amount("cap"),
        floor=amount("floor"),
        first_day=date.fromisoformat(body["from"]),
        source=str(sources[body["source"]]),
        sure=Sure(body["sure"]),
        note=body.get("note", ""),
    )


def faults(schedule: ChargeSchedule) -> Iterator[str]:
    """Yield what is wrong with a schedule: rows out of order, two in force at once, a missing source, an odd amount."""
    for number, row in enumerate(schedule.rows, 1):
        amounts = [amount for amount in (row.rate, row.flat, row.cap, row.floor) if amount is not None]
        if not row.source.strip():
            yield f"row {number} has no source"
        if any(not amount.is_finite() or amount < 0 for amount in amounts) or (row.rate or 0) > 100:
            yield f"row {number} has an amount that no charge has"
        if row.floor is not None and row.cap is not None and row.floor > row.cap:
            yield f"row {number} has a floor above its cap"
        if (row.base == Base.HEADS) != bool(row.heads):
            yield f"row {number} is of heads and names none, or the other way round"
        if row.product not in ("", *PRODUCTS) or row.exchange not in ("", *MARKETS):
            yield f"row {number} has an unknown product or exchange"
    families: dict[tuple[str, ...], list[ChargeRate]] = {}
    for row in schedule.rows:
        families.setdefault(_family(row), []).append(row)
    for rows in families.values():
        if any(later.first_day <= row.first_day for row, later in pairwise(rows)):
            yield f"{_words(rows[0])}: its dates do not ascend"
    yield from _overlaps(schedule, {(family[0], family[1], family[5]) for family in families})


def _overlaps(schedule: ChargeSchedule, lines: set[tuple[str, ...]]) -> Iterator[str]:
    """Yield where two rows of different families cover the same fill."""
    for (line, base, plan), segment, exchange in product(sorted(lines), Segment, MARKETS):
        for kind in PRODUCTS if segment == Segment.EQUITY else ("",):
            terms = (Head(line), Base(base), segment, kind, exchange, plan)
            covering = [row for row in schedule.rows if row.is_for(*terms)]
            for group in {"", *(name for row in covering for name in row.groups)}:
                of_group = [row for row in covering if (group in row.groups if group else not row.groups)]
                if len({_family(row) for row in of_group}) > 1:
                    yield f"{_words(of_group[0])}: two kinds of rows cover {segment} {kind} {exchange} {group}".rstrip()


def _family(row: ChargeRate) -> tuple[str, ...]:
    """Return what the rows have in common of which the newest is in force."""
    return (row.line, row.base, row.segment, row.product, row.exchange, row.plan, " ".join(row.groups))


def _words(row: ChargeRate) -> str:
    return " ".join(filter(None, (row.line, row.plan, row.segment, row.product, row.exchange)))
