"""Recording what a broker's statement says of charges, and sharing the days that its fills belong to anew."""

from __future__ import annotations

from datetime import date, timedelta

from django.db.models import Max

from trading.bookkeeping import stating
from trading.bookkeeping.incoming_fills import house_of
from trading.brokers.stated import charge_statements
from trading.brokers.values import Statement
from trading.domain.stated_charges import ChargeSource
from trading.models import StatedCharge
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges
from trading.queries.accounts import get_account
from trading.transactions import in_parts, reading

IMPORT = "broker_import"
_DAY = timedelta(days=1)


@in_parts()
def import_charges(account_code: str, statement: Statement, *, by: str = "") -> int:
    """Record the charges that a statement states and return how many lines were new; the same again changes nothing.

    Charges that were stated before of the days of its fills are shared with these: import the fills first.

    Raises: InvalidValue, UnknownAccount, LedgerBusy (what is written so far stays: call again), LedgerNotReady.
    """
    by, new = by or IMPORT, 0
    with reading():
        stating.must_be_of_one_broker(get_account(account_code), statement)
    for source in (ChargeSource.NOTE, ChargeSource.FILE):
        if lines := charge_statements(statement, source):
            text = f"{statement.broker} {statement.kind}"  # without its name, which may have the client's code
            house = house_of(statement.broker)
            kept = state_charges(account_code, lines, by=by, text=text, document=statement.sha256, broker=house)
            new += kept.lines
    if statement.fills:
        days = [fill.day for fill in statement.fills]
        with reading():
            # Fills of an earlier time may have built trades of later days anew.
            stated = StatedCharge.objects.filter(account__code=account_code).aggregate(last=Max("last_day"))["last"]
        reason = f"Fills of a {statement.broker} {statement.kind}"
        # The exchange's zone lies at most a day away from the file's.
        first = max(min(days), date.min + _DAY) - _DAY
        last = min(max(*days, stated or days[0]), date.max - _DAY) + _DAY
        spread_charges(account_code, first, last, by=by, reason=reason)
    return new
