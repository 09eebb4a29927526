"""Instruments as they are listed."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from trading.models import Instrument
from trading.queries.instruments import shown_symbol

COLUMNS = (
    *("kind", "currency", "multiplier", "lot", "quantity_step", "price_tick", "session_group"),
    *("underlying", "share_group", "expiry", "strike", "reviewed"),
)


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
