"""A base for intraday strategies: a day per symbol, one trade at a time, stops, sizes, the square-off."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Generic, TypedDict, TypeVar

from talipp.ohlcv import OHLCV

from trading.strategies.base import Strategy, Tick, duration_ns, nanoseconds
from trading.strategies.candles import Candles

LONG, SHORT = 1, -1
SIDES = {LONG: "LONG", SHORT: "SHORT"}
FILLS = {LONG: "BUY", SHORT: "SELL"}
CENT = Decimal("0.01")
State = TypeVar("State")


@dataclass(slots=True)
class OpenTrade:
    """The open trade of one symbol: ``extreme`` is its best price so far, ``risk`` the first stop's distance."""

    trade_id: str
    side: int
    quantity: int
    entry: Decimal
    stop: Decimal
    risk: Decimal
    extreme: Decimal
    has_scaled: bool = False
    moved_at: int = 0  # when the stop was moved last, ns UTC

    def gain(self, price: Decimal) -> Decimal:
        """Return what one unit would bring at a price, before charges."""
        return self.side * (price - self.entry)


@dataclass(slots=True)
class Watch(Generic[State]):
    """One symbol on one day, which ends at ``stop``, with the strategy's ``state`` of the day; times in ns UTC.

    ``opens`` to ``closes`` is the continuous session, empty on a closed day; from ``flat_from`` on nothing is held but
    what is carried.
    """

    symbol: str
    stop: int
    opens: int
    closes: int
    flat_from: int
    is_tradable: bool
    candles: Candles
    last: Tick
    holding: OpenTrade | None = None
    state: State = field(init=False)


class IntradayOptions(TypedDict, total=False):
    """The arguments of an `IntradayStrategy`, for subclasses that hand them on."""

    candle: timedelta
    risk_cash: Decimal
    notional_max: Decimal
    price_tick: Decimal
    charge_percent: Decimal | None
    carried: frozenset[str]


class IntradayStrategy(Strategy, Generic[State]):
    """A strategy that trades each symbol long and short and is flat before the continuous session ends.

    A subclass implements `start_day`, `on_candle` and, where it wants more than the stop, `manage`; ``State`` is what
    it keeps of a symbol's day. A decision falls on the tick that shows a candle to be complete. Ticks outside the
    session, and a tick older than its predecessor, are recorded but not traded on.

    Args:
        candle: the length of its candles; tagged as ``timeframe`` on the indicators.
        risk_cash: what a trade may lose at its first stop; decides the quantity.
        notional_max: what a trade may cost at most.
        price_tick: the grid of stop prices.
        charge_percent: the charges of a fill in percent of its value, None where they are not known.
        carried: symbols whose trades are held over the close.
    """

    timeframe = "1m"
    square_off_before = timedelta(minutes=15)
    no_entry_before = timedelta(minutes=45)  # a trade needs time: later signals are skipped

    def __init__(
        self,
        *,
        candle: timedelta = timedelta(minutes=1),
        risk_cash: Decimal = Decimal(500),
        notional_max: Decimal = Decimal(50_000),
        price_tick: Decimal = Decimal("0.05"),
        charge_percent: Decimal | None = None,
        carried: frozenset[str] = frozenset(),
    ) -> None:
        self.candle, self.risk_cash, self.notional_max = candle, risk_cash, notional_max
        self.price_tick, self.charge_percent, self.carried = price_tick, charge_percent, carried
        self._watches: dict[str, Watch[State]] = {}

    # -- for a subclass ------------------------------------------------------------------------------------------------

    @abstractmethod
    def start_day(self, watch: Watch[State]) -> State:
        """Return the state of one symbol's day as it begins."""

    @abstractmethod
    def on_candle(self, watch: Watch[State], candle: OHLCV, tick: Tick) -> None:
        """Decide by a complete candle and the tick that began the next."""

    def manage(self, watch: Watch[State], holding: OpenTrade, tick: Tick) -> None:
        """Look after an open trade at a tick that its stop survived."""

    # -- the day -------------------------------------------------------------------------------------------------------

    def on_tick(self, tick: Tick) -> None:
        watch = self._watches.get(tick.symbol)
        if watch is None or tick.time >= watch.stop:
            watch = self._turn_to(tick, watch)
        if tick.time < watch.last.time or not watch.opens <= tick.time < watch.closes:
            return
        watch.last = tick
        holding = watch.holding
        if holding is not None:
            price = exact(tick.price)
            if self._is_over(watch, tick):
                self.close(watch, tick, "square_off")
            elif holding.side * (price - holding.stop) <= 0:
                self.close(watch, tick, "stop")
            else:
                holding.extreme = max(holding.extreme, price) if holding.side == LONG else min(holding.extreme, price)
                self.manage(watch, holding, tick)
        candle = watch.candles.add(tick)
        if candle is not None and not self._is_over(watch, tick):
            self.on_candle(watch, candle, tick)

    def pass_over(self, last: Tick, high: float, low: float) -> None:
        """Take ticks of one symbol as `on_tick` would that bring neither a candle nor an exit, told by the last of
        them and the extremes of all. For classes that override neither `manage` nor `on_tick`."""
        watch = self._watches[last.symbol]
        watch.last, holding = last, watch.holding
        watch.candles.absorb(high, low, last.price)
        if holding is not None:
            best = exact(high if holding.side == LONG else low)
            holding.extreme = max(holding.extreme, best) if holding.side == LONG else min(holding.extreme, best)

    def watch_of(self, symbol: str) -> Watch[State] | None:
        """Return the day of a symbol so far; None before its first tick."""
        return self._watches.get(symbol)

    def on_end(self) -> None:
        """Close what is open at the last price seen: no more ticks come."""
        for watch in self._watches.values():
            self._leave(watch)

    def _turn_to(self, tick: Tick, before: Watch[State] | None) -> Watch[State]:
        """Begin the day of a symbol with its first tick, and leave the day before."""
        if before is not None:
            self._leave(before)
        day = self.dm.get_market_day(tick.symbol, tick.at)
        opens, closes = nanoseconds(day.opens_at or day.starts_at), nanoseconds(day.closes_at or day.starts_at)
        flat_from = closes - duration_ns(self.square_off_before)
        candles = Candles(opens, duration_ns(self.candle))
        watch = Watch[State](
            tick.symbol, nanoseconds(day.ends_at), opens, closes, flat_from, day.is_tradable, candles, tick
        )
        watch.holding = None if before is None else before.holding
        watch.state = self.start_day(watch)
        self._watches[tick.symbol] = watch
        return watch

    def _leave(self, watch: Watch[State]) -> None:
        if watch.holding is not None and watch.symbol not in self.carried:
            self.close(watch, watch.last, "ticks_stopped")

    def _is_over(self, watch: Watch[State], tick: Tick) -> bool:
        return tick.time >= watch.flat_from and watch.symbol not in self.carried

    # -- trades --------------------------------------------------------------------------------------------------------

    def consider(
        self,
        watch: Watch[State],
        side: int,
        stop: Decimal,
        tick: Tick,
        conditions: Mapping[str, float],
        objection: str = "",
    ) -> None:
        """Take a signal, or record that it was skipped and why; ``objection`` is the strategy's own reason to skip."""
        price = exact(tick.price)
        distance = abs(price - stop) or self.price_tick
        quantity = int(min(self.risk_cash / distance, self.notional_max / price))
        seen: dict[str, str | float] = {
            "side": SIDES[side],
            "price": tick.price,
            "stop": float(stop),
            "quantity": quantity,
        }
        seen |= conditions
        reason = self._objection(watch, tick, quantity) or objection
        if reason:
            self.dm.record_signal(self.strategy_id, watch.symbol, tick.at, seen, decision="SKIPPED", reason=reason)
            return
        trade_id = f"{self.strategy_id}-{watch.symbol}-{tick.at:%Y%m%dT%H%M%S}"
        trade_id += f".{tick.at.microsecond:06}Z" if tick.at.microsecond else "Z"
        self.dm.open_position(
            trade_id,
            self.strategy_id,
            watch.symbol,
            price,
            quantity,
            tick.at,
            signal_conditions=seen,
            side=SIDES[side],
            stop_price=stop,
            charges=self._charges(price, quantity),
            fill_id=f"{trade_id}-in",
        )
        watch.holding = OpenTrade(trade_id, side, quantity, price, stop, abs(price - stop), price)

    def _objection(self, watch: Watch[State], tick: Tick, quantity: int) -> str:
        """Return why no trade can be opened now; empty where one can."""
        if not watch.is_tradable:
            return "an index cannot be traded"
        if watch.holding is not None:
            return "a trade is open already"
        if watch.symbol not in self.carried and tick.time >= watch.closes - duration_ns(self.no_entry_before):
            return "too late in the session"
        return "" if quantity else "one unit is beyond the limits"

    def scale_out(self, watch: Watch[State], tick: Tick) -> None:
        """Book half of the open trade, once."""
        holding = watch.holding
        if holding is None or holding.has_scaled or holding.quantity < 2:
            return
        half = holding.quantity // 2
        price = exact(tick.price)
        self.dm.add_fill(
            holding.trade_id,
            FILLS[-holding.side],
            price,
            half,
            tick.at,
            strategy_id=self.strategy_id,
            charges=self._charges(price, half),
            fill_id=f"{holding.trade_id}-half",
        )
        holding.quantity -= half
        holding.has_scaled = True

    def close(self, watch: Watch[State], tick: Tick, reason: str) -> None:
        """Book what is open as one fill."""
        holding, watch.holding = watch.holding, None
        if holding is None:
            return
        price = exact(tick.price)
        self.dm.close_position(
            holding.trade_id,
            self.strategy_id,
            watch.symbol,
            price,
            tick.at,
            exit_reason=reason,
            charges=self._charges(price, holding.quantity),
            fill_id=f"{holding.trade_id}-out",
        )

    def move_stop(self, watch: Watch[State], stop: Decimal, tick: Tick, method: str) -> None:
        """Bring the stop closer; one that would move back stays where it is.

        At most once in an instant: a replay that repeats two moves of one second could not tell them from a move back.
        """
        holding = watch.holding
        if holding is None or holding.side * (stop - holding.stop) <= 0 or tick.time == holding.moved_at:
            return
        holding.stop, holding.moved_at = stop, tick.time
        self.dm.update_trailing_sl(
            holding.trade_id, self.strategy_id, watch.symbol, stop, holding.extreme, method, at=tick.at
        )

    # -- beside the trades ---------------------------------------------------------------------------------------------

    def record(self, watch: Watch[State], indicators: Mapping[str, float], tick: Tick) -> None:
        """Record the indicators at a candle's close, and a snapshot of the open trade."""
        self.dm.cache_indicators(watch.symbol, indicators, at=tick.at, timeframe=self.timeframe)
        holding = watch.holding
        if holding is None:
            return
        gain, base = holding.gain(exact(tick.price)), abs(holding.entry)
        self.dm.update_position_snapshot(
            self.strategy_id,
            watch.symbol,
            tick.price,
            holding.quantity,
            gain * holding.quantity,
            round(100 * gain / base, 8) if base else None,
            at=tick.at,
        )

    def stop_price(self, price: float) -> Decimal:
        """Return a computed price rounded to the grid of stop prices."""
        steps = (exact(price) / self.price_tick).to_integral_value(ROUND_HALF_EVEN)
        return max(steps, Decimal(1)) * self.price_tick

    def _charges(self, price: Decimal, quantity: int) -> Decimal | None:
        """Return the charges of a fill, None where they are not known."""
        if self.charge_percent is None:
            return None
        return (abs(price) * quantity * self.charge_percent / 100).quantize(CENT, ROUND_HALF_EVEN)


def exact(number: float) -> Decimal:
    """Return a float by its shortest decimal form."""
    return Decimal(repr(float(number)))
