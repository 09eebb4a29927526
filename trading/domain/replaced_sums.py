"""Sums of a day's fills, which a bill tells, and the fills that take their place. Pure, in integers of 10^-8."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from trading.domain.trade_building import ORDER, TRADE, ReportedFill


@dataclass(frozen=True, slots=True)
class ReplacedOrder:
    """An order that stood for its fills until those came: its own quantity, and theirs; units of 10^-8."""

    order: ReportedFill
    quantity: int

    @property
    def differs(self) -> bool:
        """Whether the fills are of another quantity than their order."""
        return self.order.quantity != self.quantity


def without_replaced_sums(
    sums: Sequence[ReportedFill], finer: Sequence[ReportedFill]
) -> tuple[list[ReportedFill], list[ReplacedOrder]]:
    """Return a day's sums that count, and those whose place fills and orders have taken; what several of one side lack
    together is said of the first."""
    units: dict[tuple[date, str], int] = defaultdict(int)
    for fill in finer:
        if fill.kind in (TRADE, ORDER):
            units[fill.day, fill.side] += fill.quantity
    standing = [each for each in sums if (each.day, each.side) not in units]
    replaced: list[ReplacedOrder] = []
    for each in sums:
        if (each.day, each.side) in units:
            others = sum(other.quantity for other in sums if (other.day, other.side) == (each.day, each.side))
            is_first = not any((row.order.day, row.order.side) == (each.day, each.side) for row in replaced)
            missing = others - units[each.day, each.side] if is_first else 0
            replaced.append(ReplacedOrder(each, each.quantity - missing))
    return standing, replaced
