"""The state of Redis and of the ledger's copy in it."""

from __future__ import annotations

from datetime import datetime

from trading import summon
from trading.health import faults
from trading.health.state import OFF, OK, State
from trading.hot import cache, comparisons


def hot(now: datetime) -> State:
    """Return whether Redis answers, and what the last comparison with the ledger gave."""
    if not cache.is_shared():
        return State(OFF, "", "No CACHE_URL is set: each process keeps its own newest values.")
    try:
        latency = cache.ping()
    except Exception as error:
        return faults.CACHE_UNREACHABLE.state(f"Redis does not answer: {error}.")
    detail, compared = f"Redis answers in {latency:.1f} ms.", comparisons.last().values()
    if not compared:
        return State(OK, "", f"{detail} It was not compared with the ledger yet.", latency_ms=latency)
    oldest = min(datetime.fromisoformat(row.at) for row in compared)
    detail = f"{detail} Compared with the ledger {max(0.0, (now - oldest).total_seconds()):.0f} s ago"
    if wrong := sum(row.wrong for row in compared):
        return faults.MENDED.state(f"{detail}: {wrong} entries were wrong and are mended.")
    if (now - oldest).total_seconds() > faults.COMPARED_SECONDS and summon.companion_pid() is not None:
        return faults.COPY_STALE.state(f"{detail}, although a companion works.")
    mended = sum(row.mended for row in compared)
    last = f"; {mended} wrong entries were mended before" if mended else ""
    return State(OK, "", f"{detail}: nothing was wrong{last}.", latency_ms=latency)
