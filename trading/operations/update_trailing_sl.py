"""Moving a trade's stop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils.timezone import localtime

from timeseries.values import Instant, Number, parse_name
from trading import rows
from trading.bookkeeping import arguments, booking, bounds, journal, slips
from trading.domain import money
from trading.domain.chain import JournalEntry
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
    stop_price: Number,
    extreme_price: Number,
    method: str,
    *,
    at: Instant,
) -> bool:
    """Record a stop and return True, also where it stands there already; one that moves back is kept and flagged.

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
            hint = f"It opened {localtime(trade.opened_at)}."
            raise InvalidValue("The stop lies before the trade's opening.", field="at", hint=hint)
        before, since = _changes_around(trade, instant)
        moment = _moment(trade, instant, stop, before, since)
        if moment is None:
            return True
        must_be_open(trade, hint="Its stop no longer moves.")
        change = StopChange(
            trade=trade, at=moment, stop_price=stop, extreme_price=extreme, method=method, recorded_at=now
        )
        _write(change, before, since)
        body: JournalEntry = {
            "trade": booking.trade_body(trade),
            "stop": booking.stop_body(change),
            "stop_pk": change.pk,
        }
        journal.append(trade.account, "update_trailing_sl", body, now=now, head=head)
    return True


def _changes_around(trade: Trade, instant: datetime) -> tuple[StopChange | None, list[StopChange]]:
    """Return the last change of the trade's stop before an instant, and those since it, ascending.

    Nearly every change is newer than all others, and then the newest row alone answers both.
    """
    changes = trade.stop_changes.order_by("-at", "-pk")
    newest = changes.first()
    if newest is None or newest.at < instant:
        return newest, []
    return changes.filter(at__lt=instant).first(), list(changes.filter(at__gte=instant).reverse())


def _moment(
    trade: Trade, instant: datetime, stop: Decimal, before: StopChange | None, since: Sequence[StopChange]
) -> datetime | None:
    """Return when this change is kept; None where there is nothing to keep.

    What stood at that instant decides, not what stands now: a strategy that is replayed moves its early stops again.
    """
    # The changes of that instant, with those that were put a microsecond after one another.
    changes: list[StopChange] = []
    for change in since:
        if change.at - (changes[-1].at if changes else instant) > (MICROSECOND if changes else timedelta(0)):
            break
        changes.append(change)
    if not changes:
        return None if _standing(trade, before) == stop else instant  # unchanged, after the close as before it
    last = changes[-1]
    if stop not in {change.stop_price for change in changes}:
        return last.at
    is_newest = since[-1].at <= last.at
    # Back to an earlier price within one instant, if this very process moved the stop on; else the same again.
    is_back = stop != last.stop_price and is_newest and last.recorded_at >= PROCESS_BEGAN
    return last.at + MICROSECOND if is_back and trade.state == Trade.State.OPEN else None


def _standing(trade: Trade, change: StopChange | None) -> Decimal | None:
    """Return the stop that stands after a change, None for none yet."""
    stop: Decimal | None = trade.initial_stop_price if change is None else change.stop_price
    return stop


def _write(change: StopChange, before: StopChange | None, since: Sequence[StopChange]) -> None:
    """Write the change and, where it is the newest, the trade's stop; flag the trade where the stop is odd."""
    trade, stop, at = change.trade, change.stop_price, change.at
    for earlier in since:
        before = earlier if earlier.at <= at else before
    stood = _standing(trade, before)
    is_long = trade.side == Trade.Side.LONG
    change.moved_back = stood is not None and (stop < stood if is_long else stop > stood)
    if not since or since[-1].at <= at:
        trade.stop_price = stop  # a late one does not move what stands now
    odd = slips.trailing_flags(trade, stop, at) | ({"stop_moved_back"} if change.moved_back else set())
    trade.flags = sorted({*trade.flags, *odd})
    rows.update(trade, ("stop_price", "flags"))
    rows.insert(change)
