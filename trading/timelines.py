"""Which timeline of PostgreSQL the ledger was last written on: an old primary that came back is never written again.

A promotion begins a new timeline, with a higher number, of the same system. The highest that this host has written on
is kept beside the heads of the chains.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from django.conf import settings

from timeseries.spool import durable
from timeseries.spool.locks import FileLock
from trading.errors import LedgerReadOnly

DIGITS = 10  # always as many, written at once: a reader never sees half a number

log = structlog.get_logger("system")


def of_wal_file(name: str) -> int:
    """Return the timeline that a server writes on, by the name of the file that it writes: its first eight digits. The
    control file has it only after a checkpoint."""
    return int(name[:8], 16)


def must_be_newest(system: str, timeline: int) -> None:
    """Keep the timeline of a server that is about to be written, where it is newer than the one kept.

    A disk that does not keep it is no reason to lose a trade: that is logged. Raises: LedgerReadOnly for an older one.
    """
    path = Path(settings.DATA_DIR) / "heads" / f"system-{system}"
    kept = _kept(path)
    if timeline > kept:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(path) as lock:
                lock.take(patient=True)
                kept = _kept(path)
                if timeline > kept:
                    os.pwrite(lock.descriptor, f"{timeline:0{DIGITS}d}".encode(), 0)
                    durable.sync(lock.descriptor)
                    if kept:
                        log.warning("the ledger is written on a new timeline", timeline=timeline, before=kept)
        except OSError as error:
            log.error("the timeline of the ledger's server was not kept", timeline=timeline, error=str(error))
    if timeline < kept:
        raise LedgerReadOnly(
            f"This PostgreSQL is an old primary (timeline {timeline}): the ledger went on at timeline {kept}.",
            hint="Nothing was written. Stop it and bring it back as a standby (pg_rewind). Only after a restore from a "
            f"backup without its archive: remove {path}.",
        )


def _kept(path: Path) -> int:
    """Return the timeline kept; 0 where there is none."""
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else 0
