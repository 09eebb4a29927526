"""Open positions as the overview shows them: with the last price, where one is known, and the page of the trade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from trading.data_manager import DataManager
from trading.domain.values import Position
from trading.errors import StoreUnavailable
from trading.models import Account, Trade
from trading.queries.trades import OPEN
from trading.queries.valuation import LastTick, open_positions


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One open trade: its key, for the link, and its value."""

    pk: int
    position: Position


def priced_positions(account: Account) -> list[OpenPosition]:
    """Return one entry per open trade, the oldest first; where no last price is known it says None."""
    rows = Trade.objects.filter(account=account, state=OPEN)
    keys = {tuple(row): pk for pk, *row in rows.values_list("pk", "strategy__code", "trade_id", "opened_at")}
    held = open_positions(account.code, _last_ticks(account)) if keys else []
    found = ((keys.get((one.strategy_id, one.trade_id, one.opened_at)), one) for one in held)
    return [OpenPosition(pk, one) for pk, one in found if pk is not None]


def _last_ticks(account: Account) -> LastTick:
    """Return a look-up of the newest tick that asks once per symbol; a store that is away makes prices unknown."""
    facade = DataManager(account=account.code)

    @cache
    def last_tick(symbol: str) -> Mapping[str, Any] | None:
        try:
            return facade.telemetry.latest_tick(symbol)
        except StoreUnavailable:
            return None

    return last_tick
