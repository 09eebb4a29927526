"""The facts of the ledger that stand in no backup yet, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from trading.models import Account, Journal
from trading.proof.heads import BACKUP_HEADS

FIRST_WITHIN, NEXT_WITHIN = timedelta(days=1), timedelta(days=2)
MADE_AGAIN = (Account.Book.REPLAY, Account.Book.DEMO)  # what is lost of these is replayed, or simulated, anew

ChainEnds = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Backups:
    """The time of the newest backup, and of the oldest fact that no backup holds; None: there is none."""

    newest_at: datetime | None
    waiting_since: datetime | None

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
    waiting = []
    for account in Account.objects.exclude(book__in=MADE_AGAIN):
        following = next(_saved(account, paths), 0) + 1
        recorded_at = account.journal.filter(sequence=following).values_list("recorded_at", flat=True).first()
        waiting += [recorded_at] if recorded_at else []
    return Backups(newest_at, min(waiting, default=None))


def _saved(account: Account, paths: list[Path]) -> Iterator[int]:
    """Yield how far each backup goes that holds this account's own chain: one of another ledger ends elsewhere."""
    for path in paths:
        sequence, mac = _ends(path).get(account.code, (0, ""))
        if Journal.objects.filter(account=account, sequence=sequence, mac=mac).exists():
            yield sequence


def _ends(path: Path) -> ChainEnds:
    try:
        note = json.loads(path.with_name(path.name + BACKUP_HEADS).read_text(encoding="utf-8"))
        return {code: (int(sequence), str(mac)) for code, (sequence, mac) in note["heads"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # without its note a copy stands for nothing that can be looked at here
