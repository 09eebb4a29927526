"""`manage.py void`: take back a trade that never was, or one fill of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments, emit
from trading.management.trade_named import add_trade_arguments, trade_pk, trade_report
from trading.operations.void import void
from trading.queries.accounts import get_account


class Command(VeloxCommand):
    help = "Take back a trade that never was (or, with --fill, one fill of it): it counts nowhere, its rows stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_trade_arguments(parser)
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        pk = trade_pk(options)
        trade = void(pk, by=options["by"], reason=options["reason"], fill=options["fill"])
        report = trade_report(pk, trade, get_account(trade.account).currency)
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True
