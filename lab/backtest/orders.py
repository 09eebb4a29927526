"""Orders between a strategy and the ticks: what waits, what rests at the exchange, what a tick fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lab.domain.fills import FillModel, LabFill, LabTrade, TradedInstrument
from trading.domain import position
from trading.domain.position import ENTRY_SIDE, EXIT_SIDE, LONG, Execution
from trading.errors import InvalidValue
from trading.strategies.base import Tick
from trading.strategies.intraday import exact

MILLISECOND = 10**6
MICROSECOND = 10**3


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a trade, in units. ``quantity`` None closes all that is open; ``charges`` as the strategy told them;
    ``stop`` comes to rest once an opening order is filled."""

    trade: LabTrade
    side: str
    quantity: int | None
    stop: int | None = None
    charges: int | None = None
    reason: str = ""
    is_opening: bool = False


class OrderBook:
    """The orders of one strategy.

    An order is filled by the first tick of its symbol at or after the instant at which the strategy spoke and the
    latency, on the same day; without latency by the tick at which it spoke. A stop rests at the exchange: the tick that
    reaches it fills it, gap included, without latency. Each fill is worse by the slippage. An order that no tick of its
    day fills is given up and counted.
    """

    def __init__(self, model: FillModel, instruments: Mapping[str, TradedInstrument]) -> None:
        self.model, self.instruments = model, instruments
        self.day = date.min
        self.latest: dict[str, Tick] = {}
        self.before: dict[str, tuple[date, Tick]] = {}  # the last of the session of a day that is over
        self.resting: dict[str, list[LabTrade]] = {}
        self.waiting: dict[str, list[tuple[int, Order]]] = {}
        self.unfilled: Counter[date] = Counter()
        self._latency = model.latency_ms * MILLISECOND

    def send(self, order: Order, spoken: int) -> None:
        """Take an order that the strategy gives; ``spoken`` is the instant (ns UTC) that it says.

        Raises: InvalidValue before the symbol's first tick.
        """
        trade, tick = order.trade, self.latest.get(order.trade.symbol)
        units = order.quantity or 0
        is_exit = order.side == EXIT_SIDE[trade.holding.side]
        trade.ordered = 0 if order.quantity is None else trade.ordered - units if is_exit else trade.ordered + units
        before = self.before.get(trade.symbol)
        if before is not None and spoken // MICROSECOND <= before[1].time // MICROSECOND:
            # What is left once a day is over goes by its last tick, as live classes book it, or not at all.
            if self._latency:
                self._give_up(order, before[0])
            else:
                self._fill(order, before[1], before[0])
        elif tick is None:
            raise InvalidValue(f"No tick of {trade.symbol} has come yet.", field="symbol", hint="Speak at a tick.")
        elif self._latency:
            self.waiting.setdefault(trade.symbol, []).append((tick.time + self._latency, order))
        else:
            self._fill(order, tick, self.day)

    def rest(self, trade: LabTrade, stop: int) -> None:
        """Let a stop rest at the exchange in the place of the one before."""
        trade.stop = stop
        resting = self.resting.setdefault(trade.symbol, [])
        if trade.holding.open_quantity and trade not in resting:
            resting.append(trade)

    def match(self, tick: Tick, *, counts: bool) -> None:
        """Let a tick fill the stops that it reaches, then the orders that are due.

        One that does not count (out of the session, older than one before) reaches no stop.
        """
        for trade in tuple(self.resting.get(tick.symbol, ())) if counts else ():
            if trade.stop is not None and _reaches(tick, trade, trade.stop):
                self._fill(Order(trade, EXIT_SIDE[trade.holding.side], None, reason="stop"), tick, self.day)
        waiting = self.waiting.get(tick.symbol)
        if waiting:
            self.waiting[tick.symbol] = [entry for entry in waiting if entry[0] > tick.time]
            for due, order in waiting:
                if due <= tick.time:
                    self._fill(order, tick, self.day)

    def due(self, symbol: str) -> int | None:
        """Return from which instant on (ns UTC) a tick fills the symbol's next order; None without one."""
        waiting = self.waiting.get(symbol)
        return min(due for due, _ in waiting) if waiting else None

    def begin_day(self, day: date) -> None:
        """Begin a day."""
        self.day, self.latest = day, {}

    def end_day(self, last: Mapping[str, Tick]) -> None:
        """Give up what the day's ticks did not fill; ``last`` has each symbol's last tick within its session."""
        for waiting in self.waiting.values():
            for _, order in waiting:
                self._give_up(order, self.day)
        self.waiting.clear()
        self.before |= {symbol: (self.day, tick) for symbol, tick in last.items()}

    def _give_up(self, order: Order, day: date) -> None:
        trade = order.trade
        if trade.is_over:
            return
        self.unfilled[day] += 1
        trade.ordered = trade.holding.open_quantity
        trade.is_over = not trade.fills

    def _fill(self, order: Order, tick: Tick, day: date) -> None:
        """Book a fill at a tick's price and the slippage; one of a trade that is over is none."""
        trade = order.trade
        if trade.is_over:
            return
        is_entry = order.side == ENTRY_SIDE[trade.holding.side]
        held = trade.holding.open_quantity
        if not is_entry and not held:  # its opening is still on its way, behind it: there is nothing to close
            return
        quantity = order.quantity or held
        instrument = self.instruments[trade.symbol]
        price = instrument.worse(round(exact(tick.price).scaleb(8)), order.side, self.model.slippage_ticks)
        charges = self.model.charges(instrument.value(price, quantity if is_entry else min(quantity, held)))
        execution = Execution(
            order.side,
            price,
            quantity if is_entry else min(quantity, held),
            order.charges if charges is None else charges,
        )
        trade.holding, realised = position.apply(trade.holding, execution)
        trade.fills.append(LabFill(tick.at, day, execution, realised))
        if order.is_opening:
            trade.first_stop = order.stop
            if order.stop is not None:
                trade.initial_risk = position.value_of(abs(price - order.stop), quantity, instrument.multiplier)
            stop = order.stop if trade.stop is None else trade.stop  # it may have been moved meanwhile
            if stop is not None:
                self.rest(trade, stop)
        if realised is not None and realised.closes:
            trade.is_over, trade.exit_reason, trade.ordered = True, order.reason, 0
            if trade in self.resting.get(trade.symbol, ()):
                self.resting[trade.symbol].remove(trade)


def _reaches(tick: Tick, trade: LabTrade, stop: int) -> bool:
    price = exact(tick.price).scaleb(8)  # not rounded: a feed may send more digits than the ledger keeps
    return price <= stop if trade.holding.side == LONG else price >= stop
