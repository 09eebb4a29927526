"""`manage.py limits`: how far an account's limits are used now; set one, end one, or list every row that was said."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal

from timeseries.values import instant_text
from trading.domain.limits import LimitState, Usage, overall
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.models import Account
from trading.newest import newest_points
from trading.operations.set_limit import KINDS, end_limit, set_limit
from trading.queries.accounts import get_account
from trading.queries.limits import MeasuredLimits, limit_history, measured_limits
from trading.queries.period import parse_day
from trading.transactions import ask

FORMATS = ("table", "csv", "json")
WHOLE = "whole account"


class Command(VeloxCommand):
    help = (
        "Show how far the limits of an account and its strategies are used, with open P&L by the last prices seen; set "
        "one, end one, or list what was said of them. VELOX watches and tells, it never refuses a record. Exit 1 where "
        "one is crossed or not known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", default="main", help="the account (default: main)")
        add_format_arguments(parser, formats=FORMATS)
        verbs = parser.add_subparsers(dest="verb", metavar="show | history | set | end")
        show = verbs.add_parser("show", help="each limit in force and how far it is used (also without a verb)")
        history = verbs.add_parser("history", help="every row that was said, the newest first")
        sets = verbs.add_parser("set", help="set a limit from a day on")
        ends = verbs.add_parser("end", help="end a limit from a day on")
        for verb in (sets, ends):
            verb.add_argument("kind", help=f"one of {', '.join(KINDS)}")
            verb.add_argument("--strategy", metavar="ID", help="of this strategy alone (default: the whole account)")
            verb.add_argument("--from", dest="first", metavar="YYYY-MM-DD", help="the first day (default: today)")
            verb.add_argument("--by", required=True, help="who says so; kept in the journal")
            verb.add_argument("--reason", required=True, help="why; it is kept")
        sets.add_argument("amount", help="money of the account's currency above 0, or a whole number")
        for verb in (show, history, sets, ends):
            verb.add_argument("--account", default=SUPPRESS, help="the account (default: main)")
            add_format_arguments(verb, formats=FORMATS, below_another=True)

    def answer(
        self,
        *,
        verb: str | None,
        account: str,
        kind: str = "",
        amount: str = "",
        strategy: str | None = None,
        first: str | None = None,
        by: str = "",
        reason: str = "",
    ) -> bool:
        day = None if first is None else parse_day(first)
        if verb == "set":
            set_limit(account, kind, amount, by=by, reason=reason, strategy_id=strategy, first_day=day)
        elif verb == "end":
            end_limit(account, kind, by=by, reason=reason, strategy_id=strategy, first_day=day)
        row = ask(get_account, account)
        if verb not in (None, "show"):
            self.emit(ask(history_report, row))
            return True
        measured = ask(measured_limits, row, newest_points(account).known_ticks, now=datetime.now(UTC))
        self.emit(states_report(row, measured))
        return overall(measured.states) in (Usage.WITHIN, Usage.NONE)


def states_report(account: Account, measured: MeasuredLimits) -> Report:
    """Return the limits in force with what is used of each."""
    body = {
        "account": account.code,
        "currency": account.currency,
        "date": measured.day,
        "as_of": instant_text(measured.as_of, "milliseconds"),
        "state": str(overall(measured.states)),
        "limits": [state.as_dict() for state in measured.states],
    }
    rows: list[list[Value]] = []
    for state in measured.states:
        amounts = [_cell(state, amount) for amount in (state.limit, state.used, state.left)]
        rows.append([state.strategy_id or WHOLE, state.kind, *amounts, state.state])
    columns = ["Of", "Limit", "At", "Used", "Left", "State"]
    title = f"Limits · {account.code} · {measured.day} · {body['state']}"
    return Report(title, body, [Table(title, columns, rows, account.currency)])


def history_report(account: Account) -> Report:
    """Return every row of the account's limits, the newest first."""
    rows_as_json = [
        {
            "number": row.number,
            "strategy_id": None if row.strategy is None else row.strategy.code,
            "kind": row.kind,
            "limit": row.amount,
            "from": row.first_day,
            "by": row.author,
            "reason": row.reason,
            "recorded_at": row.recorded_at,
        }
        for row in limit_history(account)
    ]
    columns = ["Number", "Of", "Limit", "At", "From", "By", "Reason", "Recorded"]
    rows: list[list[Value]] = []
    for row in limit_history(account):
        scope = WHOLE if row.strategy is None else row.strategy.code
        size = "ended" if row.amount is None else f"{row.amount:f}"
        rows.append([row.number, scope, row.kind, size, row.first_day, row.author, row.reason, row.recorded_at])
    title = f"What was said of limits · {account.code}"
    body = {"account": account.code, "currency": account.currency, "rows": rows_as_json}
    return Report(title, body, [Table(title, columns, rows, account.currency)])


def _cell(state: LimitState, amount: Decimal | None) -> Value:
    """Return an amount of money as it is, a count as a whole number."""
    return amount if amount is None or state.is_money else int(amount)
