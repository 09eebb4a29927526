"""The proof of what was recorded since a head that is kept outside the ledger: seconds, however long the ledger is.

The chain is walked from the row of that head, whose code must be the kept one. Looked at are the trades and signals
that an operation has touched since, counted anew from all of their operations, and every such row that is younger.
Whoever changed an older row is not found out: `NOT_LOOKED_AT` tells what that leaves to the whole proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from django.db.backends.base.base import BaseDatabaseWrapper

from trading.domain.recount import OPERATIONS, References
from trading.errors import InvalidValue
from trading.progress import Progress
from trading.proof.chain import (
    HEAD,
    JOURNAL,
    NUMBER_END,
    ChainPlace,
    ChainWalk,
    Index,
    JournalRow,
    PublishedHeads,
    loaded,
)
from trading.proof.entries import Entries
from trading.proof.file import check_file
from trading.proof.ground import prove_ground, published_before
from trading.proof.heads import BACKUP
from trading.proof.reports import Reports
from trading.proof.rows import Findings, StoredRow, Tables
from trading.proof.signals import BATCH, CONDITION, SIGNAL, expected_signals, key_of_signal
from trading.proof.trades import TradeProof
from trading.proof.verification import ChainEnd, Proof

EVERY_TIME = ""  # before any instant's text
NEWEST = 0  # in the place of a sequence: from the newest head that is kept with a backup, or anywhere
NOT_LOOKED_AT = (
    "rows of the journal up to there, and whatever tells of them alone",
    "totals of days and published summaries",
    "imported files and fills, corporate actions, costs of holdings, stated charges, breaks, notes, limits, "
    "screenshots, tokens and trials",
)


@dataclass(slots=True)
class SinceHead:
    """One proof of one ledger from a sequence on, or from the `NEWEST` head; ``key`` is None where it is lost."""

    connection: BaseDatabaseWrapper
    key: str | None
    published: Callable[[str], PublishedHeads]
    sequence: int
    progress: Progress

    def run(self) -> Proof:
        """Return the proof. Raises: DatabaseError where the ledger cannot be read, InvalidValue where no chain has the
        row: nothing was recorded after it, and a chain that lost its end would stand proved."""
        findings = Findings()
        tables = Tables(self.connection, findings)
        outside, restores = published_before(tables, self.key, self.published)
        with tables.snapshot(), closing(Entries()) as entries:
            check_file(tables)
            ((end,),) = tables.rows(f"SELECT MAX(sequence) FROM {JOURNAL} WHERE sequence < {NUMBER_END}")  # noqa: S608
            if self.sequence > (end or 0):
                raise InvalidValue(
                    f"No chain has a row {self.sequence}: the longest ends at {end or 0}.",
                    field="from_head",
                    hint="Without a number the newest kept head is taken; without --from-head all is proved.",
                )
            key, published, sealed, of_schema, of_seals = prove_ground(tables, self.key, outside)
            checked = {**of_schema, **of_seals}
            index = Index(entries)
            walk = ChainWalk(tables, key, published, EVERY_TIME, index, lambda done: self.progress("journal", done, 0))
            places = {
                pk: self._place(walk, pk, code, published.get(code, {})) for code, pk in sealed.accounts().items()
            }
            for code, pk in sealed.accounts().items():
                walk.account(pk, code, places[pk])
            walk.strays(sealed.accounts())
            checked["journal"] = walk.count
            counts = _compare_trades(tables, sealed.references(), walk, places, self.progress)
            counts |= _compare_signals(tables, sealed.references(), walk.index, places)
            checked |= {table.removeprefix("trading_"): count for table, count in counts.items()}
        head = {code: ChainEnd(sequence=number, mac=mac) for code, (number, mac) in walk.ends.items()}
        begun = (f"the chain of {code} up to {places[pk].sequence}" for code, pk in sealed.accounts().items())
        not_looked_at = (*begun, *NOT_LOOKED_AT)
        return Proof(
            findings.finish(), checked, head, findings.left_off, sealed.ledger, sealed.end, not_looked_at, restores
        )

    def _place(self, walk: ChainWalk, account: int, code: str, heads: dict[int, dict[str, str]]) -> ChainPlace:
        """Return the row from which an account's chain is walked; one whose code is not the kept head is a finding, and
        so is one that tells otherwise than its body when it was recorded: that would hide younger rows."""
        tables = walk.tables
        of_backups = [number for number, head in heads.items() if any(source.startswith(BACKUP) for source in head)]
        sequence = self.sequence or max(of_backups or heads, default=0)
        columns = "id, sequence, operation, body, mac, previous_mac, recorded_at, recorded_by"
        sql = f"SELECT {columns} FROM {JOURNAL} WHERE account_id = %s"  # noqa: S608
        rows = tables.rows(f"{sql} AND sequence <= %s ORDER BY sequence DESC LIMIT 1", account, sequence)
        if not rows:  # it begins later: where it was cleared
            first = tables.rows(
                f"SELECT sequence, previous_mac FROM {JOURNAL} WHERE account_id = %s ORDER BY sequence LIMIT 1",  # noqa: S608
                account,
            )
            return ChainPlace(0, first[0][0] - 1, first[0][1], None) if first else ChainPlace(0, 0, "", None)
        row = JournalRow._make(rows[0])
        walk.check(row, code)
        place = ChainPlace(row.pk, row.sequence, row.mac, row.recorded_at)
        for source, head in heads.get(place.sequence, {}).items():
            if head != place.mac:
                tables.findings.add(HEAD, JOURNAL, place.pk, f"mac, published in {source}", place.mac, head)
        return place


def _compare_trades(
    tables: Tables, references: References, walk: ChainWalk, places: dict[int, ChainPlace], progress: Progress
) -> dict[str, int]:
    """Find what differs in the rows of the trades that were touched or recorded since; return how many rows."""
    keys = {*walk.index.recent, *_recorded_since(tables, "trading_trade", places)}
    for account, place in places.items():
        _add_earlier(tables, walk, account, place, keys)
    entries = walk.index.trades.all()
    entries = entries[np.lexsort((entries[:, 1], entries[:, 0]))]
    trades = TradeProof(tables, references, walk.index, Reports(tables, Index(Entries()), references), None)
    ordered, counts = sorted(keys), defaultdict[str, int](int)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        of_batch = entries[np.isin(entries[:, 0], batch)]
        for table, count in trades.compare_batch(of_batch, partial(_rows_of, tables, batch)).items():
            counts[table] += count
        progress("trades", start + len(batch), len(ordered))
    return dict(counts)


def _add_earlier(tables: Tables, walk: ChainWalk, account: int, place: ChainPlace, keys: set[int]) -> None:
    """Add the operations up to a place of a chain that tell of these trades to the walk's index.

    They are looked for from the oldest trade on; one that hides its age cannot be counted, which is a finding.
    """
    sql = 'SELECT MIN("recorded_at") FROM trading_trade WHERE account_id = %s AND id IN ({})'
    batches = (sorted(keys)[start : start + BATCH] for start in range(0, len(keys), BATCH))
    oldest = [tables.rows(sql.format(", ".join(["%s"] * len(batch))), account, *batch)[0][0] for batch in batches]
    first = min((at for at in oldest if at is not None), default=None)
    if first is None:
        return
    after = place.sequence + 1
    rows_sql = (
        f"SELECT id, body, sequence FROM {JOURNAL} WHERE account_id = %s AND sequence < %s AND recorded_at >= %s "  # noqa: S608
        f"ORDER BY sequence DESC LIMIT {BATCH}"
    )
    while rows := tables.rows(rows_sql, account, after, first):
        for pk, text, after in rows:  # noqa: B007
            try:
                body = loaded(text)
            except ValueError:
                continue  # older than the head: the whole proof's
            trade = body.get("trade")
            if isinstance(trade, dict) and trade.get("pk") in keys and body.get("op") in OPERATIONS:
                walk.collect(body, pk, account)


def _compare_signals(
    tables: Tables, references: References, index: Index, places: dict[int, ChainPlace]
) -> dict[str, int]:
    """Find what differs in the rows of signals that were recorded since, or led to such trades; return how many."""
    signals = sorted(
        (pk or key_of_signal(tables, references, row, account), row, account) for pk, row, account in index.signals
    )
    rows, conditions = expected_signals(tables, references, signals, index)
    keys = sorted({*(pk for pk, _, _ in signals), *_recorded_since(tables, SIGNAL, places)})
    return {
        SIGNAL: tables.compare(SIGNAL, rows, _rows_of(tables, keys, SIGNAL, "id")),
        CONDITION: tables.compare(CONDITION, conditions, _rows_of(tables, keys, CONDITION, "signal_id")),
    }


def _recorded_since(tables: Tables, table: str, places: dict[int, ChainPlace]) -> Iterator[int]:
    """Yield the keys of a table's rows that were recorded after these places of their accounts' chains."""
    for account, place in places.items():
        where, parameters = ("", ()) if place.recorded_at is None else (" AND recorded_at > %s", (place.recorded_at,))
        sql = f"SELECT id FROM {table} WHERE account_id = %s{where}"  # noqa: S608
        yield from (pk for (pk,) in tables.rows(sql, account, *parameters))


def _rows_of(tables: Tables, keys: Iterable[int], table: str, column: str) -> list[StoredRow]:
    """Return the whole rows of a table whose column is one of these keys."""
    sql = f'SELECT {tables.columns(table).select} FROM {table} WHERE "{column}" IN ({{}})'  # noqa: S608
    return list(tables.in_batches(sql, keys))
