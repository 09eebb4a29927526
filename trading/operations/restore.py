"""Putting a backup in the ledger's place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.utils import DatabaseError

from timeseries.spool import durable
from trading import duties, picture_files, restore_notes
from trading.bookkeeping import carried, copying
from trading.bookkeeping.chain_ends import publish_ends
from trading.bookkeeping.copying import CopyRefused
from trading.bookkeeping.kept_files import bring_kept_files
from trading.models import JournalHead
from trading.models.grafana_views import views_taken_away
from trading.models.sealing import name_ledger
from trading.operations.back_up import PICTURES
from trading.progress import Progress
from trading.proof.verify import journal_key
from trading.queries.screenshots import screenshot_files, withdrawn_names
from trading.restore_notes import RestoreNote
from trading.transactions import busy, writers_alone

Ends = dict[str, tuple[int, str]]

log = structlog.get_logger("database")


@dataclass(frozen=True, slots=True)
class Restored:
    """The ends of the restored chains by account, the copy of the ledger that stood there before, and the names of
    screenshots and of other kept files that neither the backup nor the data folder has."""

    heads: Ends
    replaced: Path | None
    screenshots_lost: Sequence[str] = ()
    files_lost: Sequence[str] = ()


def restore(
    path: Path, *, force: bool = False, by: str = "", reason: str = "", progress: Progress = lambda *_: None
) -> Restored:
    """Prove a backup and put it in the ledger's place in one step; the ledger replaced is kept among the backups.

    Writers wait meanwhile, and find the restored ledger at their next call. It gets a new identity: heads that were
    published of the one before are no longer its own. A note tells every later proof who (``by``) put it back and why.

    Raises: CopyRefused for a copy that does not prove itself, and, without ``force``, where the ledger in place has
        rows that the copy has not. Nothing was changed then.
    """
    if not path.is_file():
        raise CopyRefused(f"There is no file {path}.")
    carried.bring(path.parent)
    copying.check_note(path)
    proof = copying.must_be_proved(path, progress)
    ends = {code: (end["sequence"], end["mac"]) for code, end in proof.head.items()}
    lost: dict[str, dict[int, str]] = {}
    put = _on_sqlite if copying.vendor() == "sqlite" else _on_postgres
    replaced, ledger = put(path, lambda: _allow(ends, force, lost))
    _note(RestoreNote(ledger, datetime.now(UTC).isoformat(), by, reason, path.name, None, ends, lost))
    log.warning("ledger restored", file=path.name, replaced=None if replaced is None else replaced.name)
    files, kept = screenshot_files(), []
    try:
        files = picture_files.bring(files, path.parent / PICTURES, picture_files.folder())
        kept = bring_kept_files(path.parent, Path(settings.DATA_DIR))
    except OSError as error:  # the ledger stands by now; its proof names what is not there
        log.error("screenshots and other files were not restored", error=str(error))
    picture_files.remove(withdrawn_names())  # of the ledger as it is now
    names = [file.name for file in files]
    if names:
        log.error("screenshots that the backup has not", files=names)
    if kept:
        log.error("files that the backup has not", files=kept)
    return Restored(ends, replaced, names, kept)


def _note(note: RestoreNote) -> None:
    """Keep the note; the ledger stands by now, so that a disk which refuses is logged alone."""
    try:
        restore_notes.write(note, journal_key() or "")
    except OSError as error:
        log.error("the note of the restore was not kept", error=str(error))


def _allow(ends: Ends, force: bool, lost: dict[str, dict[int, str]]) -> bool:
    """Tell whether a ledger with anything in it is there, and add the heads that the copy has not to the ``lost``.

    Raises: CopyRefused where it is newer than the copy."""
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
    lost |= {code: dict([in_place[code]]) for code in newer}
    return True


def _on_sqlite(path: Path, allow: Callable[[], bool]) -> tuple[Path | None, str]:
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
            return replaced, _publish(path)
    finally:
        fresh.unlink(missing_ok=True)


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


def _on_postgres(path: Path, allow: Callable[[], bool]) -> tuple[Path | None, str]:
    connection = connections[DEFAULT_DB_ALIAS]
    with writers_alone():
        replaced = copying.set_aside() if allow() else None
        # One transaction: others see the one ledger or the other.
        arguments = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error", "--no-owner")
        with views_taken_away():
            copying.run("pg_restore", *arguments, f"--dbname={connection.settings_dict['NAME']}", str(path))
        return replaced, _publish(path)


def _publish(path: Path) -> str:
    """Give the restored ledger an identity of its own, with no duty held, publish its heads under it, and return it."""
    connection = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        ledger = name_ledger(connection, restored=path.name)
        duties.free_all()
    publish_ends(ledger, "restore")
    return ledger
