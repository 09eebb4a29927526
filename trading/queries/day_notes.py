"""What people wrote about trading days."""

from __future__ import annotations

from datetime import date

from django.db.models.functions import Length

from trading.models import Account, DayNote


def notes_of(account: Account, day: date) -> list[DayNote]:
    """Return every version of a day's note, the newest first."""
    return list(DayNote.objects.filter(account=account, day=day).order_by("-version"))


def days_with_note(account: Account, first: date, last: date) -> set[date]:
    """Return the days first..last that have a note; one that was taken back is none."""
    rows = DayNote.objects.filter(account=account, day__gte=first, day__lte=last).order_by("version")
    newest = dict(rows.values_list("day", Length("text")))
    return {day for day, length in newest.items() if length}
