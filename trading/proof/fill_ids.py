"""Broker's fill ids that stand for more than one fill of an account, exchange and trading day.

No operation books such a fill. Ledgers that are older than the keys of fills may hold some: they stay as they are, and
a person decides which of them is to be voided.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from trading.proof.rows import Tables

TWICE = "twice"
# Keys of ids that have more than one, but for those of voided fills.
_SHARED = """
SELECT k.account_id, k.exchange_id, k.day, k.broker_fill_id, k.fill_id, k.trade_id, f.sequence
FROM trading_fillkey k JOIN trading_fill f ON f.id = k.fill_id JOIN trading_trade t ON t.id = k.trade_id
WHERE t.state <> 'VOID'
AND NOT EXISTS (SELECT 1 FROM trading_correction c WHERE c.fill_id = k.fill_id AND c.kind = 'void')
AND EXISTS (
    SELECT 1 FROM trading_fillkey o WHERE o.account_id = k.account_id AND o.exchange_id = k.exchange_id
    AND o.day = k.day AND o.broker_fill_id = k.broker_fill_id AND o.number > 0
)
ORDER BY k.account_id, k.exchange_id, k.day, k.broker_fill_id, k.number
"""


class SharedKey(NamedTuple):
    """A key of an id that has several, with the sequence of its fill within the trade."""

    account: int
    exchange: int
    day: str
    broker_fill_id: str
    fill: int
    trade: int
    sequence: int


def find_ids_twice(tables: Tables, second_rows: Collection[tuple[int, int]]) -> None:
    """Find the fills whose id another fill of their day has as well; ``second_rows`` are those (trade, sequence) that
    are another part of a fill, and no other fill."""
    name = attrgetter("account", "exchange", "day", "broker_fill_id")
    keys = map(SharedKey._make, tables.rows(_SHARED))
    for _, group in groupby(keys, name):
        own = [key for key in group if (key.trade, key.sequence) not in second_rows]
        for key in own[1:]:
            if key.fill != own[0].fill:
                reason = f"an id of its own: fill {own[0].fill} has it, too"
                tables.findings.add(TWICE, "trading_fill", key.fill, "fill_id", key.broker_fill_id, reason)
