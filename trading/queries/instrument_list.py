"""Instruments as they are listed, and those that a person has yet to look at."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet

from trading.models import Account, Instrument, Signal, Trade
from trading.queries.instruments import shown_symbol

COLUMNS = (
    *("kind", "currency", "multiplier", "lot", "quantity_step", "price_tick", "session_group"),
    *("underlying", "share_group", "expiry", "strike", "reviewed"),
)


def unreviewed_instruments(account: Account | None = None) -> QuerySet[Instrument]:
    """Return the instruments in use (of an account) whose terms nobody has confirmed: money is counted with them."""
    of = {} if account is None else {"account": account}
    used = [Q(pk__in=model.objects.filter(**of).values("instrument")) for model in (Trade, Signal)]
    return Instrument.objects.filter(used[0] | used[1], reviewed=False).select_related("exchange")


def unreviewed_names(account: Account) -> list[str]:
    """Return their names as callers know them, in order."""
    rows = unreviewed_instruments(account).order_by("exchange__code", "symbol")
    return [shown_symbol(row.exchange.code, row.symbol) for row in rows]


def instrument_rows(rows: QuerySet[Instrument]) -> list[dict[str, Any]]:
    """Return each instrument with its terms and how many trades are in it, by its name."""
    counted = rows.annotate(trade_count=Count("trades")).order_by("exchange__code", "symbol")
    return [
        {
            "symbol": shown_symbol(row.exchange.code, row.symbol),
            "exchange": row.exchange.code,
            **{name: getattr(row, name) for name in COLUMNS},
            "trades": row.trade_count,
        }
        for row in counted.select_related("exchange")
    ]
