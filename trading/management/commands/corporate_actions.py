"""`manage.py corporate_actions`: what brokers' files propose, and the way for a person to book or dismiss it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date

from trading.domain.split import BONUS, SPLIT
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle, refuse_of_another
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.models import CorporateAction
from trading.operations.confirm_settlement import confirm_settlement
from trading.operations.confirm_split import confirm_split
from trading.operations.dismiss_action import dismiss_action
from trading.queries.accounts import get_account
from trading.queries.corporate_actions import corporate_actions
from trading.queries.period import parse_day

COLUMNS = {
    "action": "Action",
    "day": "Day",
    "kind": "Kind",
    "symbol": "Symbol",
    "text": "What the file says",
    "state": "State",
    "terms": "Booked",
    "author": "By",
    "reason": "Reason",
}


class Command(VeloxCommand):
    help = (
        "List the splits, bonuses and settlements that brokers' files tell of and nobody has decided; none of them is "
        "booked. --confirm books one, --dismiss keeps that nothing is to be booked; both with --by and --reason. What "
        "the file does not tell is given beside: --split or --bonus, --price, --shares, --on, --symbol."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--all", dest="with_decided", action="store_true", help="also those that are decided")
        verb = parser.add_mutually_exclusive_group()
        verb.add_argument("--confirm", type=int, metavar="ACTION", help="book this one, by its number in the list")
        verb.add_argument("--dismiss", type=int, metavar="ACTION", help="nothing is to be booked of this one")
        parser.add_argument("--by", default="", help="who says so")
        parser.add_argument("--reason", default="", help="where it is known from")
        ratio = parser.add_mutually_exclusive_group()
        ratio.add_argument("--split", metavar="NEW:OLD", help="2:1 gives two for each one, 1:10 one for each ten")
        ratio.add_argument("--bonus", metavar="NEW:OLD", help="1:1 gives one on top of each one")
        parser.add_argument("--price", help="at what one unit was settled; 0 where it expired worthless")
        parser.add_argument("--shares", metavar="SYMBOL", help="the shares that it was settled in")
        parser.add_argument("--on", metavar="DAY", help="the day of it, where the file's is another")
        parser.add_argument("--symbol", help="what it is of, where the file's name is not known")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        account: str,
        with_decided: bool,
        confirm: int | None,
        dismiss: int | None,
        by: str,
        reason: str,
        split: str | None,
        bonus: str | None,
        price: str | None,
        shares: str | None,
        on: str | None,
        symbol: str | None,
    ) -> bool:
        day, of = None if on is None else parse_day(on), get_account(account)
        of_both, of_split = {"--on": on, "--symbol": symbol}, {"--split": split, "--bonus": bonus}
        of_settlement = {"--price": price, "--shares": shares}
        if confirm is None:
            where = "without --confirm" if dismiss is None else "beside --dismiss"
            refuse_idle(where, {**of_split, **of_settlement, **of_both})
        if confirm is None and dismiss is None:
            refuse_idle("without --confirm and --dismiss", {"--by": by, "--reason": reason})
        if (number := confirm if dismiss is None else dismiss) is not None:
            refuse_of_another(of, CorporateAction, number)
        if dismiss is not None:
            dismiss_action(dismiss, by=by, reason=reason)
        elif confirm is not None and _is_settlement(confirm):
            refuse_idle("of a settlement", of_split)
            confirm_settlement(confirm, price=price, shares=shares, day=day, symbol=symbol, by=by, reason=reason)
        elif confirm is not None:
            if CorporateAction.objects.filter(pk=confirm).exists():  # else it is told that there is none
                refuse_idle("of what is no settlement", of_settlement)
            _confirm_split(confirm, split, bonus, day=day, symbol=symbol, by=by, reason=reason)
        actions = corporate_actions(of, with_decided=with_decided)
        rows: list[list[Value]] = [
            [each.pk, each.day, each.kind, each.symbol, each.text, each.state, each.terms, each.author, each.reason]
            for each in actions
        ]
        body = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        waiting = sum(row["state"] == "waiting" for row in body)
        table = Table(f"{waiting} corporate actions wait", list(COLUMNS.values()), rows)
        self.emit(Report("Corporate actions", {"account": of.code, "actions": body}, [table]))
        return True


def _is_settlement(action: int) -> bool:
    return CorporateAction.objects.filter(pk=action, kind=CorporateAction.Kind.SETTLEMENT).exists()


def _confirm_split(
    action: int, split: str | None, bonus: str | None, *, day: date | None, symbol: str | None, by: str, reason: str
) -> None:
    """Confirm a split with the ratio that was given, or with the file's."""
    kind = BONUS if bonus is not None else SPLIT if split is not None else None
    new, colon, old = (bonus or split or "").partition(":")
    if kind is not None and not colon:
        raise InvalidValue(f"{kind} is {bonus or split!r}.", field=kind, hint="Give NEW:OLD, such as 2:1.")
    ratio = (new, old) if kind else (None, None)
    confirm_split(action, new=ratio[0], old=ratio[1], kind=kind, day=day, symbol=symbol, by=by, reason=reason)
