"""`manage.py charges`: what the trades of a period cost in charges, day by day and head by head."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal

from trading.domain.charge_heads import HEAD_TITLES, Head
from trading.domain.charge_sections import HEADS
from trading.management.base import VeloxCommand
from trading.management.output import FORMATS, Report, Table, add_format_arguments
from trading.management.report import Value
from trading.moment import one_moment
from trading.queries.accounts import get_account
from trading.queries.charges_report import ChargesReport, charges_report, sources_text

FIRST_COLUMNS = ("Day", "Segment", "Market")  # the head Exchange is what the market charges


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
        with one_moment():
            report = charges_report(get_account(account), first, last, plan=plan, now=datetime.now(UTC))
        self.emit(_report(report))
        return report["total"] is not None


def _report(body: ChargesReport) -> Report:
    """Return the days as a table with their sum below, for spreadsheets without it; what rests on a ? is named."""
    days = body["days"]
    heads = [*HEADS, *([Head.OTHER] if any(Head.OTHER in day["heads"] for day in days) else [])]
    nothing = Decimal(0)
    rows: list[list[Value]] = [
        [
            *(day["date"], day["segment"], day["exchange"]),
            *(day["heads"].get(head, nothing) for head in heads),
            *(day["total"], sources_text(day)),
        ]
        for day in days
    ]
    sums: list[Value] = []
    for head in heads:
        amounts = [day["heads"].get(head, nothing) for day in days]
        certain = [amount for amount in amounts if amount is not None]
        sums.append(sum(certain, Decimal(0)) if len(certain) == len(amounts) else None)
    columns = [*FIRST_COLUMNS, *(HEAD_TITLES[head] for head in heads), "Total", "Source"]
    title = f"Charges · {body['account']} · {body['currency']}"
    table = Table(
        title, columns, [*rows, ["Total", "", "", *sums, body["total"], ""]], body["currency"], last_is_total=True
    )
    texts = {f"{gap['head'] or 'all heads'}: {gap['text']}" for gap in body["findings"]}
    unsettled = sorted({HEAD_TITLES[Head(head)] for day in days for head, mark in day["sure"].items() if mark == "?"})
    notes = [*sorted(texts), *([f"Not settled (?): {', '.join(unsettled)}."] if unsettled else [])]
    sheet = Table(title, ["date", "segment", "market", *heads, "total", "source"], rows, body["currency"])
    return Report(title, {**body}, [table], notes, sheet)
