"""The orders of a list of trades: one for each column that a list can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import Case, DurationField, ExpressionWrapper, F, FloatField, Q, QuerySet, When
from django.db.models.expressions import Expression
from django.db.models.functions import Cast

from trading.domain.flags import DAY_ONLY
from trading.models import Trade
from trading.queries.columns import text
from trading.queries.trade_filter import earned_units
from trading.queries.trades import CLOSED

NEWEST = "-opened"
_HELD = ExpressionWrapper(F("closed_at") - F("opened_at"), output_field=DurationField())
# Ratios are floats here: an order shows none of them.
_ORDERS: Mapping[str, tuple[str | Expression, ...]] = {
    "symbol": ("instrument__symbol",),
    "strategy": ("strategy__code",),
    "trade_id": ("trade_id",),
    "pnl": ("realised_pnl",),
    "earned": (earned_units(),),
    "result": ("state", earned_units()),
    "side": ("side",),
    "opened": ("opened_at",),
    "closed": ("closed_at",),
    "held": (Case(When(~Q(words__contains=f'"{DAY_ONLY}"'), then=_HELD), output_field=DurationField()),),
    "quantity": ("entry_quantity",),
    "entry": (
        Cast("entry_value", FloatField())
        / Cast("entry_quantity", FloatField())
        / Cast("instrument__multiplier", FloatField()),
    ),
    "charges": ("charges",),
    "r": (
        Case(
            When(
                Q(state=CLOSED, initial_risk__gt=0),
                then=Cast(earned_units(), FloatField()) / Cast("initial_risk", FloatField()),
            ),
            output_field=FloatField(),
        ),
    ),
    "exit_reason": ("exit_reason",),
    "stop": ("stop_price",),
    "target": ("target_price",),
    "risk": ("initial_risk",),
    "mae": ("excursion__mae",),
    "mfe": ("excursion__mfe",),
    "gap": ("excursion__quiet_seconds",),
    "review": ("review__state", "review__rating"),
    "tags": (text("review__tags"),),
    "flags": ("words",),
}
ORDERS = tuple(_ORDERS)


def ordered(trades: QuerySet[Trade], order: str) -> QuerySet[Trade]:
    """Return trades by one of `ORDERS`, descending with a minus before it; what is not known comes last, and of equals
    the newest opening first. Any other word is `NEWEST`."""
    column = order.removeprefix("-")
    if column not in _ORDERS:
        order, column = NEWEST, NEWEST.removeprefix("-")
    if column == "opened":
        # As an index has it: a time of opening is always known.
        return trades.order_by(f"{order[:-6]}opened_at", "-pk")
    expressions = [F(key) if isinstance(key, str) else key for key in _ORDERS[column]]
    is_descending = order.startswith("-")
    by = [key.desc(nulls_last=True) if is_descending else key.asc(nulls_last=True) for key in expressions]
    return trades.alias(words=text("flags")).order_by(*by, "-opened_at", "-pk")


class TradesBeside(NamedTuple):
    """The keys of the trades opened next after and last before one of them, None at an end."""

    newer: int | None
    older: int | None


def neighbours(trades: QuerySet[Trade], trade: Trade) -> TradesBeside:
    """Return the neighbours of a trade by opening among others, whether it is one of them or not."""
    at, pk = trade.opened_at, trade.pk
    # The bound by itself first: an index begins there, where a choice of two would have it read from its end.
    later = trades.filter(Q(opened_at__gt=at) | Q(pk__gt=pk), opened_at__gte=at).order_by("opened_at", "pk")
    earlier = trades.filter(Q(opened_at__lt=at) | Q(pk__lt=pk), opened_at__lte=at).order_by("-opened_at", "-pk")
    return TradesBeside(*(rows.values_list("pk", flat=True).first() for rows in (later, earlier)))
