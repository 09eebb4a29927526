"""A person's decision of a proposed corporate action: found behind the lock, written once, told to the journal."""

from __future__ import annotations

from datetime import date, datetime

from django.db.models import Max

from trading.bookkeeping import charging, journal
from trading.domain.chain import JournalEntry
from trading.errors import IdConflict, InvalidValue
from trading.models import ActionDecision, CorporateAction, StatedCharge

_COLUMNS = ("id", "action_id", "terms", "reason")


def action_of(pk: int) -> CorporateAction:
    """Return a proposed action with its account and file. Raises: InvalidValue where none has this key."""
    action = CorporateAction.objects.select_related("account", "file").filter(pk=pk).first()
    if action is None:
        raise InvalidValue(
            f"There is no corporate action {pk}.",
            field="action",
            hint="`manage.py corporate_actions` lists those that wait.",
        )
    return action


def is_decided(action: CorporateAction, terms: str) -> bool:
    """Tell whether these terms were decided before ("" is dismissed). Raises: IdConflict where others were."""
    decision = ActionDecision.objects.filter(action=action).first()
    if decision is not None and decision.terms != terms:
        raise IdConflict(
            f"Action {action.pk} is decided: {decision.terms or 'dismissed'}, by {decision.author}.", field="action"
        )
    return decision is not None


def decide(
    action: CorporateAction, terms: str, *, by: str, reason: str, now: datetime, since: date | None = None
) -> None:
    """Write the decision and what the journal says of it; charges that were stated of the days ``since`` one on go to
    the trades that were booked anew."""
    account, head = journal.lock_account(action.account.code)
    decision = ActionDecision(account=account, action=action, terms=terms, reason=reason, author=by, recorded_at=now)
    decision.save()
    body: JournalEntry = {"decision": {name: getattr(decision, name) for name in _COLUMNS}}
    journal.append(account, "decide_action", body, now=now, by=by, head=head)
    last = StatedCharge.objects.filter(account=account).aggregate(last=Max("last_day"))["last"]
    if since is not None and last is not None and last >= since:
        charging.bring_to_trades(account, head, since, last, source=terms, reason=terms, by=by, now=now)
