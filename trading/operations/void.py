"""Voiding a trade that never was, or one fill of it."""

from __future__ import annotations

from datetime import UTC, datetime

from trading.bookkeeping import charging, correcting
from trading.domain import values
from trading.errors import TradeClosed
from trading.models import Trade
from trading.queries import facts
from trading.queries.trades import trade_value
from trading.transactions import writing


def void(trade_pk: int, *, by: str, reason: str, fill: int | None = None) -> values.Trade:
    """Void a trade, or its fill of this sequence, and return the trade as it stands then.

    A void trade holds nothing, brought nothing and counts nowhere; its rows stay, its id is not free again. What is
    stated of charges of its days is shared among the fills that are left. To void it again changes nothing.

    Raises: InvalidValue, CrossesZero where what is left makes no trade; UnknownTrade, TradeClosed for a fill of a void
        trade, LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    now = datetime.now(UTC)
    with writing():
        trade, head = correcting.locked(trade_pk)
        if trade.state == Trade.State.VOID:
            if fill is None:
                return values.known_already(trade_value(trade))
            raise TradeClosed(f"Trade {trade.trade_id} is void.", field="trade", hint="None of its fills counts.")
        if fill is not None and trade.corrections.filter(kind=facts.VOID, fill__sequence=fill).exists():
            return values.known_already(trade_value(trade))
        row = None if fill is None else correcting.fill_of(trade, fill)
        days = charging.days_of(trade, facts.fills_of(trade) if row is None else [row])
        correcting.write(trade, head, kind=facts.VOID, fill=row, reason=reason, by=by, now=now)
        charging.share_anew(trade.account, days, reason=f"Void: {reason}", by=by, now=now)
        return trade_value(correcting.locked(trade_pk)[0])
