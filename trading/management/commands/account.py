"""`manage.py account`: list, make and fund accounts."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypedDict

from django.conf import settings

from trading.domain.money import from_units
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.models import Account
from trading.operations.add_capital import add_capital
from trading.operations.create_account import create_account
from trading.operations.set_brokerage_plan import set_brokerage_plan
from trading.queries.accounts import all_accounts, capital_flows, get_account
from trading.queries.period import desk_date, parse_day

BOOKS = ("live", "paper", "replay", "demo")


class Command(VeloxCommand):
    help = "List the accounts, make one, bring capital in or out, or say which brokerage plan one has."

    def add_arguments(self, parser: ArgumentParser) -> None:
        formats = ("table", "json")
        add_format_arguments(parser, formats=formats)
        verbs = parser.add_subparsers(dest="verb", metavar="list | create | capital | plan")
        listing = verbs.add_parser("list", help="every account with its capital (also without a verb)")
        create = verbs.add_parser("create", help="make an account")
        create.add_argument("code", help="its name in calls and on pages")
        create.add_argument("--book", choices=BOOKS, default="paper", help="what its trades are (default: paper)")
        create.add_argument("--currency", default=settings.VELOX_CURRENCY)
        create.add_argument("--zone", default=settings.TIME_ZONE)
        create.add_argument("--capital", default=str(settings.VELOX_CAPITAL), help="what it starts with")
        create.add_argument("--date", default="2000-01-01", help="the capital's day (default: 2000-01-01, before any)")
        capital = verbs.add_parser("capital", help="bring capital in, or (negative) take it out")
        capital.add_argument("code")
        capital.add_argument("amount")
        capital.add_argument("--date", help="from the start of which day (default: today)")
        plan = verbs.add_parser("plan", help="say which brokerage plan it has: estimates of charges follow it")
        plan.add_argument("code")
        plan.add_argument("plan", help="such as zerodha: `manage.py charge_schedule` lists them")
        plan.add_argument("--date", help="from which day (default: today)")
        for verb in (listing, create, capital, plan):
            add_format_arguments(verb, formats=formats, below_another=True)

    def answer(
        self,
        *,
        verb: str | None,
        code: str | None = None,
        book: str = "",
        currency: str = "",
        zone: str = "",
        capital: str = "",
        date: str | None = None,
        amount: str = "",
        plan: str = "",
    ) -> bool:
        if code is None:
            self.emit(accounts_report(all_accounts()))
            return True
        day = desk_date(datetime.now(UTC)) if date is None else parse_day(date)
        if verb == "create":
            create_account(code, book=book, currency=currency, zone=zone, capital=capital, capital_date=day)
        elif verb == "plan":
            set_brokerage_plan(code, plan, day)
        else:
            add_capital(code, day, amount)
        self.emit(accounts_report([get_account(code)]))
        return True


class Flow(TypedDict):
    """Capital that came in or (negative) went out, from the start of a day."""

    date: date
    amount: Decimal


class AccountRow(TypedDict):
    """An account as the command shows it: its capital is the sum of its flows."""

    code: str
    book: str
    currency: str
    zone: str
    capital: Decimal
    flows: list[Flow]


def accounts_report(accounts: list[Account]) -> Report:
    """Return accounts with everything that was brought in or taken out, whenever it counts from."""
    rows: list[AccountRow] = []
    for account in accounts:
        flows = capital_flows(account, until=date.max)
        rows.append({
            "code": account.code,
            "book": account.book,
            "currency": account.currency,
            "zone": account.zone,
            "capital": from_units(sum(flows.values())),
            "flows": [{"date": day, "amount": from_units(amount)} for day, amount in flows.items()],
        })  # fmt: skip
    tables = [
        Table(
            f"Account {row['code']}",
            ["Code", "Book", "Currency", "Zone", "Capital"],
            [[row["code"], row["book"], row["currency"], row["zone"], row["capital"]]],
            currency=row["currency"],
        )
        for row in rows
    ]
    return Report("Accounts", {"accounts": rows}, tables)
