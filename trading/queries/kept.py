"""What a process keeps of the ledger between questions: valid as long as nothing that it follows from has changed.

Whatever an operation writes has a row in the account's journal; what is in no journal (sessions, instruments, what was
measured of trades) has a link in the chain of seals. So the ends of the two chains stand for every row that a figure
can follow from, and an answer that was computed under the same ends is right. Nothing here is stored.
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from functools import lru_cache
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from trading.models import Account

Answer = TypeVar("Answer")
STEPS_MAX = 100  # rows of the journal that are looked at to learn what moved a ledger; after more all is read anew
STOP = "update_trailing_sl"  # a desk books more of them than of all else, and each changes one trade's stop and flags


class Clearable(Protocol):
    """What can forget all that it keeps."""

    def clear(self) -> None: ...


class LedgerMark(NamedTuple):
    """The ends of both chains: which ledger it is, the journal's last row of an account, and the last seal's code.

    Links of users tell who logged in: no figure follows from them. An account that was cleared keeps its end and has no
    rows: its code is "", else what was kept before would stay right.
    """

    ledger: str
    sequence: int
    mac: str
    seal: str


def mark_of(account: Account) -> LedgerMark:
    """Return the mark that the account's ledger stands at now, by one statement."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:  # before every page: the ORM would take ten times as long
        cursor.execute(
            "SELECT ledger, sequence, CASE WHEN EXISTS (SELECT 1 FROM trading_journal j"
            " WHERE j.account_id = h.account_id AND j.sequence = h.sequence) THEN mac ELSE '' END,"
            " (SELECT mac FROM trading_seal"
            " WHERE table_name NOT IN ('trading_user', 'trading_user_groups', 'trading_user_user_permissions')"
            " ORDER BY trading_seal.sequence DESC LIMIT 1) FROM trading_journalhead h WHERE account_id = %s",
            [account.pk],
        )
        row = cursor.fetchone()
    return LedgerMark("", 0, "", "") if row is None else LedgerMark(row[0], row[1], row[2], row[3] or "")


def last_migration() -> str:
    """Return the name of the last migration of the ledger's tables."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'trading' ORDER BY id DESC LIMIT 1")
        row = cursor.fetchone()
    return "" if row is None else str(row[0])


class Step(NamedTuple):
    """A row of the journal: its operation, and the key of the trade where that moved a stop."""

    operation: str
    trade: int | None


@lru_cache(maxsize=64)  # one look asks the same for each of its answers; rows between two marks never change
def steps_between(account: Account, since: LedgerMark, until: LedgerMark) -> tuple[Step, ...] | None:
    """Return the rows that brought the account's ledger from one mark to a later one, none of equal marks.

    None where that is not certain: the ledger is another, a row in no journal was written, or the journal does not lead
    from the one end to the other in `STEPS_MAX` rows.
    """
    if since == until:
        return ()
    if (since.ledger, since.seal) != (until.ledger, until.seal) or not 0 <= until.sequence - since.sequence < STEPS_MAX:
        return None
    rows = rows_between(account, since, until, stops_only=True)
    if rows is None:
        return None
    return tuple(Step(operation, json.loads(body)["trade"]["pk"] if body else None) for operation, body in rows)


def rows_between(
    account: Account, since: LedgerMark, until: LedgerMark, *, stops_only: bool = False
) -> list[tuple[str, str]] | None:
    """Return operation and body of each row of the account's journal after one mark up to a later one; with
    ``stops_only`` the bodies of moved stops alone, else "". None where the journal does not lead from one to the other.
    """
    body = "CASE WHEN operation = %s THEN body ELSE '' END" if stops_only else "body"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            f"SELECT sequence, mac, operation, {body} FROM trading_journal"  # noqa: S608
            " WHERE account_id = %s AND sequence BETWEEN %s AND %s ORDER BY sequence",
            [*([STOP] if stops_only else []), account.pk, since.sequence, until.sequence],
        )
        rows = cursor.fetchall()
    ends = [(sequence, mac) for sequence, mac, *_ in (*rows[:1], *rows[-1:])]
    if len(rows) != until.sequence - since.sequence + 1 or ends != [since[1:3], until[1:3]]:
        return None
    return [(operation, body) for _, _, operation, body in rows[1:]]


class KeptAnswer(NamedTuple, Generic[Answer]):
    """An answer, the mark that it is of, and about as many bytes as it takes."""

    mark: LedgerMark
    answer: Answer
    size: int


all_kept: list[Clearable] = []  # one for each kind of answer, for who wants to measure without them


class KeptAnswers(Generic[Answer]):
    """Answers by account and question, the newest of each; beyond ``bytes_max`` those go first that nobody asked for
    the longest. One that is larger than that alone is not kept.

    ``beside`` are operations that change none of them. ``after_stops`` makes one right after nothing but stops of the
    trades with some keys moved; it returns None where all is to be read anew.
    """

    def __init__(
        self,
        bytes_max: int,
        size_of: Callable[[Answer], int] = sys.getsizeof,
        *,
        beside: frozenset[str] = frozenset(),
        after_stops: Callable[[Answer, Collection[int]], Answer | None] | None = None,
    ) -> None:
        all_kept.append(self)
        self._bytes_max, self._size_of, self._beside, self._after_stops = bytes_max, size_of, beside, after_stops
        self._lock = Lock()
        self._answers: OrderedDict[tuple[int, Hashable], KeptAnswer[Answer]] = OrderedDict()
        self.bytes = 0

    def of(
        self, account: Account, question: Hashable, answer: Callable[[], Answer], *, mark: LedgerMark | None = None
    ) -> Answer:
        """Return what was answered under the ledger's mark, else the answer of now, and keep it.

        ``mark`` is one that was read just before, where one reading stands for several questions.
        """
        # The mark is read first: rows that come in between are seen by the next question at the latest.
        mark, key = mark_of(account) if mark is None else mark, (account.pk, question)
        with self._lock:
            kept = self._answers.get(key)
        carried = None if kept is None else self._carried(account, kept, mark)
        if carried is not None:
            with self._lock:
                if self._answers.get(key) is kept:
                    self._answers[key] = carried
                    self._answers.move_to_end(key)
            return carried.answer
        fresh = answer()
        size = self._size_of(fresh)
        with self._lock:
            self._forget(key)
            if size <= self._bytes_max:
                self._answers[key] = KeptAnswer(mark, fresh, size)
                self.bytes += size
            while self.bytes > self._bytes_max:
                self._forget(next(iter(self._answers)))
        return fresh

    def _carried(self, account: Account, kept: KeptAnswer[Answer], mark: LedgerMark) -> KeptAnswer[Answer] | None:
        """Return what is kept as it is at a later mark, None where more has moved the ledger than it can follow."""
        if kept.mark == mark:
            return kept
        steps = steps_between(account, kept.mark, mark) if self._beside or self._after_stops else None
        if steps is None:
            return None
        moving = [step for step in steps if step.operation not in self._beside]
        if not moving:
            return kept._replace(mark=mark)
        if self._after_stops is None or any(step.operation != STOP for step in moving):
            return None
        answer = self._after_stops(kept.answer, {step.trade for step in moving if step.trade is not None})
        return None if answer is None else kept._replace(mark=mark, answer=answer)

    def clear(self) -> None:
        """Forget every answer."""
        with self._lock:
            self._answers.clear()
            self.bytes = 0

    def _forget(self, key: tuple[int, Hashable]) -> None:
        kept = self._answers.pop(key, None)
        self.bytes -= 0 if kept is None else kept.size
