"""Backing the ledger up while it is written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings

from timeseries.spool import durable
from trading import picture_files
from trading.bookkeeping import carried, copying
from trading.bookkeeping.kept_files import bring_kept_files
from trading.errors import InvalidValue
from trading.progress import Progress
from trading.queries.screenshots import screenshot_files, withdrawn_names
from trading.transactions import reading

PICTURES = "screenshots"  # the folder beside the copies: of all of them, since no picture ever changes
PREFIX, BEFORE_MIGRATING = "ledger-", "before-migrate-"
KEPT, KEPT_BEFORE_MIGRATING = 14, 5
STAMP = re.compile(r"-(\d{8}T\d{12})Z\.")  # in the name of every copy, see `copying.new_path`
BOOKED = timedelta(hours=1)  # nothing is booked so long after the instant that it has

log = structlog.get_logger("database")


def back_up(*, keep: int = KEPT, progress: Progress = lambda *_: None) -> Path:
    """Make a backup and return it: proved, 0600, its heads noted beside it, its screenshots and other kept
    files in folders beside all of them, as are journal.key and the published heads; older ones than the newest
    ``keep`` go.

    Raises: CopyRefused where the copy does not prove itself (then the ledger does not either); nothing is kept or
        removed. InvalidValue, DatabaseError; LedgerNotReady for a ledger that is not migrated yet.
    """
    if keep < 1:
        raise InvalidValue(f"keep is {keep}.", field="keep", hint="Keep at least 1.")
    with reading():
        path = copying.new_path(PREFIX)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        copying.copy_to(unfinished)
        note = copying.note_of(unfinished, copying.must_be_proved(unfinished, progress))
        copying.write_note(path, note)
        # Before the copy has its name: a backup whose pictures were not copied yet is none.
        if lost := picture_files.bring(screenshot_files(), picture_files.folder(), path.parent / PICTURES):
            log.error("screenshots that no backup has", files=[file.name for file in lost])
        if names := bring_kept_files(Path(settings.DATA_DIR), path.parent):
            log.error("files that no backup has", files=names)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    durable.sync_path(path.parent)
    carried.carry(path.parent)
    log.info("backup", file=path.name, ledger=note.ledger, heads=note.heads)
    _keep_newest(PREFIX, path, keep)
    _remove_withdrawn(path.parent)
    return path


def _remove_withdrawn(folder: Path) -> None:
    """Remove the files of screenshots that were taken back, where a kill left one, and from the backups' folder those
    that no copy there still has."""
    picture_files.remove(withdrawn_names())
    made_at = [stamp.group(1) for path in folder.iterdir() if (stamp := STAMP.search(path.name))]
    oldest = datetime.strptime(min(made_at), "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    picture_files.remove(withdrawn_names(until=oldest - BOOKED), folder / PICTURES)


def back_up_before_migrating() -> Path:
    """Make and return a sound copy (0600) of a ledger of another version; only that version's code could prove it.

    Raises: CopyRefused where the ledger does not pass its database's own check, or cannot be copied; DatabaseError.
    """
    path = copying.new_path(BEFORE_MIGRATING)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        copying.copy_to(unfinished)
        copying.must_be_sound(unfinished)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    durable.sync_path(path.parent)
    _keep_newest(BEFORE_MIGRATING, path, KEPT_BEFORE_MIGRATING)
    return path


def _keep_newest(prefix: str, path: Path, keep: int) -> None:
    """Remove the backups of this prefix that were made before the newest ``keep``, with what is noted beside them.

    ``path`` is the newest one. A clock that ran ahead has left copies whose names are after it: they were made before.
    """
    others = [old for old in path.parent.glob(f"{prefix}*{path.suffix}") if old != path]
    others.sort(key=lambda old: (old.name < path.name, old.name))
    for old in others[: max(0, len(others) - keep + 1)]:
        old.unlink()
        copying.beside(old).unlink(missing_ok=True)
