"""Average prices of many trades: from their sums, and from their fills, in one query for all, where those must tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from trading.domain import averages
from trading.domain.averages import AveragePrices
from trading.domain.money import to_units
from trading.models import Correction, Fill, Trade
from trading.models.trade import OF_A_FRACTION
from trading.queries import facts

AT_A_TIME = 500


def averages_of(rows: Iterable[Trade]) -> dict[int, AveragePrices]:
    """Return the averages of trades whose instruments are loaded, by key."""
    trades = list(rows)
    fractions = with_fractions([row.pk for row in trades])
    unsure = [
        row
        for row in trades
        if not averages.sums_tell(to_units(row.instrument.multiplier), has_fractions=row.pk in fractions)
    ]
    exact = from_fills({row.pk: str(row.side) for row in unsure})
    return {row.pk: exact[row.pk] if row.pk in exact else _from_sums(row) for row in trades}


def with_fractions(keys: Collection[int]) -> set[int]:
    """Return those of some trades that have, or once had, a fill of a fraction, and those that were amended."""
    if not keys:
        return set()
    span = {"trade__gte": min(keys), "trade__lte": max(keys)} if len(keys) > AT_A_TIME else {"trade__in": list(keys)}
    fills = Fill.objects.filter(OF_A_FRACTION, **span).values_list("trade_id", flat=True)
    amended = Correction.objects.filter(**span, kind=Correction.Kind.AMEND).values_list("trade_id", flat=True)
    return set(fills.order_by().union(amended.order_by()))


def from_fills(sides: Mapping[int, str]) -> dict[int, AveragePrices]:
    """Return the averages of trades, given by key and side, from their fills as corrections have left them; none of
    one that has no fill left."""
    return dict(_from_fills(sides))


def _from_fills(sides: Mapping[int, str]) -> Iterator[tuple[int, AveragePrices]]:
    for start in range(0, len(sides), AT_A_TIME):
        some = list(sides)[start : start + AT_A_TIME]
        fills: dict[int, list[Fill]] = defaultdict(list)
        for fill in Fill.objects.filter(trade__in=some).order_by("trade", "sequence"):
            fills[fill.trade_id].append(fill)
        corrections: dict[int, list[Correction]] = defaultdict(list)
        for correction in Correction.objects.filter(trade__in=some).select_related("fill").order_by("pk"):
            corrections[correction.trade_id].append(correction)
        for pk in some:
            standing = facts.corrected(fills[pk], corrections[pk])
            if standing:
                yield pk, averages.of_fills(sides[pk], facts.executions(standing))


def exit_value(side: str, entry_value: int, open_cost: int, pnl: int) -> int:
    """Return what the exits were worth, in units: what they cost at entry and what they earned."""
    released = entry_value - open_cost
    return released + pnl if side == Trade.Side.LONG else released - pnl


def _from_sums(row: Trade) -> AveragePrices:
    multiplier, side = to_units(row.instrument.multiplier), str(row.side)
    entered, held = to_units(row.entry_quantity), to_units(row.open_quantity)
    worth, cost = to_units(row.entry_value), to_units(row.open_cost)
    left = exit_value(side, worth, cost, to_units(row.realised_pnl))
    return AveragePrices(
        averages.of_sums(worth, entered, multiplier),
        averages.of_sums(left, entered - held, multiplier),
        averages.of_sums(cost, held, multiplier),
    )
