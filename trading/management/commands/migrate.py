"""`manage.py migrate`: Django's, with a checked backup of the ledger before it changes, and no step back in time."""

from __future__ import annotations

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
    source, target = sqlite3.connect(ledger), sqlite3.connect(copy)
    try:
        source.backup(target)
        ((answer,),) = target.execute("PRAGMA integrity_check").fetchall()
    finally:
        source.close()
        target.close()
    if answer != "ok":
        copy.unlink()
        raise CommandError(f"The ledger does not pass SQLite's own check ({answer}): nothing was changed.")
    for old in sorted(folder.glob("before-migrate-*.sqlite3"))[:-KEPT]:
        old.unlink()
    return copy
