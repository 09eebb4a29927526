"""The period that a page of figures is of: `?days=`, by default the last 30."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.http import Http404, HttpRequest

from trading.queries.period import EARLIEST, desk_date, last_days

PERIODS = {"1": "Today", "7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "all": "All"}
PERIOD_DEFAULT = "30"


@dataclass(frozen=True, slots=True)
class ChosenPeriod:
    """One of `PERIODS` and its days; `all` has no first day of its own, and begins for sums with `EARLIEST`."""

    key: str
    first: date | None
    last: date

    @property
    def begins(self) -> date:
        """The first day of the sums."""
        return self.first or EARLIEST

    @property
    def days(self) -> int | None:
        """How many calendar days it has, None for all."""
        return int(self.key) if self.first is not None else None


def chosen_period(request: HttpRequest, now: datetime) -> ChosenPeriod:
    """Return the period that was asked for; another word is a page that is not there."""
    key = request.GET.get("days", PERIOD_DEFAULT)
    if key not in PERIODS:
        raise Http404(f"“{key}” is not a period of this page.")
    if key == "all":
        return ChosenPeriod(key, None, desk_date(now))
    return ChosenPeriod(key, *last_days(int(key), now=now))
