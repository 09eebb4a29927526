"""Django's SQLite, in a folder and a file that only their owner may read, and never in a file that was replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Leaves a file in whose place another was put (a restored backup): what is written there nobody finds."""

    _opened: os.stat_result | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        path = _path_of(conn_params["database"])
        if path.is_absolute():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                # SQLite gives its -wal and -shm files the mode of this one.
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._opened = os.stat(path)  # before it is opened: one that comes between is looked at once more
        return super().get_new_connection(conn_params)

    def ensure_connection(self) -> None:
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
            there = os.stat(_path_of(self.settings_dict["NAME"]))
        except FileNotFoundError:
            return False
        return not os.path.samestat(there, self._opened)


def _path_of(database: Any) -> Path:
    return Path(str(database).removeprefix("file:").partition("?")[0])
