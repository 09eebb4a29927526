"""A facade that only remembers what a strategy said, and refuses what the ledger would refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from trading.queries.market_day import MarketDay

ZONE = ZoneInfo("Asia/Kolkata")
INDICES = {"NIFTY 50", "NIFTY BANK"}


@dataclass
class FakeTrade:
    trade_id: str
    symbol: str
    side: str
    opened_at: datetime
    entry: Decimal
    quantity: int
    open_quantity: int
    stop: Decimal
    pnl: Decimal = Decimal(0)
    closed_at: datetime | None = None
    exit_reason: str = ""
    stops: list[tuple[datetime, Decimal]] = field(default_factory=list)
    conditions: dict[str, Any] = field(default_factory=dict)


class FakeDesk:
    """What a strategy did: ``trades`` by id, ``signals``, ``indicators`` and ``snapshots`` in order."""

    def __init__(self, opens: time = time(9, 15), closes: time = time(15, 30), closed_days: tuple = ()) -> None:
        self.opens, self.closes, self.closed_days = opens, closes, closed_days
        self.trades: dict[str, FakeTrade] = {}
        self.scaled_out: list[str] = []
        self.signals: list[tuple[str, datetime, str, str, dict[str, Any]]] = []
        self.indicators: list[tuple[str, str, datetime, dict[str, float]]] = []
        self.snapshots: list[tuple[str, datetime, Any, Any]] = []

    def get_market_day(self, symbol: str, at: datetime) -> MarketDay:
        day = at.astimezone(ZONE).date()
        starts = datetime.combine(day, time(), ZONE).astimezone(UTC)
        edges = [datetime.combine(day, edge, ZONE).astimezone(UTC) for edge in (self.opens, self.closes)]
        opens, closes = (None, None) if day in self.closed_days else edges
        return MarketDay(symbol, day, starts, starts + timedelta(days=1), opens, closes, symbol not in INDICES)

    def open_position(self, trade_id, strategy_id, symbol, price, quantity, at, *, side, stop_price, **said):
        assert symbol not in INDICES, "NotTradable"
        assert trade_id not in self.trades
        assert len(trade_id.encode()) <= 128
        assert quantity > 0
        assert all(trade.closed_at or trade.symbol != symbol for trade in self.trades.values()), "one at a time"
        trade = FakeTrade(trade_id, symbol, side, at, price, quantity, quantity, stop_price)
        trade.conditions = dict(said["signal_conditions"])
        self.trades[trade_id] = trade

    def add_fill(self, trade_id, side, price, quantity, at, **said):
        self._exit(trade_id, price, quantity, at)
        assert self.trades[trade_id].open_quantity > 0
        self.scaled_out.append(trade_id)
        assert said["fill_id"]
        assert side == ("SELL" if self.trades[trade_id].side == "LONG" else "BUY")

    def close_position(self, trade_id, strategy_id, symbol, price, at, *, exit_reason, **said):
        trade = self.trades[trade_id]
        self._exit(trade_id, price, trade.open_quantity, at)
        trade.closed_at, trade.exit_reason = at, exit_reason

    def _exit(self, trade_id, price, quantity, at):
        trade = self.trades[trade_id]
        assert trade.closed_at is None
        assert at >= trade.opened_at, "before its opening"
        sign = 1 if trade.side == "LONG" else -1
        trade.pnl += sign * (price - trade.entry) * quantity
        trade.open_quantity -= quantity

    def update_trailing_sl(self, trade_id, strategy_id, symbol, stop, extreme, method, *, at):
        trade = self.trades[trade_id]
        assert trade.closed_at is None
        assert all(known != at for known, _ in trade.stops), "two moves in one instant"
        trade.stops.append((at, stop))
        trade.stop = stop
        return True

    def record_signal(self, strategy_id, symbol, at, conditions, *, decision, reason=""):
        self.signals.append((symbol, at, decision, reason, dict(conditions)))

    def cache_indicators(self, symbol, values, *, at, timeframe=""):
        self.indicators.append((symbol, timeframe, at, dict(values)))
        return True

    def update_position_snapshot(self, strategy_id, symbol, price, quantity, pnl, pnl_percent, *, at):
        assert quantity > 0
        self.snapshots.append((symbol, at, quantity, pnl))
        return True
