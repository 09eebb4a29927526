"""Saying which brokerage plan an account has from a day on."""

from __future__ import annotations

from datetime import UTC, date, datetime

from timeseries.values import parse_name
from trading.bookkeeping import journal
from trading.errors import InvalidValue
from trading.models import BrokeragePlan
from trading.queries.accounts import get_account
from trading.queries.charge_estimates import shipped_schedule
from trading.transactions import writing


def set_brokerage_plan(account_code: str, plan: str, day: date, *, by: str = "") -> BrokeragePlan:
    """Keep the account's plan from the start of ``day``, in place of another of that very day, and return its row.

    Estimates alone follow it. The plan that is known already changes nothing.

    Raises: InvalidValue for a plan that the schedule of charges does not have; UnknownAccount, LedgerBusy,
        LedgerNotReady.
    """
    plan, plans = parse_name(plan, "plan"), shipped_schedule().plans()
    if plan not in plans:
        raise InvalidValue(f"There is no plan {plan!r}.", field="plan", hint=f"Known are {', '.join(plans)}.")
    now = datetime.now(UTC)
    with writing():
        account = get_account(account_code)
        head = journal.lock_head(account)
        row = BrokeragePlan.objects.filter(account=account, day=day).first() or BrokeragePlan(account=account, day=day)
        if row.plan != plan:
            row.plan, row.recorded_at = plan, now
            row.save()
            journal.append(account, "set_brokerage_plan", {"day": day, "plan": plan}, now=now, by=by, head=head)
    return row
