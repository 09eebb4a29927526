"""`manage.py record_trade`: enter a trade by hand, with its end where that is known."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from contextlib import nullcontext
from datetime import UTC, datetime

from trading.bookkeeping.by_hand import HandEntry
from trading.errors import InvalidValue, LikelySlip
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table
from trading.management.trade_named import COLUMNS
from trading.newest import price_beside
from trading.operations.enter_by_hand import MANUAL, Closing, EnteredTrade, Opening, enter_trade
from trading.pages.hand_forms import warning
from trading.queries.accounts import get_account
from trading.queries.period import parse_moment
from trading.transactions import undone


class Command(VeloxCommand):
    help = (
        "Enter a trade by hand, under the name of whoever enters it: through the same operations as a strategy's. A "
        "likely slip is told and nothing is booked (exit 1) unless --accept names it. The same line again changes "
        "nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbol", metavar="SYMBOL")
        parser.add_argument("side", metavar="SIDE", choices=("LONG", "SHORT"), help="LONG or SHORT")
        parser.add_argument("quantity", metavar="QUANTITY")
        parser.add_argument("price", metavar="PRICE", help="of the entry")
        parser.add_argument("--by", required=True, help="who enters it; kept in the journal")
        parser.add_argument("--at", metavar="TIME", help="of the entry, at the desk: '2024-03-15 09:31:05' (now)")
        parser.add_argument("--stop", metavar="PRICE")
        parser.add_argument("--target", metavar="PRICE")
        parser.add_argument("--strategy", metavar="ID", default=MANUAL, help=f"default: {MANUAL}")
        parser.add_argument("--charges", metavar="AMOUNT", help="of the entry")
        parser.add_argument("--exit-price", metavar="PRICE", help="closes the trade at once")
        parser.add_argument("--exit-at", metavar="TIME", help="of the exit (now)")
        parser.add_argument("--exit-reason", metavar="WORDS", default="")
        parser.add_argument("--exit-charges", metavar="AMOUNT")
        parser.add_argument("--trade-id", metavar="ID", help="default: one that follows from the facts of the entry")
        parser.add_argument("--accept", metavar="WARNING", nargs="*", default=[], help="likely slips that are none")
        parser.add_argument("--dry-run", action="store_true", help="say what would be booked, and write nothing")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        symbol: str,
        side: str,
        quantity: str,
        price: str,
        by: str,
        at: str | None,
        stop: str | None,
        target: str | None,
        strategy: str,
        charges: str | None,
        exit_price: str | None,
        exit_at: str | None,
        exit_reason: str,
        exit_charges: str | None,
        trade_id: str | None,
        accept: list[str],
        dry_run: bool,
        account: str,
    ) -> bool:
        now = datetime.now(UTC).replace(microsecond=0)
        entry_time = now if at is None else parse_moment(at)
        opening = Opening(
            trade_id=trade_id or _id_of(strategy, symbol, side, quantity, price, entry_time.isoformat()),
            symbol=symbol,
            side=side,
            quantity=quantity,
            entry_price=price,
            entry_time=entry_time,
            strategy_id=strategy,
            stop_price=stop,
            target_price=target,
            charges=charges,
        )
        closing = None
        if exit_price is not None:
            exit_time = now if exit_at is None else parse_moment(exit_at)
            closing = Closing(exit_price=exit_price, exit_time=exit_time, exit_reason=exit_reason, charges=exit_charges)
        elif exit_at or exit_reason or exit_charges:
            raise InvalidValue("The exit has no price.", field="exit_price", hint="Give --exit-price, or no exit.")
        entry = HandEntry(by, frozenset(accept))
        newest = price_beside(account, symbol)
        entered: EnteredTrade | None = None
        warnings: tuple[str, ...] = ()
        try:
            with undone() if dry_run else nullcontext():
                entered = enter_trade(account, opening, closing, entry, newest=newest)
        except LikelySlip as slip:
            warnings = slip.warnings
        self.emit(_report(entered, warnings, get_account(account).currency, is_booked=bool(entered) and not dry_run))
        return not warnings


def _id_of(*facts: str) -> str:
    """Return the id of a trade of these facts: the same line gives the same one."""
    return f"hand-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:12]}"


def _report(entered: EnteredTrade | None, warnings: tuple[str, ...], currency: str, *, is_booked: bool) -> Report:
    """Return what was booked, or would be; or why nothing was."""
    listed = [{"warning": word, "text": warning(word)} for word in warnings]
    body = {"booked": is_booked, "warnings": listed, "pk": entered.pk if entered and is_booked else None}
    body |= {"trade": entered.trade.as_dict() if entered else None}
    if entered is None:
        title = "Likely a slip; nothing is booked. --accept takes the words on the left."
        return Report(
            title, body, [Table(title, ["Warning", "What it means"], [list(line.values()) for line in listed])]
        )
    title = f"Trade {entered.trade.trade_id}" + ("" if is_booked else ": would be booked")
    row = [getattr(entered.trade, name) for name in COLUMNS]
    return Report(title, body, [Table(title, list(COLUMNS.values()), [row], currency=currency)])
