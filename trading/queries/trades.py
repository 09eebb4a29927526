"""Trades and positions as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db.models import QuerySet

from timeseries.values import ID_BYTES_MAX, parse_name
from trading.domain import values
from trading.domain.averages import AveragePrices
from trading.errors import AmbiguousTrade, InvalidValue, UnknownTrade
from trading.models import Account, Exchange, Instrument, Strategy, Trade
from trading.queries.average_prices import averages_of
from trading.queries.instruments import find_instrument, is_named, shown_symbol
from trading.queries.period import bounds
from trading.queries.places import RowPlace, page_of
from trading.rows import fetch

OPEN, CLOSED, VOID = "OPEN", "CLOSED", "VOID"
STATES = (OPEN, CLOSED, VOID)
LONG, SHORT = "LONG", "SHORT"
_EIGHTH = Decimal(1).scaleb(-8)


def find_trade(account: Account, trade_id: str, *, strategy_id: str | None = None) -> Trade:
    """Return the row that a call by id means: the open trade of that id, else the newest.

    Raises: InvalidValue, UnknownTrade; AmbiguousTrade where two open ones answer (name the strategy).
    """
    trade_id = parse_name(trade_id, "trade_id", ID_BYTES_MAX)
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    still_open = _open_trades(account, trade_id, strategy_id)
    if len(still_open) > 1:
        raise AmbiguousTrade(
            f"More than one open trade has the id {trade_id!r}.",
            field="trade_id",
            hint="Give strategy_id as well."
            if strategy_id is None
            else f"They are {' and '.join(f'pk {row.pk} of {row.trading_day}' for row in still_open)}: correct one.",
        )
    trade = still_open[0] if still_open else _newest(account, trade_id, strategy_id)
    if trade is None:
        raise UnknownTrade(f"There is no trade {trade_id!r} in account {account.code!r}.", field="trade_id")
    return trade


def pk_of(account: Account, trade_id: str, *, strategy_id: str | None = None, day: date | None = None) -> int:
    """Return the primary key of the trade of an id (`find_trade`), with a day that of its opening.

    Raises: InvalidValue, UnknownTrade, AmbiguousTrade.
    """
    if day is None:
        return int(find_trade(account, trade_id, strategy_id=strategy_id).pk)
    rows = _of(account, strategy_id=strategy_id)
    matches = list(rows.filter(trade_id=parse_name(trade_id, "trade_id", ID_BYTES_MAX), trading_day=day)[:2])
    if not matches:
        raise UnknownTrade(f"There is no trade {trade_id!r} of {day}.", field="trade_id")
    if len(matches) > 1:
        raise AmbiguousTrade(
            f"Several strategies have a trade {trade_id!r} of {day}.", field="trade_id", hint="Give the strategy."
        )
    return int(matches[0].pk)


def _open_trades(account: Account, trade_id: str, strategy_id: str | None) -> list[Trade]:
    """Return the open trades of an id with what belongs to them; every write asks this, so none of it is the ORM's."""
    trades = fetch(Trade, account_id=account.pk, trade_id=trade_id, state=OPEN)
    for trade in trades:
        (trade.strategy,) = fetch(Strategy, id=trade.strategy_id)
        (instrument,) = fetch(Instrument, id=trade.instrument_id)
        (instrument.exchange,) = fetch(Exchange, id=instrument.exchange_id)
        trade.account, trade.instrument = account, instrument
    return [trade for trade in trades if strategy_id in (None, trade.strategy.code)]


def _newest(account: Account, trade_id: str, strategy_id: str | None) -> Trade | None:
    """Return the newest trade of an id, or one that a correction moved away from this strategy: open ones first."""
    trades = _of(account, strategy_id=strategy_id).filter(trade_id=trade_id)
    newest = list(trades.order_by("-opened_at", "-pk")[:1])
    if strategy_id is not None:
        moved = Trade.objects.filter(account=account, trade_id=trade_id, corrections__from_strategy__code=strategy_id)
        newest += _loaded(moved.distinct())
    return max(newest, key=lambda row: (row.state == OPEN, row.opened_at, row.pk), default=None)


def get_trade(account: Account, trade_id: str, *, strategy_id: str | None = None) -> values.Trade:
    """Return the trade that a call by id means: the open one of that id, else the newest.

    Raises: InvalidValue, UnknownTrade; AmbiguousTrade where two open ones answer (name the strategy).
    """
    return trade_value(find_trade(account, trade_id, strategy_id=strategy_id))


def get_trades(
    account: Account,
    *,
    strategy_id: str | None = None,
    symbol: str | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    state: str | None = None,
) -> list[values.Trade]:
    """Return the trades opened at ``start <= opened_at < stop``, ascending; None leaves a filter out.

    Raises: InvalidValue for a start after its stop, an unknown state and what is no name.
    """
    return trade_values(_opened(account, strategy_id, symbol, start, stop, state))


def trades_page(
    account: Account,
    *,
    strategy_id: str | None = None,
    symbol: str | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    state: str | None = None,
    after: RowPlace | None = None,
    limit: int = 100,
) -> tuple[list[values.Trade], RowPlace | None]:
    """Return at most ``limit`` trades as `get_trades` does, behind a place, and the place of the next; None at the end.

    Raises: InvalidValue, as `get_trades`.
    """
    rows = _opened(account, strategy_id, symbol, start, stop, state)
    page, following = page_of(rows, "opened_at", after=after, limit=limit)
    return trade_values(page), following


def _opened(
    account: Account,
    strategy_id: str | None,
    symbol: str | None,
    start: datetime | None,
    stop: datetime | None,
    state: str | None,
) -> QuerySet[Trade]:
    """Return the rows that `get_trades` means, in order. Raises: InvalidValue."""
    if state is not None and state not in STATES:
        raise InvalidValue(f"state is {state!r}.", field="state", hint=f"Give one of {', '.join(STATES)}.")
    first, last = bounds(start, stop)
    rows = _of(account, strategy_id=strategy_id, symbol=symbol)
    rows = rows if state is None else rows.filter(state=state)
    rows = rows if first is None else rows.filter(opened_at__gte=first)
    rows = rows if last is None else rows.filter(opened_at__lt=last)
    return rows.order_by("opened_at", "pk")


def sum_of(account_code: str, strategy_id: str, symbol: str, trades: Sequence[values.Trade]) -> values.Position:
    """Return open trades of one strategy and symbol as one position.

    One trade is itself. Of several, side and open quantity are of the net (side None at zero), the average price is
    the net's cost per unit, realised P&L and known charges are added; trade_id, stop, target and initial risk are
    None.
    """
    if len(trades) == 1:
        return values.Position(**trades[0].as_dict())
    net = sum((_signed(trade) for trade in trades), Decimal(0))
    cost = sum((_signed(trade) * (trade.avg_price or 0) for trade in trades), Decimal(0))
    charges = [trade.charges for trade in trades if trade.charges is not None]
    return values.Position(
        trade_id=None,
        strategy_id=strategy_id,
        symbol=symbol,
        account=account_code,
        side=(LONG if net > 0 else SHORT) if net else None,
        state=OPEN if trades else CLOSED,
        open_quantity=abs(net),
        avg_price=plain_price(cost / net) if net else None,
        realised_pnl=sum((trade.realised_pnl for trade in trades), Decimal(0)),
        charges=sum(charges, Decimal(0)) if charges else None,
        stop_price=None,
        target_price=None,
        initial_risk=None,
        opened_at=min((trade.opened_at for trade in trades if trade.opened_at is not None), default=None),
        flags=tuple(sorted({flag for trade in trades for flag in trade.flags})),
    )


def trade_value(row: Trade) -> values.Trade:
    """Return the frozen value of a row whose account, strategy and instrument are loaded."""
    return trade_values([row])[0]


def trade_values(rows: Iterable[Trade]) -> list[values.Trade]:
    """Return the frozen values of many rows, in their order, for at most two queries more."""
    trades = list(rows)
    averages = averages_of(trades)
    return [valued_at(row, averages[row.pk]) for row in trades]


def valued_at(row: Trade, averages: AveragePrices) -> values.Trade:
    """Return the frozen value of a row whose averages are known.

    Its price is the average of what is open, of a closed trade that of its entries.
    """
    return values.Trade(
        trade_id=row.trade_id,
        strategy_id=row.strategy.code,
        symbol=shown_symbol(row.instrument.exchange.code, row.instrument.symbol),
        account=row.account.code,
        side=str(row.side),
        state=str(row.state),
        open_quantity=row.open_quantity,
        avg_price=averages.held if row.open_quantity else averages.entry,
        realised_pnl=row.realised_pnl,
        charges=row.charges,
        stop_price=row.stop_price,
        target_price=row.target_price,
        initial_risk=row.initial_risk,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        exit_reason=row.exit_reason,
        reported_pnl=row.reported_pnl,
        flags=tuple(row.flags),
    )


def plain_price(value: Decimal) -> Decimal:
    """Return a price rounded half-even to 8 decimals, without trailing zeros."""
    rounded = value.quantize(_EIGHTH).normalize()
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral() else rounded


def _of(account: Account, *, strategy_id: str | None = None, symbol: str | None = None) -> QuerySet[Trade]:
    rows = _loaded(Trade.objects.filter(account=account))
    rows = rows if strategy_id is None else rows.filter(strategy__code=parse_name(strategy_id, "strategy_id"))
    if symbol is None:
        return rows
    find_instrument(symbol)  # refuses an exchange that nobody knows
    # Also of a symbol that nobody has traded: what another account has traded is asked for in as many questions.
    return rows.filter(is_named(symbol, of="instrument"))


def _loaded(rows: QuerySet[Trade]) -> QuerySet[Trade]:
    return rows.select_related("account", "strategy", "instrument__exchange")


def _signed(trade: values.Trade) -> Decimal:
    return trade.open_quantity if trade.side == LONG else -trade.open_quantity
