"""`manage.py corporate_action`: book a split or a bonus on what is open of a symbol."""

from __future__ import annotations

from argparse import ArgumentParser

from trading.domain.split import BONUS, SPLIT
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.trade_named import COLUMNS
from trading.operations.apply_split import apply_split
from trading.queries.accounts import get_account
from trading.queries.period import parse_moment

OPEN_COLUMNS = {**COLUMNS, "avg_price": "Average", "stop_price": "Stop"}


class Command(VeloxCommand):
    help = (
        "Book a split or a bonus on every open trade of a symbol: quantity follows the ratio, what is open costs what "
        "it cost, stop and target follow. The same key again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbol", metavar="SYMBOL")
        ratio = parser.add_mutually_exclusive_group(required=True)
        ratio.add_argument("--split", metavar="NEW:OLD", help="2:1 gives two for each one, 1:10 one for each ten")
        ratio.add_argument("--bonus", metavar="NEW:OLD", help="1:1 gives one on top of each one")
        parser.add_argument("--at", required=True, metavar="TIME", help="from when on, at the desk: '2026-11-27 09:15'")
        parser.add_argument("--key", required=True, help="names the action: the same again changes nothing")
        parser.add_argument("--by", required=True, help="who books it; kept in the journal")
        parser.add_argument("--trade", metavar="ID", help="this trade alone")
        parser.add_argument("--strategy", metavar="ID", help="this strategy's trades alone")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        symbol: str,
        split: str | None,
        bonus: str | None,
        at: str,
        key: str,
        by: str,
        trade: str | None,
        strategy: str | None,
        account: str,
    ) -> bool:
        kind, ratio = (BONUS, bonus or "") if split is None else (SPLIT, split)
        new, colon, old = ratio.partition(":")
        if not colon:
            raise InvalidValue(f"{kind} is {ratio!r}.", field=kind, hint="Give NEW:OLD, such as 2:1.")
        trades = apply_split(
            account,
            symbol,
            new,
            old,
            at=parse_moment(at),
            key=key,
            kind=kind,
            by=by,
            trade_id=trade,
            strategy_id=strategy,
        )
        rows = [[getattr(trade, name) for name in OPEN_COLUMNS] for trade in trades]
        titles = list(OPEN_COLUMNS.values())
        table = Table(f"{symbol}: {kind} {ratio}", titles, rows, currency=get_account(account).currency)
        self.emit(Report(table.title, {"trades": [trade.as_dict() for trade in trades]}, [table]))
        return True
