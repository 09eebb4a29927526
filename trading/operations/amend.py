"""Correcting a recorded fact of a trade."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from timeseries.values import Instant, Number, parse_name
from trading.bookkeeping import arguments, charging, correcting, references
from trading.domain import money, values
from trading.errors import InvalidValue, TradeClosed
from trading.models import Trade
from trading.queries import facts
from trading.queries.trades import trade_value
from trading.transactions import writing


def amend(
    trade_pk: int,
    *,
    by: str,
    reason: str,
    fill: int | None = None,
    price: Number | None = None,
    quantity: Number | None = None,
    at: Instant | None = None,
    charges: Number | None = None,
    strategy_id: str | None = None,
) -> values.Trade:
    """Correct recorded facts of a trade and return it as it stands then; what is None stays.

    ``fill`` is the sequence of the fill within the trade, None where it has only one. What was recorded stays: the
    correction is a row of its own, with who and why; the trade, what it realised and the totals of its days follow in
    the same transaction, and so do its parts of stated charges, which go by price and quantity. What is right already
    changes nothing.

    Raises: InvalidValue, CrossesZero, IdConflict where the facts would make no trade; UnknownTrade, TradeClosed for a
        void one, LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    right: dict[str, Decimal | datetime] = {}
    if price is not None:
        right["price"] = money.parse_price(price, "price")
    if quantity is not None:
        right["quantity"] = money.parse_quantity(quantity)
    if at is not None:
        right["at"] = arguments.required_time(at, "at")
    if (amount := money.parse_charge(charges)) is not None:
        right["charges"] = amount
    strategy = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    if not right and strategy is None:
        raise InvalidValue("Nothing is amended.", field="price", hint="Give what is right.")
    now = datetime.now(UTC)
    with writing():
        trade, head = correcting.locked(trade_pk)
        if trade.state == Trade.State.VOID:
            raise TradeClosed(f"Trade {trade.trade_id} is void.", field="trade", hint="Book it anew.")
        wrong_fill = correcting.fill_of(trade, fill) if right else None
        wrong = [name for name in right if getattr(wrong_fill, name) != right[name]]
        was = {name: correcting.text_of(getattr(wrong_fill, name)) for name in wrong}
        becomes = {name: correcting.text_of(right[name]) for name in wrong}
        if strategy is not None and strategy != trade.strategy.code:
            was["strategy"], becomes["strategy"] = trade.strategy.code, strategy
        if not becomes:
            return values.known_already(trade_value(trade))
        moved = wrong_fill if wrong_fill is not None and {"price", "quantity", "at"} & set(wrong) else None
        days = set() if moved is None else charging.days_of(trade, [moved])
        answer = correcting.write(
            trade,
            head,
            kind=facts.AMEND,
            fill=wrong_fill,
            body={"was": was, "now": becomes},
            reason=reason,
            by=by,
            now=now,
            strategy=None if strategy is None else references.strategy_of(strategy),
        )
        if moved is None:
            return answer
        if isinstance(moved_to := right.get("at"), datetime):
            days.add(references.day_of(moved_to, trade.instrument))
        charging.share_anew(trade.account, days, reason=f"Amendment: {reason}", by=by, now=now)
        return trade_value(correcting.locked(trade_pk)[0])
