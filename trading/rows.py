"""Reading and writing rows of one table by one statement, whose SQL is built once.

The ORM builds the same SQL anew at every call, which costs ten times what SQLite takes to run it. Values go through the
model's own fields, constraints and triggers are the database's: nothing else of the ORM is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import CharField, Expression, Field, Model, TextField

ModelFields = tuple["Field[Any, Any]", ...]
FieldValue = None | bool | int | str | Decimal | date
Convert = Callable[[FieldValue, Expression, BaseDatabaseWrapper], FieldValue]
Converters = tuple[tuple[int, Convert, Expression], ...]
Row = TypeVar("Row", bound=Model)


def fetch(model: type[Row], *, order_by: str = "", lock: bool = False, **where: FieldValue) -> list[Row]:
    """Return the rows whose columns equal ``where``, or all; locked on PostgreSQL until the transaction ends."""
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _selection(model, tuple(where), order_by, lock and connection.vendor == "postgresql")
    converters = _converters(model, connection.vendor)
    values = [field.get_db_prep_value(value, connection) for field, value in zip(fields, where.values(), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        columns_of_rows = [list(columns) for columns in cursor.fetchall()]
    for columns in columns_of_rows:
        for number, convert, expression in converters:
            columns[number] = convert(columns[number], expression, connection)
    names = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(DEFAULT_DB_ALIAS, names, columns) for columns in columns_of_rows]


def one(model: type[Row], **where: FieldValue) -> Row | None:
    """Return the row that a unique constraint leaves, None where there is none."""
    return next(iter(fetch(model, order_by="", lock=False, **where)), None)


def utc(moment: str | datetime) -> datetime:
    """Return an instant as a statement of one's own reads it: SQLite has text, or a datetime without its zone."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def insert(row: Model) -> None:
    """Write a new row and give it its key."""
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insertion(type(row))
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        (row.pk,) = cursor.fetchone()
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def insert_many(rows: Sequence[Model]) -> None:
    """Write new rows of one table by one statement and give them their keys, which rise in their order."""
    if not rows:
        return
    connection, model = connections[DEFAULT_DB_ALIAS], type(rows[0])
    sql, fields = _insertion(model)
    insertion, _, _ = sql.partition(" RETURNING ")
    key = model._meta.pk.column
    with_key = insertion.replace(" (", f' ("{key}", ', 1).replace("VALUES (", "VALUES (%s, ", 1)
    with connection.cursor() as cursor:
        for row, pk in zip(rows, _new_keys(cursor, model, len(rows)), strict=True):
            row.pk = pk
        columns = [_prepared(field, [getattr(row, field.attname) for row in rows], connection) for field in fields]
        cursor.executemany(with_key, list(zip([row.pk for row in rows], *columns, strict=True)))
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _prepared(field: Field[Any, Any], cells: Sequence[FieldValue], connection: BaseDatabaseWrapper) -> list[FieldValue]:
    """Return cells of a field as the database takes them; an object that many rows share is prepared once."""
    # By identity and not by value: two hours of one clock time, when clocks are set back, are equal for Python.
    by_identity: dict[int, FieldValue] = {}
    is_plain_text = type(field) in (CharField, TextField)
    prepared: list[FieldValue] = []
    for cell in cells:
        if is_plain_text and type(cell) is str:
            prepared.append(cell)
            continue
        name = id(cell)  # ``cells`` keeps all of them, so that no other object gets it
        if name not in by_identity:
            by_identity[name] = field.get_db_prep_save(cell, connection)
        prepared.append(by_identity[name])
    return prepared


def _new_keys(cursor: CursorWrapper, model: type[Model], count: int) -> Iterable[int]:
    """Return keys that no row of the table has had; on SQLite the one writer alone may ask for them."""
    table = model._meta.db_table
    if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()
        return range(first := (0 if last is None else int(last[0])) + 1, first + count)
    sequence = f"{table}_{model._meta.pk.column}_seq"
    cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [sequence, count])
    return sorted(int(pk) for (pk,) in cursor.fetchall())


def update(row: Model, names: tuple[str, ...], **seen: FieldValue) -> bool:
    """Write these fields of a row where it still stands as it was seen; tell whether it did."""
    connection = connections[DEFAULT_DB_ALIAS]
    present = tuple(name for name, value in seen.items() if value is not None)
    absent = tuple(name for name, value in seen.items() if value is None)
    sql, fields = _change(type(row), names, present, absent)
    arguments = [*(getattr(row, name) for name in names), row.pk, *(seen[name] for name in present)]
    values = [field.get_db_prep_save(value, connection) for field, value in zip(fields, arguments, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return bool(cursor.rowcount == 1)


@cache
def _selection(model: type[Model], names: tuple[str, ...], order_by: str, lock: bool) -> tuple[str, ModelFields]:
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
    where = " WHERE " + " AND ".join(f'"{by_name[name].column}" = %s' for name in names) if names else ""
    order = f' ORDER BY "{by_name[order_by].column}"' if order_by else ""
    sql = f'SELECT {columns} FROM "{model._meta.db_table}"{where}{order}'  # noqa: S608
    return sql + (" FOR UPDATE" if lock else ""), tuple(by_name[name] for name in names)


@cache
def _converters(model: type[Model], vendor: str) -> Converters:
    """Return (column, what makes the field's value of it, its expression), as the ORM would apply them."""
    connection = connections[DEFAULT_DB_ALIAS]
    columns = [field.get_col(model._meta.db_table) for field in model._meta.concrete_fields]
    return tuple(
        (number, convert, column)
        for number, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    )


@cache
def _insertion(model: type[Model]) -> tuple[str, ModelFields]:
    fields = tuple(field for field in model._meta.local_concrete_fields if not field.primary_key)
    columns, marks = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
    key = model._meta.pk.column
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({marks}) RETURNING "{key}"', fields  # noqa: S608


@cache
def _change(
    model: type[Model], names: tuple[str, ...], present: tuple[str, ...], absent: tuple[str, ...]
) -> tuple[str, ModelFields]:
    by_name = {field.attname: field for field in model._meta.local_concrete_fields}
    changes = ", ".join(f'"{by_name[name].column}" = %s' for name in names)
    conditions = [f'"{model._meta.pk.column}" = %s', *(f'"{by_name[name].column}" = %s' for name in present)]
    conditions += [f'"{by_name[name].column}" IS NULL' for name in absent]
    sql = f'UPDATE "{model._meta.db_table}" SET {changes} WHERE {" AND ".join(conditions)}'  # noqa: S608
    return sql, (*(by_name[name] for name in names), model._meta.pk, *(by_name[name] for name in present))
