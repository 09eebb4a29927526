"""Trades whose times are known to the day only, as some brokers' files tell them: no clock, no time held."""

from __future__ import annotations

from django.db.models import QuerySet

from trading.domain.flags import DAY_ONLY
from trading.models import Account, Fill, Trade
from trading.queries.columns import text


def keys_of_untimed(account: Account) -> frozenset[int]:
    """Return the keys of the account's trades of which a fill that counts has no time of day."""
    fills = Fill.objects.filter(is_day_only=True, trade__account=account)
    trades = Trade.objects.filter(pk__in=fills.values("trade")).values_list("pk", "flags")
    return frozenset(pk for pk, flags in trades if DAY_ONLY in flags)


def is_untimed(flags: str) -> bool:
    """Tell from a trade's flags, as the database's text, whether a fill that counts has no time of day."""
    return f'"{DAY_ONLY}"' in flags


def timed(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """Return those of some trades whose fills all have a time of day."""
    return without_flag(trades, DAY_ONLY)


def without_flag(trades: QuerySet[Trade], flag: str) -> QuerySet[Trade]:
    """Return those of some trades that have no such flag."""
    return trades.alias(words=text("flags")).exclude(words__contains=f'"{flag}"')
