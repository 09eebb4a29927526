"""Approving breaks: a named person says that what is proposed be booked, or that a break is accepted as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trading.bookkeeping import break_events, correcting, journal
from trading.domain.breaks import Break, OpenBreak, Remedy
from trading.errors import InvalidValue, StoreUnavailable
from trading.hot import ledger_copy
from trading.models import Account, BreakEvent, User
from trading.operations.book_proposals import book_proposals
from trading.queries.accounts import get_account
from trading.queries.open_breaks import break_of, newest_events
from trading.transactions import reading, together

APPROVE = "trading.add_correction"  # who may correct the ledger may approve what is proposed for it
AT_ONCE_MAX = 200  # well within the two seconds for which a strategy waits behind them
Event = BreakEvent.Event


def approve_breaks(
    account_code: str, break_ids: Sequence[str], *, by: str, reason: str, as_it_is: bool = False
) -> list[OpenBreak]:
    """Book what open breaks propose, in one transaction, and return them; all are booked or none.

    ``by`` is the user name of an operator. Where a break proposes nothing to book, or ``as_it_is``, it is accepted: it
    is open no longer, until it differs otherwise.

    Raises: InvalidValue for a break that is not open, a user who may not approve, no reason, or a proposal that fits
        no longer; StoreUnavailable where the hot copy cannot be rebuilt; what the operations raise that book.
    """
    by, reason, wanted = correcting.author(by), correcting.why(reason), list(dict.fromkeys(break_ids))
    if not 0 < len(wanted) <= AT_ONCE_MAX:
        raise InvalidValue(f"{len(wanted)} breaks are named.", field="breaks", hint=f"Name 1 to {AT_ONCE_MAX}.")
    with reading():
        account = get_account(account_code)
        _must_be_operator(by)
        events = _open_events(account, wanted)
    now = datetime.now(UTC)
    if not as_it_is and any(event.proposal["action"] == Remedy.REBUILD_HOT_COPY for event in events):
        try:
            ledger_copy.rebuild(account.code, now)
        except ConnectionError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}.", hint="Start it or mend CACHE_URL.") from error
    with together():
        account, _ = journal.lock_account(account_code)
        events = _open_events(account, wanted)
        breaks = [break_of(event) for event in events]
        if not as_it_is:
            book_proposals(account, breaks, by=by, reason=reason)
        # The chain's end has moved on by what was booked.
        account, head = journal.lock_account(account_code)
        approved = [
            break_events.event_of(each, _outcome(each, as_it_is), opened_at=event.opened_at, author=by, reason=reason)
            for each, event in zip(breaks, events, strict=True)
        ]
        break_events.keep(account, "approve_breaks", approved, now=datetime.now(UTC), by=by, head=head)
    return [OpenBreak(each, event.opened_at) for each, event in zip(breaks, events, strict=True)]


def _outcome(each: Break, as_it_is: bool) -> BreakEvent.Event:
    return Event.ACCEPTED if as_it_is or each.proposal.action is Remedy.LOOK else Event.APPROVED


def _must_be_operator(by: str) -> None:
    """Raise InvalidValue unless this is a user who may correct the ledger."""
    user = User.objects.filter(username=by, is_active=True).first()
    if user is None or not user.has_perm(APPROVE):
        raise InvalidValue(
            f"{by} is no user who may approve.", field="by", hint="Name an operator: a user who may correct the ledger."
        )


def _open_events(account: Account, break_ids: Sequence[str]) -> list[BreakEvent]:
    """Return the newest event of each break, in the order given. Raises: InvalidValue where one is not open."""
    events = {event.break_id: event for event in newest_events(account, break_ids)}
    for name in break_ids:
        event = events.get(name)
        if event is None or event.event not in BreakEvent.OPEN:
            state = "" if event is None else f" It is {Event(event.event).label.lower()}."
            raise InvalidValue(
                f"No break {name} of account {account.code} is open.{state}",
                field="breaks",
                hint="`manage.py reconcile` lists those that are.",
            )
    return [events[name] for name in break_ids]
