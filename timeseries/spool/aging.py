"""How far this machine's clock may be believed when something old is about to be removed for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

APART = timedelta(days=8)  # recorded days at most so far apart belong together: one a week, and a holiday between
VOUCHING = 5  # so many recorded days that belong together show that the clock was right
AHEAD_DAYS_MAX = 14  # no exchange stays closed for longer


def days_ahead(recorded: Iterable[date], today: date) -> int:
    """Return by how many days ``today``, as the clock has it, is ahead of the newest day that was recorded.

    A clock that ran ahead may have left recorded days of its own, far from all others. So the newest day counts only
    once `VOUCHING` days belong together with it; else that of the days before. Whoever removes by age counts back from
    there: a clock that is years ahead then removes nothing. 0 where nothing was recorded.
    """
    newest = previous = None
    together = 0
    for day in sorted({day for day in recorded if day <= today}, reverse=True):
        if previous is None or previous - day > APART:
            newest, together = day, 0
        previous, together = day, together + 1
        if together == VOUCHING:
            break
    return 0 if newest is None else (today - newest).days
