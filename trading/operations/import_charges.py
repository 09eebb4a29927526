"""Recording what a broker's statement says of charges, and sharing the days that its fills belong to anew."""

from __future__ import annotations

from trading.brokers.stated import charge_statements
from trading.brokers.values import Statement
from trading.domain.stated_charges import ChargeSource
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges

IMPORT = "broker_import"


def import_charges(account_code: str, statement: Statement, *, by: str = "") -> int:
    """Record the charges that a statement states and return how many lines were new; the same again changes nothing.

    Charges that were stated before of the days of its fills are shared with these: import the fills first.

    Raises: InvalidValue, UnknownAccount, LedgerBusy (what is written so far stays: call again), LedgerNotReady.
    """
    by, new = by or IMPORT, 0
    for source in (ChargeSource.NOTE, ChargeSource.FILE):
        if lines := charge_statements(statement, source):
            text = f"{statement.broker} {statement.kind}"  # without its name, which may have the client's code
            new += state_charges(account_code, lines, by=by, text=text, document=statement.sha256).lines
    if statement.fills:
        days = [fill.day for fill in statement.fills]
        reason = f"Fills of a {statement.broker} {statement.kind}"
        spread_charges(account_code, min(days), max(days), by=by, reason=reason)
    return new
