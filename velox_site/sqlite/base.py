"""Django's SQLite, in a folder and a file that only their owner may read, and never in a file that was replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from django.db.backends.sqlite3 import base

# What `sqlite3.connect` takes.
ConnectionParameters: TypeAlias = dict[str, str | Path | int | float | bool | type | None]


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's SQLite, which leaves a file in whose place another was put (a restored backup).

    What is written to the old file nobody finds.
    """

    _opened: os.stat_result | None = None

    def get_new_connection(self, conn_params: ConnectionParameters) -> sqlite3.Connection:
        """Connect to the file, which is made where it is missing, or opened for reading where it cannot be written."""
        path = _path_of(str(conn_params["database"]))
        if path.is_absolute():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                # SQLite gives its -wal and -shm files the mode of this one.
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._opened = os.stat(path)  # before it is opened: one that comes between is looked at once more
            if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
                return self._read_only(path, conn_params)
        connection: sqlite3.Connection = super().get_new_connection(conn_params)
        return connection

    def _read_only(self, path: Path, conn_params: ConnectionParameters) -> sqlite3.Connection:
        """Open a file that cannot be written here: as its writer's neighbour, or as one that nobody writes."""
        self.transaction_mode, self.init_commands = "DEFERRED", list[str]()
        try:
            return self._opened_for_reading(f"{path.as_uri()}?mode=ro", conn_params)
        except sqlite3.OperationalError:
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise  # what is committed there only a writer can bring in: without it old figures would look new
            return self._opened_for_reading(f"{path.as_uri()}?immutable=1", conn_params)

    def _opened_for_reading(self, name: str, conn_params: ConnectionParameters) -> sqlite3.Connection:
        connection: sqlite3.Connection = super().get_new_connection({**conn_params, "database": name})
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            connection.close()
            raise
        return connection

    def ensure_connection(self) -> None:
        """Connect where there is no connection, or where its file was replaced."""
        if not self.in_atomic_block and self._is_replaced():
            self.close()
        super().ensure_connection()

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        while not autocommit and self._is_replaced():  # while BEGIN waited for another writer
            self.close()
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)

    def _is_replaced(self) -> bool:
        if self.connection is None or self._opened is None:
            return False
        try:
            current = os.stat(_path_of(str(self.settings_dict["NAME"])))
        except FileNotFoundError:
            return False
        return not os.path.samestat(current, self._opened)


@lru_cache(maxsize=16)
def _path_of(database: str) -> Path:
    return Path(database.removeprefix("file:").partition("?")[0])
