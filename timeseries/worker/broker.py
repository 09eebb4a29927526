"""The terms of a desk with a broker: its queue, its tasks by name, and how long a broker may take.

The messages say "look at the spool" and carry nothing else. One that is lost, comes twice or comes late changes
nothing: the worker looks at the spool itself, and the schedule has it swept anyway.
"""

from __future__ import annotations

from urllib.parse import urlsplit

QUEUE = "velox"
FLUSH_TICKS, FLUSH_SNAPSHOTS = "timeseries.flush_ticks", "timeseries.flush_snapshots"
SWEEP, FOLLOW = "timeseries.sweep", "trading.follow"
DOORBELLS = frozenset({FLUSH_TICKS, FLUSH_SNAPSHOTS, SWEEP, FOLLOW})
PATIENCE_SECONDS = 1.0


def transport_options(url: str, seconds: float = PATIENCE_SECONDS) -> dict[str, float | bool]:
    """Return a broker client's options to give up after so many seconds; its own defaults wait for minutes."""
    if urlsplit(url).scheme.startswith("amqp"):
        return {"read_timeout": seconds, "write_timeout": seconds}
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry_on_timeout": False}
