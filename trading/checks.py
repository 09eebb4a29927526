"""System checks of the ledger: each has an id, and a hint that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.utils import DatabaseError

from trading.models import append_only
from trading.queries.tokens import all_tokens, is_alive
from trading.transactions import applied_migrations, known_migrations

WAL_IS_SAFE_FROM = (3, 51, 3)
Scope = Sequence[AppConfig] | Sequence[str] | None  # of a run of checks: some applications, or some databases


@register(Tags.database)
def sqlite_keeps_commits(**_: Scope) -> list[CheckMessage]:
    """Warn where SQLite is too old for its WAL mode; the ledger then runs in the slower rollback mode."""
    if connections["default"].vendor != "sqlite" or sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM:
        return []
    return [
        Warning(
            f"SQLite {sqlite3.sqlite_version} can lose a commit in WAL mode; the ledger uses the rollback journal.",
            hint="Install a wheel of pysqlite3, or use PostgreSQL: it is several times faster with many writers.",
            id="velox.W001",
        )
    ]


@register(Tags.database)
def no_ledger_is_left_behind(**_: Scope) -> list[CheckMessage]:
    """Warn where the ledger is on a server while the data folder holds one of SQLite: a desk that moved by a setting
    alone begins with empty books."""
    file = settings.DATA_DIR / "ledger.sqlite3"
    if connections["default"].vendor == "sqlite" or not file.is_file():
        return []
    return [
        Warning(
            f"DATABASE_URL leads to a ledger on a server, and {file} is a ledger too, which nobody reads any more.",
            hint="If that one is the desk's, unset DATABASE_URL; else keep the file where backups are.",
            id="velox.W002",
        )
    ]


@register(Tags.security)
def proxies_are_few(**_: Scope) -> list[CheckMessage]:
    """Refuse to take everybody's word for the address that a request comes from."""
    everybody = [network for network in settings.VELOX_TRUSTED_PROXIES if not ip_network(network).prefixlen]
    if not everybody:
        return []
    return [
        Error(
            f"VELOX_TRUSTED_PROXIES names every address ({everybody[0]}): anybody could say where a call comes from.",
            hint="Name the proxies alone that stand before VELOX.",
            id="velox.E002",
        )
    ]


@register(Tags.database)
def pinned_tokens_see_their_callers(databases: Sequence[str] | None = None, **_: Scope) -> list[CheckMessage]:
    """Warn where a token is pinned to networks while a proxy that nobody named stands between (with --database)."""
    if not databases or settings.VELOX_TRUSTED_PROXIES or not settings.IS_HTTPS:
        return []
    try:
        pinned = [token.name for token in all_tokens() if token.networks and is_alive(token, datetime.now(UTC))]
    except DatabaseError:
        return []  # a ledger that cannot be asked is the health report's affair
    if not pinned:
        return []
    return [
        Warning(
            f"Tokens are pinned to networks ({', '.join(pinned)}), but every request seems to come from the proxy.",
            hint="Name it in VELOX_TRUSTED_PROXIES, and let it set X-Forwarded-For.",
            id="velox.W003",
        )
    ]


@register(Tags.database)
def append_only_tables_are_guarded(databases: Sequence[str] | None = None, **_: Scope) -> list[CheckMessage]:
    """Compare the triggers of a migrated ledger with what they should be (only when asked for with --database)."""
    if not databases or "default" not in databases:
        return []
    connection = connections["default"]
    try:
        if not applied_migrations(connection) >= known_migrations():
            return []  # `migrate` asks before it begins, and its last step makes every trigger anew
        absent = append_only.missing(connection)
    except DatabaseError:
        return []  # a ledger that cannot be asked is the health report's affair
    if not absent:
        return []
    return [
        Error(
            f"Append-only tables are not guarded: {', '.join(absent)} missing or altered.",
            hint="Find out who removed them, then restore the ledger from a backup that was checked.",
            id="velox.E001",
        )
    ]
