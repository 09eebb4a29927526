"""What happens in an account and to VELOX, as programs watch it: rows of the journal and changes of health.

There is one feed an account and web process: the thread that looks for live pages looks for it, too, and what it has
read is kept for all who watch.
"""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from weakref import WeakValueDictionary

from trading.domain.plain_json import to_json
from trading.health.recent import recent
from trading.live.channel import Picture
from trading.live.watching import renew_connections
from trading.queries.accounts import get_account
from trading.queries.journal_events import JournalEvent, events_after, journal_end
from trading.transactions import reading

ROWS_KEPT = 1000
ROWS_AT_ONCE = 500
HEALTH_SECONDS = 2.0


class AccountFeed:
    """The end of an account's journal, its last rows, and the state of health; looked at by one thread."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._rows: Sequence[tuple[int, bytes]] = ()  # replaced whole: other threads read it meanwhile
        self._end = -1
        self._health = ""
        self._health_at = -HEALTH_SECONDS

    def __call__(self, is_needed: bool) -> Picture | None:
        """Return the journal's end and the state of health, None where neither moved and none is needed.

        Raises: LedgerBusy, LedgerNotReady.
        """
        renew_connections()
        before = self._end, self._health
        with reading():
            account = get_account(self.code)
            end = journal_end(account)
            self._end = end if self._end < 0 else self._end
            while self._end < end and (events := events_after(account, self._end, limit=ROWS_AT_ONCE)):
                self._rows = [*self._rows, *((event.sequence, journal_text(event)) for event in events)][-ROWS_KEPT:]
                self._end = events[-1].sequence
        if time.monotonic() - self._health_at >= HEALTH_SECONDS:
            self._health, self._health_at = _health_text(), time.monotonic()
        if not is_needed and before == (self._end, self._health):
            return None
        return Picture({"sequence": str(self._end), "health": self._health}, {})

    def kept_after(self, sequence: int) -> Sequence[tuple[int, bytes]]:
        """Return the rows behind a sequence, none where they are kept no more."""
        rows = self._rows  # in which sequences are left out that an account has lost when it was cleared
        is_kept = rows and rows[0][0] <= sequence + 1
        return rows[bisect_right(rows, sequence, key=itemgetter(0)) :] if is_kept else ()

    def read_after(self, sequence: int) -> Sequence[tuple[int, bytes]]:
        """Return some rows behind a sequence from the ledger. Raises: LedgerBusy, LedgerNotReady."""
        renew_connections()
        with reading():
            events = events_after(get_account(self.code), sequence, limit=ROWS_AT_ONCE)
        return [(event.sequence, journal_text(event)) for event in events]


_feeds: WeakValueDictionary[str, AccountFeed] = WeakValueDictionary()  # by account, while somebody watches


def feed_of(code: str) -> AccountFeed:
    """Return the feed of an account, the same one for all who watch it."""
    feed = _feeds.get(code)
    if feed is None:
        feed = _feeds[code] = AccountFeed(code)
    return feed


def journal_text(event: JournalEvent) -> bytes:
    """Return a row of the journal as a server-sent event, whose id is its sequence."""
    body = {**event._asdict(), **event.about}
    del body["about"]
    return f"id: {event.sequence}\nevent: journal\ndata: {to_json(body)}\n\n".encode()


def health_text(health: str) -> bytes:
    """Return the state of health as a server-sent event; it has no id, for nothing resumes behind it."""
    return f"event: health\ndata: {health}\n\n".encode()


def _health_text() -> str:
    report = recent.get()
    parts: Mapping[str, Mapping[str, str]] = {
        name: {"status": each["status"], "code": each["code"]} for name, each in report["parts"].items()
    }
    return json.dumps({"status": report["status"], "parts": parts})
