"""What a moved stop changes of a trade: the stop that stands, and the trade's flags."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

from trading.models import Trade


class StandingStop(NamedTuple):
    """A trade's stop as it stands, None for none, and the flags of the trade."""

    price: Decimal | None
    flags: tuple[str, ...]


def standing_stops(trades: Collection[int]) -> dict[int, StandingStop]:
    """Return the stop of each of some trades by its key."""
    rows = Trade.objects.filter(pk__in=trades).order_by().values_list("pk", "stop_price", "flags")
    return {pk: StandingStop(price, tuple(flags)) for pk, price, flags in rows}
