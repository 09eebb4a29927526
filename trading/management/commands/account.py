"""`manage.py account`: list, make and fund accounts."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings

from trading.domain.money import from_units
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments, emit
from trading.models import Account
from trading.operations.add_capital import add_capital
from trading.operations.create_account import create_account
from trading.queries.accounts import all_accounts, capital_flows, get_account
from trading.queries.period import desk_date, parse_day

BOOKS = ("live", "paper", "replay", "demo")


class Command(VeloxCommand):
    help = "List the accounts, make one, or bring capital in or out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_arguments(parser, formats=("table", "json"))
        verbs = parser.add_subparsers(dest="verb", metavar="list | create | capital")
        _formats(verbs.add_parser("list", help="every account with its capital (also without a verb)"))
        create = verbs.add_parser("create", help="make an account")
        create.add_argument("code", help="its name in calls and on pages")
        create.add_argument("--book", choices=BOOKS, default="paper", help="what its trades are (default: paper)")
        create.add_argument("--currency", default=settings.VELOX_CURRENCY)
        create.add_argument("--zone", default=settings.TIME_ZONE)
        create.add_argument("--capital", default=str(settings.VELOX_CAPITAL), help="what it starts with")
        create.add_argument("--date", default="2000-01-01", help="the capital's day (default: 2000-01-01, before any)")
        _formats(create)
        capital = verbs.add_parser("capital", help="bring capital in, or (negative) take it out")
        capital.add_argument("code")
        capital.add_argument("amount")
        capital.add_argument("--date", help="from the start of which day (default: today)")
        _formats(capital)

    def answer(self, **options: Any) -> bool:
        if options["verb"] == "create":
            self._create(options)
        elif options["verb"] == "capital":
            day = parse_day(options["date"]) if options["date"] else desk_date(datetime.now(UTC))
            add_capital(options["code"], day, options["amount"])
        chosen = [get_account(options["code"])] if options.get("code") else list(all_accounts())
        emit(accounts_report(chosen), form=options["format"], stdout=self.stdout, output=options["output"])
        return True

    def _create(self, options: dict[str, Any]) -> None:
        create_account(
            options["code"],
            book=options["book"],
            currency=options["currency"],
            zone=options["zone"],
            capital=options["capital"],
            capital_date=parse_day(options["date"]),
        )


def accounts_report(accounts: list[Account]) -> Report:
    """Return accounts with everything that was brought in or taken out, whenever it counts from."""
    rows = [_row(account) for account in accounts]
    tables = [
        Table(
            f"Account {row['code']}",
            ["Code", "Book", "Currency", "Zone", "Capital"],
            [[row[key] for key in ("code", "book", "currency", "zone", "capital")]],
            currency=row["currency"],
        )
        for row in rows
    ]
    return Report("Accounts", {"accounts": rows}, tables)


def _row(account: Account) -> dict[str, Any]:
    flows = capital_flows(account, until=date.max)
    return {
        "code": account.code,
        "book": account.book,
        "currency": account.currency,
        "zone": account.zone,
        "capital": from_units(sum(flows.values())),
        "flows": [{"date": day, "amount": from_units(amount)} for day, amount in flows.items()],
    }


def _formats(parser: ArgumentParser) -> None:
    add_format_arguments(parser, formats=("table", "json"), below_another=True)
