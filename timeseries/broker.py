"""The doorbell of a desk with a broker: messages that say "look at the spool" and carry nothing else.

A message that is lost, comes twice or comes late changes nothing: the worker looks at the spool itself, and the
schedule has it swept anyway.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from celery import Celery

QUEUE = "velox"
FLUSH_TICKS, FLUSH_SNAPSHOTS = "timeseries.flush_ticks", "timeseries.flush_snapshots"
SWEEP, FOLLOW = "timeseries.sweep", "trading.follow"
PATIENCE_SECONDS = 1.0
EXPIRES_SECONDS = 30.0  # a worker that was away for an hour must not look at the spool once for each second of it


def transport_options(url: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Return what makes a broker's client give up after so many seconds; its own defaults wait for minutes."""
    if urlsplit(url).scheme.startswith("amqp"):
        return {"read_timeout": seconds, "write_timeout": seconds}
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry_on_timeout": False}


class BrokerBell:
    """Rings the tasks by name. Used by the companion alone: no strategy ever waits for a broker."""

    def __init__(self, url: str) -> None:
        self._app = Celery("velox-bell", broker=url, set_as_current=False)
        self._app.conf.update(
            broker_transport_options=transport_options(url),
            broker_connection_timeout=PATIENCE_SECONDS,
            task_default_queue=QUEUE,
            task_ignore_result=True,
            task_serializer="json",
        )
        self._connection = self._app.connection_for_write()

    def ring(self, task: str) -> bool:
        """Ask a worker for this task; False where the broker took no message within a second or so."""
        try:
            # A connection of our own: those of the pool are shared by all that know the address, and closed together.
            self._app.send_task(
                task, expires=EXPIRES_SECONDS, retry=False, ignore_result=True, connection=self._connection
            )
        except Exception:  # each transport raises errors of its own, and none of them is ours to tell apart
            self.close()  # what hung once is not asked to end in order
            self._connection = self._app.connection_for_write()
            return False
        return True

    def close(self) -> None:
        self._connection.collect(socket_timeout=0)
