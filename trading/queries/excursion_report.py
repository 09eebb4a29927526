"""What the trades of a period went through, and the gaps of their feeds, as they were measured."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Protocol

from django.db.models import QuerySet
from django.utils import timezone

from trading.domain.excursions import ExcursionPoint
from trading.domain.sessions import days_between
from trading.domain.shapes import ExcursionReport, ExcursionRow, FeedGapRow
from trading.models import Account, Excursion, FeedGap, Signal, Trade
from trading.queries.excursions import fields_of, ns, symbol_of
from trading.queries.instruments import shown_symbol
from trading.queries.reports import Selection
from trading.queries.trade_list import r_multiple, related


class SymbolReader(Protocol):
    """Where the names of what ticked come from: `timeseries.reader.Reader`."""

    def symbols(self, start: int, stop: int, *, account: str) -> list[str]: ...


def trades_of(selection: Selection) -> QuerySet[Trade]:
    """Return the closed trades opened on the days chosen, the oldest first."""
    if selection.first is None or selection.last is None:
        return Trade.objects.none()
    days = {"trading_day__gte": selection.first, "trading_day__lte": selection.last}
    rows = Trade.objects.filter(**selection.cut.lookups(), **days, state="CLOSED")
    return related(rows).order_by("opened_at", "pk")


def symbols_of_days(selection: Selection) -> list[tuple[str, date]]:
    """Return the symbols and days of the period on which something was traded or signalled."""
    if selection.first is None or selection.last is None:
        return []
    pairs = {(symbol_of(trade), trade.trading_day) for trade in trades_of(selection)}
    for signal in Signal.objects.filter(**selection.cut.lookups()).select_related("instrument__exchange").iterator():
        day = timezone.localdate(signal.at)
        if selection.first <= day <= selection.last:
            pairs.add((shown_symbol(signal.instrument.exchange.code, signal.instrument.symbol), day))
    return sorted(pairs)


def symbols_ticking(selection: Selection, reader: SymbolReader) -> list[tuple[str, date]]:
    """Return the symbols and days of the period that have a tick, traded or not.

    Raises: StoreUnavailable.
    """
    if selection.first is None or selection.last is None:
        return []
    account, zone = selection.cut.account.code, timezone.get_default_timezone()
    pairs = []
    for day in days_between(selection.first, selection.last):
        start, stop = (datetime.combine(day + timedelta(days=days), time(), zone) for days in (0, 1))
        names = reader.symbols(ns(start), ns(stop), account=account)
        pairs += [(name, day) for name in names if selection.symbol in (None, name)]
    return pairs


def excursion_report(selection: Selection) -> ExcursionReport:
    """Return `{head of a report, "trades": [ROW], "gaps": [{"symbol", "day", "starts_at", "ends_at", "seconds"}]}`.

    ROW: trade_id, strategy_id, symbol, side, gross_pnl, r_multiple and `excursions.FIELDS`; those are None where a
    trade was not measured. ``gap`` is the mark that the trade carries.
    """
    return {
        **selection.head(),
        "trades": [_row(trade) for trade in trades_of(selection)],
        "gaps": []
        if selection.first is None or selection.last is None
        else gaps_of(selection.cut.account, selection.first, selection.last, symbol=selection.symbol),
    }


def excursion_points(selection: Selection, *, points_max: int) -> list[ExcursionPoint]:
    """Return the excursions of the newest measured trades among those of `trades_of`."""
    trades = trades_of(selection).filter(excursion__isnull=False)
    few = [*Excursion.objects.order_by().values_list("trade_id", flat=True)[: points_max + 1]]
    if len(few) <= points_max:  # else the database would look at every trade for them
        trades = trades.filter(pk__in=few)
    columns = ("pk", "trade_id", "excursion__mae", "excursion__mfe", "realised_pnl")
    newest = trades.order_by("-opened_at", "-pk")[:points_max]
    return [ExcursionPoint(*row) for row in newest.values_list(*columns)]


def _row(trade: Trade) -> ExcursionRow:
    return {
        "trade_id": trade.trade_id,
        "strategy_id": trade.strategy.code,
        "symbol": symbol_of(trade),
        "side": trade.side,
        "gross_pnl": trade.realised_pnl,
        "r_multiple": r_multiple(trade, trade.realised_pnl - (trade.charges or 0)),
        **fields_of(trade),
    }


def gaps_of(account: Account, first: date, last: date, *, symbol: str | None = None) -> list[FeedGapRow]:
    """Return the gaps of the feeds on the days first..last, of one symbol or of all."""
    rows = FeedGap.objects.filter(account=account, day__gte=first, day__lte=last)
    return [
        {
            "symbol": gap.symbol,
            "day": gap.day,
            "starts_at": gap.starts_at,
            "ends_at": gap.ends_at,
            "seconds": (gap.ends_at - gap.starts_at).total_seconds(),
        }
        for gap in (rows if symbol is None else rows.filter(symbol=symbol))
    ]
