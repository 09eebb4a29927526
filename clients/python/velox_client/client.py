"""`DataClient`: the methods of the desk's facade, over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self

from velox_client import tables
from velox_client.errors import LedgerBusy, LedgerNotReady, NotOffered, Unreachable
from velox_client.events import Event, listen
from velox_client.tables import Instant
from velox_client.telemetry import Telemetry
from velox_client.transport import Transport, number
from velox_client.values import (
    Indicators,
    Json,
    LimitsNow,
    MarketDay,
    Position,
    Signal,
    StrategyCounters,
    TickBatch,
    Trade,
    TrailingStop,
    value_of,
)

PAGE = 1000


class DataClient:
    """One account of one desk, as a token opens it: `DataManager` for a script that runs elsewhere.

    A ledger call (trades, fills, stops, signals) returns once the desk has committed it, and raises otherwise; it is
    sent again while nobody answers, for ``patience_seconds``, and is one record however often it was sent.

    A telemetry call (ticks, indicators, snapshots) puts a row into a queue in this process's memory and returns True:
    the queue sends it, again and again until the desk has it. **What is in the queue is lost with this process**: a
    kill or a power cut costs what was not acknowledged yet, which `flush` waits for and `close` tries to send. Where
    the queue is full, because the desk was away for long, the call returns False and counts it in ``dropped``.

    Args:
        url: the desk's address; without it VELOX_URL.
        token: the token's secret; without it VELOX_TOKEN, else the text of the file that VELOX_TOKEN_FILE names.
        on_storage_fault: ``count`` (a stop or a point that cannot be recorded answers False) or ``raise``.
        patience_seconds: how long a call is sent again while the desk is busy or away.
        queue_rows: how many rows of telemetry may wait.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        on_storage_fault: str = "count",
        patience_seconds: float = 10.0,
        queue_rows: int = 100_000,
    ) -> None:
        self._transport = Transport(url, token, patience_seconds=patience_seconds)
        self._raises = on_storage_fault == "raise"
        self._telemetry = Telemetry(self._transport, rows_max=queue_rows, raises=self._raises)

    # -- the ledger --------------------------------------------------------------------------------------------------

    def open_position(
        self,
        trade_id: str,
        strategy_id: str,
        symbol: str,
        entry_price: Any,
        quantity: Any,
        entry_time: datetime,
        *,
        signal_conditions: Json | None = None,
        side: str = "LONG",
        stop_price: Any = None,
        target_price: Any = None,
        charges: Any = None,
        fill_id: str | None = None,
        order_id: str | None = None,
    ) -> Position:
        """Open a trade with its first fill."""
        body = {
            "trade_id": trade_id, "strategy_id": strategy_id, "symbol": symbol, "entry_price": number(entry_price),
            "quantity": number(quantity), "entry_time": entry_time, "signal_conditions": signal_conditions,
            "side": side, "stop_price": number(stop_price), "target_price": number(target_price),
            "charges": number(charges), "fill_id": fill_id, "order_id": order_id,
        }  # fmt: skip
        return value_of(Position, self._transport.post("positions", body))

    def add_fill(
        self,
        trade_id: str,
        side: str,
        price: Any,
        quantity: Any,
        at: datetime,
        *,
        strategy_id: str | None = None,
        charges: Any = None,
        fill_id: str | None = None,
        order_id: str | None = None,
        flip_to: str | None = None,
    ) -> Position:
        """Book one more fill. One without a ``fill_id`` gets one here, so that it is booked once however often sent."""
        body = {
            "trade_id": trade_id, "side": side, "price": number(price), "quantity": number(quantity), "at": at,
            "strategy_id": strategy_id, "charges": number(charges), "fill_id": fill_id or f"client-{uuid.uuid4()}",
            "order_id": order_id, "flip_to": flip_to,
        }  # fmt: skip
        return value_of(Position, self._transport.post("fills", body))

    def close_position(
        self,
        trade_id: str,
        strategy_id: str | None,
        symbol: str,
        exit_price: Any,
        exit_time: datetime,
        pnl: Any = None,
        pnl_percent: Any = None,
        exit_reason: str = "",
        *,
        charges: Any = None,
        fill_id: str | None = None,
        order_id: str | None = None,
    ) -> Trade:
        """Close a trade; ``pnl`` and ``pnl_percent`` are kept as reported."""
        body = {
            "trade_id": trade_id, "strategy_id": strategy_id, "symbol": symbol, "exit_price": number(exit_price),
            "exit_time": exit_time, "pnl": number(pnl), "pnl_percent": number(pnl_percent), "exit_reason": exit_reason,
            "charges": number(charges), "fill_id": fill_id, "order_id": order_id,
        }  # fmt: skip
        return value_of(Trade, self._transport.post("closings", body))

    def update_trailing_sl(
        self,
        trade_id: str,
        strategy_id: str | None,
        symbol: str,
        stop_price: Any,
        extreme_price: Any,
        method: str,
        *,
        at: datetime | None = None,
    ) -> bool:
        """Move a trade's stop: True when recorded or unchanged, False when the desk is at fault or away."""
        body = {
            "trade_id": trade_id, "strategy_id": strategy_id, "symbol": symbol, "stop_price": number(stop_price),
            "extreme_price": number(extreme_price), "method": method, "at": at or datetime.now(UTC),
        }  # fmt: skip
        try:
            self._transport.post("stops", body)
        except (LedgerBusy, LedgerNotReady, Unreachable):
            if self._raises:
                raise
            return False
        return True

    def record_signal(
        self, strategy_id: str, symbol: str, at: datetime, conditions: Json, *, decision: str, reason: str = ""
    ) -> Signal:
        """Record a signal, TAKEN or SKIPPED."""
        body = {
            "strategy_id": strategy_id, "symbol": symbol, "at": at, "conditions": conditions, "decision": decision,
            "reason": reason,
        }  # fmt: skip
        return value_of(Signal, self._transport.post("signals", body))

    def set_charges(self, trade_id: str, amount: Any, *, source: str, strategy_id: str | None = None) -> Trade:
        """Correct what a trade cost: that takes a person with a name. Raises: NotOffered."""
        raise NotOffered("No token corrects.", hint="An operator states charges at the desk.")

    def apply_split(self, symbol: str, new: Any, old: Any, at: datetime, *, key: str, **more: Any) -> list[Position]:
        """Book a split: that takes a person with a name. Raises: NotOffered."""
        raise NotOffered("No token books a split.", hint="An operator confirms it at the desk.")

    # -- telemetry ---------------------------------------------------------------------------------------------------

    def process_tick(self, symbol: str, tick: Mapping[str, Any], *, at: Instant | None = None) -> bool:
        """Queue a tick: True for queued. Its time is ``at``, its own `timestamp`, or now."""
        return self._telemetry.tick(symbol, tick, at)

    def process_ticks(
        self, ticks: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, symbol: str | None = None
    ) -> TickBatch:
        """Queue many ticks: a list of dicts with their "symbol", or a dict of columns of one length."""
        return self._telemetry.ticks(ticks, symbol)

    def cache_indicators(
        self, symbol: str, values: Mapping[str, Any], *, at: Instant | None = None, timeframe: str = ""
    ) -> bool:
        """Queue named numbers of a symbol: True for queued."""
        return self._telemetry.indicators(symbol, values, at, timeframe)

    def update_position_snapshot(
        self,
        strategy_id: str,
        symbol: str,
        current_price: Any,
        quantity: Any,
        pnl: Any = None,
        pnl_percent: Any = None,
        *,
        at: Instant | None = None,
    ) -> bool:
        """Queue a snapshot of an open position: True for queued."""
        return self._telemetry.snapshot(strategy_id, symbol, current_price, quantity, pnl, pnl_percent, at)

    @property
    def dropped(self) -> int:
        """Return how many rows of telemetry found the queue full, or were refused by the desk."""
        return self._telemetry.dropped

    def flush(self, timeout: float = 5.0) -> None:
        """Return once the desk has acknowledged all that was queued. Raises: FlushTimeout."""
        self._telemetry.flush(timeout)

    def close(self) -> None:
        """Send what is queued, for at most five seconds, and end; what is left then is lost and counted."""
        self._telemetry.close()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # -- what is true now --------------------------------------------------------------------------------------------

    def get_position(self, strategy_id: str, symbol: str) -> Position:
        """Return a strategy's open trades in a symbol as one, valued."""
        return value_of(Position, self._json("position", strategy_id=strategy_id, symbol=symbol))

    def get_open_positions(self) -> list[Position]:
        """Return one entry per open trade, the oldest first, with the last price seen."""
        return [value_of(Position, each) for each in self._json("positions")["positions"]]

    def get_latest_tick(self, symbol: str) -> Json | None:
        """Return the newest tick by exchange time; times are ns UTC."""
        return self.get_latest_ticks([symbol]).get(symbol)

    def get_latest_ticks(self, symbols: Iterable[str]) -> dict[str, Json]:
        """Return the newest tick of each symbol that has one."""
        rows = self._json("ticks/newest", symbols=list(symbols))["ticks"]
        return {row["symbol"]: tables.point_of(row) for row in rows}

    def get_indicators(self, symbol: str, *, timeframe: str = "") -> Indicators | None:
        """Return the newest indicators, None where nothing is known."""
        return self.get_indicators_of([symbol], timeframe=timeframe).get(symbol)

    def get_indicators_of(self, symbols: Iterable[str], *, timeframe: str = "") -> dict[str, Indicators]:
        """Return the newest indicators of each symbol that has some."""
        rows = self._json("indicators/newest", symbols=list(symbols), timeframe=timeframe or None)["indicators"]
        return {
            row["symbol"]: Indicators({name: float(each) for name, each in row["values"].items()}, row["origin"])
            for row in rows
        }

    def get_trailing_stops(self, *, strategy_id: str | None = None) -> list[TrailingStop]:
        """Return the last step of each open trade's trailing stop."""
        return [value_of(TrailingStop, each) for each in self._json("stops", strategy_id=strategy_id)["stops"]]

    def get_strategy_counters(self, strategy_id: str) -> StrategyCounters:
        """Return what the strategy did today, counted."""
        [row] = self._json("counters", strategy_id=strategy_id)["strategies"]
        return value_of(StrategyCounters, row)

    def get_all_counters(self) -> list[StrategyCounters]:
        """Return what each strategy did today, by its id."""
        return [value_of(StrategyCounters, each) for each in self._json("counters")["strategies"]]

    def get_day_figures(self) -> Json:
        """Return today's figures so far."""
        return tables.figures_of(self._json("statistics/today"))

    def limits(self, strategy_id: str) -> LimitsNow:
        """Return how far its and its account's limits are used."""
        return value_of(LimitsNow, self._json("limits", strategy_id=strategy_id))

    def get_market_day(self, symbol: str, at: datetime) -> MarketDay:
        """Return the symbol's trading day at an aware instant."""
        return value_of(MarketDay, self._json("market-day", symbol=symbol, at=at))

    def health(self) -> Json:
        """Return the state of each part of the desk."""
        return dict(self._json("health"))

    def events(self, after: int | None = None) -> Iterator[Event]:
        """Yield rows of the journal and changes of health as they happen, from now or behind a row, each row once.

        It goes on after a cut. Raises: Unreachable once the desk is away for longer than the client's patience.
        """
        return listen(self._transport, after)

    # -- what was ----------------------------------------------------------------------------------------------------

    def get_trade(self, trade_id: str, *, strategy_id: str | None = None) -> Trade:
        """Return the open trade of that id, else the newest."""
        return value_of(Trade, self._json("trade", trade_id=trade_id, strategy_id=strategy_id))

    def get_trades(
        self,
        *,
        strategy_id: str | None = None,
        symbol: str | None = None,
        start: datetime | None = None,
        stop: datetime | None = None,
        state: str | None = None,
    ) -> list[Trade]:
        """Return the trades opened at ``start <= opened_at < stop``, ascending."""
        asked = {"strategy_id": strategy_id, "symbol": symbol, "start": start, "stop": stop, "state": state}
        return [value_of(Trade, each) for each in self._listed("trades", asked)]

    def get_signals(self, strategy_id: str, start: datetime | None, stop: datetime | None) -> list[Signal]:
        """Return the strategy's signals with ``start <= at < stop``, ascending."""
        asked = {"strategy_id": strategy_id, "start": start, "stop": stop}
        return [value_of(Signal, each) for each in self._listed("signals", asked)]

    def get_executions(self, trade_id: str, *, strategy_id: str | None = None) -> Any:
        """Return the trade's fills as an Arrow table."""
        return tables.executions(self._json("trade/whole", trade_id=trade_id, strategy_id=strategy_id))

    def get_trailing_sl_history(self, trade_id: str, *, strategy_id: str | None = None) -> Any:
        """Return the trade's stop changes as an Arrow table."""
        return tables.stops(self._json("trade/whole", trade_id=trade_id, strategy_id=strategy_id))

    def get_ticks(self, symbol: str, start: Instant, stop: Instant, *, source: str | None = None) -> Any:
        """Return ticks as an Arrow table."""
        return self._table("ticks", start, stop, symbol=symbol, source=source)

    def get_candles(
        self, symbol: str | Iterable[str], every: str, start: Instant, stop: Instant, *, source: str | None = None
    ) -> Any:
        """Return candles as an Arrow table; of a list of symbols by symbol and time, with `symbol` first."""
        if isinstance(symbol, str):
            return self._table("candles", start, stop, symbol=symbol, every=every, source=source)
        names = sorted(set(symbol))
        return tables.by_symbol(
            {name: self._table("candles", start, stop, symbol=name, every=every, source=source) for name in names}
        )

    def get_indicator_history(self, symbol: str, start: Instant, stop: Instant) -> Any:
        """Return recorded indicators as an Arrow table."""
        return self._table("indicators", start, stop, symbol=symbol)

    def get_position_history(self, strategy_id: str, symbol: str, start: Instant, stop: Instant) -> Any:
        """Return recorded position snapshots as an Arrow table."""
        return self._table("snapshots", start, stop, strategy_id=strategy_id, symbol=symbol)

    def get_strategy_metrics(self, strategy_id: str, start: Instant, stop: Instant) -> Any:
        """Return the strategy's day so far at each of its exit fills as an Arrow table."""
        return self._table("metrics", start, stop, strategy_id=strategy_id)

    def query_flux(self, text: str, params: Mapping[str, Any] | None = None, *, timeout: float = 60.0) -> Any:
        """Ask the store freely: only at the desk itself, for it knows no account. Raises: NotOffered."""
        raise NotOffered("The store is not asked freely over HTTP.", hint="`manage.py query` does it at the desk.")

    def query_sql(self, text: str, params: Mapping[str, Any] | None = None, *, timeout: float = 60.0) -> Any:
        """Ask the store freely: only at the desk itself, for it knows no account. Raises: NotOffered."""
        raise NotOffered("The store is not asked freely over HTTP.", hint="`manage.py query` does it at the desk.")

    # -- figures -----------------------------------------------------------------------------------------------------

    def get_strategy_stats(self, strategy_id: str, days: int | None = 30) -> Json:
        """Return the strategy's statistics over the last calendar days (None: all)."""
        return tables.figures_of(self._json("statistics/strategy", strategy_id=strategy_id, days=days or "all"))

    def get_symbol_stats(self, symbol: str, days: int | None = 30) -> Json:
        """Return the symbol's statistics over the last calendar days (None: all)."""
        return tables.figures_of(self._json("statistics/symbol", symbol=symbol, days=days or "all"))

    def get_stats_by(self, cut: str, days: int | None = 30, *, condition: str | None = None) -> list[Json]:
        """Return a row per part of a cut."""
        parts = self._json("statistics/by", cut=cut, days=days or "all", condition=condition)["parts"]
        return [tables.figures_of(each) for each in parts]

    def get_daily_summary(self, date: date | str | None = None) -> Json:
        """Return the summary of a day at the desk (None: the latest that has data, else today)."""
        body = self._json("day", day=date)
        rows = [tables.figures_of(each) for each in body["strategies"]]
        return {**body, "strategies": rows, "total": tables.figures_of(body["total"])}

    def _json(self, path: str, **asked: Any) -> Any:
        return self._transport.get(path, asked).json()

    def _listed(self, name: str, asked: Mapping[str, Any]) -> list[Json]:
        rows: list[Json] = []
        after: str | None = None
        while True:
            page = self._json(name, **asked, after=after, limit=PAGE)
            rows += page[name]
            after = page["next"]
            if after is None:
                return rows

    def _table(self, path: str, start: Instant, stop: Instant, **asked: Any) -> Any:
        span = {"start": tables.instant_text(start), "stop": tables.instant_text(stop)}
        return tables.joined(self._transport.pages(path, {**asked, **span}))
