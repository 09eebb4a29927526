"""The trades of a strategy in an account, as a comparison of books takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date

import numpy as np

from lab.domain.waterfall import BookFill, BookTrade
from timeseries.measurements import FloatArray, IntArray
from timeseries.reader import Reader
from trading.domain.money import to_units
from trading.feeds.points import instants
from trading.models import Account, Fill, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol
from trading.queries.sessions import calendar_of_symbol
from trading.strategies.base import instant, nanoseconds
from trading.strategies.intraday import exact

AT_A_TIME = 500
MICROSECOND = 1000
SPLIT = "with a split"


def book_of(
    account: Account, strategy: str, first: date, last: date, symbols: Collection[str] = ()
) -> tuple[list[BookTrade], dict[str, int]]:
    """Return the trades that a strategy opened on some days, as corrections have left them, without what the ticks
    say; and how many were left out, and why. Without symbols they are of all."""
    rows = Trade.objects.filter(
        account=account, strategy__code=strategy, trading_day__gte=first, trading_day__lte=last
    ).exclude(state=Trade.State.VOID)
    rows = rows.select_related("instrument__exchange").prefetch_related("fills", "corrections").order_by("pk")
    trades: list[BookTrade] = []
    left_out: dict[str, int] = {}
    for row in rows.iterator(chunk_size=AT_A_TIME):
        symbol = shown_symbol(row.instrument.exchange.code, row.instrument.symbol)
        if symbols and symbol not in symbols:
            continue
        recorded = sorted(row.fills.all(), key=lambda fill: fill.sequence)
        fills = facts.corrected(recorded, sorted(row.corrections.all(), key=lambda correction: correction.pk))
        if any(fill.role == Fill.Role.SPLIT for fill in fills):
            left_out[SPLIT] = left_out.get(SPLIT, 0) + 1
        else:
            trades.append(_trade(row, symbol, fills))
    return trades, left_out


def _trade(row: Trade, symbol: str, fills: list[Fill]) -> BookTrade:
    return BookTrade(
        trade_id=row.trade_id,
        symbol=symbol,
        side=row.side,
        multiplier=to_units(row.instrument.multiplier),
        entries=tuple(_fill(fill) for fill in fills if fill.role == Fill.Role.ENTRY),
        exits=tuple(_fill(fill) for fill in fills if fill.role == Fill.Role.EXIT),
        gross=to_units(row.realised_pnl),
        charges=None if row.charges is None else to_units(row.charges),
        is_closed=row.state == Trade.State.CLOSED,
    )


def _fill(fill: Fill) -> BookFill:
    return BookFill(nanoseconds(fill.at), to_units(fill.price), to_units(fill.quantity))


def with_ticks(reader: Reader, trades: list[BookTrade], account: str, source: str | None) -> Iterator[BookTrade]:
    """Yield trades by symbol and time, with what a tick would have filled each fill at."""
    held: tuple[tuple[str, date], tuple[IntArray, FloatArray]] | None = None
    for trade in sorted(trades, key=lambda trade: (trade.symbol, trade.opened_at)):
        sides: list[tuple[BookFill, ...]] = []
        for fills in (trade.entries, trade.exits):
            priced = []
            for fill in fills:
                day = calendar_of_symbol(trade.symbol).day_of(instant(fill.at))
                if held is None or held[0] != (trade.symbol, day):
                    held = (trade.symbol, day), _ticks_of(reader, trade.symbol, day, account, source)
                priced.append(replace(fill, market=_market(*held[1], fill.at)))
            sides.append(tuple(priced))
        yield replace(trade, entries=sides[0], exits=sides[1])


def _ticks_of(reader: Reader, symbol: str, day: date, account: str, source: str | None) -> tuple[IntArray, FloatArray]:
    """Return a day's ticks in the order of their arrival: the latest time reached at each, and its price."""
    start, stop = map(nanoseconds, calendar_of_symbol(symbol).bounds(day))
    table = reader.ticks(symbol, start, stop, source=source, account=account)
    order = np.argsort(instants(table, "received_time"), kind="stable")
    reached = np.maximum.accumulate(instants(table, "exchange_time")[order])
    return reached, np.asarray(table.column("close").to_numpy(), dtype=np.float64)[order]


def _market(reached: IntArray, price: FloatArray, at: int) -> int | None:
    """Return the price of the first tick at or after an instant of a ledger, else of the day's last; None without."""
    if not len(reached):
        return None
    row = min(int(np.searchsorted(reached // MICROSECOND, at // MICROSECOND)), len(reached) - 1)
    return round(exact(price[row]).scaleb(8))
