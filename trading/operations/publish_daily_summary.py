"""Publish a day's report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from trading.models import DailySummary
from trading.operations import journal
from trading.operations.writing import writing
from trading.queries.accounts import get_account


def publish_daily_summary(account_code: str, day: date, body: str, *, by: str = "") -> DailySummary:
    """Return the newest version: a new one where ``body`` (canonical JSON) differs from the last, which stays.

    Raises: UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    now = datetime.now(UTC)
    with writing():
        account = get_account(account_code)
        head = journal.lock_head(account)
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
