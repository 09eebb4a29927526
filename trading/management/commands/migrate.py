"""`manage.py migrate`: migrate as Django does, after a copy of the ledger, and never to an earlier state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.exceptions import AmbiguityError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration

from timeseries.spool.locks import FileLock
from trading.errors import VeloxError
from trading.models.grafana_views import views_taken_away
from trading.operations.back_up import back_up_before_migrating
from trading.operations.let_grafana_read import let_grafana_read
from trading.transactions import LEDGER_APPS

LOCK_NAME = "migrate.lock"
Plan = list[tuple[Migration, bool]]


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--no-backup", action="store_true", help="the ledger was backed up some other way")

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with in_turn(self.stderr.write):  # Django's checks ask the ledger as well
                return super().execute(*args, **options)
        except CommandError as error:
            error.returncode = 2  # Django's own has 1, which means findings: what `--check` found ends otherwise
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == DEFAULT_DB_ALIAS:
            try:
                self._prepare(options)
            except VeloxError as error:
                raise CommandError(str(error), returncode=2) from error
            except DatabaseError as error:
                raise CommandError(f"The ledger cannot answer: {error}", returncode=2) from error
        if options["database"] != DEFAULT_DB_ALIAS or options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        with views_taken_away():
            super().handle(*args, **options)
        if settings.VELOX_GRAFANA_PASSWORD and connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            try:
                let_grafana_read(settings.VELOX_GRAFANA_PASSWORD)
            except (VeloxError, DatabaseError) as error:  # the ledger itself is migrated
                self.stderr.write(f"Grafana cannot read the ledger: {error} `manage.py grafana_role` tries again.")

    def _prepare(self, options: Mapping[str, Any]) -> None:
        """Refuse what would leave a ledger that nobody can open; copy one that is about to change."""
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        applied = set(executor.loader.applied_migrations)
        beyond = applied - set(executor.loader.disk_migrations)
        newer = sorted(f"{app}.{name}" for app, name in beyond if app in LEDGER_APPS)
        if newer:
            raise CommandError(
                f"The ledger is newer than this code: it has {', '.join(newer)}. "
                "Install the newer VELOX; nothing was changed.",
                returncode=2,
            )
        plan = _plan(executor, options["app_label"], options["migration_name"])
        if options["plan"] or options["check_unapplied"] or options["prune"] or not plan:
            return
        _must_go_forward(plan, is_fake=options["fake"])
        if not applied or options["no_backup"]:
            return
        try:
            path = back_up_before_migrating()
        except VeloxError as error:
            raise CommandError(
                f"No backup could be made, so nothing was changed: {error} With a backup of your own, go on with "
                "`migrate --no-backup`.",
                returncode=2,
            ) from error
        self.stdout.write(f"Backup: {path}")


@contextmanager
def in_turn(say: Callable[[str], None]) -> Iterator[None]:
    """Let one process of a data folder migrate at a time; who comes meanwhile is told, waits, and finds it done."""
    folder = Path(settings.DATA_DIR)
    with ExitStack() as stack:
        with suppress(OSError):  # of a folder that cannot be written Django's checks tell
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = stack.enter_context(FileLock(folder / LOCK_NAME))
            if not lock.take():
                say("Another process migrates this ledger: waiting for it.")
                lock.take(patient=True)
        yield


def _must_go_forward(plan: Plan, *, is_fake: bool) -> None:
    names = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    if any(is_backward for _, is_backward in plan):
        raise CommandError(
            f"This would take back {', '.join(names)}: facts would be lost, and no VELOX could open the ledger that is "
            "left. Nothing was changed. To work with an older VELOX, `manage.py restore` a backup that it made; "
            "`migrate` without a name brings the ledger up to this one.",
            returncode=2,
        )
    if is_fake and any(migration.app_label in LEDGER_APPS for migration, _ in plan):
        raise CommandError(
            f"--fake would record {', '.join(names)} as done without doing it. Nothing was changed. Run `migrate` "
            "without it.",
            returncode=2,
        )


def _plan(executor: MigrationExecutor, app: str | None, name: str | None) -> Plan:
    """Return the steps that Django will take, each with whether it goes back; none for a name that it will refuse."""
    leaves = executor.loader.graph.leaf_nodes()
    targets: list[tuple[str, str | None]] = [(label, leaf) for label, leaf in leaves if app in (None, label)]
    if app and name:
        try:
            is_zero = name == "zero"
            targets = [(app, None if is_zero else executor.loader.get_migration_by_prefix(app, name).name)]
        except (AmbiguityError, KeyError):
            return []
    return executor.migration_plan(targets)
