"""Publishing a day's report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from trading.bookkeeping import journal
from trading.domain.chain import JournalEntry
from trading.domain.shapes import DaySummary
from trading.models import Account, DailySummary
from trading.moment import one_moment
from trading.queries.daily_summary import Published, canonical, day_report, newest_published
from trading.queries.day_end import DayEnd
from trading.transactions import reading, writing


class Publishing(StrEnum):
    """What becomes of a day's report."""

    NEW = "NEW"  # it is published
    SAME = "SAME"  # the newest version tells the same
    DIFFERS = "DIFFERS"  # the newest version tells otherwise, and stays the newest
    EMPTY = "EMPTY"  # a day without anything is not published, so that it can still become one
    IN_PROGRESS = "IN_PROGRESS"  # the day's session is not over


@dataclass(frozen=True, slots=True)
class Publication:
    """What the trades tell of a day, and what became of it; ``version`` is the newest published, 0 without any."""

    outcome: Publishing
    summary: DaySummary
    version: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """A day as it was read: the journal's end before, the report, the day's end, and the newest published version."""

    journal_sequence: int
    summary: DaySummary
    body: str
    end: DayEnd
    published: Published | None

    @property
    def version(self) -> int:
        """The newest published version, 0 without any."""
        return 0 if self.published is None else self.published.version

    def outcome(self, now: datetime, *, in_progress: bool, rebuild: bool) -> Publishing:
        last = self.published
        if last is None and not self.summary["strategies"]:
            return Publishing.EMPTY
        if last is not None and last.body == self.body:
            return Publishing.SAME
        if now < self.end.session_at and not in_progress:
            return Publishing.IN_PROGRESS
        is_due = last is None or rebuild or last.created_at < self.end.date_at
        return Publishing.NEW if is_due else Publishing.DIFFERS


def publish_daily_summary(
    account: Account,
    day: date,
    *,
    now: datetime | None = None,
    by: str = "",
    in_progress: bool = False,
    rebuild: bool = False,
) -> Publication:
    """Publish what the trades tell of a day at ``now``, as a version beside those before it, where they tell otherwise.

    A day is published once its session is over (`day_end.end_of_day`), one in progress only with ``in_progress``. What
    was published before the end of its date is followed by itself, later only with ``rebuild``. The report tells what
    the journal held up to ``journal_sequence``, neither more nor less.

    Raises: InvalidValue for a day that has not begun; LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    now = now or datetime.now(UTC)
    with reading(), one_moment():
        draft = _drafted(account, day, now)
    outcome = draft.outcome(now, in_progress=in_progress, rebuild=rebuild)
    if outcome is not Publishing.NEW:
        return Publication(outcome, draft.summary, draft.version)
    with writing():
        head = journal.lock_head(account)
        if head.sequence != draft.journal_sequence:  # somebody wrote since: read again, now that nobody can
            draft = _drafted(account, day, now)
            outcome = draft.outcome(now, in_progress=in_progress, rebuild=rebuild)
        if outcome is not Publishing.NEW:
            return Publication(outcome, draft.summary, draft.version)
        row = DailySummary.objects.create(
            account=account,
            day=day,
            version=draft.version + 1,
            body=draft.body,
            created_at=now,
            journal_sequence=head.sequence,
            journal_head=head.mac,
        )
        body: JournalEntry = {"day": day, "version": row.version, "summary": draft.body, "summary_pk": row.pk}
        journal.append(account, "publish_daily_summary", body, now=now, by=by, head=head)
    return Publication(outcome, draft.summary, row.version)


def _drafted(account: Account, day: date, now: datetime) -> _Draft:
    sequence, published = newest_published(account, day)  # first: what is written after it shows in the journal
    summary, end = day_report(account, day, now=now)
    return _Draft(sequence, summary, canonical(summary), end, published)
