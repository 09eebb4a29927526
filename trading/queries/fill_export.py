"""Every fill of some trades as corrections have left it, one flat row each: for files that other tools read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, prefetch_related_objects
from django.utils import timezone

from trading.domain import position
from trading.domain.export import ColumnKind
from trading.domain.flags import DAY_ONLY
from trading.domain.money import from_units, to_units
from trading.domain.sessions import trading_day
from trading.models import Fill, Trade
from trading.progress import tell
from trading.queries import facts
from trading.queries.instruments import shown_symbol

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "trade_side", "state", "opened_at",
    "sequence", "fill_id", "order_id", "trading_day", "at", "role", "side", "quantity", "price", "value",
    "charges", "gross_pnl", "settlement", "multiplier",
)  # fmt: skip
KINDS = {
    **dict.fromkeys(("quantity", "price", "charges", "multiplier"), ColumnKind.AMOUNT),
    **dict.fromkeys(("value", "gross_pnl"), ColumnKind.VALUE),
    **dict.fromkeys(("opened_at", "at"), ColumnKind.TIME),
    "sequence": ColumnKind.COUNT,
    "trading_day": ColumnKind.DAY,
}
AT_A_TIME = 500


def fill_rows(trades: QuerySet[Trade]) -> Iterator[tuple[Any, ...]]:
    """Yield one tuple of `HEADER` per fill, trade by trade and in order of booking, without those that were voided.

    ``value`` is price × quantity × multiplier, ``charges`` the fill's own, ``gross_pnl`` what an exit realised (None
    for an entry and in a void trade); money Decimal, times at the desk, the trading day that of the exchange.
    ``at`` is a date where no time of day is known, and so is ``opened_at`` of a trade with such a fill.
    """
    rows = trades.select_related("account", "strategy", "instrument__exchange").iterator(chunk_size=AT_A_TIME)
    count = 0
    while some := list(islice(rows, AT_A_TIME)):
        prefetch_related_objects(some, "fills__realisation", "corrections__fill")
        for trade in some:
            yield from _fills_of(trade)
        count += len(some)
        tell("trades", count)


def _fills_of(trade: Trade) -> Iterator[tuple[Any, ...]]:
    desk, exchange_zone = timezone.get_current_timezone(), ZoneInfo(trade.instrument.exchange.zone)
    symbol = shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol)
    opened = trade.trading_day if DAY_ONLY in trade.flags else trade.opened_at.astimezone(desk)
    fills = sorted(trade.fills.all(), key=lambda fill: fill.sequence)
    for fill in facts.corrected(fills, sorted(trade.corrections.all(), key=lambda correction: correction.pk)):
        day = trading_day(fill.at, exchange_zone)
        yield (
            trade.account.code, trade.account.currency, trade.trade_id, trade.strategy.code, symbol, str(trade.side),
            str(trade.state), opened, fill.sequence, fill.fill_id, fill.order_id,
            day, day if fill.is_day_only else fill.at.astimezone(desk), str(fill.role), str(fill.side),
            fill.quantity, fill.price, _value(fill, trade), fill.charges, _realised(fill), fill.settlement,
            trade.instrument.multiplier,
        )  # fmt: skip


def _value(fill: Fill, trade: Trade) -> Any:
    multiplier = to_units(trade.instrument.multiplier)
    return from_units(position.value_of(to_units(fill.price), to_units(fill.quantity), multiplier))


def _realised(fill: Fill) -> Any:
    realised = getattr(fill, "realisation", None)
    return None if realised is None else realised.pnl
