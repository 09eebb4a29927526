"""Orders that stand for their fills until those come, and what of them still does. Pure, in integers of 10^-8."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from trading.domain.money import SCALE
from trading.domain.replaced_sums import ReplacedOrder, without_replaced_sums
from trading.domain.trade_building import LIVE, ORDER, REST, ReportedFill, is_sum

OrderLine = list[ReportedFill]  # what one line or update says of an order; two fills where its money takes them


def without_replaced_orders(fills: Iterable[ReportedFill]) -> tuple[list[ReportedFill], list[ReplacedOrder]]:
    """Return the fills that count, and the orders whose place their own fills have taken.

    Of an order's lines the one of the largest quantity counts, as long as no fill of that order is there; of an order
    update, which is ahead of its fills, what they do not cover. A line without an order's id, or with a bill's, is the
    sum of a day's fills of one side: it counts as long as the day has no fill and no order of that side.
    """
    by_order: dict[tuple[date, str], list[ReportedFill]] = defaultdict(list)
    standing: list[ReportedFill] = []
    orders: dict[tuple[date, str], dict[str, OrderLine]] = defaultdict(lambda: defaultdict(list))
    for fill in fills:
        if fill.kind == ORDER:
            orders[fill.day, fill.order_id or fill.key][fill.key.removesuffix(REST)].append(fill)
            continue
        standing.append(fill)
        if fill.order_id is not None:
            by_order[fill.day, fill.order_id].append(fill)
    replaced: list[ReplacedOrder] = []
    sums: list[ReportedFill] = []
    for name, lines in orders.items():
        largest = max(lines.values(), key=_quantity)
        earlier = (each for line in lines.values() if line is not largest for each in line)
        replaced += [ReplacedOrder(each, each.quantity) for each in earlier if LIVE in each.key]
        if is_sum(largest[0].order_id):
            sums += largest
        elif name not in by_order:
            standing += largest
        elif largest[0].key.endswith(LIVE):
            standing += _left_of(largest, by_order[name])
            replaced += [ReplacedOrder(each, each.quantity) for each in largest]
        else:
            replaced.append(ReplacedOrder(largest[0], _quantity(by_order[name])))
    sums_standing, sums_replaced = without_replaced_sums(sums, standing)
    return [*standing, *sums_standing], [*replaced, *sums_replaced]


def _quantity(fills: Sequence[ReportedFill]) -> int:
    return sum(fill.quantity for fill in fills)


def _left_of(line: OrderLine, fills: Sequence[ReportedFill]) -> list[ReportedFill]:
    """Return what of an order update its fills do not cover: the quantity and money that are left, to the last unit."""
    quantity, left_over = divmod(_quantity(line) - _quantity(fills), SCALE)
    if quantity <= 0 or left_over:
        return []
    money = sum(each.quantity * each.price for each in line) - sum(each.quantity * each.price for each in fills)
    price, dearer = divmod(money // SCALE, quantity)
    parts = [replace(line[0], quantity=(quantity - dearer) * SCALE, price=price)]
    if dearer:
        key = f"{line[0].key}{REST}"
        parts.append(replace(line[0], key=key, quantity=dearer * SCALE, price=price + 1))
    return parts
