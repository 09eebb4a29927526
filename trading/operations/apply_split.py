"""Booking a split or a bonus on what is open: other units for the same cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.timezone import localtime

from timeseries.values import Instant, Number, parse_name
from trading import rows
from trading.bookkeeping import arguments, booking, bounds, journal
from trading.bookkeeping.booking import Seen
from trading.domain import flags, money
from trading.domain.chain import JournalEntry
from trading.domain.money import MAX_UNITS, SCALE, divide_half_even, from_units, to_units
from trading.domain.position import ENTRY_SIDE, EXIT_SIDE
from trading.domain.split import BONUS, SPLIT, ratio_of, text_of
from trading.domain.values import Position, known_already
from trading.errors import IdConflict, InvalidValue, UnknownTrade
from trading.models import Account, Fill, JournalHead, StopChange, Trade
from trading.queries import facts
from trading.queries.instruments import find_instrument
from trading.transactions import busy, writing

METHOD = "split"  # of the stop's change
MOVING = (*booking.MOVING, "stop_price", "target_price")


@dataclass(frozen=True, slots=True)
class Action:
    """A corporate action: ``new`` units stand for each ``old`` (lowest terms) from ``at`` on; ``text`` is shown."""

    new: int
    old: int
    at: datetime
    key: str
    text: str

    def scaled(self, price: Decimal) -> Decimal:
        """Return a price of old units as one of new units, rounded half-even at the 8th decimal."""
        return from_units(divide_half_even(to_units(price) * self.old, self.new))


def apply_split(
    account_code: str,
    symbol: str,
    new: Number,
    old: Number,
    at: Instant,
    *,
    key: str,
    kind: str = SPLIT,
    trade_id: str | None = None,
    strategy_id: str | None = None,
    by: str = "",
) -> list[Position]:
    """Book a split or bonus on the trades in a symbol that were open at ``at``; return these, oldest first.

    A split gives ``new`` units in place of each ``old`` (2, 1 doubles; 1, 10 consolidates), a bonus ``new`` on top of
    each ``old``. What is open costs what it cost; quantity follows the ratio, stop and target its inverse. All trades
    are booked, or none. ``key`` names the action: the same again changes nothing. One that was wrong is taken back by
    its inverse under another key. ``trade_id`` and ``strategy_id`` narrow it.

    Raises: InvalidValue, where units would become fractions (sell the odd ones first, for the cash that is paid in
        their lieu) or a later fill or stop is booked already; IdConflict, UnknownTrade where nothing is open,
        UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    kind = arguments.one_of(kind, "kind", (SPLIT, BONUS))
    text = text_of(kind, money.parse_quantity(new, "new"), money.parse_quantity(old, "old"))
    ratio = ratio_of(text)
    if ratio == 1:
        raise InvalidValue("new is old: nothing changes.", field="new", hint="2, 1 doubles; 1, 2 halves.")
    instant = arguments.required_time(at, "at")
    action = Action(ratio.numerator, ratio.denominator, instant, arguments.identity(key, "key"), text)
    symbol = parse_name(symbol, "symbol")
    trade_id = arguments.optional_identity(trade_id, "trade_id")
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    by = arguments.free_text(by, "by").strip()
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        rows_of_symbol = _held(account, symbol, action)
        if trade_id is not None:
            rows_of_symbol = rows_of_symbol.filter(trade_id=trade_id)
        if strategy_id is not None:
            rows_of_symbol = rows_of_symbol.filter(strategy__code=strategy_id)
        trades = list(rows_of_symbol)
        if not trades:
            raise UnknownTrade(f"Account {account.code} held no {symbol} at {localtime(action.at)}.", field="symbol")
        return [_applied(trade, action, head, by=by, now=now) for trade in trades]


def _held(account: Account, symbol: str, action: Action) -> QuerySet[Trade]:
    """Return what was open at the action's instant and is open still, or had the action already."""
    instrument = find_instrument(symbol)
    held = Trade.objects.filter(account=account, instrument=instrument, opened_at__lte=action.at)
    booked = Fill.objects.filter(trade__in=held, fill_id=action.key, role=Fill.Role.SPLIT).values("trade")
    held = held.filter(state=Trade.State.OPEN) | held.filter(pk__in=booked).exclude(state=Trade.State.VOID)
    return held.select_related("account", "strategy", "instrument__exchange").order_by("opened_at", "pk")


def _applied(trade: Trade, action: Action, head: JournalHead, *, by: str, now: datetime) -> Position:
    """Book the action on one trade, where it is not yet, and return the trade."""
    earlier = trade.fills.filter(fill_id=action.key).order_by("-role").first()  # the split, before a fill of that id
    if earlier is not None:
        if (earlier.role, earlier.order_id) != (Fill.Role.SPLIT, action.text):
            raise IdConflict(f"{action.key} is known on trade {trade.trade_id} as something else.", field="key")
        return known_already(booking.position_value(trade))
    later = trade.fills.filter(at__gt=action.at).exists() or trade.stop_changes.filter(at__gte=action.at).exists()
    if later or any(fill.at > action.at for fill in facts.fills_of(trade)):
        raise InvalidValue(
            f"Trade {trade.trade_id} has a fill or a stop since {action.at}: which units it means cannot be told.",
            field="at",
            hint="Give the time after them, or void those fills, apply the split and book them again.",
        )
    seen, change = Seen.of(trade), _change(trade, action)
    fill = Fill(
        trade=trade,
        sequence=trade.fills.count() + 1,
        fill_id=action.key,
        order_id=action.text,
        side=(ENTRY_SIDE if change > 0 else EXIT_SIDE)[trade.side],
        role=Fill.Role.SPLIT,
        price=Decimal(0),
        quantity=abs(change),
        charges=None,
        at=action.at,
        recorded_at=now,
    )
    rows.insert(fill)
    body = {"fill": booking.fill_body(fill), "fill_pk": fill.pk, **_move_prices(trade, action, now)}
    trade.open_quantity += change
    trade.entry_quantity += change
    trade.flags = sorted({*trade.flags, flags.SPLIT})
    if not rows.update(trade, MOVING, **asdict(seen)):
        raise busy(f"trade {trade.trade_id} changed at the same time")
    journal.append(
        trade.account, "apply_split", {"trade": booking.trade_body(trade), **body}, now=now, by=by, head=head
    )
    return booking.position_value(trade)


def _change(trade: Trade, action: Action) -> Decimal:
    """Return how many units come (below 0: go) by the action. Raises: InvalidValue where they would be fractions."""
    held, step = to_units(trade.open_quantity), to_units(trade.instrument.quantity_step)
    unit = SCALE if held % SCALE == 0 else step  # whole shares stay whole
    after, rest = divmod(held * action.new, action.old)
    if rest or after % unit or after % step:
        odd = from_units(held % (action.old * unit))
        raise InvalidValue(
            f"The {trade.open_quantity:f} of trade {trade.trade_id} would become a fraction.",
            field="new",
            hint=f"Book the {odd:f} for which cash is paid as a fill first, at that price.",
        )
    if after > MAX_UNITS or to_units(trade.entry_quantity) + after - held > MAX_UNITS:
        raise InvalidValue(f"Trade {trade.trade_id} would hold more than 92,233,720,368.", field="new")
    return from_units(after - held)


def _move_prices(trade: Trade, action: Action, now: datetime) -> JournalEntry:
    """Put stop and target into new units; return what the journal says of them."""
    if trade.target_price is not None:
        trade.target_price = action.scaled(trade.target_price)
        bounds.must_be_price(trade.target_price, trade.instrument, "target_price")
    body: JournalEntry = {"target_price": trade.target_price}
    if trade.stop_price is None:
        return body
    last = trade.stop_changes.order_by("at", "pk").last()
    extreme = trade.stop_price if last is None else last.extreme_price
    trade.stop_price = action.scaled(trade.stop_price)
    bounds.must_be_price(trade.stop_price, trade.instrument, "stop_price")
    change = StopChange(
        trade=trade,
        at=action.at,
        stop_price=trade.stop_price,
        extreme_price=action.scaled(extreme),
        method=METHOD,
        moved_back=False,
        recorded_at=now,
    )
    rows.insert(change)
    return {**body, "stop": booking.stop_body(change), "stop_pk": change.pk}
