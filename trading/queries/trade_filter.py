"""What a list of trades is narrowed to, as look-ups that compare columns: the database reads no trade twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import DecimalField, ExpressionWrapper, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from trading.models import Account, Trade
from trading.queries.columns import text
from trading.queries.results import with_result
from trading.queries.trade_list import with_review
from trading.queries.trades import CLOSED

IN_GAP, NO_GAP, NOT_MEASURED = "gap", "no_gap", "not_measured"
_WHOLE = DecimalField(max_digits=40, decimal_places=0)  # of units: what 64 bits cannot hold is no fault of the question
_GAPS = {
    IN_GAP: Q(excursion__quiet_seconds__isnull=False),
    NO_GAP: Q(excursion__isnull=False, excursion__quiet_seconds__isnull=True),
    NOT_MEASURED: Q(excursion__isnull=True),
}
GAPS = tuple(_GAPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFilter:
    """What a list is narrowed to; an empty value narrows nothing.

    ``day``, ``since`` and ``until`` are trading days of the opening, the last two inclusive; ``symbol`` and
    ``exit_reason`` are parts of the text, ``tag`` and ``flag`` whole; ``gap`` is one of `GAPS`. P&L is before charges.
    R is what a row shows: after known charges, to two decimals, of closed trades with an initial risk.
    """

    strategy: str = ""
    symbol: str = ""
    side: str = ""
    state: str = ""
    result: str = ""
    review: str = ""
    day: date | None = None
    since: date | None = None
    until: date | None = None
    exit_reason: str = ""
    tag: str = ""
    flag: str = ""
    gap: str = ""
    pnl_min: Decimal | None = None
    pnl_max: Decimal | None = None
    r_min: Decimal | None = None
    r_max: Decimal | None = None


def matching(account: Account, filters: TradeFilter) -> QuerySet[Trade]:
    """Return the account's trades under a filter, in no order."""
    lookups = {
        "strategy__code": filters.strategy,
        "instrument__symbol__icontains": filters.symbol,
        "side": filters.side,
        "state": filters.state,
        "trading_day": filters.day,
        "trading_day__gte": filters.since,
        "trading_day__lte": filters.until,
        "exit_reason__icontains": filters.exit_reason,
    }
    bounds = {"realised_pnl__gte": filters.pnl_min, "realised_pnl__lte": filters.pnl_max}
    rows = Trade.objects.filter(
        *_choices(filters),
        *_r_bounds(filters),
        account=account,
        **{name: sought for name, sought in lookups.items() if sought},
        **{name: amount for name, amount in bounds.items() if amount is not None},
    )
    if filters.tag:
        # PostgreSQL keeps letters of any script as they are, SQLite what Python writes.
        written = {json.dumps(filters.tag, ensure_ascii=is_ascii) for is_ascii in (True, False)}
        tagged = Q(*(("tags__icontains", tag) for tag in sorted(written)), _connector=Q.OR)
        rows = rows.alias(tags=text("review__tags")).filter(tagged)
    if filters.flag:
        rows = rows.alias(words=text("flags")).filter(words__contains=json.dumps(filters.flag))
    return rows


def earned_units() -> ExpressionWrapper[CombinedExpression]:
    """Return a trade's realised P&L less its known charges, in units, as the database counts it."""
    earned = Cast("realised_pnl", _WHOLE) - Coalesce(Cast("charges", _WHOLE), 0, output_field=_WHOLE)
    return ExpressionWrapper(earned, output_field=_WHOLE)


def _choices(filters: TradeFilter) -> Iterator[Q]:
    if filters.result:
        yield with_result(filters.result)
    if filters.review:
        yield with_review(filters.review)
    if filters.gap:
        yield _GAPS[filters.gap]


def _r_bounds(filters: TradeFilter) -> Iterator[Q | GreaterThan | GreaterThanOrEqual | LessThan | LessThanOrEqual]:
    """Yield the look-ups of R between two bounds of two decimals, both inclusive.

    A row's R is rounded half-even, so its bound lies half a hundredth away, and a tie belongs to the even neighbour.
    Nothing is divided: 200 × earned is compared with (2 × hundredths ∓ 1) × risk.
    """
    if filters.r_min is None and filters.r_max is None:
        return
    yield Q(state=CLOSED, initial_risk__gt=0)
    earned, risk = earned_units() * 200, Cast("initial_risk", _WHOLE)
    if filters.r_min is not None:
        hundredths = int(filters.r_min * 100)
        lowest = risk * (2 * hundredths - 1)
        yield GreaterThan(earned, lowest) if hundredths % 2 else GreaterThanOrEqual(earned, lowest)
    if filters.r_max is not None:
        hundredths = int(filters.r_max * 100)
        highest = risk * (2 * hundredths + 1)
        yield LessThan(earned, highest) if hundredths % 2 else LessThanOrEqual(earned, highest)
