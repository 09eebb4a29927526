"""What notes, files and persons stated of charges, each fill's part of it, and the days with it and the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Max, Min

from trading.brokers.stated import StatedFile, all_charge_statements
from trading.brokers.values import Statement
from trading.domain.charge_heads import Head
from trading.domain.charge_products import ChargedFill
from trading.domain.charge_schedule import market_of
from trading.domain.charge_sections import HEADS, ChargeFinding
from trading.domain.charges import DayCharges
from trading.domain.stated_charges import (
    ChargeScope,
    ChargeSource,
    ChargeStatement,
    StandingCharges,
    StatedPart,
    left_out,
    standing_charges,
)
from trading.models import Account, StatedCharge
from trading.queries.charge_estimates import charged_fills, estimate_of

ESTIMATE = "estimate"
REPLACED_SHOWN = 3


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
    return [as_statement(row) for row in StatedCharge.objects.filter(account=account).order_by("pk")]


def as_statement(row: StatedCharge) -> ChargeStatement:
    """Return the statement that a row keeps."""
    return ChargeStatement(
        day=row.day,
        last_day=row.last_day,
        segment=row.segment,
        exchange=row.exchange,
        head=Head(row.head),
        amount=row.amount,
        source=ChargeSource(row.source),
    )


def charges_replaced(account: Account, statement: Statement, tried: Sequence[StatedFile] = ()) -> list[str]:
    """Return a finding for each amount of a statement that would stand in the place of another document's, as where a
    note was corrected or a file was cut; the first three and how many more. ``tried`` would be imported before."""
    standing: dict[ChargeScope, tuple[str, Decimal]] = {}  # the newest document, and its amount
    own: dict[ChargeScope, Decimal] = {}
    lines = all_charge_statements(statement)
    if not lines:
        return []
    begins, ends = min(line.day for line in lines), max(line.last_day for line in lines)
    rows = StatedCharge.objects.filter(account=account, day__gte=begins, last_day__lte=ends).order_by("pk")
    stated = [(row.document, as_statement(row)) for row in rows]
    stated += [(file.sha256, line) for file in tried for line in file.lines]
    for document, line in stated:
        standing[line.scope] = (document, line.amount)
        if document == statement.sha256:
            own[line.scope] = line.amount
    if not own:
        lines += left_out(lines, (line for _, line in stated))
    replaced = []
    for line in lines:
        document, amount = standing.get(line.scope, (statement.sha256, line.amount))
        if own.get(line.scope) != line.amount and document != statement.sha256 and amount != line.amount:
            period = str(line.day) if line.day == line.last_day else f"{line.day} to {line.last_day}"
            words = " ".join(filter(None, (line.head.value, line.segment, period)))
            replaced.append(f"{words}: {line.amount:f} stands in the place of {amount:f}, which another file states.")
    left = len(replaced) - REPLACED_SHOWN
    return [*replaced[:REPLACED_SHOWN], *([f"So do {left:,} other amounts of it."] if left > 0 else [])]


def whole_periods(account: Account, first: date, last: date) -> tuple[date, date]:
    """Return the days from one to another with the whole periods of what is stated of some of them."""
    while True:
        lines = StatedCharge.objects.filter(account=account, day__lte=last, last_day__gte=first)
        ends = lines.aggregate(first=Min("day"), last=Max("last_day"))
        wider = min(first, ends["first"] or first), max(last, ends["last"] or last)
        if wider == (first, last):
            return wider
        first, last = wider


def standing_between(account: Account, first: date, last: date) -> StandingCharges:
    """Return what stands of the charges from one day to another, both inclusive.

    An amount of a longer period is shared over all of it, and less what firmer ones state of its other days: a fill's
    part must not hang on the days that are asked for.
    """
    begins, ends = whole_periods(account, first, last)
    statements = [line for line in statements_of(account) if line.day <= ends and line.last_day >= begins]
    if not statements:
        return StandingCharges({}, [])
    fills = list(charged_fills(account, begins, ends))
    standing = standing_charges(statements, fills, estimate_of(account, fills).unrounded)
    within = {fill.key for fill in fills if first <= fill.day <= last}
    return StandingCharges(
        {key: heads for key, heads in standing.parts.items() if key in within},
        [line for line in standing.without_fills if first <= line.day and line.last_day <= last],
    )


def charged_days(
    account: Account, first: date, last: date, *, plan: str | None = None
) -> tuple[list[ChargedDay], Sequence[ChargeFinding]]:
    """Return the days from one to another, both inclusive, with what is stated in place of the estimates.

    Stated charges of a day on which nothing was traded have a row of their own. The findings are of heads that nobody
    stated.
    """
    fills = list(charged_fills(account, first, last))
    answer, standing = estimate_of(account, fills, plan=plan), standing_between(account, first, last)
    of_section: dict[tuple[date, str, str], list[ChargedFill]] = {}
    for fill in fills:
        of_section.setdefault((fill.day, fill.segment or "", market_of(fill.exchange) or fill.exchange), []).append(
            fill
        )
    days = [
        _with_stated(day, of_section[day.day, day.segment or "", day.exchange], standing.parts) for day in answer.days
    ]
    days += _without_trades(standing.without_fills)
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


def _without_trades(lines: Sequence[ChargeStatement]) -> list[ChargedDay]:
    """Return a row per day, segment and market of statements that no fill is under; only their heads are in it."""
    rows: dict[tuple[date, str, str], dict[Head, list[ChargeStatement]]] = {}
    for line in lines:
        rows.setdefault((line.day, line.segment, line.exchange), {}).setdefault(line.head, []).append(line)
    return [
        ChargedDay(
            day,
            segment or None,
            exchange,
            {
                head: sum((line.amount for line in stated.get(head, [])), Decimal(0))
                for head in (*HEADS, *([Head.OTHER] if Head.OTHER in stated else []))
            },
            {head: str(of_head[0].source) for head, of_head in stated.items()},  # the firmest of them
            {},
        )
        for (day, segment, exchange), stated in rows.items()
    ]
