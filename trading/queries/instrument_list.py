"""Instruments as they are listed, and those that a person has yet to look at."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from trading.models import Account, Instrument, Signal, Trade
from trading.queries.instruments import shown_symbol

COLUMNS = (
    *("kind", "currency", "multiplier", "lot", "quantity_step", "price_tick", "session_group"),
    *("underlying", "share_group", "expiry", "strike", "reviewed"),
)


def unreviewed_instruments(account: Account | None = None) -> QuerySet[Instrument]:
    """Return the instruments in use (of an account) whose terms nobody has confirmed: money is counted with them."""
    of = {} if account is None else {"account": account}
    used = [Exists(model.objects.filter(**of, instrument=OuterRef("pk"))) for model in (Trade, Signal)]
    return Instrument.objects.filter(Q(used[0]) | Q(used[1]), reviewed=False).select_related("exchange")


def unreviewed_names(account: Account) -> list[str]:
    """Return their names as callers know them, in order."""
    rows = unreviewed_instruments(account).order_by("exchange__code", "symbol")
    return [shown_symbol(*names) for names in rows.values_list("exchange__code", "symbol")]


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
