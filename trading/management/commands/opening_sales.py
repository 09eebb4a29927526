"""`manage.py opening_sales`: sales of holdings whose cost no file tells, and the way to give it."""

from __future__ import annotations

from argparse import ArgumentParser

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle, refuse_of_another
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table, Value
from trading.models import BrokerFill
from trading.operations.give_cost import give_cost
from trading.queries.accounts import get_account
from trading.queries.opening_sales import opening_sales
from trading.queries.period import parse_day


class Command(VeloxCommand):
    help = (
        "List the sales of holdings that were bought before a broker's files begin: their cost is unknown, so they are "
        "in no P&L. --give names one, and --cost, --on, --by and --reason what it had cost and when; it is then a "
        "closed trade."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--give", type=int, metavar="SALE", help="the sale, by its number in the list")
        parser.add_argument("--cost", help="what one unit cost")
        parser.add_argument("--on", metavar="DAY", help="the day of the purchase")
        parser.add_argument("--by", default="", help="who says so")
        parser.add_argument("--reason", default="", help="where it is known from")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, account: str, give: int | None, cost: str | None, on: str | None, by: str, reason: str) -> bool:
        of = get_account(account)
        if give is not None:
            refuse_of_another(of, BrokerFill, give)
            if cost is None or on is None:
                raise InvalidValue("The cost is not given.", field="cost", hint="Give --cost and --on.")
            give_cost(give, cost, parse_day(on), by=by, reason=reason)
        else:
            refuse_idle("without --give", {"--cost": cost, "--on": on, "--by": by, "--reason": reason})
        sales = opening_sales(of)
        names = ("sale", "day", "symbol", "strategy", "quantity", "price")
        rows: list[list[Value]] = [
            [sale.pk, sale.day, sale.symbol, sale.strategy_id, sale.quantity, sale.price] for sale in sales
        ]
        body = [dict(zip(names, row, strict=True)) for row in rows]
        titles = [name.capitalize() for name in names]
        table = Table(f"{len(rows)} sales of unknown cost", titles, rows, of.currency)
        self.emit(Report("Opening sales", {"account": of.code, "sales": body}, [table]))
        return True
