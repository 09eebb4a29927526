"""Bringing capital into an account, or taking it out."""

from __future__ import annotations

from datetime import UTC, date, datetime

from timeseries.values import Number
from trading.bookkeeping import arguments, journal
from trading.domain.money import parse_amount
from trading.errors import InvalidValue
from trading.models import CapitalFlow
from trading.queries.accounts import get_account
from trading.transactions import writing


def add_capital(account_code: str, day: date, amount: Number, *, note: str = "", by: str = "") -> CapitalFlow:
    """Record a flow of capital that counts from the start of ``day``, and return it; every call is a flow of its own.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    flow = parse_amount(amount, "amount")
    if not flow:
        raise InvalidValue("amount is 0.", field="amount", hint="Give what comes in, or (negative) what goes out.")
    note = arguments.free_text(note, "note")[:200]
    now = datetime.now(UTC)
    with writing():
        account = get_account(account_code)
        head = journal.lock_head(account)  # before the seal of the flow, as every operation takes the two
        row = CapitalFlow.objects.create(account=account, day=day, amount=flow, note=note, recorded_at=now)
        journal.append(account, "add_capital", {"day": day, "amount": flow, "note": note}, now=now, by=by, head=head)
    return row
