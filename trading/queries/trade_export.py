"""Trades with everything that is known of them, one flat row each: for files that other tools read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from trading.domain.feed_gaps import mark
from trading.domain.money import from_units
from trading.models import Account, Instrument, Review, Strategy, Trade
from trading.queries.columns import day_of, instant_of, text, texts_of, units
from trading.queries.excursions import FIELDS as EXCURSION
from trading.queries.excursions import in_risks
from trading.queries.instruments import shown_symbol
from trading.queries.reports import Selection
from trading.queries.results import result_word
from trading.queries.trade_list import REVIEWED, TO_REVIEW
from trading.queries.trades import plain_price

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "side", "state", "result",
    "trading_day", "opened_at", "closed_at", "entry_quantity", "open_quantity", "entry_price",
    "stop_price", "target_price", "initial_risk", "gross_pnl", "charges", "r_multiple",
    "exit_reason", "reported_pnl", "flags",
    "review", "rating", "tags", "mistakes", "notes", "reviewed_by", "reviewed_at",
    *EXCURSION,
)  # fmt: skip
_AMOUNTS = ("entry_quantity", "open_quantity", "entry_price", "stop_price", "target_price", "initial_risk")
_EXTREMES = ("mae", "mae_price", "mae_r", "mfe", "mfe_price", "mfe_r", "given_back")
MONEY = frozenset((*_AMOUNTS, *_EXTREMES, "gross_pnl", "charges", "r_multiple", "reported_pnl"))
TIMES = frozenset(("opened_at", "closed_at", "reviewed_at", "mae_at", "mfe_at"))
DAYS = frozenset(("trading_day",))
COUNTS = frozenset(("rating", "ticks"))


def exported(chosen: Selection) -> QuerySet[Trade]:
    """Return the trades that were opened on the days chosen, void ones too, the oldest first."""
    if chosen.first is None or chosen.last is None:
        return Trade.objects.none()
    days = {"trading_day__gte": chosen.first, "trading_day__lte": chosen.last}
    return Trade.objects.filter(**chosen.cut.lookups(), **days).order_by("opened_at", "pk")


def export_rows(trades: QuerySet[Trade]) -> Iterator[tuple[Any, ...]]:
    """Yield one tuple of `HEADER` per trade, in their order; money Decimal, times at the desk.

    Values are taken as the database has them and never become objects of the ORM: that would cost more than the rest.
    """
    zone = timezone.get_current_timezone()
    accounts = {pk: (code, currency) for pk, code, currency in Account.objects.values_list("pk", "code", "currency")}
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    instruments = {one.pk: _shown(one) for one in Instrument.objects.select_related("exchange")}

    def desk(at: str | None) -> datetime | None:
        return None if at is None else instant_of(at).astimezone(zone)

    plain = trades.select_related(None).prefetch_related(None)
    for row in plain.values_list(*_PLAIN, *_TEXTS, *_UNITS).iterator(chunk_size=2000):
        made = _Row._make(row)
        symbol, multiplier = instruments[made.instrument]
        earned = made.pnl - (made.charges or 0)
        risk = made.initial_risk
        r_multiple = None if made.closed_at is None else in_risks(Decimal(earned), _decimal(risk))
        review = made.review_state
        yield (
            *accounts[made.account], made.trade_id, strategies[made.strategy], symbol, made.side, made.state,
            result_word(made.state, earned), day_of(made.trading_day), desk(made.opened_at), desk(made.closed_at),
            from_units(made.entry_quantity), from_units(made.open_quantity),
            plain_price(Decimal(made.entry_value) / made.entry_quantity / multiplier),
            _money(made.stop_price), _money(made.target_price), _money(risk), from_units(made.pnl),
            _money(made.charges), r_multiple, made.exit_reason, _money(made.reported_pnl),
            " ".join(texts_of(made.flags)),
            REVIEWED if review == Review.State.DONE else TO_REVIEW, made.rating,
            None if review is None else ", ".join(texts_of(made.tags)), made.mistakes, made.notes,
            made.reviewed_by, desk(made.reviewed_at),
            *(_excursion(made, desk(made.mae_at), desk(made.mfe_at)) if made.mae is not None else _NOT_MEASURED),
        )  # fmt: skip


class _Row(NamedTuple):
    """One trade as the query brings it: first what is plain, then texts (`columns.text`), then units."""

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


_PLAIN = (
    "account_id", "strategy_id", "instrument_id", "trade_id", "side", "state", "exit_reason",
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
        *("entry_quantity", "open_quantity", "entry_value", "stop_price", "target_price", "initial_risk"),
        *("realised_pnl", "charges", "reported_pnl"),
        *("excursion__mae", "excursion__mae_price", "excursion__mfe", "excursion__mfe_price"),
    )
)
_NOT_MEASURED = (None,) * len(EXCURSION)


def _excursion(row: _Row, mae_at: datetime | None, mfe_at: datetime | None) -> tuple[Any, ...]:
    """Return `EXCURSION` of a trade that was measured."""
    risk, mae, mfe = _decimal(row.initial_risk), row.mae or 0, row.mfe or 0
    return (
        from_units(mae), _money(row.mae_price), in_risks(Decimal(mae), risk), mae_at,
        from_units(mfe), _money(row.mfe_price), in_risks(Decimal(mfe), risk), mfe_at,
        from_units(mfe - row.pnl), row.ticks, mark(row.quiet_seconds),
    )  # fmt: skip


def _shown(instrument: Instrument) -> tuple[str, Decimal]:
    return shown_symbol(instrument.exchange.code, instrument.symbol), instrument.multiplier


def _money(amount: int | None) -> Decimal | None:
    return None if amount is None else from_units(amount)


def _decimal(amount: int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
