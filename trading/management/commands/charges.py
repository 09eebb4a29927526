"""`manage.py charges`: what the trades of a period cost in charges, day by day and head by head."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypedDict

from trading.domain.charge_heads import HEAD_TITLES, Head
from trading.domain.charge_sections import HEADS, ChargeFinding
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import FORMATS, Report, Table, add_format_arguments
from trading.management.report import Value
from trading.queries.accounts import get_account
from trading.queries.charge_estimates import CURRENCY, shipped_schedule
from trading.queries.period import desk_date
from trading.queries.reports import selection
from trading.queries.stated_charges import ESTIMATE, charged_days

FIRST_COLUMNS = ("Day", "Segment", "Market")  # the head Exchange is what the market charges


class ChargesDay(TypedDict):
    """One day, segment and market as JSON has it."""

    date: date
    segment: str | None
    exchange: str
    heads: Mapping[str, Decimal | None]
    source: Mapping[str, str]
    sure: Mapping[str, str]
    total: Decimal | None


class Command(VeloxCommand):
    help = (
        "What the trades of a period cost in charges, by day, segment and market: what a note, a file or a person "
        "states, and estimates by the dated schedule, as a contract note rounds, where nobody does. What is not known "
        "is left open, and the exit is 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="first day (default: the first trade's)")
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="last day (default: the last trade's)")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--plan", metavar="NAME", help="estimate by this plan (default: the account's own)")
        add_format_arguments(parser, formats=FORMATS)

    def answer(self, *, first: str | None, last: str | None, account: str, plan: str | None) -> bool:
        plans = shipped_schedule().plans()
        if plan is not None and plan not in plans:
            raise InvalidValue(f"There is no plan {plan!r}.", field="plan", hint=f"Known are {', '.join(plans)}.")
        traded = get_account(account)
        period = selection(traded, first=first, last=last, today=desk_date(datetime.now(UTC)))
        charged, findings = (
            charged_days(traded, period.first, period.last, plan=plan) if period.first and period.last else ([], [])
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
        total = sum(totals, Decimal(0)) if len(totals) == len(days) else None
        body = {
            "account": traded.code,
            "currency": CURRENCY,
            "plan": plan,
            "from": period.first,
            "to": period.last,
            "days": days,
            "total": total,
            "findings": [
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
            ],
        }
        self.emit(_report(body, days, total, findings))
        return total is not None


def _told_by(day: ChargesDay) -> str:
    """Return the sources of a day, each stated one with its heads."""
    stated: dict[str, list[str]] = {}
    for head, source in day["source"].items():
        stated.setdefault(source, []).append(head)
    words = [f"{source} ({' '.join(heads)})" for source, heads in stated.items() if source != ESTIMATE]
    return "; ".join([*words, *([ESTIMATE] if ESTIMATE in stated else [])])


def _report(
    body: Mapping[str, object], days: list[ChargesDay], total: Decimal | None, findings: Sequence[ChargeFinding]
) -> Report:
    """Return the days as a table with their sum below, for spreadsheets without it; what rests on a ? is named."""
    heads = [*HEADS, *([Head.OTHER] if any(Head.OTHER in day["heads"] for day in days) else [])]
    nothing = Decimal(0)
    rows: list[list[Value]] = [
        [
            *(day["date"], day["segment"], day["exchange"]),
            *(day["heads"].get(head, nothing) for head in heads),
            *(day["total"], _told_by(day)),
        ]
        for day in days
    ]
    sums: list[Value] = []
    for head in heads:
        amounts = [day["heads"].get(head, nothing) for day in days]
        certain = [amount for amount in amounts if amount is not None]
        sums.append(sum(certain, Decimal(0)) if len(certain) == len(amounts) else None)
    columns = [*FIRST_COLUMNS, *(HEAD_TITLES[head] for head in heads), "Total", "Source"]
    title = f"Charges · {body['account']} · {CURRENCY}"
    table = Table(title, columns, [*rows, ["Total", "", "", *sums, total, ""]], CURRENCY, last_is_total=True)
    texts = {f"{finding.head or 'all heads'}: {finding.text}" for finding in findings}
    unsettled = sorted({HEAD_TITLES[Head(head)] for day in days for head, mark in day["sure"].items() if mark == "?"})
    notes = [*sorted(texts), *([f"Not settled (?): {', '.join(unsettled)}."] if unsettled else [])]
    sheet = Table(title, ["date", "segment", "market", *heads, "total", "source"], rows, CURRENCY)
    return Report(title, body, [table], notes, sheet)
