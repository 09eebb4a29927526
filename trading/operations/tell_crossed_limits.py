"""Telling that limits are crossed: one alert a day for each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from trading.domain import display
from trading.domain.limits import LimitState, Usage
from trading.models import Account, Alert
from trading.operations.raise_alert import Notice, raise_alerts

CURE = "Stop what trades there, or set another limit (`manage.py limits`): VELOX watches and refuses nothing."


def tell_crossed_limits(account: Account, day: date, states: Iterable[LimitState], *, now: datetime) -> int:
    """Raise an alert for each crossed limit of a day that has none yet; return how many. A replay is told to nobody.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    if account.book == Account.Book.REPLAY:
        return 0
    crossed = [state for state in states if state.state == Usage.CROSSED]
    return raise_alerts([_notice(account, day, state) for state in crossed], now=now)


def key_of(account: Account, day: date, state: LimitState) -> str:
    """Return the key of the alert of a crossed limit; one that is set anew on the day is another limit."""
    return f"limit {account.code} {day} {state.number}"


def _notice(account: Account, day: date, state: LimitState) -> Notice:
    def amount(size: Decimal | None) -> str:
        return display.money(size or Decimal(0), account.currency) if state.is_money else f"{size:f}"

    of = f"account {account.code}" if state.strategy_id is None else f"{state.strategy_id} in account {account.code}"
    text = f"{state.title} {amount(state.used)}, limit {amount(state.limit)}: crossed by {of}."
    return Notice(Alert.Kind.LIMIT, key_of(account, day, state), text, account.code, "limits", state.kind, CURE)
