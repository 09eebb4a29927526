"""Numbers and times in the dicts of brokers' SDKs: as numbers, texts, datetimes, or not there."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from timeseries.spool.feed_keys import DATETIME, MILLISECONDS, FeedKeys
from trading.domain.chain import JSON
from trading.feeds.live.decoded import MILLISECOND, SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number_of(content: JSON | datetime) -> float | None:
    """Return a number, from a text too; None for what is none, NaN and infinity."""
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return None
    try:
        number = int(content) if isinstance(content, int) else float(content)
    except ValueError:
        return None
    return number if isinstance(number, int) or math.isfinite(number) else None


def instant_of(keys: FeedKeys, content: JSON | datetime) -> int | None:
    """Return a tick's time in ns UTC; a naive one is of the host's zone, as SDKs make them. None where it has none."""
    if keys.time_is == DATETIME:
        try:
            moment = datetime.fromisoformat(content) if isinstance(content, str) else content
            if not isinstance(moment, datetime):
                return None
            return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
        except (ValueError, OverflowError):  # no time, or one at the calendar's edge, which no other zone has
            return None
    number = number_of(content)
    return None if not number else int(number) * (MILLISECOND if keys.time_is == MILLISECONDS else SECOND)
