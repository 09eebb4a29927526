"""Rows of the ledger's tables beside what they must be; what differs is found by table, key and field.

Nothing here knows what an operation means: `Expected` rows come from the recount, the seals, the chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper

from trading.domain.conditions import is_same
from trading.domain.recount import Expected

DIFFERENCES_MAX = 10_000  # a wrong key, or a table that is gone, would name every row of a ledger
DIFFERS, MISSING, UNEXPECTED = "differs", "missing", "unexpected"
# What names a row where its id does not.
KEYS = {
    "trading_trade": ("account_id", "strategy_id", "trade_id", "trading_day"),
    "trading_fill": ("trade_id", "sequence"),
    "trading_stopchange": ("trade_id", "at", "stop_price"),
    "trading_realisation": ("trade_id", "at", "quantity"),
    "trading_review": ("trade_id",),
    "trading_correction": ("trade_id", "recorded_at"),
    "trading_signal": ("account_id", "strategy_id", "instrument_id", "at", "decision"),
    "trading_signalcondition": ("signal_id", "name"),
    "trading_daytotal": ("account_id", "strategy_id", "instrument_id", "day"),
    "trading_dailysummary": ("account_id", "day", "version"),
}
StoredRow = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it must be; of a row that is missing or too many ``field`` is None."""

    kind: str
    table: str
    pk: Any
    field: str | None
    stored: Any
    expected: Any

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Findings:
    """What was found so far. A row that is missing here and one too many there may be one that was moved."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.left_off = 0
        self._missing: list[tuple[TableColumns, Expected]] = []
        self._unexpected: list[tuple[TableColumns, StoredRow]] = []

    def add(self, kind: str, table: str, pk: Any, field: str | None, stored: Any, expected: Any) -> None:
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(kind, table, pk, field, shown(stored), shown(expected)))
        else:
            self.left_off += 1

    def miss(self, shape: TableColumns, one: Expected) -> None:
        if len(self._missing) < DIFFERENCES_MAX:
            self._missing.append((shape, one))
        else:
            self.left_off += 1

    def exceed(self, shape: TableColumns, row: StoredRow) -> None:
        if len(self._unexpected) < DIFFERENCES_MAX:
            self._unexpected.append((shape, row))
        else:
            self.left_off += 1

    def finish(self) -> list[Difference]:
        """Bring together what was moved, and return everything."""
        there = {(shape.table, row[0]): row for shape, row in self._unexpected}
        by_key = {(shape.table, shape.key_of(row)): row for shape, row in self._unexpected}
        for shape, one in self._missing:
            row = there.get((shape.table, one.values.get("id"))) or by_key.get((shape.table, shape.key(one)))
            if row is None or there.pop((shape.table, row[0]), None) is None:
                self.add(MISSING, shape.table, one.values.get("id"), None, None, shape.said(one))
            else:
                shape.compare(one, row, self)
        for (table, pk), row in there.items():
            self.add(UNEXPECTED, table, pk, None, [shown(value) for value in row], None)
        self._missing, self._unexpected = [], []
        return self.differences


class TableColumns:
    """A table's columns, and how the journal's values stand in them on this database."""

    def __init__(self, table: str, vendor: str) -> None:
        model = next(one for one in apps.get_app_config("trading").get_models() if one._meta.db_table == table)
        fields = model._meta.concrete_fields
        self.table = table
        self.columns = [field.column for field in fields]
        self.index = {name: place for place, name in enumerate(self.columns)}
        kinds = {field.column: field.get_internal_type() for field in fields}
        self.json = {name for name, kind in kinds.items() if kind == "JSONField"}
        stored = _STORED[vendor]
        self.encode = {name: stored[kind] for name, kind in kinds.items() if kind in stored}
        self.select = ", ".join(f'"{name}"' for name in self.columns)

    def key(self, one: Expected) -> tuple[Any, ...]:
        names = KEYS.get(self.table, ("id",))
        return tuple(self._stored(name, value) for name, value in zip(names, one.key, strict=True))

    def key_of(self, row: StoredRow) -> tuple[Any, ...]:
        return tuple(row[self.index[name]] for name in KEYS.get(self.table, ("id",)))

    def said(self, one: Expected) -> dict[str, Any]:
        return {name: shown(self._stored(name, value)) for name, value in one.values.items()}

    def compare(self, one: Expected, row: StoredRow, findings: Findings) -> None:
        index, encode = self.index, self.encode
        for name, value in one.values.items():
            stored = row[index[name]]
            expected = encode[name](value) if name in encode and value is not None else value
            if stored != expected and not (name in self.json and _is_same_json(stored, expected)):
                findings.add(DIFFERS, self.table, row[0], name, stored, expected)

    def _stored(self, name: str, value: Any) -> Any:
        return self.encode[name](value) if name in self.encode and value is not None else value


class Tables:
    """Reads the ledger's tables on one connection, and compares them."""

    def __init__(self, connection: BaseDatabaseWrapper, findings: Findings) -> None:
        self.connection, self.findings = connection, findings
        self._shapes: dict[str, TableColumns] = {}

    def shape(self, table: str) -> TableColumns:
        if table not in self._shapes:
            self._shapes[table] = TableColumns(table, self.connection.vendor)
        return self._shapes[table]

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def between(self, table: str, column: str, low: int | None, high: int | None) -> list[StoredRow]:
        """Return whole rows with ``low < column <= high``; None is no bound."""
        bounds = [(f'"{column}" > %s', low), (f'"{column}" <= %s', high)]
        given = [(text, bound) for text, bound in bounds if bound is not None]
        where = " AND ".join(text for text, _ in given) or "1 = 1"
        sql = f"SELECT {self.shape(table).select} FROM {table} WHERE {where}"  # noqa: S608
        return self.rows(sql, *(bound for _, bound in given))

    def compare(self, table: str, expected: Iterable[Expected], stored: Iterable[StoredRow]) -> int:
        """Find what differs, is missing or too many; return how many rows were compared."""
        shape, findings = self.shape(table), self.findings
        there = {row[0]: row for row in stored}
        count, open_ones = 0, []
        for one in expected:
            count += 1
            row = there.pop(one.values.get("id"), None)
            if row is None:
                open_ones.append(one)
            else:
                shape.compare(one, row, findings)
        by_key = {shape.key_of(row): row for row in there.values()}
        for one in open_ones:
            row = by_key.pop(shape.key(one), None)
            if row is None:
                findings.miss(shape, one)
            else:
                shape.compare(one, there.pop(row[0]), findings)
        for row in there.values():
            findings.exceed(shape, row)
        return count

    def in_parts(self, sql: str, keys: Collection[Any], part: int = 2000) -> Iterable[Any]:
        """Run a query whose `{}` is a list of keys, part by part."""
        chosen = list(keys)
        for start in range(0, len(chosen), part):
            some = chosen[start : start + part]
            yield from self.rows(sql.format(", ".join(["%s"] * len(some))), *some)


def shown(value: Any) -> Any:
    """Return a value as JSON can tell it, and as short as a person can read it."""
    if isinstance(value, str):
        return value if len(value) <= 500 else f"{value[:500]}… ({len(value)} characters)"
    return value if value is None or isinstance(value, bool | int | float | dict | list) else str(value)


def _is_same_json(stored: Any, expected: Any) -> bool:
    try:
        return is_same(json.loads(stored) if isinstance(stored, str) else stored, expected)
    except ValueError:
        return False


def _sqlite_time(text: str) -> str:
    """Return an instant of the journal as SQLite keeps it: without fraction where that is zero."""
    return f"{text[:10]} {text[11:19]}" if text[20:26] == "000000" else f"{text[:10]} {text[11:26]}"


_STORED: dict[str, dict[str, Callable[[Any], Any]]] = {
    "sqlite": {"DateTimeField": _sqlite_time},
    "postgresql": {"DateTimeField": partial(datetime.fromisoformat), "DateField": partial(date.fromisoformat)},
}
