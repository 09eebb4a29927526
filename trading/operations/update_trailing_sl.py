"""Move a trade's stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from timeseries.values import parse_name
from trading.bookkeeping import arguments, booking, bounds, journal, slips
from trading.domain import money
from trading.errors import InvalidValue
from trading.models import StopChange, Trade
from trading.operations.add_fill import must_be_open
from trading.operations.close_position import must_name
from trading.queries.trades import find_trade
from trading.transactions import writing

MICROSECOND = timedelta(microseconds=1)
PROCESS_BEGAN = datetime.now(UTC)


def update_trailing_sl(
    account_code: str,
    trade_id: str,
    strategy_id: str | None,
    symbol: str,
    stop_price: Any,
    extreme_price: Any,
    method: str,
    *,
    at: Any,
) -> bool:
    """Return True: the stop is recorded, or stands there already. One that moves back is kept and flagged.

    ``extreme_price`` is the best price so far that the stop follows, ``method`` a name such as "ATR"; ``at`` None is
    the clock.

    Raises: InvalidValue, IdConflict, UnknownTrade, AmbiguousTrade, TradeClosed, UnknownAccount, LedgerBusy,
        LedgerNotReady.
    """
    trade_id = arguments.identity(trade_id, "trade_id")
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    symbol = parse_name(symbol, "symbol")
    stop = money.parse_price(stop_price, "stop_price")
    extreme = money.parse_price(extreme_price, "extreme_price")
    method = parse_name(method, "method")
    instant = arguments.required_time(at, "at")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        trade = find_trade(account, trade_id, strategy_id=strategy_id)
        must_name(trade, symbol)
        bounds.must_be_price(stop, trade.instrument, "stop_price")
        bounds.must_be_price(extreme, trade.instrument, "extreme_price")
        if instant < trade.opened_at:
            raise InvalidValue("The stop lies before the trade's opening.", field="at", hint=f"{trade.opened_at}.")
        moment = _moment(trade, instant, stop)
        if moment is None:
            return True
        must_be_open(trade, hint="Its stop no longer moves.")
        change = _write(trade, moment, stop, extreme, method, now)
        names = ("stop_price", "extreme_price", "method", "at", "moved_back")
        said = {"stop": {name: getattr(change, name) for name in names}, "stop_pk": change.pk}
        journal.append(
            trade.account, "update_trailing_sl", {"trade": booking.said_of(trade), **said}, now=now, head=head
        )
    return True


def _moment(trade: Trade, instant: datetime, stop: Decimal) -> datetime | None:
    """Return when this change is kept; None where there is nothing to keep.

    What stood at that instant decides, not what stands now: a strategy that is replayed says its early stops again.
    """
    said = _said_at(trade, instant)
    if not said:
        return None if _standing(trade, instant) == stop else instant  # unchanged, after the close as before it
    last = said[-1]
    if stop not in {change.stop_price for change in said}:
        return last.at
    is_newest = not trade.stop_changes.filter(at__gt=last.at).exists()
    # Back to an earlier price within one instant, if this very process moved the stop on; else the same again.
    is_back = stop != last.stop_price and is_newest and last.recorded_at >= PROCESS_BEGAN
    return last.at + MICROSECOND if is_back and trade.state == Trade.State.OPEN else None


def _said_at(trade: Trade, instant: datetime) -> list[StopChange]:
    """Return the changes of an instant, with those that were put a microsecond after one another."""
    said: list[StopChange] = []
    for change in trade.stop_changes.filter(at__gte=instant).order_by("at", "pk"):
        if change.at - (said[-1].at if said else instant) > (MICROSECOND if said else timedelta(0)):
            break
        said.append(change)
    return said


def _standing(trade: Trade, instant: datetime) -> Decimal | None:
    """Return the stop that stood at an instant."""
    change = trade.stop_changes.filter(at__lte=instant).order_by("at", "pk").last()
    stood: Decimal | None = trade.initial_stop_price if change is None else change.stop_price
    return stood


def _write(trade: Trade, at: datetime, stop: Decimal, extreme: Decimal, method: str, now: datetime) -> StopChange:
    before = _standing(trade, at)
    is_long = trade.side == Trade.Side.LONG
    moved_back = before is not None and (stop < before if is_long else stop > before)
    if not trade.stop_changes.filter(at__gt=at).exists():
        trade.stop_price = stop  # a late one does not move what stands now
    odd = slips.trailing_flags(trade, stop, at) | ({"stop_moved_back"} if moved_back else set())
    trade.flags = sorted({*trade.flags, *odd})
    trade.save(update_fields=["stop_price", "flags"])
    return StopChange.objects.create(
        trade=trade,
        at=at,
        stop_price=stop,
        extreme_price=extreme,
        method=method,
        moved_back=moved_back,
        recorded_at=now,
    )
