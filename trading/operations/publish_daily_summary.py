"""Publish a day's report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from trading.bookkeeping import journal
from trading.errors import InvalidValue
from trading.models import DailySummary
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary, canonical
from trading.queries.day_end import end_of_day
from trading.transactions import writing


def publish_daily_summary(
    account_code: str, day: date, *, now: datetime | None = None, by: str = "", in_progress: bool = False
) -> DailySummary:
    """Return the newest version: a new one where what the trades say at ``now`` differs from the last, which stays.

    A day is published once its session is over (`day_end.end_of_day`), one that is still in progress only where
    ``in_progress`` says so. The report is made while the journal's end is locked, so it tells what the journal held up
    to ``journal_sequence``, neither more nor less.

    Raises: InvalidValue for a day that has not begun, or is not over and not said to be; UnknownAccount, LedgerBusy,
        LedgerNotReady.
    """
    now = now or datetime.now(UTC)
    with writing():
        account = get_account(account_code)
        head = journal.lock_head(account)
        if now < end_of_day(account, day, now=now).session_at and not in_progress:
            raise InvalidValue(f"{day} is in progress.", field="date", hint="Publish it after its session.")
        body = canonical(build_daily_summary(account_code, day, now=now))
        last = DailySummary.objects.filter(account=account, day=day).order_by("-version").first()
        if last is not None and last.body == body:
            return last
        version = 1 if last is None else last.version + 1
        row = DailySummary.objects.create(
            account=account,
            day=day,
            version=version,
            body=body,
            created_at=now,
            journal_sequence=head.sequence,
            journal_head=head.mac,
        )
        said = {"day": day, "version": version, "summary": body, "summary_pk": row.pk}
        journal.append(account, "publish_daily_summary", said, now=now, by=by)
    return row
