"""The broker's clients: the bell that rings a worker, and the question whether a broker answers.

Loaded by name where a broker is set, as the store is: a strategy without one must not wait for these packages.
"""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

from celery import Celery
from kombu import Connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from timeseries.worker.broker import PATIENCE_SECONDS, QUEUE, transport_options

ANSWER_SECONDS = 0.5
EXPIRES_SECONDS = 30.0  # a worker that was away for an hour must not look at the spool once for each second of it


class BrokerBell:
    """The bell that sends a worker its tasks by name; only the companion rings it: no strategy waits for a broker."""

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
        """Drop the connection, without a word to a broker that may hang."""
        self._connection.collect(socket_timeout=0)


def ask(url: str) -> None:
    """Ask whether the broker answers within a second or so. Raises its transport's error where it does not."""
    if not urlsplit(url).scheme.startswith("redis"):
        options = transport_options(url, ANSWER_SECONDS)
        with Connection(url, connect_timeout=ANSWER_SECONDS, transport_options=options) as amqp:
            amqp.ensure_connection(max_retries=1, interval_start=0)
        return
    # Straight, not through Celery's transport: that asks several times and waits in between.
    times = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    with closing(Redis.from_url(url, retry=Retry(NoBackoff(), 0), **times)) as redis:
        redis.ping()
