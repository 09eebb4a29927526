"""Bringing charges that were stated before to fills that were booked since."""

from __future__ import annotations

from datetime import UTC, date, datetime

from trading.bookkeeping import charging, correcting, journal
from trading.errors import InvalidValue
from trading.transactions import writing


def spread_charges(account_code: str, first: date, last: date, *, by: str, reason: str) -> int:
    """Set the charges of the fills of these days, both inclusive, to what is stated of them; return how many trades
    changed.

    A day's amounts are shared anew among all its fills, so whatever the order in which fills and charges came, they end
    the same. Doing it again changes nothing.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    if last < first:
        raise InvalidValue(f"{first} lies after {last}.", field="last", hint="Give the later day last.")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        return charging.bring_to_trades(account, head, first, last, source=reason, reason=reason, by=by, now=now)
