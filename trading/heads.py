"""Where a chain ends is also published outside the database: in the log, and in a small file for each chain.

A chain that is cut or made anew later agrees with neither. The file holds the newest head alone, so that it is one
write in place behind the commit; after a crash it may be older than the chain, never newer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import structlog
from django.conf import settings

from timeseries.spool.locks import FileLock

REFERENCES = ""  # the chain of the reference rows; no account has an empty code
_PREFIX, _REFERENCES_FILE = "account-", "references"
_LENGTH = 20 + 1 + 64 + 1

log = structlog.get_logger("trade")


class Head(NamedTuple):
    sequence: int
    mac: str


def publish(ledger: str, chain: str, sequence: int, mac: str, operation: str) -> None:
    """Tell log and file where a chain (an account's code, or `REFERENCES`) ends now; the commit has happened before.

    A fault of either never reaches the caller: what was committed is committed.
    """
    log.info("journal", ledger=ledger, account=chain, sequence=sequence, operation=operation, head=mac)
    try:
        _keep(_file(ledger, chain), Head(sequence, mac))
    except OSError as error:
        log.error("the head of a chain was not kept beside the ledger", account=chain, error=str(error))


def published(ledger: str) -> dict[str, Head]:
    """Return the heads that the files hold, by chain; a file that holds no head is left out."""
    found = {}
    with suppress(FileNotFoundError):
        for path in sorted(_folder(ledger).iterdir()):
            head = _read(path.read_bytes())
            if head is not None:
                found[unquote(path.name.removeprefix(_PREFIX)) if path.name != _REFERENCES_FILE else REFERENCES] = head
    return found


def _folder(ledger: str) -> Path:
    return Path(settings.DATA_DIR) / "heads" / quote(ledger, safe="")


def _file(ledger: str, chain: str) -> Path:
    name = _REFERENCES_FILE if chain == REFERENCES else _PREFIX + quote(chain, safe="")
    return _folder(ledger) / name


def _keep(path: Path, head: Head) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path) as lock:
        lock.take(patient=True)
        known = _read(os.pread(lock.descriptor, _LENGTH, 0))
        # On PostgreSQL two commits of one chain may come here in the other order.
        if known is None or known.sequence < head.sequence:
            os.pwrite(lock.descriptor, f"{head.sequence:020d} {head.mac}\n".encode(), 0)


def _read(line: bytes) -> Head | None:
    number, _, mac = line.decode("ascii", "replace").strip().partition(" ")
    return Head(int(number), mac) if number.isdecimal() and len(mac) == 64 else None
