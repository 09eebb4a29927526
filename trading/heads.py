"""Ends of the chains, published outside the database too: in the log, and in a small file for each chain.

A chain that is cut or made anew later agrees with neither. The file holds the newest head alone, so that it is one
write in place behind the commit; after a crash it may be older than the chain, never newer.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import structlog
from django.conf import settings

from timeseries.spool.locks import FileLock

REFERENCES = ""  # the chain of the reference rows; no account has an empty code
TRIALS = " trials"  # the chain of the lab's trials; no account's code begins with a space
_PREFIX, _REFERENCES_FILE = "account-", "references"
_LENGTH = 20 + 1 + 64 + 1

log = structlog.get_logger("trade")


class Head(NamedTuple):
    """The end of a chain: its last sequence number and that link's code."""

    sequence: int
    mac: str


def publish(ledger: str, chain: str, sequence: int, mac: str, operation: str, *, lost: Collection[str] = ()) -> None:
    """Write the end of a chain (an account's code, `REFERENCES`, `TRIALS`) to the log and its file, after the commit.

    The file keeps a later head, but one that a restore ``lost``. A fault of either never reaches the caller: what was
    committed is committed.
    """
    log.info("journal", ledger=ledger, account=chain, sequence=sequence, operation=operation, head=mac)
    name = _REFERENCES_FILE if chain == REFERENCES else _PREFIX + quote(chain, safe="")
    path = folder(ledger) / name
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path) as lock:
            lock.take(patient=True)
            kept = _parsed(os.pread(lock.descriptor, _LENGTH, 0))
            # On PostgreSQL two commits of one chain may come here in the other order.
            if kept is None or kept.sequence < sequence or kept.mac in lost:
                os.pwrite(lock.descriptor, f"{sequence:020d} {mac}\n".encode(), 0)
    except OSError as error:
        log.error("the head of a chain was not kept beside the ledger", account=chain, error=str(error))


def published(ledger: str) -> dict[str, Head]:
    """Return the heads that the files hold, by chain; a file that holds no head is left out."""
    heads = {}
    with suppress(FileNotFoundError):
        for path in sorted(folder(ledger).iterdir()):
            head = _parsed(path.read_bytes())
            if head is not None:
                heads[unquote(path.name.removeprefix(_PREFIX)) if path.name != _REFERENCES_FILE else REFERENCES] = head
    return heads


def folder(ledger: str) -> Path:
    """Return where the heads of a ledger are kept."""
    return Path(settings.DATA_DIR) / "heads" / quote(ledger, safe="")


def _parsed(line: bytes) -> Head | None:
    number, _, mac = line.decode("ascii", "replace").strip().partition(" ")
    return Head(int(number), mac) if number.isdecimal() and len(mac) == 64 else None
