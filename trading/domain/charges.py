"""What fills cost in charges on Indian exchanges, head by head, as a contract note computes it. Pure, and exact.

An estimate is taken per fill without rounding, summed by day, segment and market, and then rounded as notes are:

- brokerage to the paisa per executed order, however many fills it had;
- STT, CTT and stamp half-up to the rupee per day, over the shares of the cash segment apart from futures and options,
  NSE and BSE together; each section keeps its paise and the last one takes the rest, so that the day's sum is the
  note's;
- exchange, IPFT, SEBI and GST to the paisa; GST is taken of the unrounded amounts;
- a depository's charge with its own GST, as its ledger line has it: it is on no contract note.

What the schedule does not know is None with a finding, never 0. A settlement (exercised or expired) is no trade at the
exchange: it bears STT and brokerage alone, and a worthless expiry nothing. A contract that is settled in shares bears
STT of what is paid for them, whichever side; its brokerage and stamp no row tells. The shares come by no trade, and
bear nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

from trading.domain.charge_heads import FillKind, Head, Segment
from trading.domain.charge_products import BUY, EXACT, SELL, ChargedFill, ScripDay, rounded, scrip_day, split
from trading.domain.charge_rounding import as_noted, shares_of
from trading.domain.charge_schedule import (
    DELIVERY,
    INTRADAY,
    Base,
    ChargeRate,
    ChargeSchedule,
    Sure,
    exact,
    market_of,
)
from trading.domain.charge_sections import HEADS, ChargedSection, ChargeFinding
from trading.domain.money import to_units

_TURNOVER = (Head.EXCHANGE, Head.IPFT, Head.SEBI)
# What GST is taken of, and so rests on; from July 2022 on all of it (see the schedule).
GST_OF = (Head.BROKERAGE, Head.EXCHANGE, Head.IPFT, Head.SEBI)
_COMMODITIES = (Segment.COMMODITY_FUTURES, Segment.COMMODITY_OPTIONS)


@dataclass(frozen=True, slots=True)
class DayCharges:
    """The charges of one day, segment and market in rupees; a head that is not known is None, and so is the total.

    ``unrounded`` are the same heads before rounding; ``sure`` is the weakest row that each rests on.
    """

    day: date
    segment: Segment | None
    exchange: str
    heads: Mapping[Head, Decimal | None]
    unrounded: Mapping[Head, Fraction | None]
    sure: Mapping[Head, Sure]

    @property
    def total(self) -> Decimal | None:
        """Return the sum of all heads, None where one is not known."""
        amounts = [amount for amount in self.heads.values() if amount is not None]
        return sum(amounts, Decimal(0)) if len(amounts) == len(self.heads) else None


@dataclass(frozen=True, slots=True)
class ChargeEstimate:
    """The days in order, each fill's share of their heads by its key (they add up to the days), the same before any
    rounding, and the findings."""

    days: Sequence[DayCharges]
    shares: Mapping[str, Mapping[Head, Decimal | None]]
    unrounded: Mapping[str, Mapping[Head, int | None]]
    findings: Sequence[ChargeFinding]

    def with_days_of(self, other: ChargeEstimate) -> ChargeEstimate:
        """Return this estimate together with one of other days."""
        days = sorted([*self.days, *other.days], key=lambda row: (row.day, row.segment or "", row.exchange))
        unrounded = {**self.unrounded, **other.unrounded}
        return ChargeEstimate(days, {**self.shares, **other.shares}, unrounded, [*self.findings, *other.findings])


EMPTY = ChargeEstimate([], {}, {}, [])


def estimate(fills: Iterable[ChargedFill], schedule: ChargeSchedule, *, plan: str | None = None) -> ChargeEstimate:
    """Return what fills cost by a schedule and a brokerage plan; without a plan brokerage and GST are not known.

    The order of the fills plays no part. Whole days are needed: a share's day decides its product and average price.
    """
    ordered = sorted(
        fills, key=lambda fill: (fill.day, fill.segment or "", market_of(fill.exchange) or "", fill.rank, fill.key)
    )
    sections = []
    for (day, segment, market), group in groupby(
        ordered, key=lambda fill: (fill.day, fill.segment, market_of(fill.exchange) or fill.exchange)
    ):
        section = ChargedSection(day, segment, market, list(group))
        _Computation(section, schedule, plan or "").run()
        sections.append(section)
    rounded_heads = as_noted(sections)
    days = [
        DayCharges(
            *(section.day, section.segment, section.exchange, heads),
            {head: None if (amount := section.sum_of(head)) is None else Fraction(amount, EXACT) for head in HEADS},
            section.sure,
        )
        for section, heads in zip(sections, rounded_heads, strict=True)
    ]
    shares: dict[str, dict[Head, Decimal | None]] = {}
    for section, heads in zip(sections, rounded_heads, strict=True):
        shares |= shares_of(section, heads)
    unrounded = {key: heads for section in sections for key, heads in section.exact.items()}
    findings = [finding for section in sections for finding in section.findings.values()]
    return ChargeEstimate(days, shares, unrounded, findings)


@dataclass(frozen=True, slots=True)
class _Computation:
    """Computing one section by a schedule and a plan."""

    section: ChargedSection
    schedule: ChargeSchedule
    plan: str
    rows: dict[tuple[str | None, ...], ChargeRate | None] = field(default_factory=dict)

    def run(self) -> None:
        """Fill the section's exact amounts."""
        section = self.section
        if section.segment is None or market_of(section.exchange) is None:
            section.leave_open(
                f"{section.exchange or 'no exchange'}: what is traded there has no segment of the schedule"
            )
            return
        traded = [fill for fill in section.fills if fill.kind in (FillKind.TRADE, FillKind.ORDER)]
        by_scrip: dict[str, list[ChargedFill]] = {}
        for fill in traded if section.segment == Segment.EQUITY else ():
            by_scrip.setdefault(fill.scrip, []).append(fill)
        days = {scrip: scrip_day(of_scrip) for scrip, of_scrip in by_scrip.items()}
        for fill in section.fills:
            self._charge_by_itself(fill)
        for scrip, of_scrip in by_scrip.items():
            self._cash_taxes([fill for fill in of_scrip if fill.side == BUY], days[scrip])
            self._cash_taxes([fill for fill in of_scrip if fill.side == SELL], days[scrip])
        self._brokerage(days)
        self._depository(traded, days)
        for fill in section.fills:
            self._gst(fill)
        for mark in [mark for head, mark in section.sure.items() if head in GST_OF and Head.GST in section.sure]:
            section.rest_on(Head.GST, mark)

    def _charge_by_itself(self, fill: ChargedFill) -> None:
        """Add the heads that need no other fill: those of its turnover, and outside the cash segment its taxes."""
        heads = [*_TURNOVER] if fill.kind in (FillKind.TRADE, FillKind.ORDER) else []
        if heads and fill.segment != Segment.EQUITY:
            heads += [Head.STT, Head.STAMP, *([Head.CTT] if fill.segment in _COMMODITIES else [])]
        self.section.add(fill, Head.CTT, 0)
        for head in heads:
            self._charge(fill, head, Base.TURNOVER, fill.turnover)
        if fill.kind == FillKind.EXERCISE and fill.side == SELL:
            self._charge(fill, Head.STT, Base.INTRINSIC, fill.turnover)
        if fill.kind == FillKind.DELIVERY and fill.segment != Segment.EQUITY:
            self._delivered(fill)

    def _delivered(self, fill: ChargedFill) -> None:
        """Add the heads of a contract that was settled in shares."""
        for head in (Head.BROKERAGE, Head.STAMP):
            self.section.add(fill, head, None)
            self.section.note(head, f"the schedule has no {head} for a contract that is settled in shares")
        if fill.delivered_at is None:
            self.section.add(fill, Head.STT, None)
            self.section.note(Head.STT, "what was paid for the shares of a settlement is not known")
        else:
            self._charge(fill, Head.STT, Base.SETTLEMENT, fill.worth_at(fill.delivered_at))

    def _cash_taxes(self, fills: Sequence[ChargedFill], day: ScripDay) -> None:
        """Add STT and stamp of a side of a share's day, by product."""
        if not fills:
            return
        units = day.units(fills[0].side)
        worths = {Head.STT: [day.at_average(fill) for fill in fills], Head.STAMP: [fill.turnover for fill in fills]}
        for head, base in ((Head.STT, Base.DAY_AVERAGE), (Head.STAMP, Base.TURNOVER)):
            intraday = split(sum(worths[head]) * day.matched // units, worths[head])
            for fill, worth, matched in zip(fills, worths[head], intraday, strict=True):
                for product, portion in ((INTRADAY, matched), (DELIVERY, worth - matched)):
                    if portion:
                        self._charge(fill, head, base, portion, product)

    def _row(self, fill: ChargedFill, head: Head, base: Base, product: str = "", plan: str = "") -> ChargeRate | None:
        """Return the row in force for a fill, looked up once for all like it; what is missing or not sure is noted."""
        key = (head, base, product, plan, fill.group)
        if key not in self.rows:
            self.rows[key] = self._looked_up(fill, head, base, product, plan)
        return self.rows[key]

    def _looked_up(self, fill: ChargedFill, head: Head, base: Base, product: str, plan: str) -> ChargeRate | None:
        section, segment = self.section, fill.segment
        if segment is None:
            return None
        row, is_open = self.schedule.in_force(
            *(head, base, fill.day),
            segment=segment,
            exchange=section.exchange,
            product=product,
            group=fill.group,
            plan=plan,
        )
        if row is None or (row.rate is None and row.flat is None):
            words = " ".join(filter(None, (plan, segment, product, section.exchange)))
            section.note(head, f"the schedule has no {head} for {words} on {fill.day}")
            return None
        mark = Sure.UNSETTLED if is_open else row.sure
        section.rest_on(head, mark)
        if is_open:
            section.note(head, f"{head} is that of most of {segment} at {section.exchange}: the group is not known")
        return row

    def _charge(self, fill: ChargedFill, head: Head, base: Base, amount: int, product: str = "") -> None:
        row = self._row(fill, head, base, product)
        if row is None or row.rate is None:
            self.section.add(fill, head, None)
        elif row.side in ("both", "holder", fill.side.lower()):
            self.section.add(fill, head, row.of(amount))

    def _brokerage(self, days: Mapping[str, ScripDay]) -> None:
        """Add each executed order's brokerage to its fills, by their turnover."""
        orders: dict[tuple[str, str, str], list[ChargedFill]] = {}
        for fill in self.section.fills:
            if fill.kind not in (FillKind.EXPIRY, FillKind.DELIVERY):
                order = fill.key if fill.order is None or fill.kind == FillKind.EXERCISE else fill.order
                orders.setdefault((fill.scrip, fill.side, order), []).append(fill)
        if orders and not self.plan:
            self.section.note(Head.BROKERAGE, "no brokerage plan is known: name one with --plan")
        for fills in orders.values():
            amount = self._order(fills, days.get(fills[0].scrip)) if self.plan else None
            parts = [None] * len(fills) if amount is None else split(amount, [fill.turnover for fill in fills])
            for fill, portion in zip(fills, parts, strict=True):
                self.section.add(fill, Head.BROKERAGE, portion)

    def _order(self, fills: Sequence[ChargedFill], day: ScripDay | None) -> int | None:
        """Return the brokerage of one executed order, rounded to the paisa; None where the plan has none for it."""
        first = fills[0]
        is_exercise = first.kind == FillKind.EXERCISE
        if (first.orders if is_exercise else first.order) is None:
            self.section.rest_on(Head.BROKERAGE, Sure.UNSETTLED)
            self.section.note(Head.BROKERAGE, "a fill whose order is not known counts as an order of its own")
        count = (first.orders or 1) if is_exercise else 1
        turnover = sum(fill.turnover for fill in fills)
        parts = [("", turnover)]
        if day is not None:
            intraday = turnover * day.matched // day.units(first.side)
            parts = [(INTRADAY, intraday), (DELIVERY, turnover - intraday)]
        by_terms: dict[tuple[Decimal | None, ...], tuple[ChargeRate, int]] = {}
        for product, portion in parts:
            if not portion and turnover:
                continue
            row = self._row(first, Head.BROKERAGE, Base.ORDER, product, self.plan)
            if row is None:
                return None
            terms = (row.rate, row.flat, row.cap, row.floor)
            _, before = by_terms.get(terms, (row, 0))
            by_terms[terms] = (row, before + portion)  # equal terms are one order's, whatever its products
        return count * rounded(sum(row.of_order(portion) for row, portion in by_terms.values()), 2)

    def _depository(self, traded: Sequence[ChargedFill], days: Mapping[str, ScripDay]) -> None:
        """Add the depository's charge of each share that was sold out of the demat account, with its GST."""
        for scrip, day in days.items():
            sales = [fill for fill in traded if fill.scrip == scrip and fill.side == SELL]
            if day.sold <= day.matched:
                continue
            row = self._row(sales[0], Head.DP, Base.ISIN_DAY, plan=self.plan) if self.plan else None
            gst = self._row(sales[0], Head.GST, Base.HEADS)
            if not self.plan:
                self.section.note(Head.DP, "no brokerage plan is known: name one with --plan")
            parts: list[int | None] = [None] * len(sales)
            if row is not None and row.flat is not None and gst is not None and gst.rate is not None:
                flat = exact(row.flat)
                parts = list(split(rounded(flat + gst.of(flat), 2), [to_units(fill.quantity) for fill in sales]))
            for fill, portion in zip(sales, parts, strict=True):
                self.section.add(fill, Head.DP, portion)

    def _gst(self, fill: ChargedFill) -> None:
        """Add GST of a fill's unrounded heads; the depository's has its own."""
        row, heads = self._row(fill, Head.GST, Base.HEADS), self.section.exact[fill.key]
        if row is None or row.rate is None:
            self.section.add(fill, Head.GST, None)
            return
        base = 0
        for head in row.heads:
            amount = heads[head]
            if head == Head.DP:
                continue
            if amount is None:
                self.section.add(fill, Head.GST, None)
                self.section.note(Head.GST, f"GST is not known where {head} is not")
                return
            base += amount
        self.section.add(fill, Head.GST, row.of(base))
