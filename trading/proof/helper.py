"""A second process that proves parts of a large ledger while this one proves the others (`parts`, `second`).

It never names a difference: of a part it says that nothing differs there, or it says nothing, and then that part is
proved here. So it may die at any time, and what is found does not depend on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import Pipe
from typing import TypeVar

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from trading.proof.chain import JOURNAL, Index
from trading.proof.entries import BucketPlace, Entries
from trading.proof.parts import Begin, Codes, File, Part, Prepare, Prover, Trades, ends_of
from trading.proof.rows import Tables
from trading.proof.trades import TABLES, TradeProof, TradeShare

HELPED_MIN = 30_000  # rows of the journal: fewer are proved before a second process has begun
ATTEMPTS = 50  # to begin both snapshots between two commits
Answer = TypeVar("Answer")
TradeShares = list[tuple[BucketPlace, TradeShare | None]]


class Helper:
    """The second process, asked by one thread: one question after the other."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        """Start it for the ledger of a connection. Raises: OSError."""
        self._pipe, its_end = Pipe()
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trading.proof.second", str(its_end.fileno())],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                start_new_session=True,
            )
        self._pipe.send(Prover(dict(connection.settings_dict)))
        self._thread = ThreadPoolExecutor(1, "proof helper")

    def begins_with(self, tables: Tables) -> bool | None:
        """Tell whether its snapshot, begun now, shows the same as that of ``tables``; None when it is no more."""
        is_postgres = tables.connection.vendor == "postgresql"
        exported = str(tables.rows("SELECT pg_export_snapshot()")[0][0]) if is_postgres else None
        ends = ends_of(tables)
        its_ends = self._answer(Begin(exported))
        return None if its_ends is None else its_ends == ends

    def file(self) -> Future[bool | None]:
        """Return whether the database finds nothing wrong with its file."""
        return self._thread.submit(self._answer, File())

    def codes(self, key: str, account: int) -> Future[int | None]:
        """Return how many rows the journal of an account has, where each one's code is right; else None."""
        return self._thread.submit(self._answer, Codes(key, account))

    def shares(self, waiting: deque[BucketPlace], index: Index, proof: TradeProof) -> Future[TradeShares]:
        """Take buckets from the end of ``waiting`` until none is left; return each with its share, or None."""
        columns = [proof.tables.columns(table) for table in TABLES]
        prepare = Prepare(proof.references, index.summaries, index.moved_keys, columns)
        return self._thread.submit(self._shares, waiting, index.trades, prepare)

    def _shares(self, waiting: deque[BucketPlace], entries: Entries, prepare: Prepare) -> TradeShares:
        shares: TradeShares = []
        if self._answer(prepare):
            for place in each_of(waiting.pop):
                shares.append((place, self._answer(Trades(entries.bucket(place)))))
        return shares

    def _answer(self, question: Part[Answer]) -> Answer | None:
        try:
            self._pipe.send(question)
            answer: Answer = self._pipe.recv()
        except (OSError, EOFError):  # it is no more
            return None
        return answer

    def end(self) -> None:
        """Kill it, and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._thread.shutdown(cancel_futures=True)
        self._pipe.close()


def each_of(take: Callable[[], BucketPlace]) -> Iterator[BucketPlace]:
    """Yield what two threads take from one deque, each from its end, until nothing is left."""
    while True:
        try:
            place = take()
        except IndexError:
            return
        yield place


@contextmanager
def helping(tables: Tables) -> Iterator[Helper | None]:
    """Yield a second process where the ledger is large and there is a second processor, else None."""
    rows = tables.rows(f"SELECT MAX(id) FROM {JOURNAL}")[0][0] or 0  # noqa: S608
    if rows < HELPED_MIN or len(os.sched_getaffinity(0)) < 2:
        yield None
        return
    helper = Helper(tables.connection)
    try:
        yield helper
    finally:
        helper.end()


@contextmanager
def common_snapshot(tables: Tables, helper: Helper | None) -> Iterator[Helper | None]:
    """Read everything within as it stood at one moment; yield the helper where it reads the same, else None."""
    for _ in range(ATTEMPTS):
        if helper is None:
            break
        with tables.snapshot():
            begins = helper.begins_with(tables)
            if begins:
                yield helper
                return
        if begins is None:
            break
    with tables.snapshot():
        yield None
