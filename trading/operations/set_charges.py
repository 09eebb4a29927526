"""Setting what a trade cost in charges, from the broker's note that comes after the trade."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from timeseries.values import Number, parse_name
from trading.bookkeeping import arguments, correcting, journal
from trading.domain import money, values
from trading.domain.chain import journal_text
from trading.domain.money import from_units, to_units
from trading.errors import InvalidValue, TradeClosed
from trading.models import Fill, JournalHead, Trade
from trading.queries import facts
from trading.queries.trades import find_trade, trade_value
from trading.transactions import writing


def set_charges(
    account_code: str, trade_id: str, amount: Number, *, source: str, strategy_id: str | None = None
) -> values.Trade:
    """Set the charges of all fills of a trade so far, in place of what was known of them, and return the trade.

    They are shared among the fills by their value; a later fill adds its own. ``source`` is where the figure comes
    from ("contract note 4711"). The amount that is known already changes nothing.

    Raises: InvalidValue, UnknownTrade, AmbiguousTrade, TradeClosed for a void trade, UnknownAccount, LedgerBusy,
        LedgerNotReady.
    """
    trade_id = arguments.identity(trade_id, "trade_id")
    strategy_id = None if strategy_id is None else parse_name(strategy_id, "strategy_id")
    total, source = _amount(amount), arguments.identity(source, "source")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        trade = find_trade(account, trade_id, strategy_id=strategy_id)
        return _set(trade, head, total, source=source, by=source, reason=f"Charges from {source}", now=now)


def set_charges_of(trade_pk: int, amount: Number, *, by: str, reason: str) -> values.Trade:
    """Set the charges of the trade of this primary key, as a person's correction with author and reason; return it."""
    total, by, reason = _amount(amount), correcting.author(by), correcting.why(reason)
    now = datetime.now(UTC)
    with writing():
        trade, head = correcting.locked(trade_pk)
        return _set(trade, head, total, source=by, by=by, reason=reason, now=now)


def _amount(amount: Number) -> Decimal:
    """Return the amount exactly. Raises: InvalidValue, also where it is missing."""
    exact = money.parse_charge(amount, "amount")
    if exact is None:
        raise InvalidValue("amount is missing.", field="amount", hint="Give a number; a rebate is below 0.")
    return exact


def _set(
    trade: Trade, head: JournalHead, amount: Decimal, *, source: str, by: str, reason: str, now: datetime
) -> values.Trade:
    if trade.state == Trade.State.VOID:
        raise TradeClosed(f"Trade {trade.trade_id} is void.", field="trade_id", hint="It has no charges.")
    if trade.charges == amount:
        return values.known_already(trade_value(trade))
    # Each fill has its share by its value (by its quantity where none has any), in whole units; the last has the rest.
    fills = [fill for fill in facts.fills_of(trade) if fill.role != Fill.Role.SPLIT]
    worths = [abs(to_units(fill.price)) * to_units(fill.quantity) for fill in fills]
    worths = worths if any(worths) else [to_units(fill.quantity) for fill in fills]
    shares = [to_units(amount) * worth // sum(worths) for worth in worths[:-1]]
    shares.append(to_units(amount) - sum(shares))
    body: correcting.CorrectionBody = {
        "was": {"charges": correcting.text_of(trade.charges)},
        "now": {"charges": correcting.text_of(amount)},
        "by_fill": {
            str(fill.sequence): journal_text(from_units(share)) for fill, share in zip(fills, shares, strict=True)
        },
        "source": source,
    }
    return correcting.write(trade, head, kind=facts.CHARGES, body=body, reason=reason, by=by, now=now)
