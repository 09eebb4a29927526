"""Columns as the database holds them, for readings of a hundred thousand rows: what the ORM makes of each value there
costs more than all that is computed from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Aggregate, BigIntegerField, Expression, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.sql.compiler import SQLCompiler
from numpy.typing import NDArray

from trading.progress import tell

ROWS_AT_A_TIME = 500


def units(path: str) -> Cast:
    """Return money as it is kept: an integer of 10^-8."""
    return Cast(path, BigIntegerField())


class UnitsSum(Aggregate):
    """The sum of a column of money, an int of 10^-8: exact however large, None of no rows.

    Beyond 64 bits SQLite's SUM is an error: there the upper and the lower halves of the integers are summed apart.
    """

    function = "SUM"
    name = "UnitsSum"

    def __init__(self, path: str) -> None:
        super().__init__(units(path), output_field=_HalvesField())

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: str
    ) -> tuple[str, tuple[str | int, ...]]:
        halves = "(SUM(%(expressions)s >> 32) || ' ' || SUM(%(expressions)s & 4294967295))"
        return self.as_sql(compiler, connection, template=halves)


if TYPE_CHECKING:
    _Base = TextField[str, str]
else:
    _Base = TextField


class _HalvesField(_Base):
    """The type of such a sum: SQLite's two halves as one text, a number elsewhere, an int for whoever reads it."""

    def from_db_value(self, value: str | int | None, *_: Expression | BaseDatabaseWrapper) -> int | None:
        return whole_sum(value)


def whole_sum(total: str | int | None) -> int | None:
    """Return the int that a `UnitsSum` is, as the database hands it over."""
    if isinstance(total, str):
        high, low = map(int, total.split(" "))
        return (high << 32) + low
    return None if total is None else int(total)


def text(path: str) -> Cast:
    """Return an instant or a day as ISO text, for `instant_of` and `day_of`."""
    return Cast(path, TextField())


def instant_of(text: str) -> datetime:
    """Return the aware instant (UTC) of a text: SQLite leaves the offset out, Postgres writes that of the connection,
    which is UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fetched_blocks(rows: QuerySet[Any, Any], at_a_time: int) -> Iterator[list[list[Any]]]:
    """Yield the columns of a `values_list` as the database hands them over, of so many rows at a time; on PostgreSQL
    from a cursor of the server, so that nobody has all of them."""
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:  # nothing can match: the database need not be asked
        return
    connection = connections[rows.db]
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        is_all = False
        while not is_all:
            columns: list[list[Any]] = []
            for _ in range(0, at_a_time, ROWS_AT_A_TIME):  # few rows at a time, as in `fetched_columns`
                some = cursor.fetchmany(min(ROWS_AT_A_TIME, at_a_time))
                if not some:
                    is_all = True
                    break
                columns = columns or [[] for _ in some[0]]
                for column, values in zip(columns, zip(*some, strict=True), strict=True):
                    column.extend(values)
            if columns:
                yield columns


def fetched_columns(rows: QuerySet[Any, Any]) -> list[list[Any]]:
    """Return the columns of a `values_list` as the database hands them over, nothing made of their values."""
    sql, parameters = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(sql, parameters)
        columns: list[list[Any]] = [[] for _ in cursor.description]
        # Few rows at a time: tuples that are used again at once stay in the processor's cache and start no collection
        # of garbage. All at once takes four times as long.
        while some := cursor.fetchmany(ROWS_AT_A_TIME):
            for column, values in zip(columns, zip(*some, strict=True), strict=True):
                column.extend(values)
            tell("reading", len(columns[0]))
    return columns


Key = TypeVar("Key", bound=Hashable)


def coded(values: Sequence[Key]) -> tuple[NDArray[np.int64], list[Key]]:
    """Return a number for each of some values, and the value of each number, in the order in which they come."""
    numbers: defaultdict[Key, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a value that is new has the next number: one pass over all of them
    return np.fromiter(map(numbers.__getitem__, values), dtype=np.int64, count=len(values)), list(numbers)


day_of = lru_cache(maxsize=4096)(date.fromisoformat)  # rows share their days by the thousand


@lru_cache(maxsize=4096)
def texts_of(text: str) -> tuple[str, ...]:
    """Return the texts of a JSON list, as `text` brings it."""
    return tuple(json.loads(text))
