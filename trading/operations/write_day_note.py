"""Writing the note of a trading day."""

from __future__ import annotations

from datetime import UTC, date, datetime

from trading.bookkeeping import arguments, journal
from trading.domain.chain import JournalEntry
from trading.errors import InvalidValue
from trading.models import Account, DayNote
from trading.queries.period import EARLIEST, newest_date
from trading.transactions import writing

CHARACTERS_MAX = 20_000


def write_day_note(
    account: Account, day: date, text: str, *, by: str, after: int | None = None, now: datetime | None = None
) -> DayNote | None:
    """Write a day's note as its next version and return it; the newest one, or None, where nothing would change.

    ``after`` is the version that the author has read (0 without any): where somebody wrote since, nothing is kept, so
    that no version hides one that its author never saw.

    Raises: InvalidValue for a text that is none, an author without a name, a day before 2000 or to come, and for a
        version since ``after``; LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    now = now or datetime.now(UTC)
    text = arguments.free_text(text, "note", characters_max=CHARACTERS_MAX)
    if not by:
        raise InvalidValue("A note has an author.", field="by")
    if not EARLIEST <= day <= newest_date(account, now):
        raise InvalidValue(f"{day} has no note.", field="day", hint="Write about today or a day before it.")
    with writing():
        head = journal.lock_head(account)
        newest = DayNote.objects.filter(account=account, day=day).order_by("-version").first()
        version = 0 if newest is None else newest.version
        if (newest.text if newest is not None else "") == text:
            return newest
        if newest is not None and after is not None and after != version:
            raise InvalidValue(
                f"{newest.author} has written version {version} meanwhile.",
                field="note",
                hint="Read it below, bring both together, and keep it again.",
            )
        row = DayNote.objects.create(
            account=account, day=day, version=version + 1, text=text, author=by, written_at=now
        )
        note: JournalEntry = {"day": day, "version": row.version, "text": text}
        body: JournalEntry = {"note": note, "note_pk": row.pk}
        journal.append(account, "write_day_note", body, now=now, by=by, head=head)
    return row
