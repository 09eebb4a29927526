"""Putting a backup in the ledger's place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.utils import DatabaseError

from timeseries.spool import durable
from trading import heads, picture_files
from trading.bookkeeping import copying
from trading.bookkeeping.copying import CopyRefused
from trading.models import JournalHead
from trading.models.grafana_views import views_taken_away
from trading.models.sealing import name_ledger
from trading.operations.back_up import PICTURES
from trading.progress import Progress
from trading.proof.trials import TRIAL
from trading.queries.screenshots import screenshot_files, withdrawn_names
from trading.transactions import busy, writers_alone

Ends = dict[str, tuple[int, str]]

log = structlog.get_logger("database")


@dataclass(frozen=True, slots=True)
class Restored:
    """The ends of the restored chains by account, the copy of the ledger that stood there before, and the names of
    screenshots that neither the backup nor the data folder has."""

    heads: Ends
    replaced: Path | None
    screenshots_lost: Sequence[str] = ()


def restore(path: Path, *, force: bool = False, progress: Progress = lambda *_: None) -> Restored:
    """Prove a backup and put it in the ledger's place in one step; the ledger replaced is kept among the backups.

    Writers wait meanwhile, and find the restored ledger at their next call. It gets a new identity: heads that were
    published of the one before are no longer its own.

    Raises: CopyRefused for a copy that does not prove itself, and, without ``force``, where the ledger in place has
        rows that the copy has not. Nothing was changed then.
    """
    if not path.is_file():
        raise CopyRefused(f"There is no file {path}.")
    copying.check_note(path)
    proof = copying.must_be_proved(path, progress)
    ends = {code: (end["sequence"], end["mac"]) for code, end in proof.head.items()}
    replaced = (_on_sqlite if copying.vendor() == "sqlite" else _on_postgres)(path, lambda: _allow(ends, force))
    log.warning("ledger restored", file=path.name, replaced=None if replaced is None else replaced.name)
    lost = screenshot_files()
    try:
        lost = picture_files.bring(lost, path.parent / PICTURES, picture_files.folder())
    except OSError as error:  # the ledger stands by now; its proof names what is not there
        log.error("screenshots were not restored", error=str(error))
    picture_files.remove(withdrawn_names())  # of the ledger as it is now
    names = [file.name for file in lost]
    if names:
        log.error("screenshots that the backup has not", files=names)
    return Restored(ends, replaced, names)


def _allow(ends: Ends, force: bool) -> bool:
    """Tell whether a ledger with anything in it is there. Raises: CopyRefused where it is newer than the copy."""
    with transaction.atomic():
        try:
            rows = list(JournalHead.objects.values_list("account__code", "sequence", "mac"))
        except DatabaseError:
            return False
    in_place = {code: (sequence, mac) for code, sequence, mac in rows if sequence}
    newer = [
        code
        for code, (sequence, mac) in in_place.items()
        if code not in ends or sequence > ends[code][0] or (sequence == ends[code][0] and mac != ends[code][1])
    ]
    if newer and not force:
        raise CopyRefused(
            f"The ledger in place has rows that the backup has not (in {', '.join(sorted(newer))}).",
            hint="--force replaces it all the same; it is kept among the backups.",
        )
    return True


def _on_sqlite(path: Path, allow: Callable[[], bool]) -> Path | None:
    connection = connections[DEFAULT_DB_ALIAS]
    ledger = Path(str(connection.settings_dict["NAME"]))
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = ledger.with_name(f"{ledger.name}.restoring")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        shutil.copyfile(path, fresh)
        durable.sync_path(fresh)
        with writers_alone():
            replaced = copying.set_aside() if ledger.exists() and allow() else None
            connection.close()
            _swap(ledger, fresh)
            _publish(path)
    finally:
        fresh.unlink(missing_ok=True)
    return replaced


def _swap(ledger: Path, fresh: Path) -> None:
    """Replace the file. What its log held is in it by then: a log left beside a new file would be played into that."""
    logs = [ledger.with_name(ledger.name + end) for end in ("-wal", "-shm")]
    if ledger.exists():
        with closing(sqlite3.connect(ledger, isolation_level=None)) as old:
            old.execute("PRAGMA busy_timeout = 10000")
            if old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise busy("somebody reads it without an end")
            old.execute("BEGIN IMMEDIATE")  # who writes without the writers' lock (the admin's sessions) waits too
            for log_file in logs:
                log_file.unlink(missing_ok=True)
            os.replace(fresh, ledger)
    else:
        for log_file in logs:
            log_file.unlink(missing_ok=True)
        os.replace(fresh, ledger)
    durable.sync_path(ledger.parent)


def _on_postgres(path: Path, allow: Callable[[], bool]) -> Path | None:
    connection = connections[DEFAULT_DB_ALIAS]
    with writers_alone():
        replaced = copying.set_aside() if allow() else None
        # One transaction: others see the one ledger or the other.
        arguments = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--no-owner")
        with views_taken_away():
            copying.run("pg_restore", *arguments, f"--dbname={connection.settings_dict['NAME']}", str(path))
        _publish(path)
    return replaced


def _publish(path: Path) -> None:
    """Give the restored ledger an identity of its own, and publish its heads under it."""
    connection = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        ledger = name_ledger(connection, restored=path.name)
    for code, sequence, mac in JournalHead.objects.filter(sequence__gt=0).values_list(
        "account__code", "sequence", "mac"
    ):
        heads.publish(ledger, code, sequence, mac, "restore")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT sequence, mac FROM {TRIAL} ORDER BY sequence DESC LIMIT 1")  # noqa: S608
        for sequence, mac in cursor.fetchall():
            heads.publish(ledger, heads.TRIALS, sequence, mac, "restore")
