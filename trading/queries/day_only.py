"""Trades whose times are known to the day only, as some brokers' files tell them: no clock, no time held."""

from __future__ import annotations

from django.db.models import QuerySet

from trading.domain.flags import DAY_ONLY
from trading.models import Trade
from trading.queries.columns import text


def is_untimed(flags: str) -> bool:
    """Tell from a trade's flags, as the database's text, whether a fill that counts has no time of day."""
    return f'"{DAY_ONLY}"' in flags


def timed(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """Return those of some trades whose fills all have a time of day."""
    return without_flag(trades, DAY_ONLY)


def without_flag(trades: QuerySet[Trade], flag: str) -> QuerySet[Trade]:
    """Return those of some trades that have no such flag."""
    return trades.alias(words=text("flags")).exclude(words__contains=f'"{flag}"')
