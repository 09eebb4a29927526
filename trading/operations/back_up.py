"""Back the ledger up while it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import structlog

from trading.errors import InvalidValue
from trading.operations import copying
from trading.queries.verification import Progress

PREFIX = "ledger-"
KEPT = 14

log = structlog.get_logger("database")


def back_up(*, keep: int = KEPT, progress: Progress = lambda *_: None) -> Path:
    """Return the new backup: proved, 0600, with its heads noted beside it; older ones than the newest ``keep`` go.

    Raises: CopyRefused where the copy does not prove itself (then the ledger does not either); nothing is kept or
        removed. InvalidValue, DatabaseError.
    """
    if keep < 1:
        raise InvalidValue(f"keep is {keep}.", field="keep", hint="Keep at least 1.")
    folder = copying.folder()
    suffix = copying.SUFFIX[copying.vendor()]
    path = folder / f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{suffix}"
    unfinished = path.with_name(f"{path.name}.part")
    try:
        copying.copy_to(unfinished)
        note = copying.note_of(unfinished, copying.must_be_proved(unfinished, progress))
        copying.write_note(path, note)
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    copying.synced(folder)
    log.info("backup", file=path.name, ledger=note.ledger, heads=note.heads)
    for old in sorted(folder.glob(f"{PREFIX}*{suffix}"))[:-keep]:
        old.unlink()
        copying.beside(old).unlink(missing_ok=True)
    return path
