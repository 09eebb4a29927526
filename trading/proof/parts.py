"""Parts of a proof that a second process can do (`helper`): of each it says that nothing differs there, or nothing.

No module of theirs knows the models: to load them took half of the second process's start.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from trading.domain.chain import JSON, chain_code
from trading.domain.recount import References
from trading.proof.chain import BATCH, JOURNAL, Index
from trading.proof.entries import Bucket, Entries
from trading.proof.file import check_file
from trading.proof.reports import Reports
from trading.proof.rows import Findings, StoredRow, TableColumns, Tables
from trading.proof.trades import TradeProof, TradeShare

MAPPED_MAX = 1 << 40  # bytes of the ledger's file: all of it
Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass(slots=True)
class Prover:
    """A process that proves parts of a ledger; ``settings`` are those of its connection, as Django has them."""

    settings: dict[str, JSON | Path]
    trades: TradeProof | None = None
    snapshot: ExitStack = field(default_factory=ExitStack)
    _tables: Tables | None = None

    @property
    def tables(self) -> Tables:
        """The ledger's tables, on a connection of this process."""
        if self._tables is None:
            connection = type(connections[DEFAULT_DB_ALIAS])(self.settings, DEFAULT_DB_ALIAS)
            self._tables = Tables(connection, Findings())
            if connection.vendor == "sqlite":
                # A quarter less time for the file's check. A file that is cut meanwhile would end this process with
                # SIGBUS, as only a process may end that nobody depends on.
                self._tables.rows(f"PRAGMA mmap_size = {MAPPED_MAX}")
        return self._tables


class Part(Protocol[Answer_co]):
    """A part of a proof, which is sent to the process that does it."""

    def answer(self, prover: Prover) -> Answer_co: ...


class Begin(NamedTuple):
    """Begin a snapshot: on PostgreSQL the exported one of this name."""

    exported: str | None

    def answer(self, prover: Prover) -> list[StoredRow]:
        """Return where the chains end in it."""
        prover.snapshot.close()
        prover.snapshot.enter_context(prover.tables.snapshot(self.exported))
        return ends_of(prover.tables)


class File(NamedTuple):
    """Let the database check its file."""

    def answer(self, prover: Prover) -> bool:
        """Return whether nothing is wrong with it."""
        findings = prover.tables.findings = Findings()
        check_file(prover.tables)
        return not findings.finish()


class Codes(NamedTuple):
    """Compute the code of every row of an account's journal."""

    key: str
    account: int

    def answer(self, prover: Prover) -> int | None:
        """Return how many rows there are; None where a code is not that of its text and of the code before it."""
        count, after = 0, -1
        sql = f"SELECT sequence, body, mac, previous_mac FROM {JOURNAL} WHERE account_id = %s AND sequence > %s "  # noqa: S608
        while rows := prover.tables.rows(f"{sql}ORDER BY sequence LIMIT {BATCH}", self.account, after):
            if any(chain_code(self.key, previous, str(body)) != mac for _, body, mac, previous in rows):
                return None
            count, after = count + len(rows), rows[-1][0]
        return count


class Prepare(NamedTuple):
    """Make ready to count trades anew, with what an index tells of them."""

    references: References
    summaries: list[tuple[int, int]]
    moved_keys: set[tuple[int, str]]
    columns: list[TableColumns]

    def answer(self, prover: Prover) -> bool:
        """Return that it is ready."""
        prover.tables.know(self.columns)
        index = Index(Entries(), summaries=self.summaries, moved_keys=self.moved_keys)
        reports = Reports(prover.tables, index, self.references)
        prover.trades = TradeProof(prover.tables, self.references, index, reports, None)
        return True


class Trades(NamedTuple):
    """Count the trades of a bucket anew and compare them with their rows."""

    bucket: Bucket

    def answer(self, prover: Prover) -> TradeShare | None:
        """Return what they add to the proof; None where something differs."""
        assert prover.trades is not None
        findings = prover.tables.findings = Findings()
        prover.trades.compare(self.bucket)
        share = prover.trades.taken()
        return None if findings.finish() or findings.left_off else share


def ends_of(tables: Tables) -> list[StoredRow]:
    """Return where the chains end, so that two snapshots of which they are equal show the same ledger."""
    return [
        *tables.rows("SELECT account_id, sequence, mac FROM trading_journalhead ORDER BY id"),
        *tables.rows(f"SELECT MAX(id) FROM {JOURNAL}"),  # noqa: S608
        *tables.rows("SELECT sequence, mac FROM trading_seal ORDER BY sequence DESC LIMIT 1"),
    ]
