"""Hours of the day in which what can wait is held back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from trading.errors import InvalidValue

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` to before ``end`` of a zone's day, over midnight where the end is the earlier; equal: none."""

    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> QuietHours:
        """Return the hours of a text such as ``22:00-07:00``; "" is none. Raises: InvalidValue."""
        if not text:
            return cls(time(), time(), zone)
        match = _HOURS.fullmatch(text)
        if match is None or text[:5] == text[-5:]:  # from ten to ten may be all of the day or none of it
            raise InvalidValue(f"{text[:20]!r} are no quiet hours.", hint="Expected such as 22:00-07:00, or nothing.")
        first, first_minute, last, last_minute = map(int, match.groups())
        return cls(time(first, first_minute), time(last, last_minute), zone)

    def holds(self, moment: datetime) -> bool:
        """Tell whether an aware instant is within these hours."""
        clock = moment.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end
