"""Signals, taken and skipped."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from timeseries.values import parse_name
from trading.domain import values
from trading.models import Account, Signal
from trading.queries.instruments import shown_symbol
from trading.queries.period import bounds
from trading.queries.places import RowPlace, page_of


def get_signals(
    account: Account, strategy_id: str, start: datetime | None, stop: datetime | None
) -> list[values.Signal]:
    """Return a strategy's signals with ``start <= at < stop``, ascending by time; None leaves a side open.

    Raises: InvalidValue.
    """
    return [signal_value(row) for row in _seen(account, strategy_id, start, stop).order_by("at", "pk")]


def signals_page(
    account: Account,
    *,
    strategy_id: str | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    after: RowPlace | None = None,
    limit: int = 100,
) -> tuple[list[values.Signal], RowPlace | None]:
    """Return at most ``limit`` signals, of one strategy or of all, behind a place, and the place of the next; None at
    the end.

    Raises: InvalidValue, as `get_signals`.
    """
    page, following = page_of(_seen(account, strategy_id, start, stop), "at", after=after, limit=limit)
    return [signal_value(row) for row in page], following


def _seen(account: Account, strategy_id: str | None, start: datetime | None, stop: datetime | None) -> QuerySet[Signal]:
    first, last = bounds(start, stop)
    rows = Signal.objects.filter(account=account)
    rows = rows if strategy_id is None else rows.filter(strategy__code=parse_name(strategy_id, "strategy_id"))
    rows = rows if first is None else rows.filter(at__gte=first)
    rows = rows if last is None else rows.filter(at__lt=last)
    return rows.select_related("account", "strategy", "instrument__exchange", "trade")


def signal_value(row: Signal) -> values.Signal:
    """Return the frozen value of a row whose account, strategy, instrument and trade are loaded."""
    return values.Signal(
        strategy_id=row.strategy.code,
        symbol=shown_symbol(row.instrument.exchange.code, row.instrument.symbol),
        account=row.account.code,
        at=row.at,
        decision=row.decision,
        reason=row.reason,
        conditions=dict(row.conditions),
        trade_id=row.trade.trade_id if row.trade is not None else None,
    )
