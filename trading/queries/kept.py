"""What a process keeps of the ledger between questions: valid as long as nothing that it follows from has changed.

Whatever an operation writes has a row in the account's journal; what is in no journal (sessions, instruments, what was
measured of trades) has a link in the chain of seals. So the ends of the two chains stand for every row that a figure
can follow from, and an answer that was computed under the same ends is right. Nothing here is stored.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from trading.models import Account

Answer = TypeVar("Answer")


class Clearable(Protocol):
    """What can forget all that it keeps."""

    def clear(self) -> None: ...


class LedgerMark(NamedTuple):
    """The ends of both chains: which ledger it is, the journal's last row of an account, and the last seal's code.

    Links of users tell who logged in: no figure follows from them.
    """

    ledger: str
    sequence: int
    mac: str
    seal: str


def mark_of(account: Account) -> LedgerMark:
    """Return the mark that the account's ledger stands at now, by one statement."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # before every page: the ORM would take ten times as long
        cursor.execute(
            "SELECT ledger, sequence, mac, (SELECT mac FROM trading_seal"
            " WHERE table_name NOT IN ('trading_user', 'trading_user_groups', 'trading_user_user_permissions')"
            " ORDER BY trading_seal.sequence DESC LIMIT 1) FROM trading_journalhead WHERE account_id = %s",
            [account.pk],
        )
        row = cursor.fetchone()
    return LedgerMark("", 0, "", "") if row is None else LedgerMark(row[0], row[1], row[2], row[3] or "")


all_kept: list[Clearable] = []  # one for each kind of answer, for who wants to measure without them


class KeptAnswers(Generic[Answer]):
    """Answers by account and question, the newest of each; beyond ``bytes_max`` those go first that nobody asked for
    the longest. One that is larger than that alone is not kept."""

    def __init__(self, bytes_max: int, size_of: Callable[[Answer], int] = sys.getsizeof) -> None:
        all_kept.append(self)
        self._bytes_max, self._size_of = bytes_max, size_of
        self._lock = Lock()
        self._answers: OrderedDict[tuple[int, Hashable], tuple[LedgerMark, Answer, int]] = OrderedDict()
        self.bytes = 0

    def of(self, account: Account, question: Hashable, answer: Callable[[], Answer]) -> Answer:
        """Return what was answered under the ledger's mark, else the answer of now, and keep it."""
        # The mark is read first: rows that come in between are seen by the next question at the latest.
        mark, key = mark_of(account), (account.pk, question)
        with self._lock:
            kept = self._answers.get(key)
            if kept is not None and kept[0] == mark:
                self._answers.move_to_end(key)
                return kept[1]
        fresh = answer()
        size = self._size_of(fresh)
        with self._lock:
            self._forget(key)
            if size <= self._bytes_max:
                self._answers[key] = mark, fresh, size
                self.bytes += size
            while self.bytes > self._bytes_max:
                self._forget(next(iter(self._answers)))
        return fresh

    def clear(self) -> None:
        """Forget every answer."""
        with self._lock:
            self._answers.clear()
            self.bytes = 0

    def _forget(self, key: tuple[int, Hashable]) -> None:
        kept = self._answers.pop(key, None)
        self.bytes -= 0 if kept is None else kept[2]
