"""Recording what a broker's statement says of charges, and sharing the days that its fills belong to anew."""

from __future__ import annotations

from django.db.models import Max

from trading.brokers.stated import charge_statements
from trading.brokers.values import Broker, Statement
from trading.domain.stated_charges import ChargeSource
from trading.errors import InvalidValue
from trading.models import StatedCharge
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges
from trading.transactions import reading

IMPORT = "broker_import"


def import_charges(account_code: str, statement: Statement, *, by: str = "") -> int:
    """Record the charges that a statement states and return how many lines were new; the same again changes nothing.

    Charges that were stated before of the days of its fills are shared with these: import the fills first.

    Raises: InvalidValue, UnknownAccount, LedgerBusy (what is written so far stays: call again), LedgerNotReady.
    """
    by, new = by or IMPORT, 0
    with reading():
        _must_be_of_one_broker(account_code, statement)
    for source in (ChargeSource.NOTE, ChargeSource.FILE):
        if lines := charge_statements(statement, source):
            text = f"{statement.broker} {statement.kind}"  # without its name, which may have the client's code
            new += state_charges(account_code, lines, by=by, text=text, document=statement.sha256).lines
    if statement.fills:
        days = [fill.day for fill in statement.fills]
        with reading():
            # Fills of an earlier time may have built trades of later days anew.
            stated = StatedCharge.objects.filter(account__code=account_code).aggregate(last=Max("last_day"))["last"]
        reason = f"Fills of a {statement.broker} {statement.kind}"
        spread_charges(account_code, min(days), max(*days, stated or days[0]), by=by, reason=reason)
    return new


def _must_be_of_one_broker(account_code: str, statement: Statement) -> None:
    """Raise InvalidValue where another broker's documents state charges of the same days.

    Nobody could tell whose fills they are of, and the later would stand in the place of the earlier.
    """
    days = [day for line in statement.charges for day in (line.day, line.last_day)]
    if not days:
        return
    lines = StatedCharge.objects.filter(account__code=account_code, day__lte=max(days), last_day__gte=min(days))
    others = {broker.value for broker in Broker} - {statement.broker}
    other = next((line for line in lines.exclude(document="") if line.text.partition(" ")[0] in others), None)
    if other is not None:
        raise InvalidValue(
            f"The account has charges of {other.day} from a {other.text}, and this is a file of {statement.broker}.",
            field="account",
            hint="Keep an account for each broker: `manage.py account create` makes one.",
        )
