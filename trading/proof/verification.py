"""The proof of the ledger: everything that follows is computed anew from the journal and compared, column by column.

The journal's chains and the seals of the reference rows are walked with the key, and with the heads that were
published outside the database. All is read in one snapshot, so that writers may go on. How an operation is counted
stands in `trading.domain.recount`: a new operation is added there, and nothing here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from django.db.backends.base.base import BaseDatabaseWrapper

from trading.domain.conditions import numbers
from trading.domain.recount import Expected, Recount, References
from trading.proof.chain import CHAIN, JOURNAL, KEY, ChainWalk, Index, Published, loaded
from trading.proof.references import SEAL, SealedRows, check_heads, compare_references, is_by, read_seals
from trading.proof.reports import DaySums, Reports
from trading.proof.rows import Difference, Findings, Tables
from trading.proof.schema import check_schema

BATCH = 2000
OF_TRADE = ("trading_fill", "trading_stopchange", "trading_realisation", "trading_review", "trading_correction")
MAIN = "main"
Progress = Callable[[str, int, int], None]
Day = tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """What `verify` found. ``head`` is the end of each account's chain as it was walked."""

    differences: list[Difference]
    checked: dict[str, int]
    head: dict[str, dict[str, Any]]
    left_off: int = 0
    ledger: str = ""
    references_end: tuple[int, str] = (0, "")

    @property
    def ok(self) -> bool:
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        said = {"ok": self.ok, "checked": self.checked, "head": self.head, "differences_left_off": self.left_off}
        return {**said, "differences": [one.as_dict() for one in self.differences]}


@dataclass(slots=True)
class Verification:
    """One proof of one ledger. ``key`` is None where it is lost; ``since`` is the ISO text of an instant in UTC."""

    connection: BaseDatabaseWrapper
    key: str | None
    published: Callable[[str], Published]
    since: str | None = None
    progress: Progress = lambda _stage, _done, _total: None
    findings: Findings = field(default_factory=Findings)
    checked: dict[str, int] = field(default_factory=dict)
    days: dict[Day, DaySums] = field(default_factory=lambda: defaultdict(DaySums))

    def run(self) -> Proof:
        """Return the proof. Raises: DatabaseError where the ledger cannot be read."""
        with _snapshot(self.connection):
            tables = Tables(self.connection, self.findings)
            self.progress("schema", 0, 1)
            self.checked |= check_schema(tables)
            self.progress("schema", 1, 1)
            key = self._key(tables)
            published = self._published(tables)
            sealed = read_seals(tables, key, published)
            check_heads(tables, sealed, published)
            self.checked |= {"seals": sealed.count, "references": compare_references(tables, sealed, key)}
            walk = self._walk(tables, sealed, key, published)
            references = sealed.references()
            reports = Reports(tables, walk.index, references)
            self._trades(tables, references, walk.index, reports)
            self._signals(tables, references, walk.index)
            self._day_totals(tables, walk.index)
            self._summaries(tables, walk.index)
            if self.since is None:  # else not every trade was counted
                self.checked["reports"] = reports.compare(self.findings)
        head = {code: {"sequence": number, "mac": mac} for code, (number, mac) in walk.ends.items()}
        return Proof(self.findings.finish(), self.checked, head, self.findings.left_off, sealed.ledger, sealed.end)

    def _key(self, tables: Tables) -> str | None:
        """Return the key if it is the ledger's own; one that was lost or made anew is one finding, not one per row."""
        if self.key is None:
            self.findings.add(KEY, SEAL, None, "journal.key", None, "the key of this ledger: it is lost")
        elif not is_by(self.key, tables):
            self.findings.add(KEY, SEAL, None, "journal.key", "another key", "the key that this ledger was made with")
        else:
            return self.key
        return None

    def _published(self, tables: Tables) -> Published:
        found = tables.rows("SELECT ledger FROM trading_journalhead WHERE ledger <> '' ORDER BY id LIMIT 1")
        told = self.published(found[0][0] if found else "")
        of_summary = tables.rows(
            "SELECT a.code, s.journal_sequence, s.journal_head, s.day, s.version FROM trading_dailysummary s "
            "JOIN trading_account a ON a.id = s.account_id WHERE s.journal_sequence > 0"
        )
        for code, sequence, head, day, version in of_summary:
            source = f"daily summary {day} version {version}"
            told.setdefault(code, {}).setdefault(sequence, {})[source] = head
        self.checked["heads"] = sum(len(one) for chain in told.values() for one in chain.values())
        return told

    def _walk(self, tables: Tables, sealed: SealedRows, key: str | None, published: Published) -> ChainWalk:
        total = tables.rows(f"SELECT COUNT(*) FROM {JOURNAL}")[0][0]  # noqa: S608
        done = 0

        def tick(count: int) -> None:
            nonlocal done
            done += count
            self.progress("journal", done, total)

        walk = ChainWalk(tables, key, published, self.since, tick)
        accounts = sealed.accounts()
        # Main first: it tells where the others were cleared.
        for code in sorted(accounts, key=lambda code: (code != MAIN, code)):
            walk.account(accounts[code], code)
        walk.strays(accounts)
        self.checked["journal"] = walk.count
        return walk

    # -- trades ------------------------------------------------------------------------------------------------------
    def _trades(self, tables: Tables, references: References, index: Index, reports: Reports) -> None:
        told = np.frombuffer(index.trades, dtype=np.int64).reshape(-1, 3) if index.trades else np.empty((0, 3), int)
        told = told[np.argsort(told[:, 0], kind="stable")]
        keys, starts = np.unique(told[:, 0], return_index=True)
        bounds = [*starts[::BATCH].tolist(), len(told)]
        low: int | None = None
        for number in range(max(1, len(bounds) - 1)):
            part = told[bounds[number] : bounds[number + 1]] if len(keys) else told
            is_last = number >= len(bounds) - 2
            high = None if is_last else int(part[-1][0])
            recounts = self._recounted(tables, references, part, reports)
            self._some_trades(tables, recounts, part, (low, high), index, reports)
            low = high
            self.progress("trades", min((number + 1) * BATCH, len(keys)), len(keys))

    def _some_trades(
        self,
        tables: Tables,
        recounts: dict[int, Recount],
        told: Any,
        span: tuple[int | None, int | None],
        index: Index,
        reports: Reports,
    ) -> None:
        expected: dict[str, list[Expected]] = defaultdict(list)
        known = {int(pk) for pk in told[:, 0]}
        for pk, recount in recounts.items():
            if self.since is not None and pk not in index.recent:
                continue
            try:
                rows = list(recount.rows())
            except (KeyError, TypeError, ValueError, IndexError) as error:
                self._garbled(pk, error)
                continue
            for one in rows:
                expected[one.table].append(one)
            self._of_days(recount)
            reports.add(recount, reports.waiting(recount, None))
        for table, column in (("trading_trade", "id"), *((table, "trade_id") for table in OF_TRADE)):
            stored: Iterable[Any] = tables.between(table, column, *span)
            if self.since is not None:
                place, left = tables.columns(table).index[column], known - index.recent
                stored = [row for row in stored if row[place] not in left]
            self._count(table, tables.compare(table, expected[table], stored))

    def _recounted(self, tables: Tables, references: References, told: Any, reports: Reports) -> dict[int, Recount]:
        sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
        bodies: dict[int, str] = dict(tables.in_batches(sql, told[:, 1].tolist()))
        recounts: dict[int, Recount] = {}
        for pk, row, account in told.tolist():
            recount = recounts.setdefault(pk, Recount(references, account))
            try:
                if due := reports.waiting(recount, row):
                    recount.settle()
                    reports.add(recount, due)
                recount.take(loaded(bodies[row]), row)
            except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
                self._garbled(pk, error, row)
        return recounts

    def _garbled(self, trade: int, error: Exception, row: int | None = None) -> None:
        what = f"trade {trade} cannot be counted from it: {type(error).__name__} {error}"
        self.findings.add(CHAIN, JOURNAL, row, "body", what, "what the operation wrote")

    def _of_days(self, recount: Recount) -> None:
        trade = recount.trade
        for realised in recount.exits:
            key = (recount.account, trade["strategy_id"], trade["instrument_id"], realised["day"])
            self.days[key].add(realised, trade)

    def _count(self, table: str, count: int) -> None:
        name = table.removeprefix("trading_")
        self.checked[name] = self.checked.get(name, 0) + count

    # -- what follows, and what stands beside --------------------------------------------------------------------------
    def _day_totals(self, tables: Tables, index: Index) -> None:
        table, names = "trading_daytotal", ("account_id", "strategy_id", "instrument_id", "day")
        day = None if self.since is None else self.since[:10]
        expected = []
        for key, total in self.days.items():
            if day is None or key[3] >= day:
                keyed = {"id": index.day_totals[key]} if key in index.day_totals else {}
                values = dict(zip(names, key, strict=True)) | asdict(total) | keyed
                expected.append(Expected(table, key, values))
        stored = tables.between(table, "id", None, None)
        if day is not None:
            place = tables.columns(table).index["day"]
            stored = [row for row in stored if str(row[place]) >= day]
        self._count(table, tables.compare(table, expected, stored))

    def _signals(self, tables: Tables, references: References, index: Index) -> None:
        told = sorted((pk or self._found(tables, references, row, account), row, account)
                      for pk, row, account in index.signals)  # fmt: skip
        low: int | None = None
        for start in range(0, max(1, len(told)), BATCH):
            part = told[start : start + BATCH]
            high = None if start + BATCH >= len(told) else part[-1][0]
            rows, conditions = self._signal_rows(tables, references, part, index)
            self._count("trading_signal", tables.compare(
                "trading_signal", rows, tables.between("trading_signal", "id", low, high)))  # fmt: skip
            self._count("trading_signalcondition", tables.compare(
                "trading_signalcondition", conditions,
                tables.between("trading_signalcondition", "signal_id", low, high)))  # fmt: skip
            low = high
            self.progress("signals", min(start + BATCH, len(told)), len(told))

    def _signal_rows(
        self, tables: Tables, references: References, told: list[tuple[int, int, int]], index: Index
    ) -> tuple[list[Expected], list[Expected]]:
        sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
        bodies: dict[int, str] = dict(tables.in_batches(sql, [row for _, row, _ in told]))
        signals, conditions = [], []
        for pk, row, account in told:
            body = loaded(bodies[row])
            said, trade = body["signal"], body.get("trade")
            of = trade if trade is not None else body
            values = {
                **said,
                "id": pk,
                "account_id": account,
                "strategy_id": references.strategy(of),
                "instrument_id": references.instrument(of),
                "recorded_at": body["recorded_at"],
                "trade_id": trade["pk"] if trade is not None else index.signal_trades.get(pk),
            }
            key = (account, values["strategy_id"], values["instrument_id"], said["at"], said["decision"])
            signals.append(Expected("trading_signal", key, values))
            keys = body.get("number_pks", {})
            for name, value in dict(numbers(said["conditions"])).items():
                known = {"id": keys[name]} if name in keys else {}
                number = {"signal_id": pk, "name": name, "value": value, **known}
                conditions.append(Expected("trading_signalcondition", (pk, name), number))
        return signals, conditions

    def _found(self, tables: Tables, references: References, row: int, account: int) -> int:
        """Return the key of a signal that was journaled without it."""
        body = loaded(tables.rows(f"SELECT body FROM {JOURNAL} WHERE id = %s", row)[0][0])  # noqa: S608
        of, said = body.get("trade") or body, body["signal"]
        at = tables.columns("trading_signal").encode["at"](said["at"])
        found = tables.rows(
            "SELECT id FROM trading_signal WHERE account_id = %s AND strategy_id = %s AND instrument_id = %s "
            "AND at = %s AND decision = %s",
            *(account, references.strategy(of), references.instrument(of), at, said["decision"]),
        )
        return int(found[0][0]) if found else -row

    def _summaries(self, tables: Tables, index: Index) -> None:
        table, expected = "trading_dailysummary", []
        sql = f"SELECT id, sequence, previous_mac, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
        accounts = dict(index.summaries)
        for row, sequence, previous, text in tables.in_batches(sql, accounts, 200):
            body = loaded(text)
            values = {
                "account_id": accounts[row],
                "day": body["day"],
                "version": body["version"],
                "body": body["summary"],
                "created_at": body["recorded_at"],
                "journal_sequence": sequence - 1,
                "journal_head": previous,
            }
            if "summary_pk" in body:
                values["id"] = body["summary_pk"]
            expected.append(Expected(table, (accounts[row], body["day"], body["version"]), values))
        self._count(table, tables.compare(table, expected, tables.between(table, "id", None, None)))


@contextmanager
def _snapshot(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Read everything as it stood at one moment, without holding a writer up."""
    is_postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_postgres else "BEGIN DEFERRED")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
