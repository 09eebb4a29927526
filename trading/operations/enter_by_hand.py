"""Entering a trade, a fill or a close by hand: the strategies' own operations, under the name of a person.

Each takes back what it wrote where a likely slip came up that the person has not accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db.models import QuerySet

from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import slips
from trading.bookkeeping.by_hand import NEW_STRATEGY, NEW_SYMBOL, QUANTITY_MOVED, HandEntry, entered
from trading.bookkeeping.slips import Newest
from trading.domain.flags import UNEXPLAINED
from trading.domain.money import parse_quantity
from trading.domain.values import Trade
from trading.errors import AmbiguousTrade, UnknownTrade
from trading.models import Strategy
from trading.models import Trade as TradeRow
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.queries.accounts import get_account
from trading.queries.instruments import find_instrument, shown_symbol
from trading.queries.trades import find_trade
from trading.transactions import together

MANUAL = "manual"  # the strategy of trades that were nobody's but the trader's


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The opening of a trade as a person gives it; each field as `open_position` takes it."""

    trade_id: str
    symbol: str
    side: str
    quantity: Number
    entry_price: Number
    entry_time: Instant
    strategy_id: str = MANUAL
    stop_price: Number | None = None
    target_price: Number | None = None
    charges: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The end of a trade as a person gives it; ``charges`` are those of the exit, ``open_quantity`` is what the author
    saw open, None where that is not known."""

    exit_price: Number
    exit_time: Instant
    exit_reason: str = ""
    charges: Number | None = None
    open_quantity: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandFill:
    """One more fill of a trade; ``fill_id`` keeps a second call from booking it again."""

    side: str
    quantity: Number
    price: Number
    at: Instant
    fill_id: str
    charges: Number | None = None


@dataclass(frozen=True, slots=True)
class EnteredTrade:
    """A trade as an entry by hand left it, and the key of its row."""

    pk: int
    trade: Trade


def enter_trade(
    account_code: str, opening: Opening, closing: Closing | None, entry: HandEntry, *, newest: Newest | None = None
) -> EnteredTrade:
    """Book a trade, with its end where that is given, and return it; the same again changes nothing.

    ``newest`` is a price at hand that prices are compared with. A symbol or strategy that nothing is recorded of yet
    is a warning beside the likely slips of the fills.

    Raises: LikelySlip, and as `open_position` and `close_position` do; nothing was written then.
    """
    with _by_hand(entry, newest):
        account = get_account(account_code)
        if find_instrument(parse_name(opening.symbol, "symbol")) is None:
            entry.warnings.add(NEW_SYMBOL)
        strategy_id = parse_name(opening.strategy_id, "strategy_id")
        if strategy_id != MANUAL and not Strategy.objects.filter(code=strategy_id).exists():
            entry.warnings.add(NEW_STRATEGY)
        opened = open_position(
            account_code,
            opening.trade_id,
            opening.strategy_id,
            opening.symbol,
            entry_price=opening.entry_price,
            quantity=opening.quantity,
            entry_time=opening.entry_time,
            side=opening.side,
            stop_price=opening.stop_price,
            target_price=opening.target_price,
            charges=opening.charges,
        )
        named = TradeRow.objects.filter(account=account, trade_id=opened.trade_id, strategy__code=opened.strategy_id)
        row = next(row for row in _related(named) if row.opened_at == opened.opened_at)
        return EnteredTrade(row.pk, opened if closing is None else _close(row, closing, entry))


def enter_fill(pk: int, fill: HandFill, entry: HandEntry, *, newest: Newest | None = None) -> EnteredTrade:
    """Book one more fill on a trade and return it. Raises: LikelySlip, and as `add_fill` does."""
    with _by_hand(entry, newest):
        row = _row(pk)
        _must_be_meant(row)
        filled = add_fill(
            row.account.code,
            row.trade_id,
            fill.side,
            fill.price,
            fill.quantity,
            fill.at,
            strategy_id=row.strategy.code,
            charges=fill.charges,
            fill_id=fill.fill_id,
        )
        return EnteredTrade(pk, filled)


def enter_close(pk: int, closing: Closing, entry: HandEntry, *, newest: Newest | None = None) -> EnteredTrade:
    """Close a trade and return it. Raises: LikelySlip, and as `close_position` does."""
    with _by_hand(entry, newest):
        return EnteredTrade(pk, _close(_row(pk), closing, entry))


@contextmanager
def _by_hand(entry: HandEntry, newest: Newest | None) -> Iterator[None]:
    """Let the operations within share one transaction that is committed only where the author accepts its slips."""
    with together(), entered(entry), slips.beside(newest):
        yield
        entry.must_be_accepted()


def _close(row: TradeRow, closing: Closing, entry: HandEntry) -> Trade:
    _must_be_meant(row)
    closed = close_position(
        row.account.code,
        row.trade_id,
        row.strategy.code,
        shown_symbol(row.instrument.exchange.code, row.instrument.symbol),
        exit_price=closing.exit_price,
        exit_time=closing.exit_time,
        exit_reason=closing.exit_reason,
        charges=closing.charges,
    )
    seen = None if closing.open_quantity is None else parse_quantity(closing.open_quantity, "open_quantity")
    if seen is not None and row.fills.latest("sequence").quantity != seen:
        entry.warnings.add(QUANTITY_MOVED)
    if UNEXPLAINED not in closed.flags:  # the reason explains a price of 0, and the fill is booked before it
        entry.warnings.discard(UNEXPLAINED)
    return closed


def _row(pk: int) -> TradeRow:
    row = _related(TradeRow.objects.filter(pk=pk)).first()
    if row is None:
        raise UnknownTrade(f"There is no trade {pk}.", field="trade")
    return row


def _related(rows: QuerySet[TradeRow]) -> QuerySet[TradeRow]:
    return rows.select_related("account", "strategy", "instrument__exchange")


def _must_be_meant(row: TradeRow) -> None:
    """Raise AmbiguousTrade where a call by the trade's id would reach another one, which is open under the same id."""
    other = find_trade(row.account, row.trade_id, strategy_id=row.strategy.code)
    if other.pk != row.pk:
        raise AmbiguousTrade(
            f"Trade {row.trade_id} of {other.trading_day} has the same id.",
            field="trade_id",
            hint="Close that one first.",
        )
