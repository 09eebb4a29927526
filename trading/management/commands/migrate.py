"""`manage.py migrate`: Django's, with a checked backup of the ledger before it changes, and no step back in time."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

KEPT = 5


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        executor = MigrationExecutor(connection)
        applied, known = set(executor.loader.applied_migrations), set(executor.loader.disk_migrations)
        newer = sorted(f"{app}.{name}" for app, name in applied - known if app == "trading")
        if newer:
            raise CommandError(
                f"The ledger is newer than this code: it has {', '.join(newer)}. "
                "Install the newer VELOX; nothing was changed."
            )
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if connection.vendor == "sqlite" and applied and pending and options["database"] == DEFAULT_DB_ALIAS:
            self.stdout.write(f"Backup: {_backup(Path(connection.settings_dict['NAME']))}")
        super().handle(*args, **options)


def _backup(ledger: Path) -> Path:
    """Copy the ledger beside its folder's backups and check the copy; keep the newest few."""
    folder = settings.DATA_DIR / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy: Path = folder / f"before-migrate-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.sqlite3"
    unfinished = copy.with_suffix(".part")
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    answer = _copied(ledger, unfinished)
    if answer != "ok":
        unfinished.unlink()
        raise CommandError(f"The ledger does not pass SQLite's own check ({answer}): nothing was changed.")
    _synced(unfinished)
    unfinished.rename(copy)
    for old in sorted(folder.glob("before-migrate-*.sqlite3"))[:-KEPT]:
        old.unlink()
    return copy


def _copied(ledger: Path, copy: Path) -> str:
    """Return what SQLite's own check says of the copy."""
    source, target = sqlite3.connect(ledger), sqlite3.connect(copy)
    try:
        source.backup(target)
        return str(target.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        source.close()
        target.close()


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
