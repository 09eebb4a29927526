"""The facade of a backtest: it takes a strategy's calls, lets the ticks fill its orders, keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from lab.backtest.orders import Order, OrderBook
from lab.domain.fills import LabTrade
from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import arguments
from trading.data_manager import DataManager
from trading.domain.conditions import Conditions
from trading.domain.money import SCALE, from_units, parse_amount, parse_quantity, to_units
from trading.domain.position import BUY, ENTRY_SIDE, EXIT_SIDE, LONG, SELL, SHORT, Holding
from trading.domain.values import Position, Signal, Trade
from trading.errors import CrossesZero, IdConflict, InvalidValue, NotTradable, TradeClosed, UnknownTrade
from trading.queries.market_day import MarketDay
from trading.strategies.base import nanoseconds

ACCOUNT = "backtest"


class NotInABacktest(InvalidValue):
    """A question of the facade that a backtest could answer only by looking ahead of its ticks."""

    code = "not_in_a_backtest"


class LabDesk(DataManager):
    """A facade for one strategy over stored ticks: its trades, signals and orders, and what a call answers.

    What a strategy says of prices is not believed: an order is filled by the ticks (`OrderBook`).
    """

    def __init__(self, book: OrderBook) -> None:
        self.book = book
        self.market: dict[str, MarketDay] = {}  # of the day that is played
        self.trades: list[LabTrade] = []
        self.signals: list[Signal] = []
        self._newest: dict[tuple[str, str], LabTrade] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise NotInABacktest(
            f"A backtest has no {name}: what is stored lies ahead of the ticks.",
            hint="Let the strategy keep what it needs of the ticks that it is given.",
        )

    # -- trades --------------------------------------------------------------------------------------------------------

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
        """Order the opening of a trade. Raises: InvalidValue, NotTradable; IdConflict for an id of the same day."""
        name, strategy = arguments.identity(trade_id, "trade_id"), parse_name(strategy_id, "strategy_id")
        arguments.one_of(side, "side", (LONG, SHORT))
        at = arguments.required_time(entry_time, "entry_time")
        if symbol not in self.market:
            raise InvalidValue(f"{symbol} is not among the symbols of this backtest.", field="symbol")
        if not self.market[symbol].is_tradable:
            raise NotTradable(f"{symbol} is an index.", field="symbol")
        earlier = self._newest.get((strategy, name))
        if earlier is not None and earlier.day == self.market[symbol].day:
            raise IdConflict(f"{name} was opened today already.", field="trade_id", hint="Give it an id of its own.")
        holding = Holding(side, self.book.instruments[symbol].multiplier)
        trade = LabTrade(name, strategy, symbol, self.market[symbol].day, holding)
        self.trades.append(trade)
        self._newest[strategy, name] = trade
        if signal_conditions is not None:
            self.record_signal(strategy, symbol, at, signal_conditions, decision="TAKEN")
        self.book.send(
            Order(
                trade, ENTRY_SIDE[side], to_units(parse_quantity(quantity)), stop=_units(stop_price, "stop_price"),
                charges=_units(charges, "charges"), is_opening=True,
            ),
            nanoseconds(at),
        )  # fmt: skip
        return self._position(trade)

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
        """Order one more fill of a trade. Raises: UnknownTrade, TradeClosed, CrossesZero, InvalidValue."""
        trade = self._trade(trade_id, strategy_id)
        units = to_units(parse_quantity(quantity))
        arguments.one_of(side, "side", (BUY, SELL))
        if flip_to is not None:
            raise NotInABacktest(
                "A backtest does not flip.", field="flip_to", hint="Close the trade, and open another."
            )
        if trade.is_over:
            raise TradeClosed(f"{trade.trade_id} is closed.", field="trade_id")
        if side == EXIT_SIDE[trade.holding.side] and units > trade.ordered:
            raise CrossesZero(f"{trade.trade_id} has {from_units(trade.ordered)} open.", field="quantity")
        self.book.send(
            Order(trade, side, units, charges=_units(charges, "charges")),
            nanoseconds(arguments.required_time(at, "at")),
        )
        return self._position(trade)

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
        """Order the exit of all that is open; a trade that its stop has closed only gets the reason."""
        trade = self._trade(trade_id, strategy_id)
        if trade.is_over:
            trade.exit_reason = exit_reason or trade.exit_reason
        else:
            order = Order(
                trade, EXIT_SIDE[trade.holding.side], None, charges=_units(charges, "charges"), reason=exit_reason
            )
            self.book.send(order, nanoseconds(arguments.required_time(exit_time, "exit_time")))
        return self._position(trade)

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
        """Move the stop that rests at the exchange: from the next tick on. Raises: UnknownTrade, TradeClosed."""
        trade = self._trade(trade_id, strategy_id)
        if trade.is_over:
            raise TradeClosed(f"{trade.trade_id} is closed.", field="trade_id")
        self.book.rest(trade, to_units(parse_amount(stop_price, "stop_price")))
        return True

    # -- beside the trades ---------------------------------------------------------------------------------------------

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
        """Keep a signal of this run."""
        signal = Signal(
            strategy_id=strategy_id, symbol=symbol, account=ACCOUNT, at=arguments.required_time(at, "at"),
            decision=decision, reason=reason, conditions=dict(conditions),
        )  # fmt: skip
        self.signals.append(signal)
        return signal

    def cache_indicators(
        self, symbol: str, values: Mapping[str, Number], *, at: Instant | None = None, timeframe: str = ""
    ) -> bool:
        """Take indicators, and keep none."""
        return True

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
        """Take a snapshot, and keep none."""
        return True

    # -- answers -------------------------------------------------------------------------------------------------------

    def get_market_day(self, symbol: str, at: datetime) -> MarketDay:
        """Return the symbol's trading day, which is the one that is played."""
        if symbol not in self.market:
            raise InvalidValue(f"{symbol} is not among the symbols of this backtest.", field="symbol")
        return self.market[symbol]

    def get_open_positions(self) -> list[Position]:
        """Return every trade of which something is held, the oldest first."""
        return [self._position(trade) for trade in self.trades if trade.holding.open_quantity]

    def get_trade(self, trade_id: str, *, strategy_id: str | None = None) -> Trade:
        """Return a trade as its fills have left it. Raises: UnknownTrade."""
        return self._position(self._trade(trade_id, strategy_id))

    def _trade(self, trade_id: str, strategy_id: str | None) -> LabTrade:
        for (strategy, name), trade in reversed(self._newest.items()):
            if name == trade_id and strategy_id in (None, strategy):
                return trade
        raise UnknownTrade(f"This backtest has no trade {trade_id!r}.", field="trade_id")

    def _position(self, trade: LabTrade) -> Position:
        holding, fills = trade.holding, trade.fills
        held = holding.open_quantity
        return Position(
            trade_id=trade.trade_id,
            strategy_id=trade.strategy_id,
            symbol=trade.symbol,
            account=ACCOUNT,
            side=holding.side,
            state="CLOSED" if trade.is_over else "OPEN",
            open_quantity=from_units(held),
            avg_price=from_units(round(holding.open_cost * SCALE**2 / (held * holding.multiplier))) if held else None,
            realised_pnl=from_units(holding.realised_pnl),
            charges=None if holding.charges is None else from_units(holding.charges),
            stop_price=None if trade.stop is None else from_units(trade.stop),
            target_price=None,
            initial_risk=None if trade.initial_risk is None else from_units(trade.initial_risk),
            opened_at=fills[0].at if fills else None,
            closed_at=fills[-1].at if fills and trade.is_over else None,
            exit_reason=trade.exit_reason,
            origin="backtest",
        )


def _units(price: Number | None, name: str) -> int | None:
    return None if price is None else to_units(parse_amount(price, name))
