"""The facts of the ledger that stand in no backup yet, and since when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from trading.models import Account
from trading.proof.heads import BACKUP_HEADS
from trading.rows import utc

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
    at = f"ledger-{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}~"
    # Newest first: their names have the time; what bears one to come was made before, by a clock that ran ahead.
    paths = sorted(files, key=lambda path: (path.name < at, path.name), reverse=True)
    newest_at = datetime.fromtimestamp(paths[0].stat().st_mtime, now.tzinfo) if paths else None
    operations, waiting, pending = 0, [], set[str]()
    # Newest first, and last none: what stands in no backup waits from the first row of its journal on.
    for number, ends in enumerate(chain(map(_ends, paths), [{}])):
        if number and not (pending if not ends else pending & ends.keys()):
            continue
        heads = _heads(ends)
        if not number:
            operations = sum(head.sequence for head in heads)
            pending = {head.code for head in heads if head.book not in MADE_AGAIN}
        for head in heads:
            # A backup of another ledger has another code of the chain there.
            if head.code in pending and (not ends or head.mac_there == ends.get(head.code, (0, ""))[1]):
                pending.remove(head.code)
                waiting += [utc(head.waiting_since)] if head.waiting_since else []
    return Backups(newest_at, min(waiting, default=None), operations)


class _Head(NamedTuple):
    """The end of an account's journal, beside a backup: the code that its chain has where the backup ends, and when the
    row after that was recorded; None where the journal has no such row."""

    code: str
    book: str
    sequence: int
    mac_there: str | None
    waiting_since: str | datetime | None


def _heads(ends: ChainEnds) -> list[_Head]:
    saved = f"CASE account.code {' WHEN %s THEN %s' * len(ends)} ELSE 0 END" if ends else "0"
    pairs: list[str | int] = []
    for code, (sequence, _) in ends.items():
        pairs += [code, sequence]
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # with every look: the ORM would take ten times as long
        cursor.execute(
            "SELECT account.code, account.book, head.sequence,"  # noqa: S608  (no value stands in the text)
            f" (SELECT mac FROM trading_journal WHERE account_id = account.id AND sequence = {saved}),"
            f" (SELECT recorded_at FROM trading_journal WHERE account_id = account.id AND sequence = {saved} + 1)"
            " FROM trading_journalhead head JOIN trading_account account ON account.id = head.account_id",
            pairs * 2,
        )
        return list(map(_Head._make, cursor.fetchall()))


def _ends(path: Path) -> ChainEnds:
    try:
        note = json.loads(path.with_name(path.name + BACKUP_HEADS).read_text(encoding="utf-8"))
        return {code: (int(sequence), str(mac)) for code, (sequence, mac) in note["heads"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # without its note a copy stands for nothing that can be looked at here
