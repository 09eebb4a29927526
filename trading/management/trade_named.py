"""The arguments by which commands name one trade, and its report."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TypedDict

from trading.domain.values import Trade
from trading.errors import InvalidValue
from trading.management.base import refuse_idle
from trading.management.output import Report, Table
from trading.queries.accounts import get_account
from trading.queries.period import parse_day
from trading.queries.trades import pk_of

COLUMNS = {
    "trade_id": "Trade",
    "strategy_id": "Strategy",
    "symbol": "Symbol",
    "side": "Side",
    "state": "State",
    "open_quantity": "Open",
    "realised_pnl": "P&L",
    "charges": "Charges",
}


class TradeOptions(TypedDict):
    """The options that `add_name_arguments` gives a command."""

    trade: str | None
    pk: int | None
    day: str | None
    strategy: str | None
    account: str | None


def add_name_arguments(parser: ArgumentParser) -> None:
    """Give a command the arguments that name one trade."""
    parser.add_argument("trade", metavar="TRADE", nargs="?", help="the trade's id: the open one, else the newest")
    parser.add_argument("--pk", type=int, help="its primary key instead, as in the address of its page")
    parser.add_argument("--day", metavar="YYYY-MM-DD", help="the one opened on this trading day")
    parser.add_argument("--strategy", metavar="ID", help="the one of this strategy")
    parser.add_argument("--account", help="the account (default: main)")


def add_trade_arguments(parser: ArgumentParser) -> None:
    """Give a correcting command the arguments for its trade, its fill, author and reason."""
    add_name_arguments(parser)
    parser.add_argument("--fill", type=int, metavar="N", help="the fill's number within the trade, the opening is 1")
    parser.add_argument("--by", required=True, help="who corrects")
    parser.add_argument("--reason", required=True, help="why; kept with the correction")


def trade_pk(name: TradeOptions) -> int:
    """Return the primary key of the trade that a command's options name.

    Raises: InvalidValue, UnknownAccount, UnknownTrade, AmbiguousTrade.
    """
    if name["pk"] is not None and name["trade"] is None:
        refuse_idle("beside --pk", {"--day": name["day"], "--strategy": name["strategy"], "--account": name["account"]})
        return name["pk"]
    if name["pk"] is not None or name["trade"] is None:
        raise InvalidValue("Name one trade.", field="trade", hint="Give its id, or --pk.")
    day = None if name["day"] is None else parse_day(name["day"])
    return pk_of(get_account(name["account"] or "main"), name["trade"], strategy_id=name["strategy"], day=day)


def trade_report(pk: int, trade: Trade, currency: str) -> Report:
    """Return one trade as a report; its JSON has the primary key beside the trade's fields."""
    row = [getattr(trade, name) for name in COLUMNS]
    table = Table(f"Trade {trade.trade_id}", list(COLUMNS.values()), [row], currency=currency)
    return Report(table.title, {"pk": pk, **trade.as_dict()}, [table])
