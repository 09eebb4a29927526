"""Who holds the duties, as the ledger's server sees it."""

from __future__ import annotations

from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

# With every look at the desk's health. Both times are by the clock of the ledger's server.
_HOLDS = {
    "sqlite": "SELECT name, term, holder, (julianday('now') - julianday(beaten_at)) * 86400 FROM trading_dutyrow"
    " WHERE beaten_at IS NOT NULL ORDER BY name",
    "postgresql": "SELECT name, term, holder, extract(epoch FROM clock_timestamp() - beaten_at)::float8"
    " FROM trading_dutyrow WHERE beaten_at IS NOT NULL ORDER BY name",
}


class DutyHold(NamedTuple):
    """A duty that was held: its last term, who holds it ("": it was given back), and how long ago that one beat."""

    name: str
    term: int
    holder: str
    silent_seconds: float


def duty_holds() -> list[DutyHold]:
    """Return each duty that a host has held, by name. Raises: DatabaseError."""
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS[connection.vendor])
        return [DutyHold(name, term, holder, max(0.0, seconds)) for name, term, holder, seconds in cursor.fetchall()]
