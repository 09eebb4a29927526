"""Trades with everything that is known of them, one flat row each: for files that other tools read.

Prices are averages to 8 decimals; ``buy_value`` and ``sell_value`` are price × quantity × multiplier of what was bought
and sold so far; ``net_pnl`` is the gross P&L less the charges, None while those are unknown; ``conditions`` are those
of the signals that led to the trade; ``charges_estimated`` is what the schedule of charges makes of it, None where the
account has no brokerage plan, and part of no other figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from trading.domain import averages
from trading.domain.export import ColumnKind
from trading.domain.feed_gaps import mark
from trading.domain.flags import DAY_ONLY
from trading.domain.money import from_units, to_units
from trading.domain.position import in_risks
from trading.models import Account, Instrument, Review, Signal, Strategy, Trade
from trading.queries.average_prices import exit_value, from_fills
from trading.queries.charge_estimates import estimates_of
from trading.queries.columns import day_of, fetched_rows, instant_of, text, texts_of, units
from trading.queries.excursions import FIELDS as EXCURSION
from trading.queries.instruments import shown_symbol
from trading.queries.reports import Selection
from trading.queries.results import result_word
from trading.queries.trade_list import REVIEWED, TO_REVIEW

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "side", "state", "result",
    "trading_day", "opened_at", "closed_at", "entry_quantity", "open_quantity", "entry_price",
    "stop_price", "target_price", "initial_risk", "gross_pnl", "charges", "r_multiple",
    "exit_reason", "reported_pnl", "flags",
    "review", "rating", "tags", "mistakes", "notes", "reviewed_by", "reviewed_at",
    *EXCURSION,
    "exit_quantity", "exit_price", "buy_value", "sell_value", "net_pnl", "conditions",
    "charges_estimated",
)  # fmt: skip
_PRICES = (
    "entry_price",
    "exit_price",
    "stop_price",
    "target_price",
    "mae_price",
    "mfe_price",
    "charges",
    "charges_estimated",
)
_VALUES = ("initial_risk", "gross_pnl", "net_pnl", "reported_pnl", "buy_value", "sell_value", "given_back")
KINDS = {
    **dict.fromkeys((*_PRICES, "entry_quantity", "exit_quantity", "open_quantity"), ColumnKind.AMOUNT),
    **dict.fromkeys((*_VALUES, "mae", "mfe", "r_multiple", "mae_r", "mfe_r"), ColumnKind.VALUE),
    **dict.fromkeys(("opened_at", "closed_at", "reviewed_at", "mae_at", "mfe_at"), ColumnKind.TIME),
    **dict.fromkeys(("rating", "ticks"), ColumnKind.COUNT),
    "trading_day": ColumnKind.DAY,
    "conditions": ColumnKind.OBJECT,
}
AT_A_TIME = 2000


def exported(selection: Selection) -> QuerySet[Trade]:
    """Return the trades that were opened on the days chosen, void ones too, the oldest first."""
    if selection.first is None or selection.last is None:
        return Trade.objects.none()
    days = {"trading_day__gte": selection.first, "trading_day__lte": selection.last}
    return Trade.objects.filter(**selection.cut.lookups(), **days).order_by("opened_at", "pk")


def export_rows(trades: QuerySet[Trade]) -> Iterator[tuple[Any, ...]]:
    """Yield one tuple of `HEADER` per trade, in their order; money Decimal, times at the desk (a date where the time of
    day is not known), conditions a dict.

    Values are taken as the database has them and never become objects of the ORM: that would cost more than the rest.
    """
    zone = timezone.get_current_timezone()
    accounts = {pk: (code, currency) for pk, code, currency in Account.objects.values_list("pk", "code", "currency")}
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    instruments = {instrument.pk: _shown(instrument) for instrument in Instrument.objects.select_related("exchange")}

    def desk(at: str | None, *, is_day_only: bool = False) -> date | None:
        local = None if at is None else instant_of(at).astimezone(zone)
        return local.date() if local is not None and is_day_only else local

    plain = trades.select_related(None).prefetch_related(None)
    conditions, estimates = conditions_of(trades), estimates_of(trades)
    multipliers = {pk: instrument.multiplier for pk, instrument in instruments.items()}
    for row, entry_price, exit_price in _priced(plain, multipliers):
        symbol = instruments[row.instrument].symbol
        earned = row.pnl - (row.charges or 0)
        risk = row.initial_risk
        words = texts_of(row.flags)
        untimed = DAY_ONLY in words
        r_multiple = None if row.closed_at is None else in_risks(Decimal(earned), _decimal(risk))
        review = row.review_state
        yield (
            *accounts[row.account], row.trade_id, strategies[row.strategy], symbol, row.side, row.state,
            result_word(row.state, earned), day_of(row.trading_day),
            desk(row.opened_at, is_day_only=untimed), desk(row.closed_at, is_day_only=untimed),
            from_units(row.entry_quantity), from_units(row.open_quantity),
            entry_price,
            _money(row.stop_price), _money(row.target_price), _money(risk), from_units(row.pnl),
            _money(row.charges), r_multiple, row.exit_reason, _money(row.reported_pnl),
            " ".join(words),
            REVIEWED if review == Review.State.DONE else TO_REVIEW, row.rating,
            None if review is None else ", ".join(texts_of(row.tags)), row.mistakes, row.notes,
            row.reviewed_by, desk(row.reviewed_at),
            *(_excursion(row, desk(row.mae_at), desk(row.mfe_at)) if row.mae is not None else _NOT_MEASURED),
            from_units(row.exit_quantity), exit_price, *_bought_and_sold(row),
            None if row.charges is None else from_units(earned), conditions.get(row.pk, {}),
            estimates.get(row.pk),
        )  # fmt: skip


def conditions_of(trades: QuerySet[Trade]) -> dict[int, dict[str, Any]]:
    """Return the conditions of the signals that led to each trade, by its key; the first signal's where two differ."""
    rows = Signal.objects.filter(trade__in=trades.order_by().values("pk")).order_by("at", "pk")
    conditions: dict[int, dict[str, Any]] = {}
    for pk, seen in rows.values_list("trade_id", "conditions"):
        conditions[pk] = {**seen, **conditions.get(pk, {})}
    return conditions


def _priced(
    trades: QuerySet[Trade], multipliers: Mapping[int, int]
) -> Iterator[tuple[_Row, Decimal | None, Decimal | None]]:
    """Yield each trade's row with its average prices of entry and exit."""
    for rows in fetched_rows(trades.values_list(*_PLAIN, *_TEXTS, *_UNITS), AT_A_TIME):
        some = list(map(_Row._make, rows))
        unsure = (row for row in some if not averages.sums_tell(row.entry_quantity, multipliers[row.instrument]))
        exact = from_fills({row.pk: row.side for row in unsure})
        for row in some:
            multiplier, fills_prices = multipliers[row.instrument], exact.get(row.pk)
            if fills_prices is None:
                entry = averages.of_sums(row.entry_value, row.entry_quantity, multiplier)
                yield row, entry, averages.of_sums(row.exit_value, row.exit_quantity, multiplier)
            else:
                yield row, fills_prices.entry, fills_prices.exit if row.exit_quantity else None


def _bought_and_sold(row: _Row) -> tuple[Decimal, Decimal]:
    entered, left = from_units(row.entry_value), from_units(row.exit_value)
    return (entered, left) if row.side == Trade.Side.LONG else (left, entered)


class _Row(NamedTuple):
    """One trade as the query brings it: first what is plain, then texts (`columns.text`), then units."""

    pk: int
    account: int
    strategy: int
    instrument: int
    trade_id: str
    side: str
    state: str
    exit_reason: str
    review_state: str | None
    rating: int | None
    mistakes: str | None
    notes: str | None
    reviewed_by: str | None
    ticks: int | None
    quiet_seconds: float | None
    trading_day: str
    opened_at: str
    closed_at: str | None
    flags: str
    tags: str | None
    reviewed_at: str | None
    mae_at: str | None
    mfe_at: str | None
    entry_quantity: int
    open_quantity: int
    entry_value: int
    open_cost: int
    stop_price: int | None
    target_price: int | None
    initial_risk: int | None
    pnl: int
    charges: int | None
    reported_pnl: int | None
    mae: int | None
    mae_price: int | None
    mfe: int | None
    mfe_price: int | None

    @property
    def exit_quantity(self) -> int:
        """What was taken out; of a void trade nothing was."""
        return 0 if self.state == Trade.State.VOID else self.entry_quantity - self.open_quantity

    @property
    def exit_value(self) -> int:
        return exit_value(self.side, self.entry_value, self.open_cost, self.pnl) if self.exit_quantity else 0


_PLAIN = (
    "pk", "account_id", "strategy_id", "instrument_id", "trade_id", "side", "state", "exit_reason",
    "review__state", "review__rating", "review__mistakes", "review__notes", "review__reviewed_by__username",
    "excursion__ticks", "excursion__quiet_seconds",
)  # fmt: skip
_TEXTS = tuple(
    text(path)
    for path in (
        *("trading_day", "opened_at", "closed_at", "flags", "review__tags", "review__reviewed_at"),
        *("excursion__mae_at", "excursion__mfe_at"),
    )
)
_UNITS = tuple(
    units(path)
    for path in (
        *("entry_quantity", "open_quantity", "entry_value", "open_cost", "stop_price", "target_price", "initial_risk"),
        *("realised_pnl", "charges", "reported_pnl"),
        *("excursion__mae", "excursion__mae_price", "excursion__mfe", "excursion__mfe_price"),
    )
)
_NOT_MEASURED = (None,) * len(EXCURSION)


def _excursion(row: _Row, mae_at: date | None, mfe_at: date | None) -> tuple[Any, ...]:
    """Return `EXCURSION` of a trade that was measured."""
    risk, mae, mfe = _decimal(row.initial_risk), row.mae or 0, row.mfe or 0
    return (
        from_units(mae), _money(row.mae_price), in_risks(Decimal(mae), risk), mae_at,
        from_units(mfe), _money(row.mfe_price), in_risks(Decimal(mfe), risk), mfe_at,
        from_units(mfe - row.pnl), row.ticks, mark(row.quiet_seconds),
    )  # fmt: skip


class _Traded(NamedTuple):
    """An instrument's name as callers know it, and its multiplier in units."""

    symbol: str
    multiplier: int


def _shown(instrument: Instrument) -> _Traded:
    return _Traded(shown_symbol(instrument.exchange.code, instrument.symbol), to_units(instrument.multiplier))


def _money(amount: int | None) -> Decimal | None:
    return None if amount is None else from_units(amount)


def _decimal(amount: int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
