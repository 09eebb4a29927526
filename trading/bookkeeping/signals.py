"""Writing one signal with its numeric conditions, inside an operation's transaction."""

from __future__ import annotations

from datetime import datetime

from django.utils.timezone import localtime

from trading import rows
from trading.domain.chain import JSON, JournalEntry
from trading.domain.conditions import is_same, numbers
from trading.errors import IdConflict
from trading.models import Account, Instrument, Signal, SignalCondition, Strategy, Trade


def keep(
    account: Account,
    strategy: Strategy,
    instrument: Instrument,
    *,
    at: datetime,
    decision: str,
    reason: str,
    conditions: dict[str, JSON],
    now: datetime,
    trade: Trade | None = None,
) -> tuple[Signal, bool]:
    """Write a signal, where its key is new, and return it with whether it was; the account's chain is locked already.

    Raises: IdConflict where the key is known with other conditions or another reason. A trade that comes along is not
        refused for that: the signal stays as it was first recorded, and the caller compares (`is_same`).
    """
    owners = {"account_id": account.pk, "strategy_id": strategy.pk, "instrument_id": instrument.pk}
    signal = rows.one(Signal, **owners, at=at, decision=decision)
    if signal is None:
        signal = Signal(**owners, at=at, decision=decision, reason=reason, conditions=conditions, recorded_at=now)
        signal.account, signal.strategy, signal.instrument, signal.trade = account, strategy, instrument, trade
        rows.insert(signal)
        by_name = dict(numbers(conditions))  # two paths may have one name ("a.b"); the last stands
        rows.insert_many([SignalCondition(signal=signal, name=name, value=number) for name, number in by_name.items()])
        return signal, True
    signal.account, signal.strategy, signal.instrument = account, strategy, instrument
    if trade is None and not (is_same(signal.conditions, conditions) and signal.reason == reason):
        raise IdConflict(
            f"A signal {decision} of {strategy} in {instrument.symbol} at {localtime(at)} is known with other content.",
            field="conditions",
            hint="A signal is kept as it was first recorded; give another time for another signal.",
        )
    if trade is not None and signal.trade_id is None:
        signal.trade = trade
        signal.save(update_fields=["trade"])
    return signal, False


def keys_of(signal: Signal) -> JournalEntry:
    """Return the keys of a new signal's rows, as the journal has them."""
    return {
        "signal_pk": signal.pk,
        "strategy_pk": signal.strategy_id,
        "instrument_pk": signal.instrument_id,
        "number_pks": {number.name: number.pk for number in rows.fetch(SignalCondition, signal_id=signal.pk)},
    }
