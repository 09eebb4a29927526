"""Trades and day totals, counted anew from the journal and compared with their rows.

How an operation is counted stands in `trading.domain.recount`: a new operation is added there, and nothing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

from timeseries.measurements import IntArray
from trading.domain.chain import Body
from trading.domain.recount import Recount, References
from trading.proof.chain import CHAIN, JOURNAL, Index, loaded
from trading.proof.entries import Bucket
from trading.proof.reports import DaySums, Reports
from trading.proof.rows import StoredRow, Tables

OF_TRADE = (
    *("trading_fill", "trading_fillkey", "trading_stopchange", "trading_realisation", "trading_review"),
    "trading_correction",
)
TABLES = ("trading_trade", *OF_TRADE)
StoredOf = Callable[[str, str], list[StoredRow]]  # of a table, by the column of its trade's key
DayKey = tuple[int, int, int, str]  # account, strategy, instrument, day


class TradeShare(NamedTuple):
    """What a bucket of trades adds to a proof: rows by table, sums by day, and for each report sums by strategy."""

    counts: dict[str, int]
    days: dict[DayKey, DaySums]
    reports: list[dict[int, DaySums]]


@dataclass(slots=True)
class TradeProof:
    """The comparison of all trades; ``since`` (ISO text, UTC) leaves out those that no operation touched since."""

    tables: Tables
    references: References
    index: Index
    reports: Reports
    since: str | None
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    days: dict[DayKey, DaySums] = field(default_factory=lambda: defaultdict(DaySums))

    def compare(self, bucket: Bucket) -> None:
        """Find what differs in the rows of a bucket's trades, and add them to counts, days and reports."""
        for table, count in self.compare_batch(bucket.entries, partial(self._between, bucket)).items():
            self.counts[table] += count

    def taken(self) -> TradeShare:
        """Return what was compared since the last time."""
        share = TradeShare(dict(self.counts), dict(self.days), self.reports.taken())
        self.counts.clear()
        self.days.clear()
        return share

    def add(self, share: TradeShare) -> None:
        """Add what another process has compared."""
        for table, count in share.counts.items():
            self.counts[table] += count
        for key, sums in share.days.items():
            self.days[key].add_sums(sums)
        self.reports.add_sums(share.reports)

    def compare_batch(self, batch: IntArray, stored_of: StoredOf) -> dict[str, int]:
        """Compare the trades whose entries these are with the stored rows of a table, by the column of the trade's key;
        return how many rows of each table."""
        expected: dict[str, list[Body]] = defaultdict(list)
        for pk, recount in self._recounts(batch).items():
            if self.since is not None and pk not in self.index.recent:
                continue
            try:
                rows = list(recount.rows())
            except (KeyError, TypeError, ValueError, IndexError) as error:
                self._add_garbled(pk, error)
                continue
            for table, row in rows:
                if table != "trading_fillkey" or (row.get("fill_id"), row["day"]) not in self.index.moved_keys:
                    expected[table].append(row)
            for realised in recount.exits:
                trade = recount.trade
                day = (recount.account, trade["strategy_id"], trade["instrument_id"], realised["day"])
                self.days[day].add(realised, trade)
            self.reports.add(recount, self.reports.waiting(recount, None))
        tables = (("trading_trade", "id"), *((table, "trade_id") for table in OF_TRADE))
        return {
            table: self.tables.compare(table, expected[table], stored_of(table, column)) for table, column in tables
        }

    def _between(self, bucket: Bucket, table: str, column: str) -> list[StoredRow]:
        """Return the rows of a table that are of a bucket's trades, without those of trades that are left out."""
        stored = self.tables.between(table, column, bucket.low, bucket.high)
        left_out = set() if self.since is None else set(bucket.entries[:, 0].tolist()) - self.index.recent
        place = self.tables.columns(table).index[column]
        return [row for row in stored if row[place] not in left_out] if left_out else stored

    def _recounts(self, batch: IntArray) -> dict[int, Recount]:
        """Count the operations of each trade, and settle it before one that a report did not know."""
        bodies = self._bodies(batch[:, 1])
        recounts: dict[int, Recount] = {}
        for pk, row, account in batch.tolist():
            recount = recounts.get(pk) or recounts.setdefault(pk, Recount(self.references, account))
            try:
                if reports := self.reports.waiting(recount, row):
                    recount.settle()
                    self.reports.add(recount, reports)
                recount.take(loaded(bodies[row]), row)
            except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
                self._add_garbled(pk, error, row)
        return recounts

    def _bodies(self, rows: IntArray) -> dict[int, str]:
        """Return the texts of these rows of the journal, read in one piece where few others lie between them."""
        sql = f"SELECT id, body FROM {JOURNAL} WHERE id"  # noqa: S608
        low, high = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
        if high - low < 2 * len(rows):
            return dict(self.tables.rows(f"{sql} BETWEEN %s AND %s", low, high))
        return dict(self.tables.in_batches(f"{sql} IN ({{}})", rows.tolist()))

    def _add_garbled(self, trade: int, error: Exception, row: int | None = None) -> None:
        reason = f"trade {trade} cannot be counted from it: {type(error).__name__} {error}"
        self.tables.findings.add(CHAIN, JOURNAL, row, "body", reason, "what the operation wrote")

    def compare_day_totals(self) -> dict[str, int]:
        """Find what differs in the totals of the days that `compare` has counted; return how many rows."""
        table, names = "trading_daytotal", ("account_id", "strategy_id", "instrument_id", "day")
        first = None if self.since is None else self.since[:10]
        expected = []
        for key, total in self.days.items():
            if first is None or key[3] >= first:
                keyed = {"id": self.index.day_totals[key]} if key in self.index.day_totals else {}
                expected.append(dict(zip(names, key, strict=True)) | asdict(total) | keyed)
        stored = self.tables.between(table, "id", None, None)
        if first is not None:
            place = self.tables.columns(table).index["day"]
            stored = [row for row in stored if str(row[place]) >= first]
        return {table: self.tables.compare(table, expected, stored)}
