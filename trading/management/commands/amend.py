"""`manage.py amend`: correct a recorded fact of a trade."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Unpack

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.trade_named import TradeOptions, add_trade_arguments, trade_pk, trade_report
from trading.operations.amend import amend
from trading.operations.set_charges import set_charges_of
from trading.queries.accounts import get_account
from trading.queries.period import parse_moment


class Command(VeloxCommand):
    help = (
        "Correct a trade: what was recorded stays, the correction is kept beside it with author and reason, and every "
        "figure follows. Charges without --fill are those of the whole trade. The multiplier, lot or currency of "
        "what was traded is corrected with `manage.py instruments --correct`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_trade_arguments(parser)
        parser.add_argument("--price", help="the right price")
        parser.add_argument("--quantity", help="the right quantity")
        parser.add_argument("--at", metavar="TIME", help="the right time, at the desk: '2024-03-15 09:31:05'")
        parser.add_argument("--charges", help="the right charges")
        parser.add_argument("--to-strategy", metavar="ID", help="the strategy that it belongs to")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        fill: int | None,
        price: str | None,
        quantity: str | None,
        at: str | None,
        charges: str | None,
        to_strategy: str | None,
        by: str,
        reason: str,
        **name: Unpack[TradeOptions],
    ) -> bool:
        pk = trade_pk(name)
        beside_charges = [fact for fact in (price, quantity, at, to_strategy) if fact is not None]
        if charges is None and not beside_charges:
            raise InvalidValue("Nothing is amended.", field="price", hint="Give what is right, such as --price 2450.")
        if charges is not None and fill is None and not beside_charges:
            trade = set_charges_of(pk, charges, by=by, reason=reason)
        else:
            trade = amend(
                pk,
                fill=fill,
                price=price,
                quantity=quantity,
                charges=charges,
                at=None if at is None else parse_moment(at),
                strategy_id=to_strategy,
                by=by,
                reason=reason,
            )
        self.emit(trade_report(pk, trade, get_account(trade.account).currency))
        return True
