"""The facade: the one object that a strategy calls. Every method delegates; nothing is decided here.

The docstring of the operation or query that a method names is its contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from timeseries.recording.recorder import TickBatch
from timeseries.values import Instant, Number
from trading import ledger
from trading.aio import Awaitables
from trading.domain.conditions import Conditions
from trading.domain.limits import LimitsNow
from trading.domain.shapes import DaySummary, PartTotals, Stats
from trading.domain.values import Indicators, Position, Signal, StrategyCounters, Trade, TrailingStop
from trading.health import report
from trading.health.report import HealthReport
from trading.intake import of_this_folder
from trading.ledger_thread import at_the_ledger
from trading.limit_memory import LimitMemory
from trading.queries import daily_summary, history, statistics, stats_by, trades
from trading.queries import signals as signal_queries
from trading.queries.market_day import MarketDay, market_day
from trading.telemetry import Telemetry
from trading.transactions import ask


class DataManager:
    """The facade of one source and one account: it records and reads, and touches no disk until the first record.

    Args:
        source: who records; held by one process at a time.
        account: code of the account that everything belongs to.
        on_storage_fault: ``count`` (telemetry returns False) or ``raise``.
        volume: what the key ``volume`` of a tick means: ``per_tick`` its own, ``cumulative`` the day's so far.
        start_stamped_bars: the period (``1m``, ... ``1d``) of bars that come stamped at their start; None: stamped at
            their end. A bar whose stamp is a date is that day's in any case.
        ledger_intake: where the ledger cannot answer, keep the fact on disk and return a `Pending` in place of the
            answer; the companion posts it, in order, and `manage.py intake` tells what became of it.
    """

    def __init__(
        self,
        *,
        source: str = "default",
        account: str = "main",
        on_storage_fault: str = "count",
        volume: str = "per_tick",
        ledger_intake: bool = False,
        start_stamped_bars: str | None = None,
    ) -> None:
        telemetry = Telemetry(
            source=source, account=account, on_storage_fault=on_storage_fault, volume=volume, ordinals="continue",
            start_stamped_bars=start_stamped_bars,
        )  # fmt: skip
        self._begin(telemetry, raises=on_storage_fault == "raise")
        if ledger_intake:
            self.ledger.intake = of_this_folder()

    @classmethod
    def for_replay(cls, *, source: str, account: str, volume: str = "per_tick") -> Self:
        """Return a facade that counts points of one instant from the start of its input, so a repeat meets its own."""
        facade = cls.__new__(cls)
        reading = {"volume": volume, "ordinals": "restart"}
        facade._begin(Telemetry(source=source, account=account, on_storage_fault="raise", **reading), raises=True)
        return facade

    def _begin(self, telemetry: Telemetry, *, raises: bool) -> None:
        self.telemetry = telemetry
        self.source, self.account = telemetry.recorder.source, telemetry.recorder.account
        self.aio = Awaitables(self)
        self.ledger = ledger.Ledger(self.account, raises=raises, newest=telemetry.price_at_hand)
        self.limit_memory = LimitMemory(self.account, telemetry.known_ticks)

    # -- the ledger --------------------------------------------------------------------------------------------------

    def open_position(
        self,
        trade_id: str,
        strategy_id: str,
        symbol: str,
        entry_price: Number,
        quantity: Number,
        entry_time: Instant,
        *,
        signal_conditions: Conditions | None = None,
        side: str = "LONG",
        stop_price: Number | None = None,
        target_price: Number | None = None,
        charges: Number | None = None,
        fill_id: str | None = None,
        order_id: str | None = None,
    ) -> Position:
        """Open a trade with its first fill; returned means committed (`operations.open_position`)."""
        return self.ledger.open_position(
            trade_id, strategy_id, symbol, entry_price=entry_price, quantity=quantity, entry_time=entry_time,
            signal_conditions=signal_conditions, side=side, stop_price=stop_price, target_price=target_price,
            charges=charges, fill_id=fill_id, order_id=order_id,
        )  # fmt: skip

    def add_fill(
        self,
        trade_id: str,
        side: str,
        price: Number,
        quantity: Number,
        at: Instant,
        *,
        strategy_id: str | None = None,
        charges: Number | None = None,
        fill_id: str | None = None,
        order_id: str | None = None,
        flip_to: str | None = None,
    ) -> Position:
        """Book one more fill on an open trade; ``flip_to`` opens the opposite one with the rest
        (`operations.add_fill`)."""
        return self.ledger.add_fill(
            trade_id, side, price, quantity, at, strategy_id=strategy_id, charges=charges, fill_id=fill_id,
            order_id=order_id, flip_to=flip_to,
        )  # fmt: skip

    def close_position(
        self,
        trade_id: str,
        strategy_id: str | None,
        symbol: str,
        exit_price: Number,
        exit_time: Instant,
        pnl: Number | None = None,
        pnl_percent: Number | None = None,
        exit_reason: str = "",
        *,
        charges: Number | None = None,
        fill_id: str | None = None,
        order_id: str | None = None,
    ) -> Trade:
        """Close a trade; ``pnl`` and ``pnl_percent`` are kept as reported (`operations.close_position`)."""
        return self.ledger.close_position(
            trade_id, strategy_id, symbol, exit_price=exit_price, exit_time=exit_time, pnl=pnl, pnl_percent=pnl_percent,
            exit_reason=exit_reason, charges=charges, fill_id=fill_id, order_id=order_id,
        )  # fmt: skip

    def set_charges(self, trade_id: str, amount: Number, *, source: str, strategy_id: str | None = None) -> Trade:
        """Set what a trade cost in charges so far, and where that stands (`operations.set_charges`)."""
        return self.ledger.set_charges(trade_id, amount, source=source, strategy_id=strategy_id)

    def update_trailing_sl(
        self,
        trade_id: str,
        strategy_id: str | None,
        symbol: str,
        stop_price: Number,
        extreme_price: Number,
        method: str,
        *,
        at: Instant | None = None,
    ) -> bool:
        """Move a trade's stop: True when recorded or unchanged, False when the ledger is at fault."""
        return self.ledger.update_trailing_sl(trade_id, strategy_id, symbol, stop_price, extreme_price, method, at=at)

    def record_signal(
        self,
        strategy_id: str,
        symbol: str,
        at: Instant,
        conditions: Conditions,
        *,
        decision: str,
        reason: str = "",
    ) -> Signal:
        """Record a signal, TAKEN or SKIPPED (`operations.record_signal`)."""
        return self.ledger.record_signal(strategy_id, symbol, at, conditions, decision=decision, reason=reason)

    def apply_split(
        self,
        symbol: str,
        new: Number,
        old: Number,
        at: Instant,
        *,
        key: str,
        kind: str = "split",
        trade_id: str | None = None,
        strategy_id: str | None = None,
    ) -> list[Position]:
        """Book a split or a bonus on what is open of a symbol (`operations.apply_split`)."""
        return self.ledger.apply_split(
            symbol, new, old, at, key=key, kind=kind, trade_id=trade_id, strategy_id=strategy_id
        )

    # -- telemetry ---------------------------------------------------------------------------------------------------

    def process_tick(self, symbol: str, tick: Mapping[str, Any], *, at: Instant | None = None) -> bool:
        """Record a tick: True once it survives the death of this process (`Recorder.tick`)."""
        self.telemetry.admit()
        # From the second tick on this name is the recorder's own: the tick path has no room for a call in between.
        self.process_tick = self.telemetry.recorder.tick  # type: ignore[method-assign]
        return self.telemetry.recorder.tick(symbol, tick, at)

    def process_ticks(
        self, ticks: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, symbol: str | None = None
    ) -> TickBatch:
        """Record many ticks and keep the good rows (`Recorder.ticks`)."""
        self.telemetry.admit()
        return self.telemetry.recorder.ticks(ticks, symbol=symbol)

    def cache_indicators(
        self, symbol: str, values: Mapping[str, Number], *, at: Instant | None = None, timeframe: str = ""
    ) -> bool:
        """Record named numbers of a symbol, and keep them as its newest indicators."""
        return self.telemetry.cache_indicators(symbol, values, at=at, timeframe=timeframe)

    def update_position_snapshot(
        self,
        strategy_id: str,
        symbol: str,
        current_price: Number,
        quantity: Number,
        pnl: Number | None = None,
        pnl_percent: Number | None = None,
        *,
        at: Instant | None = None,
    ) -> bool:
        """Record a snapshot of an open position."""
        self.telemetry.admit()
        recorder = self.telemetry.recorder
        return recorder.snapshot(strategy_id, symbol, current_price, quantity, pnl, pnl_percent, at=at)

    # -- what is true now --------------------------------------------------------------------------------------------

    def get_position(self, strategy_id: str, symbol: str) -> Position:
        """Return a strategy's open trades in a symbol as one, valued. Raises: InvalidValue, UnknownAccount."""
        return self.ledger.position_of(strategy_id, symbol, self.telemetry.latest_ticks)

    def get_open_positions(self) -> list[Position]:
        """Return one entry per open trade, the oldest first, with the last price seen. Raises: UnknownAccount."""
        return self.ledger.open_positions(self.telemetry.latest_ticks)

    def get_latest_tick(self, symbol: str) -> dict[str, Any] | None:
        """Return the newest tick by exchange time (`Telemetry.latest_tick`)."""
        return self.telemetry.latest_tick(symbol)

    def get_latest_ticks(self, symbols: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the newest tick of each symbol that has one; one question to the hot state for all."""
        return self.telemetry.latest_ticks(symbols)

    def get_indicators(self, symbol: str, *, timeframe: str = "") -> Indicators | None:
        """Return the newest indicators, name to number and ``.origin``, None where nothing is known.

        Raises: InvalidValue. A store that is away is no fault here.
        """
        return self.telemetry.latest_indicators(symbol, timeframe)

    def get_indicators_of(self, symbols: Iterable[str], *, timeframe: str = "") -> dict[str, Indicators]:
        """Return the newest indicators of each symbol that has some; one question to the hot state for all."""
        return self.telemetry.latest_indicators_of(symbols, timeframe)

    def get_trailing_stops(self, *, strategy_id: str | None = None) -> list[TrailingStop]:
        """Return the last step of each open trade's trailing stop (`book.trailing_stops`)."""
        return self.ledger.trailing_stops(strategy_id)

    def get_strategy_counters(self, strategy_id: str) -> StrategyCounters:
        """Return what the strategy did today, counted. Raises: InvalidValue, UnknownAccount."""
        return self.ledger.counters_of(strategy_id)

    def get_all_counters(self) -> list[StrategyCounters]:
        """Return what each strategy did today, by its id (`book.counters`)."""
        return self.ledger.counters()

    def get_day_figures(self) -> dict[str, Any]:
        """Return today's figures so far (`book.day_figures`); `get_daily_summary` is the whole report."""
        return self.ledger.day_figures()

    def limits(self, strategy_id: str) -> LimitsNow:
        """Return how far its and its account's limits are used, from memory. Raises: InvalidValue, UnknownAccount."""
        return self.limit_memory.of(strategy_id, since_ns=self.ledger.settled_ns())

    # -- what was ----------------------------------------------------------------------------------------------------

    def get_trade(self, trade_id: str, *, strategy_id: str | None = None) -> Trade:
        """Return the open trade of that id, else the newest."""
        return self.ledger.read(trades.get_trade, trade_id, strategy_id=strategy_id)

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
        return self.ledger.read(
            trades.get_trades, strategy_id=strategy_id, symbol=symbol, start=start, stop=stop, state=state
        )

    def get_signals(self, strategy_id: str, start: datetime | None, stop: datetime | None) -> list[Signal]:
        """Return the strategy's signals with ``start <= at < stop``, ascending."""
        return self.ledger.read(signal_queries.get_signals, strategy_id, start, stop)

    def get_executions(self, trade_id: str, *, strategy_id: str | None = None) -> pa.Table:
        """Return the trade's fills (`queries.history.executions`)."""
        return self.ledger.read(history.executions, trade_id, strategy_id=strategy_id)

    def get_trailing_sl_history(self, trade_id: str, *, strategy_id: str | None = None) -> pa.Table:
        """Return the trade's stop changes (`queries.history.stops`)."""
        return self.ledger.read(history.stops, trade_id, strategy_id=strategy_id)

    def get_ticks(self, symbol: str, start: Instant, stop: Instant, *, source: str | None = None) -> pa.Table:
        """Return the ticks of one source (None: day by day, of the source with the day's first)."""
        return self.telemetry.ticks(symbol, start, stop, source)

    def get_candles(
        self, symbol: str | Iterable[str], every: str, start: Instant, stop: Instant, *, source: str | None = None
    ) -> pa.Table:
        """Return candles counted from the session's open, labelled by their start; of a list by symbol and time."""
        return self.telemetry.candles(symbol, every, start, stop, source)

    def get_indicator_history(self, symbol: str, start: Instant, stop: Instant) -> pa.Table:
        """Return recorded indicators: times, tags, one float column per name."""
        return self.telemetry.indicator_history(symbol, start, stop)

    def get_position_history(self, strategy_id: str, symbol: str, start: Instant, stop: Instant) -> pa.Table:
        """Return recorded position snapshots."""
        return self.telemetry.position_history(strategy_id, symbol, start, stop)

    def get_strategy_metrics(self, strategy_id: str, start: Instant, stop: Instant) -> pa.Table:
        """Return the strategy's day so far at each of its exit fills."""
        return self.telemetry.strategy_metrics(strategy_id, start, stop)

    def query_flux(self, text: str, params: Mapping[str, Any] | None = None, *, timeout: float = 60.0) -> pa.Table:
        """Return InfluxDB's answer to a question in Flux, shipped points only; `bucket` is always a parameter of it.

        Raises: WrongLanguage (see `query_sql`), InvalidValue, StoreUnavailable, QueryTimeout (in ``timeout`` s).
        """
        return self.telemetry.query_flux(text, params, timeout)

    def query_sql(self, text: str, params: Mapping[str, Any] | None = None, *, timeout: float = 60.0) -> pa.Table:
        """Return the embedded store's answer to one SELECT over a view per measurement, shipped points only.

        Raises: WrongLanguage (see `query_flux`), InvalidValue, StoreUnavailable, QueryTimeout (in ``timeout`` s).
        """
        return self.telemetry.query_sql(text, params, timeout)

    def get_market_day(self, symbol: str, at: datetime) -> MarketDay:
        """Return the symbol's trading day at an instant (naive: desk time): its session, and whether it can be traded.

        Raises: InvalidValue for what is no datetime, and for what is no symbol of a known exchange.
        """
        return at_the_ledger(ask, market_day, symbol, at)

    # -- figures -----------------------------------------------------------------------------------------------------

    def get_strategy_stats(self, strategy_id: str, days: int | None = 30) -> Stats:
        """Return the strategy's statistics over the last calendar days (None: all)."""
        return self.ledger.read(statistics.strategy_stats, strategy_id, days, now=datetime.now(UTC))

    def get_symbol_stats(self, symbol: str, days: int | None = 30) -> Stats:
        """Return the symbol's statistics over the last calendar days (None: all)."""
        return self.ledger.read(statistics.symbol_stats, symbol, days, now=datetime.now(UTC))

    def get_stats_by(self, cut: str, days: int | None = 30, *, condition: str | None = None) -> list[PartTotals]:
        """Return a row per part of a cut, such as `month` or `exit_reason`: its `key`, and what sums alone can tell.

        `condition` needs the name of one that signals recorded. Every cut adds up to the same total; day, week, month,
        strategy and symbol come from day totals, in milliseconds over any number of trades.
        """
        return self.ledger.read(stats_by.stats_by, cut, days, condition=condition, now=datetime.now(UTC))

    def get_daily_summary(self, date: date | datetime | str | None = None) -> DaySummary:
        """Return the summary of a day at the desk (None: the latest that has data, else today)."""
        return self.ledger.read(daily_summary.summary_of, date, now=datetime.now(UTC))

    def health(self) -> HealthReport:
        """Return the state of every part of VELOX, with what cures it."""
        return at_the_ledger(report.report, now=datetime.now(UTC))

    # -- the end -----------------------------------------------------------------------------------------------------

    def flush(self, timeout: float = 5.0) -> None:
        """Wait until every earlier point is in the store (`Telemetry.flush`). Raises: FlushTimeout."""
        self.telemetry.flush(timeout)

    def close(self) -> None:
        """Seal what was recorded, within five seconds and without a store; a second call does nothing."""
        self.telemetry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
