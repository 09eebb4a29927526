"""What the trades of a period cost in charges, as the command and the HTTP interface tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from trading.domain.charge_heads import HEAD_TITLES
from trading.domain.charge_sections import HEADS
from trading.errors import InvalidValue
from trading.models import Account
from trading.queries.charge_estimates import shipped_schedule
from trading.queries.period import desk_date
from trading.queries.reports import selection
from trading.queries.stated_charges import ESTIMATE, charged_days


class ChargesDay(TypedDict):
    """One day, segment and market as JSON has it."""

    date: date
    segment: str | None
    exchange: str
    heads: Mapping[str, Decimal | None]
    source: Mapping[str, str]
    sure: Mapping[str, str]
    total: Decimal | None


class ChargeGap(TypedDict):
    """A head that is not known, and why."""

    date: date
    segment: str | None
    exchange: str
    head: str | None
    text: str


ChargesReport = TypedDict(
    "ChargesReport",
    {
        "account": str,
        "currency": str,
        "plan": str | None,
        "from": date | None,
        "to": date | None,
        "days": list[ChargesDay],
        "total": Decimal | None,
        "findings": list[ChargeGap],
    },
)


def charges_report(
    account: Account, first: str | date | None, last: str | date | None, *, plan: str | None, now: datetime
) -> ChargesReport:
    """Return the charges of a period by day, segment and market, from the first trade's day to the last one's where
    no day is given. What somebody states stands in place of the estimates; a head that is not known makes totals None.

    Raises: InvalidValue for a plan that the schedule does not have, and for what is no day.
    """
    plans = shipped_schedule().plans()
    if plan is not None and plan not in plans:
        raise InvalidValue(f"There is no plan {plan!r}.", field="plan", hint=f"Known are {', '.join(plans)}.")
    period = selection(account, first=first, last=last, today=desk_date(now))
    charged, findings = (
        charged_days(account, period.first, period.last, plan=plan) if period.first and period.last else ([], [])
    )
    days: list[ChargesDay] = [
        (
            {
                "date": day.day,
                "segment": day.segment,
                "exchange": day.exchange,
                "heads": {head: day.heads[head] for head in HEAD_TITLES if head in day.heads},
                "source": {head: day.sources[head] for head in HEAD_TITLES if head in day.sources},
                "sure": {head: day.sure[head] for head in HEADS if head in day.sure},
                "total": day.total,
            }
        )
        for day in charged
    ]
    totals = [day["total"] for day in days if day["total"] is not None]
    gaps: list[ChargeGap] = [
        (
            {
                "date": finding.day,
                "segment": finding.segment or None,
                "exchange": finding.exchange,
                "head": finding.head,
                "text": finding.text,
            }
        )
        for finding in findings
    ]
    return {
        "account": account.code,
        "currency": account.currency,
        "plan": plan,
        "from": period.first,
        "to": period.last,
        "days": days,
        "total": sum(totals, Decimal(0)) if len(totals) == len(days) else None,
        "findings": gaps,
    }


def sources_text(day: ChargesDay) -> str:
    """Return the sources of a day as one text, each stated one with its heads."""
    stated: dict[str, list[str]] = {}
    for head, source in day["source"].items():
        stated.setdefault(source, []).append(head)
    words = [f"{source} ({' '.join(heads)})" for source, heads in stated.items() if source != ESTIMATE]
    return "; ".join([*words, *([ESTIMATE] if ESTIMATE in stated else [])])
