"""What was open at the end of a day that is past, from the fills up to then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from django.db.models import Q

from trading.domain import averages
from trading.domain.money import from_units
from trading.domain.position import CrossesZeroError
from trading.domain.values import Position
from trading.models import Account, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.queries.period import date_in
from trading.queries.trades import OPEN, VOID


def open_at_end_of(account: Account, day: date) -> Iterator[tuple[int, Position]]:
    """Yield the key and the position of each trade that was open when the trading day ended, the oldest first.

    Quantity, average price, P&L and stop are those of the fills and stop changes up to that day, as corrections have
    left them; a last price is not told. The day is that of the trade's exchange.
    """
    # No zone is a day ahead of UTC: the filter only narrows, the fills decide.
    since = datetime.combine(day, time(), UTC)
    rows = Trade.objects.filter(account=account, trading_day__lte=day).exclude(state=VOID)
    rows = rows.filter(Q(closed_at=None) | Q(closed_at__gte=since)).order_by("opened_at", "pk")
    related = rows.select_related("account", "strategy", "instrument__exchange")
    for trade in related.prefetch_related("fills", "corrections__fill", "stop_changes").iterator(chunk_size=500):
        position = _position(trade, day)
        if position is not None:
            yield trade.pk, position


def _position(trade: Trade, day: date) -> Position | None:
    zone = trade.instrument.exchange.zone
    recorded = sorted(trade.fills.all(), key=lambda fill: fill.sequence)
    standing = facts.corrected(recorded, sorted(trade.corrections.all(), key=lambda correction: correction.pk))
    fills = [fill for fill in standing if date_in(fill.at, zone) <= day]
    try:
        holding, _ = facts.folded(trade, fills)
    except CrossesZeroError:  # an exit of that day was told after entries of later days: without them it took all
        return None
    if not holding.open_quantity:
        return None
    stops = [stop for stop in trade.stop_changes.all() if date_in(stop.at, zone) <= day]
    last = max(stops, key=lambda stop: (stop.at, stop.pk), default=None)
    return Position(
        trade_id=trade.trade_id,
        strategy_id=trade.strategy.code,
        symbol=shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol),
        account=trade.account.code,
        side=str(trade.side),
        state=OPEN,
        open_quantity=from_units(holding.open_quantity),
        avg_price=averages.of_fills(str(trade.side), facts.executions(fills)).held,
        realised_pnl=from_units(holding.realised_pnl),
        charges=None if holding.charges is None else from_units(holding.charges),
        stop_price=trade.initial_stop_price if last is None else last.stop_price,
        target_price=trade.target_price,
        initial_risk=trade.initial_risk,
        opened_at=fills[0].at,
        flags=tuple(trade.flags),
    )
