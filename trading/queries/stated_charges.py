"""What notes, files and persons stated of charges, each fill's part of it, and the days with it and the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.domain.charge_heads import Head
from trading.domain.charge_products import ChargedFill
from trading.domain.charge_schedule import market_of
from trading.domain.charge_sections import HEADS, ChargeFinding
from trading.domain.charges import DayCharges
from trading.domain.stated_charges import ChargeSource, ChargeStatement, StatedPart, firmness, stated_parts
from trading.models import Account, StatedCharge
from trading.queries.charge_estimates import charged_fills, estimate_of

ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class ChargedDay:
    """One day, segment and market: each head's amount, None where it is not known, with its source.

    A source is note, file, person, or estimate; ``sure`` is the weakest row that an estimated head rests on.
    """

    day: date
    segment: str | None
    exchange: str
    heads: Mapping[Head, Decimal | None]
    sources: Mapping[Head, str]
    sure: Mapping[Head, str]

    @property
    def total(self) -> Decimal | None:
        """Return the sum of all heads, None where one is not known."""
        amounts = [amount for amount in self.heads.values() if amount is not None]
        return sum(amounts, Decimal(0)) if len(amounts) == len(self.heads) else None


def statements_of(account: Account) -> list[ChargeStatement]:
    """Return what was stated of an account's charges, in the order in which it was recorded."""
    return [
        ChargeStatement(
            day=row.day,
            last_day=row.last_day,
            segment=row.segment,
            exchange=row.exchange,
            head=Head(row.head),
            amount=row.amount,
            source=ChargeSource(row.source),
        )
        for row in StatedCharge.objects.filter(account=account).order_by("pk")
    ]


def parts_between(account: Account, first: date, last: date) -> dict[str, dict[Head, StatedPart]]:
    """Return each fill's part of what is stated, by its key, of the fills from one day to another, both inclusive."""
    statements = [line for line in statements_of(account) if line.day <= last and line.last_day >= first]
    if not statements:
        return {}
    begins, ends = min(line.day for line in statements), max(line.last_day for line in statements)
    fills = list(charged_fills(account, min(begins, first), max(ends, last)))
    parts = stated_parts(statements, fills, estimate_of(account, fills).unrounded)
    within = {fill.key for fill in fills if first <= fill.day <= last}
    return {key: heads for key, heads in parts.items() if key in within}


def charged_days(
    account: Account, first: date, last: date, *, plan: str | None = None
) -> tuple[list[ChargedDay], Sequence[ChargeFinding]]:
    """Return the days from one to another, both inclusive, with what is stated in place of the estimates.

    Stated charges of a day on which nothing was traded have a row of their own. The findings are of heads that nobody
    stated.
    """
    fills = list(charged_fills(account, first, last))
    answer, parts = estimate_of(account, fills, plan=plan), parts_between(account, first, last)
    of_section: dict[tuple[date, str, str], list[ChargedFill]] = {}
    for fill in fills:
        of_section.setdefault((fill.day, fill.segment or "", market_of(fill.exchange) or fill.exchange), []).append(
            fill
        )
    days = [_with_stated(day, of_section[day.day, day.segment or "", day.exchange], parts) for day in answer.days]
    days += _without_trades(account, first, last, fills)
    stated = {
        (day.day, day.segment or "", day.exchange, head)
        for day in days
        for head in HEADS
        if day.sources.get(head, ESTIMATE) != ESTIMATE
    }
    findings = [
        finding
        for finding in answer.findings
        if (finding.day, finding.segment, finding.exchange, finding.head) not in stated
    ]
    return sorted(days, key=lambda row: (row.day, row.segment or "", row.exchange)), findings


def _with_stated(
    day: DayCharges, fills: Sequence[ChargedFill], parts: Mapping[str, Mapping[Head, StatedPart]]
) -> ChargedDay:
    heads, sources = dict(day.heads), {head: ESTIMATE for head, amount in day.heads.items() if amount is not None}
    sure = {head: str(mark) for head, mark in day.sure.items()}
    stated: dict[Head, list[StatedPart]] = {}
    for fill in fills:
        for head, share in parts.get(fill.key, {}).items():
            stated.setdefault(head, []).append(share)
    for head, of_head in stated.items():
        heads[head] = sum((share.amount for share in of_head), Decimal(0))
        sources[head] = max(share.source for share in of_head)  # of one section all are of one source
        sure.pop(head, None)
    return ChargedDay(day.day, day.segment, day.exchange, heads, sources, sure)


def _without_trades(account: Account, first: date, last: date, fills: Sequence[ChargedFill]) -> list[ChargedDay]:
    """Return a row per day, segment and market of statements that no fill is under; only their heads are in it."""
    newest = {
        (line.day, line.segment, line.exchange, line.head): line
        for line in sorted(statements_of(account), key=firmness, reverse=True)
        if first <= line.day and line.last_day <= last and not any(line.covers(fill) for fill in fills)
    }
    rows: dict[tuple[date, str, str], dict[Head, ChargeStatement]] = {}
    for (day, segment, exchange, head), line in newest.items():
        rows.setdefault((day, segment, exchange), {})[head] = line
    return [
        ChargedDay(
            day,
            segment or None,
            exchange,
            {
                head: lines[head].amount if head in lines else Decimal(0)
                for head in (*HEADS, *([Head.OTHER] if Head.OTHER in lines else []))
            },
            {head: str(line.source) for head, line in lines.items()},
            {},
        )
        for (day, segment, exchange), lines in rows.items()
    ]
