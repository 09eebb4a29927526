"""Rows of the ledger's tables beside what they must be: differences by table, key and field.

An expected row is a dict in the forms of the journal, of those columns that are compared. Nothing here knows what an
operation means: such rows come from the recount, the seals, the chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from trading.domain.chain import JSON, Body
from trading.domain.conditions import is_same

DIFFERENCES_MAX = 10_000  # a wrong key, or a table that is gone, would name every row of a ledger
DIFFERS, MISSING, UNEXPECTED = "differs", "missing", "unexpected"
# What names a row where its id does not.
KEYS = {
    "trading_trade": ("account_id", "strategy_id", "trade_id", "trading_day"),
    "trading_fill": ("trade_id", "sequence"),
    "trading_fillkey": ("trade_id", "broker_fill_id", "day"),
    "trading_brokerfile": ("account_id", "sha256", "kind"),
    "trading_holdingcost": ("sale_id",),
    "trading_corporateaction": ("account_id", "key"),
    "trading_actiondecision": ("action_id",),
    "trading_breakevent": ("account_id", "break_id", "event", "recorded_at"),
    "trading_brokerfill": ("account_id", "exchange_id", "day", "broker_fill_id"),
    "trading_stopchange": ("trade_id", "at", "stop_price"),
    "trading_realisation": ("trade_id", "at", "quantity"),
    "trading_review": ("trade_id",),
    "trading_correction": ("trade_id", "recorded_at"),
    "trading_statedcharge": (
        *("account_id", "day", "last_day", "segment", "exchange", "head", "source", "document"),
        "recorded_at",
    ),
    "trading_signal": ("account_id", "strategy_id", "instrument_id", "at", "decision"),
    "trading_signalcondition": ("signal_id", "name"),
    "trading_daytotal": ("account_id", "strategy_id", "instrument_id", "day"),
    "trading_dailysummary": ("account_id", "day", "version"),
    "trading_daynote": ("account_id", "day", "version"),
    "trading_limit": ("account_id", "number"),
    "trading_screenshot": ("trade_id", "sha256"),
    "trading_screenshotwithdrawal": ("screenshot_id",),
    "trading_apitoken": ("name",),
    "trading_tokenrevocation": ("token_id",),
}
StoredCell = JSON | date | Decimal  # of a row, as its database has it
StoredRow = tuple[Any, ...]  # in the order of its table's columns
Encoder = Callable[[JSON], str | date]  # gives a column's value of the journal as its database keeps it


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it must be; of a row that is missing or too many ``field`` is None."""

    kind: str
    table: str
    pk: int | str | None
    field: str | None
    stored: JSON
    expected: JSON

    def as_dict(self) -> dict[str, JSON]:
        """Return the fields by name, in order."""
        return asdict(self)


class Findings:
    """The differences so far. A row that is missing here and one too many there may be one that was moved."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.left_off = 0
        self._missing: list[tuple[TableColumns, Body]] = []
        self._unexpected: list[tuple[TableColumns, StoredRow]] = []

    def add(
        self, kind: str, table: str, pk: int | str | None, field: str | None, stored: StoredCell, expected: StoredCell
    ) -> None:
        """Keep one difference; beyond `DIFFERENCES_MAX` only count it."""
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(kind, table, pk, field, readable(stored), readable(expected)))
        else:
            self.left_off += 1

    def keep_unmatched(self, columns: TableColumns, missing: Iterable[Body], unexpected: Iterable[StoredRow]) -> None:
        """Keep rows that a table lacks, and rows that it has and should not have, until `finish`."""
        for expected_row in missing:
            if len(self._missing) < DIFFERENCES_MAX:
                self._missing.append((columns, expected_row))
            else:
                self.left_off += 1
        for row in unexpected:
            if len(self._unexpected) < DIFFERENCES_MAX:
                self._unexpected.append((columns, row))
            else:
                self.left_off += 1

    def finish(self) -> list[Difference]:
        """Bring missing and unexpected rows together that were moved, and return every difference."""
        rows = {(columns.table, row[0]): row for columns, row in self._unexpected}
        by_key = {(columns.table, columns.key_of(row)): row for columns, row in self._unexpected}
        for columns, expected_row in self._missing:
            table, pk = columns.table, expected_row.get("id")
            row = rows.get((table, pk)) or by_key.get((table, columns.key(expected_row)))
            if row is None or rows.pop((table, row[0]), None) is None:
                values = columns.encoded(expected_row)
                self.add(MISSING, table, pk, None, None, {name: readable(cell) for name, cell in values.items()})
            else:
                columns.compare(expected_row, row, self)
        for (table, pk), row in rows.items():
            self.add(UNEXPECTED, table, pk, None, [readable(cell) for cell in row], None)
        self._missing, self._unexpected = [], []
        return self.differences


class ComparedColumn(NamedTuple):
    """A column that expected rows name: its place in a stored row, and how the journal's values stand in it."""

    name: str
    place: int
    encode: Encoder | None
    is_json: bool


class TableColumns:
    """A table's columns, and how the journal's values stand in them on this database."""

    def __init__(self, table: str, vendor: str) -> None:
        models = apps.get_app_config("trading").get_models()
        fields = next(model for model in models if model._meta.db_table == table)._meta.concrete_fields
        self.table = table
        self.columns = [field.column for field in fields]
        self.index = {name: place for place, name in enumerate(self.columns)}
        kinds = {field.column: field.get_internal_type() for field in fields}
        self.json = {name for name, kind in kinds.items() if kind == "JSONField"}
        encoders = _ENCODERS[vendor]
        self.encode = {name: encoders[kind] for name, kind in kinds.items() if kind in encoders}
        self.select = ", ".join(f'"{name}"' for name in self.columns)
        self._layouts: dict[tuple[str, ...], list[ComparedColumn]] = {}

    def key(self, expected_row: Body) -> tuple[StoredCell, ...]:
        """Return the columns that name an expected row where its id does not."""
        names = KEYS.get(self.table, ("id",))
        return tuple(self.encoded({name: expected_row.get(name) for name in names}).values())

    def key_of(self, row: StoredRow) -> tuple[StoredCell, ...]:
        """Return the columns that name a stored row where its id does not."""
        return tuple(row[self.index[name]] for name in KEYS.get(self.table, ("id",)))

    def encoded(self, values: Body) -> Body:
        """Return values in the journal's forms as this database keeps them."""
        encode = self.encode
        return {
            name: as_stored(encode[name], cell) if name in encode and cell is not None else cell
            for name, cell in values.items()
        }

    def are_all_equal(self, expected_rows: Sequence[Body], stored: Sequence[StoredRow]) -> bool:
        """Return whether each row is the one expected in its place; False where it takes a look at each of them.

        Column by column over all rows this takes a fraction of the time of `compare`, and it never says what differs.
        """
        if len(expected_rows) != len(stored):
            return False
        groups: dict[tuple[str, ...], tuple[list[Iterable[JSON]], list[StoredRow]]] = {}
        for expected_row, row in zip(expected_rows, stored, strict=True):
            expected, rows = groups.get(names := tuple(expected_row)) or groups.setdefault(names, ([], []))
            expected.append(expected_row.values())
            rows.append(row)
        for names, (expected, rows) in groups.items():
            if not self.index.keys() >= set(names):
                return False
            cells_of = list(zip(*rows, strict=True))
            for column, wanted in zip(self._layout(names), zip(*expected, strict=True), strict=True):
                cells, encode = cells_of[column.place], column.encode
                if column.is_json:
                    is_equal = all(map(_is_same_json, cells, wanted))
                elif encode is None:
                    is_equal = cells == wanted
                else:
                    try:
                        is_equal = cells == tuple([None if cell is None else encode(cell) for cell in wanted])
                    except (TypeError, ValueError):
                        return False
                if not is_equal:
                    return False
        return True

    def compare(self, expected_row: Body, row: StoredRow, findings: Findings) -> None:
        """Find each column of a stored row that differs from the expected one."""
        unknown = expected_row.keys() - self.index.keys()  # a body that somebody changed
        for name in sorted(unknown):
            findings.add(DIFFERS, self.table, row[0], name, None, expected_row[name])
        for name, place, encode, is_json in self._layout(tuple(name for name in expected_row if name not in unknown)):
            cell, wanted = row[place], expected_row[name]
            if encode is not None and wanted is not None:
                wanted = as_stored(encode, wanted)
            if cell != wanted and not (is_json and _is_same_json(cell, wanted)):
                findings.add(DIFFERS, self.table, row[0], name, cell, wanted)

    def _layout(self, names: tuple[str, ...]) -> list[ComparedColumn]:
        """Return where these columns stand in a row, and how they are compared, worked out once."""
        if (layout := self._layouts.get(names)) is None:
            layout = [
                ComparedColumn(name, self.index[name], self.encode.get(name), name in self.json) for name in names
            ]
            self._layouts[names] = layout
        return layout


class Tables:
    """The ledger's tables on one connection, read and compared."""

    def __init__(self, connection: BaseDatabaseWrapper, findings: Findings) -> None:
        self.connection, self.findings = connection, findings
        self._columns: dict[str, TableColumns] = {}
        self._cursor: CursorWrapper | None = None  # of the snapshot

    def columns(self, table: str) -> TableColumns:
        """Return the columns of a table, looked up once."""
        if table not in self._columns:
            self._columns[table] = TableColumns(table, self.connection.vendor)
        return self._columns[table]

    def know(self, columns: Iterable[TableColumns]) -> None:
        """Take the columns of tables from a process that knows their models."""
        self._columns |= {of_table.table: of_table for of_table in columns}

    @contextmanager
    def snapshot(self, exported: str | None = None) -> Iterator[None]:
        """Read everything within as it stood at one moment, without holding a writer up; on PostgreSQL it may be the
        moment of another transaction, which has ``exported`` its snapshot under this name."""
        is_postgres = self.connection.vendor == "postgresql"
        with self.connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_postgres else "BEGIN DEFERRED")
            if exported is not None:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", (exported,))
            self._cursor = cursor
            try:
                yield
            finally:
                self._cursor = None
                cursor.execute("ROLLBACK")

    def rows(self, sql: str, *parameters: str | float | date | Decimal | None) -> list[StoredRow]:
        """Return all rows of a query."""
        # Within a snapshot by one cursor: Django looks at the ledger's file before it gives another one.
        with nullcontext(self._cursor) if self._cursor is not None else self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def between(self, table: str, column: str, low: int | None, high: int | None) -> list[StoredRow]:
        """Return whole rows with ``low < column <= high``; None is no bound."""
        bounds = [(f'"{column}" > %s', low), (f'"{column}" <= %s', high)]
        conditions = [(text, bound) for text, bound in bounds if bound is not None]
        where = " AND ".join(text for text, _ in conditions) or "1 = 1"
        # In the order in which they are expected, so that `compare` can look at them as a whole.
        sql = f'SELECT {self.columns(table).select} FROM {table} WHERE {where} ORDER BY "{column}", "id"'  # noqa: S608
        return self.rows(sql, *(bound for _, bound in conditions))

    def compare(self, table: str, expected_rows: Sequence[Body], stored: Sequence[StoredRow]) -> int:
        """Find what differs, is missing or too many; return how many rows were compared."""
        columns, findings = self.columns(table), self.findings
        if columns.are_all_equal(expected_rows, stored):
            return len(expected_rows)
        rows = {row[0]: row for row in stored}
        count, unmatched = 0, []
        for expected_row in expected_rows:
            count += 1
            row = rows.pop(expected_row.get("id"), None)
            if row is None:
                unmatched.append(expected_row)
            else:
                columns.compare(expected_row, row, findings)
        by_key, missing = {columns.key_of(row): row for row in rows.values()}, []
        for expected_row in unmatched:
            row = by_key.pop(columns.key(expected_row), None)
            if row is None:
                missing.append(expected_row)
            else:
                columns.compare(expected_row, rows.pop(row[0]), findings)
        findings.keep_unmatched(columns, missing, rows.values())
        return count

    def in_batches(self, sql: str, keys: Iterable[int], size: int = 2000) -> Iterator[StoredRow]:
        """Run a query whose `{}` is a list of keys, so many keys at a time, and yield its rows."""
        rest = iter(keys)
        while batch := list(islice(rest, size)):
            yield from self.rows(sql.format(", ".join(["%s"] * len(batch))), *batch)


def readable(cell: StoredCell) -> JSON:
    """Return a value as JSON can tell it, and as short as a person can read it."""
    if isinstance(cell, str):
        return cell if len(cell) <= 500 else f"{cell[:500]}… ({len(cell)} characters)"
    return cell if cell is None or isinstance(cell, int | float | dict | list) else str(cell)


def as_stored(encode: Encoder, cell: JSON) -> StoredCell:
    """Return a time or day of the journal as its column keeps it; what is none stays, and so differs from every row."""
    try:
        return encode(cell)
    except (TypeError, ValueError):
        return cell


def _is_same_json(stored: JSON, expected: JSON) -> bool:
    if stored == "[]":  # of nearly every trade
        return expected == []
    try:
        return is_same(json.loads(stored) if isinstance(stored, str) else stored, expected)
    except ValueError:
        return False


@lru_cache(maxsize=1 << 12)  # an operation's instant stands in several rows
def _sqlite_time(text: str) -> str:
    """Return an instant of the journal as SQLite keeps it: without fraction where that is zero."""
    return f"{text[:10]} {text[11:19]}" if text[20:26] == "000000" else f"{text[:10]} {text[11:26]}"


_ENCODERS: dict[str, dict[str, Encoder]] = {
    "sqlite": {"DateTimeField": _sqlite_time},
    "postgresql": {"DateTimeField": partial(datetime.fromisoformat), "DateField": partial(date.fromisoformat)},
}
