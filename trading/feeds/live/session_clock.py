"""When a feed has to be connected, and when its quotes should move: by the sessions of its instruments' exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trading.domain.sessions import Calendar
from trading.feeds.live.decoded import SECOND

LEAD, TAIL = timedelta(minutes=2), timedelta(minutes=1)


@dataclass(slots=True)
class SessionClock:
    """The sessions of some calendars; ``is_any_time``: as if one were always on.

    An answer holds for its second, since every message asks.
    """

    calendars: Sequence[Calendar]
    is_any_time: bool = False
    _second: int = -1
    _is_trading: bool = False

    def is_wanted(self, now_ns: int) -> bool:
        """Tell whether any phase of a session is on at an instant (ns UTC), begins soon or has just ended."""
        now = datetime.fromtimestamp(now_ns / SECOND, UTC)
        moments = (now, now + LEAD, now - TAIL)
        return self.is_any_time or any(calendar.is_open(at) for calendar in self.calendars for at in moments)

    def is_trading(self, now_ns: int) -> bool:
        """Tell whether an exchange trades continuously at an instant (ns UTC)."""
        if self.is_any_time:
            return True
        second = now_ns // SECOND
        if second != self._second:
            now = datetime.fromtimestamp(second, UTC)
            self._second = second
            self._is_trading = any(
                not calendar.rows or calendar.session_at(now) is not None for calendar in self.calendars
            )
        return self._is_trading
