"""The state of what comes behind the ledger: facts that wait for it, and its journal's projection into points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from timeseries import wiring
from trading import intake as intakes
from trading import summon
from trading.domain import display
from trading.health import faults
from trading.health.state import OFF, OK, State
from trading.queries.projection import Lag


def intake(facts: Sequence[intakes.Fact], now: datetime) -> State:
    """Return whether facts of the intake wait for the ledger too long, or one was refused within the last day."""
    if not facts:
        return State(OFF, "", "No fact had to wait for the ledger.")
    refused = [
        fact
        for fact in facts
        if fact.state == intakes.REFUSED
        and fact.decided_at is not None
        and _age(fact.decided_at, now) <= faults.FACTS_REFUSED_SECONDS
    ]
    if refused:
        last = refused[-1]
        detail = f"{len(refused)} were refused within a day, the last of them {last.operation} of {last.trade_id}."
        return faults.FACTS_REFUSED.state(detail)
    waiting = [fact for fact in facts if fact.state == intakes.WAITING]
    if waiting and (age := _age(waiting[0].queued_at, now)) > faults.OLD_SECONDS:
        return faults.FACTS_WAIT.state(f"{display.count(len(waiting))} wait, the oldest for {age:.0f} s.")
    return State(OK, "", f"{display.count(len(waiting))} wait, {display.count(len(facts) - len(waiting))} are decided.")


def follower(lags: Sequence[Lag], now: datetime) -> State:
    """Return how far the points of executions and stops are behind the journal.

    Where no companion lives and nobody records, the rows wait for the next one, as they may.
    """
    if not lags:
        return State(OK, "", "Every row of the journal is projected.")
    rows, oldest = sum(lag.rows for lag in lags), min(lag.oldest_at for lag in lags)
    age = (now - oldest).total_seconds()
    detail = f"{display.count(rows)} rows of the journal are no points yet, the oldest for {age:.0f} s."
    is_at_work = summon.companion_pid() is not None or summon.is_recorded(wiring.open_spool())
    if is_at_work and age > faults.OLD_SECONDS:
        return faults.FOLLOWER_BEHIND.state(detail)
    return State(OK, "", detail)


def _age(text: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(text)).total_seconds()
