"""Say a fact of a trade right that was recorded wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from timeseries.values import parse_name
from trading.bookkeeping import arguments, correcting, references
from trading.domain import money, values
from trading.errors import InvalidValue, TradeClosed
from trading.models import Fill, Trade
from trading.queries import facts
from trading.queries.trades import trade_value
from trading.transactions import writing

Facts = Mapping[str, Decimal | datetime | None]


def amend(
    trade_pk: int,
    *,
    by: str,
    reason: str,
    fill: int | None = None,
    price: Any = None,
    quantity: Any = None,
    at: Any = None,
    charges: Any = None,
    strategy_id: str | None = None,
) -> values.Trade:
    """Return the trade as it stands once what is given here is right; what is None stays.

    ``fill`` is the sequence of the fill within the trade, None where it has only one. What was recorded stays: the
    correction is a row of its own, with who and why; the trade, what it realised and the totals of its days follow in
    the same transaction. What is right already changes nothing.

    Raises: InvalidValue, CrossesZero, IdConflict where the facts would make no trade; UnknownTrade, TradeClosed for a
        void one, LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    given: Facts = {
        "price": None if price is None else money.parse_price(price, "price"),
        "quantity": None if quantity is None else money.parse_quantity(quantity),
        "at": None if at is None else arguments.required_time(at, "at"),
        "charges": money.parse_charge(charges),
    }
    right = {name: value for name, value in given.items() if value is not None}
    strategy = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    if not right and strategy is None:
        raise InvalidValue("Nothing is amended.", field="price", hint="Give what is right.")
    now = datetime.now(UTC)
    with writing():
        trade, head = correcting.locked(trade_pk)
        if trade.state == Trade.State.VOID:
            raise TradeClosed(f"Trade {trade.trade_id} is void.", field="trade", hint="Book it anew.")
        meant = correcting.fill_of(trade, fill) if right else None
        body = _difference(trade, meant, right, strategy)
        if not body["now"]:
            return values.known_already(trade_value(trade))
        said: dict[str, Any] = {"fill": meant, "body": body, "reason": reason, "by": by, "now": now}
        said["strategy"] = None if strategy is None else references.strategy_of(strategy)
        return correcting.write(trade, head, kind=facts.AMEND, **said)


def _difference(trade: Trade, fill: Fill | None, right: Facts, strategy: str | None) -> dict[str, dict[str, Any]]:
    """Return ``was`` and ``now`` of what is not right yet."""
    was = {name: getattr(fill, name) for name in right if getattr(fill, name) != right[name]}
    now: dict[str, Any] = {name: right[name] for name in was}
    if strategy is not None and strategy != trade.strategy.code:
        was, now = {**was, "strategy": trade.strategy.code}, {**now, "strategy": strategy}
    return {
        "was": {name: correcting.text_of(value) for name, value in was.items()},
        "now": {name: correcting.text_of(value) for name, value in now.items()},
    }
