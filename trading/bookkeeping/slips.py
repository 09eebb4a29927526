"""Likely slips of callers: flagged, never refused.

A price is compared with the newest tick at hand, this process's own or the hot state's: the store is never asked, so
that a ledger call waits for nothing but the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from decimal import Decimal

from trading.bookkeeping import bounds, references
from trading.domain import position
from trading.domain.flags import DAY_ONLY, IN_FUTURE, MARKET_CLOSED, PRICE_FAR, STOP_SIDE, TARGET_SIDE, TRAILING_SIDE
from trading.domain.sessions import Calendar
from trading.models import Fill, Instrument, Trade
from trading.queries.instruments import shown_symbol
from trading.queries.sessions import calendar_of

AHEAD_MAX = timedelta(minutes=1)  # clocks of brokers and desks differ by less
TICK_AGE_MAX = timedelta(minutes=5)
FAR_SHARE = Decimal("0.1")
FAR_TICKS = 10  # an option at 0.05 doubles with its next tick

Newest = Callable[[str], tuple[Decimal, datetime] | None]  # a symbol's last price at hand, and its time
_newest: ContextVar[Newest | None] = ContextVar("newest", default=None)


@contextmanager
def beside(newest: Newest | None) -> Iterator[None]:
    """Let the operations within compare their prices with the newest ticks that this look-up has at hand."""
    token = _newest.set(newest)
    try:
        yield
    finally:
        _newest.reset(token)


def fill_flags(
    price: Decimal,
    quantity: Decimal,
    at: datetime,
    instrument: Instrument,
    now: datetime,
    *,
    is_day_only: bool = False,
    calendar: Calendar | None = None,
) -> set[str]:
    """Return the flags of a fill by itself, one that is (or was) recorded at ``now``; ``calendar`` is its instrument's,
    where the caller has it at hand."""
    odd = references.grid_flags(price, quantity, instrument) | bounds.price_flags(price, instrument)
    if is_day_only:  # `at` only keeps the order
        return {*odd, DAY_ONLY}
    ahead = {IN_FUTURE} if at > now + AHEAD_MAX else set()
    calendar = calendar or calendar_of(instrument.exchange.code, instrument.session_group)
    return {*odd, *ahead, *(() if calendar.is_open(at) else (MARKET_CLOSED,))}


def far_flags(price: Decimal, at: datetime, instrument: Instrument) -> set[str]:
    """Return the flag of a price that is far from the newest tick of its time."""
    last = _last_price(at, instrument) if price else None
    if last is None:
        return set()
    return {PRICE_FAR} if abs(price - last) > max(abs(last) * FAR_SHARE, instrument.price_tick * FAR_TICKS) else set()


def plan_flags(trade: Trade, entry_price: Decimal) -> set[str]:
    """Return the flags of an opening stop or target that lies on the wrong side of the trade's entry."""
    sign = 1 if trade.side == position.LONG else -1
    stop, target = trade.initial_stop_price, trade.target_price
    stop_side = {STOP_SIDE} if stop is not None and (stop - entry_price) * sign > 0 else set()
    return stop_side | ({TARGET_SIDE} if target is not None and (target - entry_price) * sign < 0 else set())


def trailing_flags(trade: Trade, stop: Decimal, at: datetime) -> set[str]:
    """Return the flag of a stop that lies beyond the newest tick of its time: it would be hit at once."""
    last, sign = _last_price(at, trade.instrument), 1 if trade.side == position.LONG else -1
    return {TRAILING_SIDE} if last is not None and (stop - last) * sign > 0 else set()


def _last_price(at: datetime, instrument: Instrument) -> Decimal | None:
    """Return the price of the newest tick at hand, None where there is none of about that time."""
    look_up = _newest.get()
    newest = None if look_up is None else look_up(shown_symbol(instrument.exchange.code, instrument.symbol))
    return None if newest is None or abs(newest[1] - at) > TICK_AGE_MAX else newest[0]


def standing_flags(trade: Trade, fills: list[Fill]) -> set[str]:
    """Return the flags that follow from a trade's fills as they are right (`flags.FOLLOWING`)."""
    traded = [fill for fill in fills if fill.role != Fill.Role.SPLIT]
    each = (
        fill_flags(
            *(fill.price, fill.quantity, fill.at, trade.instrument, fill.recorded_at), is_day_only=fill.is_day_only
        )
        for fill in traded
    )
    return set().union(*each) | plan_flags(trade, fills[0].price) | bounds.settlement_flags(trade, fills)
