"""Seals of the reference rows, chained like the journal, so that a row that was changed past VELOX is seen.

Accounts and their capital, exchanges and their hours, instruments, strategies, users and their rights are written in
many places (the admin, a log-in, first use by an operation); what was measured of trades is in no journal. Their models
are `Sealed`: whatever writes one through Django adds a link here, in the same transaction, that tells the rows as they
stand in the database afterwards.

A migration that writes such rows, or changes a column of their tables, ends with `SealAll()`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.db import connections, migrations, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from trading import heads
from trading.domain.chain import Body, canonical, chain_code

SealedRow = TypeVar("SealedRow", bound=models.Model)
CHUNK = 500  # SQLite takes no more than some thousand parameters
# What nobody may read in a seal stands there as its keyed code.
SECRET = {("trading_user", "password"), ("trading_alertchannel", "url")}
# Where not the whole row is sealed: the rest moves with every operation, and the chain itself proves it.
ONLY = {"trading_journalhead": ("id", "account_id", "ledger")}
TABLES = (
    *("trading_account", "trading_capitalflow", "trading_exchange", "trading_exchangesession", "trading_instrument"),
    *("trading_strategy", "trading_user", "trading_user_groups", "trading_user_user_permissions"),
    *("trading_excursion", "trading_feedgap", "trading_journalhead", "trading_brokerageplan"),
    *("trading_alert", "trading_alertdelivery", "trading_alertchannel"),
)


class Seal(models.Model):
    """One link: the rows of one table as they stood after a change; a row that went away is null."""

    sequence = models.BigIntegerField(unique=True)
    table = models.CharField(max_length=64, db_column="table_name")
    body = models.TextField()
    mac = models.CharField(max_length=64)
    previous_mac = models.CharField(max_length=64, unique=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("sequence",)

    def __str__(self) -> str:
        return f"{self.sequence} {self.table}"


class SealedQuerySet(models.QuerySet[SealedRow]):
    """A QuerySet whose writes of many rows are sealed."""

    def update(self, **values: Any) -> int:
        with transaction.atomic(using=self.db):
            keys = list(self.order_by().values_list("pk", flat=True))
            count = super().update(**values)
            seal(self.model._meta.db_table, keys, using=self.db)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=self.db):
            keys = list(self.order_by().values_list("pk", flat=True))
            _forget_relations(self.model, keys, self.db)
            deleted = super().delete()
            seal(self.model._meta.db_table, keys, using=self.db)
        return deleted

    delete.alters_data = delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[SealedRow], *args: Any, **kwargs: Any) -> list[SealedRow]:
        with transaction.atomic(using=self.db):
            newest = self.model._base_manager.using(self.db).aggregate(newest=models.Max("pk"))["newest"] or 0
            created = super().bulk_create(objs, *args, **kwargs)
            # Rows that were there already have no key here: so those that are new are asked for.
            new = self.model._base_manager.using(self.db).filter(pk__gt=newest).values_list("pk", flat=True)
            seal(self.model._meta.db_table, list(new), using=self.db)
        return created


class Sealed(models.Model):
    """A reference row: saved and removed together with its seal."""

    objects = SealedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, because: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        """Save the row with its seal; ``because`` has the author (``by``) and the ``reason``, which the seal keeps."""
        using = kwargs.get("using") or self._state.db or "default"
        with transaction.atomic(using=using):
            super().save(*args, **kwargs)
            seal(self._meta.db_table, [self.pk], using=using, because=because)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        using, key = kwargs.get("using") or self._state.db or "default", self.pk
        with transaction.atomic(using=using):
            _forget_relations(type(self), [key], using)
            deleted = super().delete(*args, **kwargs)
            seal(self._meta.db_table, [key], using=using)
        return deleted


def seal_relations(model: type[models.Model]) -> None:
    """Seal the rows of a model's many-to-many fields too: those go through their table's own manager."""
    for field in model._meta.many_to_many:
        through: Any = field.remote_field.through
        through._meta.local_managers.clear()
        through.add_to_class("objects", SealedQuerySet.as_manager())


def _forget_relations(model: type[models.Model], keys: Collection[int], using: str) -> None:
    # The database's cascade would take them away without a seal.
    for field in model._meta.many_to_many:
        of_these = {f"{field.m2m_field_name()}__in": keys}
        through: Any = field.remote_field.through
        through._default_manager.using(using).filter(**of_these).delete()


def seal(
    table: str, keys: Collection[int], *, using: str = "default", because: Mapping[str, str] | None = None
) -> None:
    """Add a link that tells these rows as they stand now, and the reason of a correction, inside the transaction that
    wrote them."""
    if not keys:
        return
    connection = connections[using]
    previous = _locked_end(connection)
    stored = {row["id"]: row for row in read(connection, table, keys)}
    rows = {str(key): sealed_form(table, stored[key]) if key in stored else None for key in sorted(keys)}
    _append(connection, previous, table, {"rows": rows} | ({"because": dict(because)} if because else {}))


def sealed_form(table: str, row: Body, key: str | None = None) -> Body:
    """Return a row as its seal tells it: secrets coded, by the desk's own key if no other is named."""
    only = ONLY.get(table)
    cells = row if only is None else {name: cell for name, cell in row.items() if name in only}
    hidden = {name: str(cells[name]) for of_table, name in SECRET if of_table == table and name in cells}
    if not hidden:
        return cells
    by = key or str(settings.JOURNAL_KEY)
    return cells | {name: chain_code(by, f"{table}.{name}", text) for name, text in hidden.items()}


def read(connection: BaseDatabaseWrapper, table: str, keys: Collection[int] | None = None) -> Iterator[Body]:
    """Yield rows as the database has them, in forms that JSON knows and that are the same on every database."""
    wanted = None if keys is None else list(keys)
    for start in range(0, 1 if wanted is None else len(wanted), CHUNK):
        batch = None if wanted is None else wanted[start : start + CHUNK]
        marks = "" if batch is None else f" WHERE id IN ({', '.join(['%s'] * len(batch))})"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}{marks}", batch)  # noqa: S608
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        for row in rows:
            yield dict(zip(names, map(_plain, row), strict=True))


def _plain(cell: str | float | date | time | Decimal | uuid.UUID | None) -> str | float | None:
    """Return a cell as SQLite would keep it."""
    if cell is None or isinstance(cell, str) or type(cell) is int:  # nearly all
        return cell
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, datetime):
        return str(cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None))
    return cell if cell is None or isinstance(cell, int | float | str) else str(cell)


def _locked_end(connection: BaseDatabaseWrapper) -> tuple[int, str]:
    """Return sequence and code of the last link; whoever comes next waits for this transaction."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT id FROM trading_seal WHERE sequence = 1 FOR UPDATE")
        cursor.execute("SELECT sequence, mac FROM trading_seal ORDER BY sequence DESC LIMIT 1")
        return cursor.fetchone() or (0, "")


def _append(connection: BaseDatabaseWrapper, previous: tuple[int, str], table: str, content: Body) -> None:
    """Add the link after the ``previous`` one (its sequence and code)."""
    sequence, now = previous[0] + 1, datetime.now(UTC)
    body = canonical({**content, "sequence": sequence, "table": table, "recorded_at": now})
    mac = chain_code(str(settings.JOURNAL_KEY), previous[1], body)
    cells = (sequence, table, body, mac, previous[1], connection.ops.adapt_datetimefield_value(now))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trading_seal (sequence, table_name, body, mac, previous_mac, recorded_at) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            cells,
        )
        cursor.execute("SELECT ledger FROM trading_journalhead WHERE ledger <> '' LIMIT 1")
        ledger = cursor.fetchone()
    if ledger is not None:
        transaction.on_commit(
            lambda: heads.publish(ledger[0], heads.REFERENCES, sequence, mac, f"seal {table}"), using=connection.alias
        )


def name_ledger(connection: BaseDatabaseWrapper, **facts: str) -> str:
    """Give the ledger a new identity, in a link of its own that keeps the ``facts``; return the identity.

    Heads that were published before belong to the old one.
    """
    ledger = uuid.uuid4().hex
    previous = _locked_end(connection)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE trading_journalhead SET ledger = %s", [ledger])
    _append(connection, previous, "", {"ledger": ledger, **facts})
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM trading_journalhead")
        keys = [key for (key,) in cursor.fetchall()]
    seal("trading_journalhead", keys, using=connection.alias)
    return ledger


class SealAll(migrations.RunPython):
    """Migration operation that seals every reference row that differs from its last seal, or has none."""

    def __init__(self) -> None:
        super().__init__(_seal_all, migrations.RunPython.noop)

    def deconstruct(self) -> tuple[str, list[str], dict[str, bool]]:
        return "SealAll", [], {}


def apply(rows: dict[str, dict[int, Body]], table: str, body: Body) -> None:
    """Apply one link to the rows (by table and key) that the links before it told."""
    of_table = rows.setdefault(table, {})
    for key, row in body.get("rows", {}).items():
        of_table.pop(int(key), None)
        if row is not None:
            of_table[int(key)] = row


def _seal_all(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    if _locked_end(connection)[0] == 0:
        name_ledger(connection)
    sealed: dict[str, dict[int, Body]] = {table: {} for table in TABLES}
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name, body FROM trading_seal ORDER BY sequence")
        for table, body in cursor.fetchall():
            apply(sealed, table, json.loads(body))
    # An early migration runs with the code of today: a table that comes later has no rows to seal.
    present = set(connection.introspection.table_names())
    for table in filter(present.__contains__, TABLES):
        stored = {row["id"]: sealed_form(table, row) for row in read(connection, table)}
        keys = [key for key in {*stored, *sealed[table]} if stored.get(key) != sealed[table].get(key)]
        for start in range(0, len(keys), CHUNK):
            seal(table, keys[start : start + CHUNK], using=connection.alias)
