"""Statements that the ORM writes once for the process: rows of a query, and the first values of several.

A look at a live page asks the same few values after each fill. To write their SQL takes the ORM far longer than the
database takes to answer, so it stays: with slots in the place of what differs from one look to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeAlias

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler

from trading.models import Account

PlainQuery: TypeAlias = QuerySet[Any, Any]  # a query of plain columns
PlainRow: TypeAlias = tuple[Any, ...]
Conversions: TypeAlias = dict[int, tuple[list[Callable[..., Any]], Expression]]  # from the database's forms, by place


class SlotName(str):
    """The name of a slot among a statement's parameters."""

    __slots__ = ()


class Slot(Expression):
    """A place in a query for what is given when it is asked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = SlotName(name)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str]]:
        return "%s", (self.name,)


ACCOUNT = Slot("account")


class KeptStatement:
    """A query whose SQL stays, with slots in it for what differs from one time to the next."""

    def __init__(self, build: Callable[[], PlainQuery]) -> None:
        """``build`` returns the query, of plain columns; it is called once for each kind of database."""
        self._build = build
        self._statements: dict[str, tuple[str, PlainRow, Conversions]] = {}

    def rows(self, account: Account, **slots: date) -> list[PlainRow]:
        """Return the query's rows; ``slots`` are days and instants by their names."""
        connection = connections[DEFAULT_DB_ALIAS]
        sql, parameters, conversions = self._statements.get(connection.vendor) or self._written(connection.vendor)
        texts: dict[str, int | str | None] = {"account": account.pk}
        for name, moment in slots.items():
            if isinstance(moment, datetime):
                texts[name] = connection.ops.adapt_datetimefield_value(moment)
            else:
                texts[name] = connection.ops.adapt_datefield_value(moment)
        with connection.cursor() as cursor:
            cursor.execute(sql, [texts[name] if isinstance(name, SlotName) else name for name in parameters])
            rows = [list(row) for row in cursor.fetchall()]
        for place, (functions, expression) in conversions.items():
            for convert in functions:
                for row in rows:
                    row[place] = convert(row[place], expression, connection)
        return [tuple(row) for row in rows]

    def _written(self, vendor: str) -> tuple[str, PlainRow, Conversions]:
        compiler = self._build().query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        conversions = compiler.get_converters([column for column, *_ in compiler.select])
        self._statements[vendor] = (sql, parameters, conversions)
        return self._statements[vendor]


class FirstValues:
    """Queries of one column each, whose first values one statement tells."""

    def __init__(self, build: Callable[[], tuple[PlainQuery, ...]]) -> None:
        """``build`` returns the queries, with slots in them."""
        self._statement = KeptStatement(
            lambda: Account.objects.filter(pk=ACCOUNT).values_list(*(Subquery(column[:1]) for column in build()))
        )

    def of(self, account: Account, **slots: date) -> PlainRow:
        """Return each query's first value, None where it has no row; ``slots`` are days and instants by their names."""
        return self._statement.rows(account, **slots)[0]
