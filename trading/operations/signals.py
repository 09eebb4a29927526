"""Writing one signal with its numeric conditions, inside an operation's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.errors import IdConflict
from trading.models import Account, Instrument, Signal, SignalCondition, Strategy, Trade

NAME_MAX = 255


def keep(
    account: Account,
    strategy: Strategy,
    instrument: Instrument,
    *,
    at: datetime,
    decision: str,
    reason: str,
    conditions: dict[str, Any],
    now: datetime,
    trade: Trade | None = None,
) -> tuple[Signal, bool]:
    """Return the signal of this key and whether it is new.

    Raises: IdConflict where the key is known with other conditions or another reason. A trade that comes along is not
        refused for that: the signal stays as it was first recorded, and the caller compares (`is_same`).
    """
    key = {"account": account, "strategy": strategy, "instrument": instrument, "at": at, "decision": decision}
    content = {"conditions": conditions, "reason": reason, "trade": trade, "recorded_at": now}
    signal, is_new = Signal.objects.get_or_create(**key, defaults=content)
    if is_new:
        named = dict(numbers(conditions))  # two paths may have one name ("a.b"); the last stands
        SignalCondition.objects.bulk_create(
            SignalCondition(signal=signal, name=name, value=value) for name, value in named.items()
        )
        return signal, True
    if trade is None and not (is_same(signal.conditions, conditions) and signal.reason == reason):
        raise IdConflict(
            f"A signal {decision} of {strategy} in {instrument.symbol} at {at} is known with other content.",
            field="conditions",
            hint="A signal is kept as it was first recorded; give another time for another signal.",
        )
    if trade is not None and signal.trade_id is None:
        signal.trade = trade
        signal.save(update_fields=["trade"])
    return signal, False


def is_same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are the same; PostgreSQL gives 1e300 back as an int."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) and isinstance(right, int):
        return is_same(right, left)
    if isinstance(left, int) and isinstance(right, float):
        return left == right or str(left) == f"{Decimal(repr(right)):f}"
    return bool(left == right)


def numbers(conditions: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield each number (a boolean as 0 or 1) with its dotted path."""
    for key, value in conditions.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from numbers(value, f"{name}.")
        elif isinstance(value, (bool, int, float)) and abs(value) < 1e300 and 0 < len(name) <= NAME_MAX:
            yield name, float(value)
