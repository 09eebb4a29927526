"""The proof of the ledger: everything that follows is computed anew from the journal and compared, column by column.

The journal's chains and the seals of the reference rows are walked with the key, and with the heads that were
published outside the database. All is read in one snapshot, so that writers may go on.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from django.db.backends.base.base import BaseDatabaseWrapper

from trading.domain.chain import JSON
from trading.progress import Progress
from trading.proof.breaks import compare_breaks
from trading.proof.chain import JOURNAL, ChainWalk, Index, PublishedHeads
from trading.proof.charges import compare_charges
from trading.proof.entries import BUCKET, Entries
from trading.proof.file import check_file
from trading.proof.fill_ids import TWICE, find_ids_twice
from trading.proof.ground import prove_ground, published_before
from trading.proof.helper import Helper, common_snapshot, each_of, helping
from trading.proof.imports import compare_imports
from trading.proof.limits import compare_limits
from trading.proof.notes import compare_notes
from trading.proof.references import SealedRows
from trading.proof.reports import Reports
from trading.proof.restores import restore_facts
from trading.proof.rows import Difference, Findings, Tables
from trading.proof.screenshots import FILE, compare_screenshots
from trading.proof.signals import compare_signals, compare_summaries
from trading.proof.tokens import compare_tokens
from trading.proof.trades import TradeProof
from trading.proof.trials import compare_trials
from trading.restore_notes import RestoreNote

MAIN = "main"
COLLECTED_AT = gc.get_threshold()
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
    restores: Sequence[RestoreNote] = ()  # to an earlier time, that are noted

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
            "restores": list(map(restore_facts, self.restores)),
            "differences_left_off": self.left_off,
            "differences": [difference.as_dict() for difference in self.differences],
        }


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the interpreter look for garbage seldom: rows make no cycles, and each look takes its time."""
    gc.set_threshold(100_000, *COLLECTED_AT[1:])
    try:
        yield
    finally:
        gc.set_threshold(*COLLECTED_AT)


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
        with ExitStack() as stack:
            stack.enter_context(few_collections())
            # The second process begins while the published heads are read.
            second = stack.enter_context(helping(tables)) if self.since is None else None
            outside, restores = published_before(tables, self.key, self.published)
            helper = stack.enter_context(common_snapshot(tables, second))
            self.progress("schema", 0, 1)
            is_sound = helper.file() if helper is not None else None
            if is_sound is None:
                check_file(tables)
            key, published, sealed, of_schema, of_seals = prove_ground(tables, self.key, outside)
            self.progress("schema", 1, 1)
            heads = sum(len(heads) for chain in published.values() for heads in chain.values())
            checked = {**of_schema, "heads": heads, **of_seals}
            index = Index(stack.enter_context(closing(Entries())))
            walk = self._walk(tables, sealed, index, key, published, helper)
            checked["journal"] = walk.count
            references = sealed.references()
            reports = Reports(tables, index, references)
            trades = TradeProof(tables, references, index, reports, self.since)
            self._compare_trades(trades, index, helper)
            walk.close_ends()
            if is_sound is not None and not is_sound.result():
                check_file(tables)
            counts = {
                **trades.counts,
                **compare_signals(tables, references, index, self.progress),
                **trades.compare_day_totals(),
                **compare_summaries(tables, index),
                **compare_imports(tables, index, self.progress),
                **compare_charges(tables, index),
                **compare_breaks(tables, index),
                **compare_notes(tables, index),
                **compare_limits(tables, index),
                **compare_screenshots(tables, index, self.files),
                **compare_tokens(tables, index),
                **compare_trials(tables, key, published),
            }
            checked |= {table.removeprefix("trading_"): count for table, count in counts.items()}
            if self.since is None:  # else not every trade was counted
                checked["reports"] = reports.compare(self.findings)
                find_ids_twice(tables, index.second_rows)
        head = {code: ChainEnd(sequence=number, mac=mac) for code, (number, mac) in walk.ends.items()}
        return Proof(
            self.findings.finish(), checked, head, self.findings.left_off, sealed.ledger, sealed.end, (), restores
        )

    def _walk(
        self,
        tables: Tables,
        sealed: SealedRows,
        index: Index,
        key: str | None,
        published: PublishedHeads,
        helper: Helper | None,
    ) -> ChainWalk:
        """Walk the chains of all accounts, and fill the index."""
        total = tables.rows(f"SELECT COUNT(*) FROM {JOURNAL}")[0][0]  # noqa: S608
        # The second process computes the codes where it has no file to check: whoever walks reads the texts anyway.
        codes_of = helper.codes if helper is not None and tables.connection.vendor != "sqlite" else None
        walk = ChainWalk(
            tables, key, published, self.since, index, lambda done: self.progress("journal", done, total), codes_of
        )
        accounts = sealed.accounts()
        # Main first: it tells where the others were cleared.
        for code in sorted(accounts, key=lambda code: (code != MAIN, code)):
            walk.account(accounts[code], code)
        walk.strays(accounts)
        return walk

    def _compare_trades(self, trades: TradeProof, index: Index, helper: Helper | None) -> None:
        """Compare all trades, bucket by bucket, together with the helper."""
        entries = index.trades
        waiting = deque(entries.places())
        total = len(waiting)
        shares = helper.shares(waiting, index, trades) if helper is not None else None
        for place in each_of(waiting.popleft):
            trades.compare(entries.bucket(place))
            self.progress("trades", (total - len(waiting)) * BUCKET, total * BUCKET)
        for place, share in shares.result() if shares is not None else ():
            if share is None:
                trades.compare(entries.bucket(place))
            else:
                trades.add(share)
        self.progress("trades", total * BUCKET, total * BUCKET)
