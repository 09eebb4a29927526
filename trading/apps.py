"""The trading app."""

import os

from django.apps import AppConfig
from django.db import connections

_inherited: list[object] = []


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from trading import checks  # noqa: F401, PLC0415  (registers the system checks)

        os.register_at_fork(after_in_child=_leave_connections_to_the_parent)


def _leave_connections_to_the_parent() -> None:
    """Give a forked child connections of its own.

    An inherited one must be neither used nor closed: SQLite would drop the parent's locks, PostgreSQL its session. So
    it is kept out of reach and never touched again. A socket is let go of without a word, else the server would keep
    the session of a parent that was killed, and its locks, as long as the child lives.
    """
    for connection in connections.all(initialized_only=True):
        if connection.vendor == "postgresql" and connection.connection is not None:
            nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nowhere, connection.connection.fileno(), inheritable=False)
            os.close(nowhere)
        _inherited.append(connection.connection)
        connection.connection = None
        connection.in_atomic_block = False
        connection.savepoint_ids = []
        connection.run_on_commit = []
