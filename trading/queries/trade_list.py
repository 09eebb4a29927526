"""Trades as the pages list them: each as one frozen row, no query per row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, QuerySet

from trading.domain import values
from trading.domain.averages import AveragePrices
from trading.domain.flags import DAY_ONLY
from trading.domain.position import in_risks
from trading.domain.shapes import TradeExcursions
from trading.models import Review, Trade
from trading.queries.average_prices import averages_of
from trading.queries.excursions import fields_of
from trading.queries.results import earned_by, result_of
from trading.queries.trades import valued_at

TO_REVIEW, REVIEWED = "to_review", "reviewed"
REVIEW_STATES = (TO_REVIEW, REVIEWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One line of a list. ``quantity`` and the average ``entry_price`` are those of all entries; ``earned`` is the
    realised P&L less known charges; ``r_multiple`` that over the initial risk of a closed trade, to two decimals, None
    where no stop was given; ``result`` win, loss, breakeven, open or void; ``review_state`` one of `REVIEW_STATES`;
    ``excursion`` as `excursions.fields_of`."""

    pk: int
    trading_day: date
    quantity: Decimal
    entry_price: Decimal | None
    trade: values.Trade
    result: str
    earned: Decimal
    r_multiple: Decimal | None
    held_seconds: float | None
    review: Review | None
    review_state: str
    excursion: TradeExcursions


def related(rows: QuerySet[Trade]) -> QuerySet[Trade]:
    return rows.select_related("account", "strategy", "instrument__exchange", "review", "excursion")


def trade_row(row: Trade) -> TradeRow:
    """Return the line of a trade that came from `listed` (or `related`)."""
    return trade_rows([row])[0]


def trade_rows(rows: Iterable[Trade]) -> list[TradeRow]:
    """Return the lines of many, in their order, for at most two queries more."""
    trades = list(rows)
    averages = averages_of(trades)
    return [_line(row, averages[row.pk]) for row in trades]


def _line(row: Trade, averages: AveragePrices) -> TradeRow:
    earned = earned_by(row)
    review = getattr(row, "review", None)
    return TradeRow(
        pk=row.pk,
        trading_day=row.trading_day,
        quantity=row.entry_quantity,
        entry_price=averages.entry,
        trade=valued_at(row, averages),
        result=result_of(row),
        earned=earned,
        r_multiple=r_multiple(row, earned),
        held_seconds=None
        if row.closed_at is None or DAY_ONLY in row.flags
        else (row.closed_at - row.opened_at).total_seconds(),
        review=review,
        review_state=review_state(row),
        excursion=fields_of(row),
    )


def review_state(row: Trade) -> str:
    """Return how far the review of a trade is: one of `REVIEW_STATES`."""
    review = getattr(row, "review", None)
    return REVIEWED if review is not None and review.state == Review.State.DONE else TO_REVIEW


def r_multiple(row: Trade, earned: Decimal) -> Decimal | None:
    """Return what a closed trade earned in units of its initial risk, None where that is not known or nothing."""
    return None if row.closed_at is None else in_risks(earned, row.initial_risk)


def with_review(state: str) -> Q:
    """Return the trades in one of `REVIEW_STATES`; one that nobody opened for review is to be reviewed."""
    done = Q(review__state=Review.State.DONE)
    return done if state == REVIEWED else Q(review__isnull=True) | ~done
