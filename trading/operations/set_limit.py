"""Saying what an account or a strategy in it may lose, trade or hold, and that it may no longer be watched."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from timeseries.values import Number, parse_name
from trading import rows
from trading.bookkeeping import arguments, journal
from trading.domain.chain import JournalEntry
from trading.domain.limits import ACCOUNT_KINDS, ALLOWANCES, MONEY_KINDS, LimitKind
from trading.domain.money import parse_amount
from trading.errors import InvalidValue
from trading.models import Limit, Strategy
from trading.queries.period import account_date
from trading.transactions import writing

KINDS = tuple(str(kind) for kind in LimitKind)
DAYS_AHEAD_MAX = 366


def set_limit(
    account_code: str,
    kind: str,
    amount: Number,
    *,
    by: str,
    reason: str,
    strategy_id: str | None = None,
    first_day: date | None = None,
    now: datetime | None = None,
) -> Limit:
    """Set a limit of the account, or of one strategy in it, from the start of ``first_day`` (default: today) on.

    Return its row; the newest one, unchanged, where it says the same already. A row said later holds from its first
    day on, whatever was planned before. Nothing is ever refused because a limit is crossed.

    Raises: InvalidValue for an unknown kind or strategy, an amount that is no limit of its kind (an amount of money
        above 0; a whole number, which for losses in a row is at least 1), a drawdown of one strategy, a day that is
        past or over a year ahead, and for an author or a reason that is missing; UnknownAccount, LedgerBusy,
        LedgerNotReady, LedgerReadOnly.
    """
    word = arguments.one_of(kind, "kind", KINDS)
    return _say(account_code, word, _amount(word, amount), by, reason, strategy_id, first_day, now or datetime.now(UTC))


def end_limit(
    account_code: str,
    kind: str,
    *,
    by: str,
    reason: str,
    strategy_id: str | None = None,
    first_day: date | None = None,
    now: datetime | None = None,
) -> Limit:
    """End a limit from the start of ``first_day`` (default: today) on and return the row that says so.

    Raises: InvalidValue where no such limit is set, and as `set_limit`.
    """
    word = arguments.one_of(kind, "kind", KINDS)
    return _say(account_code, word, None, by, reason, strategy_id, first_day, now or datetime.now(UTC))


def _say(
    account_code: str,
    kind: str,
    amount: Decimal | None,
    by: str,
    reason: str,
    strategy_id: str | None,
    first_day: date | None,
    now: datetime,
) -> Limit:
    """Write the next row of a limit; the newest one is the answer where it says the same."""
    reason = arguments.free_text(reason, "reason").strip()
    if not by.strip():
        raise InvalidValue("A limit has an author.", field="by", hint="Say who sets or ends it.")
    if not reason:
        raise InvalidValue("A limit has a reason.", field="reason", hint="Say why it is set or ended.")
    if strategy_id is not None and kind in ACCOUNT_KINDS:
        raise InvalidValue(
            f"{kind} is a limit of the whole account.", field="strategy_id", hint="Set it without a strategy."
        )
    with writing():
        account, head = journal.lock_account(account_code)
        today = account_date(account, now)
        day = first_day or today
        if not today <= day <= today + timedelta(days=DAYS_AHEAD_MAX):
            raise InvalidValue(
                f"first_day is {day}.",
                field="first_day",
                hint=f"Give a day from today, {today}, to one in a year: the past was judged by the limits of then.",
            )
        strategy = None if strategy_id is None else _strategy(strategy_id)
        newest = Limit.objects.filter(account=account, kind=kind, strategy=strategy).order_by("-number").first()
        if amount is None and (newest is None or (newest.amount is None and newest.first_day <= today)):
            scope = account.code if strategy is None else f"{strategy.code} in {account.code}"
            raise InvalidValue(f"{scope} has no limit {kind}.", field="kind", hint="`manage.py limits` lists them.")
        if newest is not None and newest.amount == amount and newest.first_day <= day:
            return newest
        number = Limit.objects.filter(account=account).order_by("-number").values_list("number", flat=True).first()
        row = Limit.objects.create(
            account=account, number=(number or 0) + 1, kind=kind, strategy=strategy, amount=amount, first_day=day,
            reason=reason, author=by, recorded_at=now,
        )  # fmt: skip
        limit: JournalEntry = {
            "number": row.number,
            "kind": kind,
            "strategy": None if strategy is None else strategy.code,
            "strategy_pk": None if strategy is None else strategy.pk,
            "amount": amount,
            "first_day": day,
            "reason": reason,
        }
        journal.append(account, "set_limit", {"limit": limit, "limit_pk": row.pk}, now=now, by=by, head=head)
    return row


def _amount(kind: str, amount: Number) -> Decimal:
    """Return the size of a limit of this kind exactly."""
    exact = parse_amount(amount, "amount")
    if kind in MONEY_KINDS:
        if exact <= 0:
            raise InvalidValue(f"amount is {amount!r}.", field="amount", hint="Give an amount of money above 0.")
    elif exact != exact.to_integral_value() or exact < (0 if kind in ALLOWANCES else 1):
        lowest = 0 if kind in ALLOWANCES else 1
        raise InvalidValue(f"amount is {amount!r}.", field="amount", hint=f"Give a whole number of at least {lowest}.")
    return exact


def _strategy(strategy_id: str) -> Strategy:
    """Return a strategy that the ledger has. A misspelt name would be a limit that watches nothing."""
    code = parse_name(strategy_id, "strategy_id")
    strategy = rows.one(Strategy, code=code)
    if strategy is None:
        raise InvalidValue(
            f"There is no strategy {code!r}.",
            field="strategy_id",
            hint="It is there from its first trade or signal on; `manage.py strategy_report` lists those that traded.",
        )
    return strategy
