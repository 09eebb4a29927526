"""Columns as the database holds them, for readings of a hundred thousand rows: what the ORM makes of each value there
costs more than all that is computed from it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import lru_cache

from django.db.models import BigIntegerField, TextField
from django.db.models.functions import Cast


def units(path: str) -> Cast:
    """Return money as it is kept: an integer of 10^-8."""
    return Cast(path, BigIntegerField())


def text(path: str) -> Cast:
    """Return an instant or a day as ISO text, for `instant_of` and `day_of`."""
    return Cast(path, TextField())


def instant_of(text: str) -> datetime:
    """Return the aware instant (UTC) of a text: SQLite leaves the offset out, Postgres writes that of the connection,
    which is UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


day_of = lru_cache(maxsize=4096)(date.fromisoformat)  # rows share their days by the thousand


@lru_cache(maxsize=4096)
def texts_of(text: str) -> tuple[str, ...]:
    """Return the texts of a JSON list, as `text` brings it."""
    return tuple(json.loads(text))
