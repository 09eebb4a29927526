"""The proof of the ledger: everything that follows is computed anew from the journal and compared, column by column.

The journal's chains and the seals of the reference rows are walked with the key, and with the heads that were
published outside the database. All is read in one snapshot, so that writers may go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from django.db.backends.base.base import BaseDatabaseWrapper

from trading.domain.chain import JSON
from trading.progress import Progress
from trading.proof.breaks import compare_breaks
from trading.proof.chain import JOURNAL, ChainWalk, PublishedHeads
from trading.proof.charges import compare_charges
from trading.proof.fill_ids import TWICE, find_ids_twice
from trading.proof.ground import prove_ground
from trading.proof.imports import compare_imports
from trading.proof.limits import compare_limits
from trading.proof.notes import compare_notes
from trading.proof.references import SealedRows
from trading.proof.reports import Reports
from trading.proof.rows import Difference, Findings, Tables
from trading.proof.screenshots import FILE, compare_screenshots
from trading.proof.signals import compare_signals, compare_summaries
from trading.proof.tokens import compare_tokens
from trading.proof.trades import TradeProof

MAIN = "main"
NO_CHANGE = frozenset({TWICE, FILE})  # kinds of differences that no row shows


class ChainEnd(TypedDict):
    """The last sequence number of an account's chain and that link's code."""

    sequence: int
    mac: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome of one verification. ``head`` is the end of each account's chain as it was walked."""

    differences: list[Difference]
    checked: dict[str, int]
    head: dict[str, ChainEnd]
    left_off: int = 0
    ledger: str = ""
    references_end: tuple[int, str] = (0, "")
    not_looked_at: tuple[str, ...] = ()  # of a proof since a head

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def is_sound(self) -> bool:
        """Whether everything is as it was recorded. An id that an older ledger let stand for two fills is, and so is a
        ledger beside which a file of a screenshot was lost."""
        return all(difference.kind in NO_CHANGE for difference in self.differences)

    def as_dict(self) -> dict[str, JSON]:
        """Return the proof as `verify_ledger --format json` prints it."""
        return {
            "ok": self.ok,
            "checked": self.checked,
            "head": {code: {"sequence": end["sequence"], "mac": end["mac"]} for code, end in self.head.items()},
            **({"not_looked_at": list(self.not_looked_at)} if self.not_looked_at else {}),
            "differences_left_off": self.left_off,
            "differences": [difference.as_dict() for difference in self.differences],
        }


@dataclass(slots=True)
class Verification:
    """One proof of one ledger. ``key`` is None where it is lost; ``since`` is the ISO text of an instant in UTC."""

    connection: BaseDatabaseWrapper
    key: str | None
    published: Callable[[str], PublishedHeads]
    since: str | None = None
    progress: Progress = lambda _stage, _done, _total: None
    files: Path | None = None  # of the screenshots, where they are to be looked at
    findings: Findings = field(default_factory=Findings)

    def run(self) -> Proof:
        """Return the proof. Raises: DatabaseError where the ledger cannot be read."""
        tables = Tables(self.connection, self.findings)
        with tables.snapshot():
            self.progress("schema", 0, 1)
            key, published, sealed, of_schema, of_seals = prove_ground(tables, self.key, self.published)
            self.progress("schema", 1, 1)
            heads = sum(len(heads) for chain in published.values() for heads in chain.values())
            checked = {**of_schema, "heads": heads, **of_seals}
            walk = self._walk(tables, sealed, key, published)
            checked["journal"] = walk.count
            references = sealed.references()
            reports = Reports(tables, walk.index, references)
            trades = TradeProof(tables, references, walk.index, reports, self.since, self.progress)
            counts = {
                **trades.compare(),
                **compare_signals(tables, references, walk.index, self.progress),
                **trades.compare_day_totals(),
                **compare_summaries(tables, walk.index),
                **compare_imports(tables, walk.index, self.progress),
                **compare_charges(tables, walk.index),
                **compare_breaks(tables, walk.index),
                **compare_notes(tables, walk.index),
                **compare_limits(tables, walk.index),
                **compare_screenshots(tables, walk.index, self.files),
                **compare_tokens(tables, walk.index),
            }
            checked |= {table.removeprefix("trading_"): count for table, count in counts.items()}
            if self.since is None:  # else not every trade was counted
                checked["reports"] = reports.compare(self.findings)
                find_ids_twice(tables, walk.index.second_rows)
        head = {code: ChainEnd(sequence=number, mac=mac) for code, (number, mac) in walk.ends.items()}
        return Proof(self.findings.finish(), checked, head, self.findings.left_off, sealed.ledger, sealed.end)

    def _walk(self, tables: Tables, sealed: SealedRows, key: str | None, published: PublishedHeads) -> ChainWalk:
        """Walk the chains of all accounts; return the walk with the index that it made."""
        total = tables.rows(f"SELECT COUNT(*) FROM {JOURNAL}")[0][0]  # noqa: S608
        walk = ChainWalk(tables, key, published, self.since, lambda done: self.progress("journal", done, total))
        accounts = sealed.accounts()
        # Main first: it tells where the others were cleared.
        for code in sorted(accounts, key=lambda code: (code != MAIN, code)):
            walk.account(accounts[code], code)
        walk.strays(accounts)
        return walk
