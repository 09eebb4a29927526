"""Statements that the ORM writes once for the process: rows of a query, of models too, and the first values of several.

A look at a live page asks the same few values after each fill. To write their SQL takes the ORM far longer than the
database takes to answer, so it stays: with slots in the place of what differs from one look to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Generic, TypeAlias, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Model, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler

from trading.models import Account

PlainQuery: TypeAlias = QuerySet[Any, Any]  # a query of plain columns
PlainRow: TypeAlias = tuple[Any, ...]
Conversions: TypeAlias = dict[int, tuple[list[Callable[..., Any]], Expression]]  # from the database's forms, by place
ModelT = TypeVar("ModelT", bound=Model)


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
        self._statements: dict[str, tuple[str, PlainRow, Conversions, SQLCompiler]] = {}

    def rows(self, account: Account, **slots: date) -> list[PlainRow]:
        """Return the query's rows; ``slots`` are days and instants by their names."""
        rows = [list(row) for row in self.plain(account, **slots)]
        connection = connections[DEFAULT_DB_ALIAS]
        _, _, conversions, _ = self._written(connection.vendor)
        for place, (functions, expression) in conversions.items():
            for convert in functions:
                for row in rows:
                    row[place] = convert(row[place], expression, connection)
        return [tuple(row) for row in rows]

    def plain(self, account: Account, **slots: date) -> list[PlainRow]:
        """Return the query's rows as the database hands them over, nothing made of their values."""
        connection = connections[DEFAULT_DB_ALIAS]
        sql, parameters, *_ = self._written(connection.vendor)
        texts: dict[str, int | str | None] = {"account": account.pk}
        for name, moment in slots.items():
            if isinstance(moment, datetime):
                texts[name] = connection.ops.adapt_datetimefield_value(moment)
            else:
                texts[name] = connection.ops.adapt_datefield_value(moment)
        with connection.cursor() as cursor:
            cursor.execute(sql, [texts[name] if isinstance(name, SlotName) else name for name in parameters])
            rows: list[PlainRow] = cursor.fetchall()
        return rows

    def written(self) -> SQLCompiler:
        """Return what wrote the statement, which knows what its columns are."""
        return self._written(connections[DEFAULT_DB_ALIAS].vendor)[-1]

    def _written(self, vendor: str) -> tuple[str, PlainRow, Conversions, SQLCompiler]:
        if vendor not in self._statements:
            compiler = self._build().query.get_compiler(DEFAULT_DB_ALIAS)
            sql, parameters = compiler.as_sql()
            conversions = compiler.get_converters([column for column, *_ in compiler.select])
            self._statements[vendor] = (sql, parameters, conversions, compiler)
        return self._statements[vendor]


class KeptModels(Generic[ModelT]):
    """A query of rows of a model, and of those they are joined with, whose SQL stays."""

    def __init__(self, build: Callable[[], QuerySet[ModelT]]) -> None:
        """``build`` returns the query, with slots in it and nothing prefetched."""
        self._statement = KeptStatement(build)

    def of(self, account: Account, **slots: date) -> list[ModelT]:
        """Return the rows as the query itself would; ``slots`` are days and instants by their names."""
        rows, compiler = self._statement.rows(account, **slots), self._statement.written()
        names = [column.target.attname for column, *_ in compiler.select]
        return [self._made(compiler, names, row) for row in rows]

    def _made(self, compiler: SQLCompiler, names: Sequence[str], row: PlainRow) -> ModelT:
        """Make the model that a row's columns describe, and those that it is joined with, None where there is none.
        What describes them is the ORM's own, as `django.db.models.query.RelatedPopulator` reads it."""
        models: list[ModelT] = []
        waiting = [(compiler.klass_info, None)]
        for described, parent in waiting:  # which grows meanwhile
            places = slice(described["select_fields"][0], described["select_fields"][-1] + 1)
            if all(cell is None for cell in row[places]):
                described["local_setter"](parent, None)
                continue
            model = described["model"].from_db(DEFAULT_DB_ALIAS, names[places], row[places])
            models.append(model)
            waiting += [(joined, model) for joined in described.get("related_klass_infos", ())]
            if parent is not None:
                described["local_setter"](parent, model)
                described["remote_setter"](model, parent)
        return models[0]


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
