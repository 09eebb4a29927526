"""`manage.py amend`: say a fact of a trade right that was recorded wrong."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments, emit
from trading.management.trade_named import add_trade_arguments, trade_pk, trade_report
from trading.operations.amend import amend
from trading.operations.set_charges import set_charges_of
from trading.queries.accounts import get_account
from trading.queries.period import parse_moment

RIGHT = ("price", "quantity", "at", "charges", "to_strategy")


class Command(VeloxCommand):
    help = (
        "Correct a trade: what was recorded stays, the correction is kept beside it with author and reason, and every "
        "figure follows. Charges without --fill are those of the whole trade. The multiplier, lot or currency of "
        "what was traded is put right with `manage.py instruments --correct`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_trade_arguments(parser)
        parser.add_argument("--price", help="the right price")
        parser.add_argument("--quantity", help="the right quantity")
        parser.add_argument("--at", metavar="TIME", help="the right time, at the desk: '2024-03-15 09:31:05'")
        parser.add_argument("--charges", help="the right charges")
        parser.add_argument("--to-strategy", metavar="ID", help="the strategy that it belongs to")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        pk = trade_pk(options)
        given = {name for name in (*RIGHT, "fill") if options[name] is not None}
        who = {"by": options["by"], "reason": options["reason"]}
        if not given & {*RIGHT}:
            raise InvalidValue("Nothing is amended.", field="price", hint="Give what is right, such as --price 2450.")
        if given == {"charges"}:
            trade = set_charges_of(pk, options["charges"], **who)
        else:
            names = ("fill", "price", "quantity", "charges")
            right = {name: options[name] for name in names}
            at = None if options["at"] is None else parse_moment(options["at"])
            trade = amend(pk, **right, at=at, strategy_id=options["to_strategy"], **who)
        report = trade_report(pk, trade, get_account(trade.account).currency)
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True
