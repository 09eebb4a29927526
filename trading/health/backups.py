"""The facts of the ledger that stand in no backup yet, and since when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from trading.models import Account, Journal
from trading.proof.heads import BACKUP_HEADS
from trading.rows import one

FIRST_WITHIN, NEXT_WITHIN = timedelta(days=1), timedelta(days=2)
MADE_AGAIN = (Account.Book.REPLAY, Account.Book.DEMO)  # what is lost of these is replayed, or simulated, anew

ChainEnds = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Backups:
    """The time of the newest backup, and of the oldest fact that no backup holds (None: there is none); and how many
    operations all journals hold."""

    newest_at: datetime | None
    waiting_since: datetime | None
    operations: int

    def is_late(self, now: datetime) -> bool:
        """Tell whether a fact waits longer for a backup than a day, or than two where backups are made."""
        within = FIRST_WITHIN if self.newest_at is None else NEXT_WITHIN
        return self.waiting_since is not None and now - self.waiting_since > within


def backups(*, now: datetime) -> Backups:
    """Compare the folder of backups with the journals of the accounts whose facts nobody could make again."""
    folder = Path(settings.DATA_DIR) / "backups"
    files = (path for kind in ("sqlite3", "pgdump") for path in folder.glob(f"ledger-*.{kind}"))
    paths = sorted(files, reverse=True)  # newest first: their names have the time
    newest_at = datetime.fromtimestamp(paths[0].stat().st_mtime, now.tzinfo) if paths else None
    heads, waiting = _heads(), list[datetime]()
    pending = {head.code for head in heads if head.book not in MADE_AGAIN}
    # Newest first, and last none: what stands in no backup waits from the first row of its journal on.
    for number, ends in enumerate(chain(map(_ends, paths), [{}])):
        if number and not (pending if not ends else pending & ends.keys()):
            continue
        for head in [head for head in heads if head.code in pending and (not ends or _holds(head, ends))]:
            pending.remove(head.code)
            saved, _ = ends.get(head.code, (0, ""))
            following = one(Journal, account_id=head.account, sequence=saved + 1)
            waiting += [] if following is None else [following.recorded_at]
    return Backups(newest_at, min(waiting, default=None), sum(head.sequence for head in heads))


class _Head(NamedTuple):
    """The end of an account's journal."""

    account: int
    code: str
    book: str
    sequence: int


def _heads() -> list[_Head]:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # with every look: the ORM would take ten times as long
        cursor.execute(
            "SELECT account.id, account.code, account.book, head.sequence FROM trading_journalhead head"
            " JOIN trading_account account ON account.id = head.account_id"
        )
        return list(map(_Head._make, cursor.fetchall()))


def _holds(head: _Head, ends: ChainEnds) -> bool:
    """Tell whether a backup that ends there has the beginning of the account's journal, and of no other ledger's."""
    if head.code not in ends:
        return False
    sequence, mac = ends[head.code]
    row = one(Journal, account_id=head.account, sequence=sequence)
    return row is not None and row.mac == mac


def _ends(path: Path) -> ChainEnds:
    try:
        note = json.loads(path.with_name(path.name + BACKUP_HEADS).read_text(encoding="utf-8"))
        return {code: (int(sequence), str(mac)) for code, (sequence, mac) in note["heads"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # without its note a copy stands for nothing that can be looked at here
