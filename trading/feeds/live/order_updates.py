"""Order updates to fills: an order's cumulative quantity and average are exact money of provisional fills.

An average is no price. The money of an order, quantity times average, is a multiple of the instrument's tick, since
every fill's is: it is given to one or two provisional fills at neighbouring ticks, which add up to it to the last unit.
The real trades of the order take their place (`domain.replaced_orders`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from trading.brokers.cells import INDIA
from trading.brokers.kite_orders import filled_so_far
from trading.brokers.objects import ObjectLine
from trading.brokers.ordering import in_order_of_time
from trading.brokers.reading import read_rows
from trading.brokers.values import Broker, FillLine, Place, Statement
from trading.domain.chain import JSON
from trading.domain.money import MAX
from trading.domain.trade_building import live_key

NAME, KIND = "order updates", "order_updates"
SMALLEST = Decimal(1).scaleb(-8)  # the ledger's own unit, where no tick is known or the money lies on none
TickOf = Mapping[tuple[str | None, str | None], Decimal]  # by exchange and symbol


def statement_of_updates(updates: Iterable[Mapping[str, JSON]], tick_of: TickOf) -> Statement:
    """Return what order updates of Kite say as a statement of provisional fills; the same updates make the same."""
    lines = [ObjectLine(Place(NAME, "", number), update) for number, update in enumerate(updates, 1)]
    rows = read_rows(lines, filled_so_far)
    fills = in_order_of_time([fill for line in rows.read for fill in exact_parts(line, tick_of)])
    clients = {str(line.fields.get("user_id") or "") for line in lines} - {""}
    return Statement(
        file=NAME,
        sha256=sha256(json.dumps([dict(line.fields) for line in lines]).encode()).hexdigest(),
        broker=Broker.KITE,
        kind=KIND,
        zone=INDIA.key,
        rows_read=rows.count,
        first_day=fills[0].day if fills else None,
        last_day=fills[-1].day if fills else None,
        client=clients.pop() if len(clients) == 1 else None,
        fills=fills,
        ignored=tuple(rows.ignored),
        rejected=tuple(rows.rejected),
        is_empty=not rows.count,
    )


def exact_parts(line: FillLine, tick_of: TickOf) -> list[FillLine]:
    """Return the provisional fills of an order's state: their quantities and money add up to it exactly."""
    order_id, quantity = line.order_id or "", f"{line.quantity.normalize():f}"
    first = replace(line, key=live_key(order_id, quantity))
    if line.quantity > MAX or line.quantity * line.price > MAX:
        return [first]  # which the ledger refuses
    tick = tick_of.get((line.instrument.exchange, line.instrument.symbol), SMALLEST)
    count = _in_ticks(line, tick)
    if count is None:
        tick, count = SMALLEST, _in_ticks(line, SMALLEST) or 0
    if line.quantity % 1:  # of what comes in fractions
        return [replace(first, price=(line.price / SMALLEST).to_integral_value(ROUND_HALF_EVEN) * SMALLEST)]
    price, dearer = divmod(count, int(line.quantity))
    parts = [replace(first, quantity=line.quantity - dearer, price=price * tick)]
    if dearer:
        key = live_key(order_id, quantity, is_rest=True)
        parts.append(replace(line, key=key, quantity=Decimal(dearer), price=(price + 1) * tick))
    return parts


def _in_ticks(line: FillLine, tick: Decimal) -> int | None:
    """Return an order's money in ticks; None where no multiple is as near as the average's last digit allows."""
    money = line.quantity * line.price
    count = int((money / tick).to_integral_value(ROUND_HALF_EVEN))
    exponent = line.price.as_tuple().exponent
    doubt = line.quantity * Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    return count if abs(count * tick - money) <= doubt else None
