"""The first values of several queries, asked for by one statement that the ORM writes once for the process.

A look at a live page asks the same few values after each fill. To write their SQL takes the ORM far longer than the
database takes to answer, so it stays: with slots in the place of what differs from one look to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeAlias

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, DateTimeField, Expression, Field, IntegerField, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler

from trading.models import Account

# By place in the row: what turns the database's form of it into Python's, and the expression that it belongs to.
Converters: TypeAlias = dict[int, tuple[list[Callable[..., Any]], Expression]]


class SlotName(str):
    """The name of a slot among a statement's parameters."""

    __slots__ = ()


class Slot(Expression):
    """A place in a query for what is given when it is asked."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = SlotName(name)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str]]:
        return "%s", (self.name,)


ACCOUNT = Slot("account", IntegerField())


def day_slot(name: str) -> Slot:
    """Return a slot for a day."""
    return Slot(name, DateField())


def instant_slot(name: str) -> Slot:
    """Return a slot for an aware instant."""
    return Slot(name, DateTimeField())


class FirstValues:
    """Queries of one column each, whose first values one statement tells."""

    def __init__(self, build: Callable[[], tuple[QuerySet[Any, Any], ...]]) -> None:
        """``build`` returns the queries, with slots in them; it is called once for each kind of database."""
        self._build = build
        self._statements: dict[str, tuple[str, tuple[Any, ...], Converters]] = {}

    def of(self, account: Account, **given: date) -> tuple[Any, ...]:
        """Return each query's first value, None where it has no row, with what is given in the slots of these names."""
        connection = connections[DEFAULT_DB_ALIAS]
        sql, parameters, converters = self._statements.get(connection.vendor) or self._written(connection.vendor)
        values = {"account": account.pk} | {
            name: connection.ops.adapt_datetimefield_value(value)
            if isinstance(value, datetime)
            else connection.ops.adapt_datefield_value(value)
            for name, value in given.items()
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, [values[value] if isinstance(value, SlotName) else value for value in parameters])
            row = list(cursor.fetchone())
        for place, (functions, expression) in converters.items():
            for convert in functions:
                row[place] = convert(row[place], expression, connection)
        return tuple(row)

    def _written(self, vendor: str) -> tuple[str, tuple[Any, ...], Converters]:
        columns = (Subquery(column[:1]) for column in self._build())
        compiler = Account.objects.filter(pk=ACCOUNT).values_list(*columns).query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        self._statements[vendor] = (sql, parameters, converters)
        return self._statements[vendor]
