"""`manage.py void`: take back a trade that never happened, or one fill of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Unpack

from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.trade_named import TradeOptions, add_trade_arguments, trade_pk, trade_report
from trading.operations.void import void
from trading.queries.accounts import get_account


class Command(VeloxCommand):
    help = "Take back a trade that never was (or, with --fill, one fill of it): it counts nowhere, its rows stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_trade_arguments(parser)
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, fill: int | None, by: str, reason: str, **name: Unpack[TradeOptions]) -> bool:
        pk = trade_pk(name)
        trade = void(pk, by=by, reason=reason, fill=fill)
        self.emit(trade_report(pk, trade, get_account(trade.account).currency))
        return True
