"""The state of duties: which host does the desk's work by period, and whether any does."""

from __future__ import annotations

from django.conf import settings

from trading import summon
from trading.health import faults
from trading.health.state import OFF, OK, State
from trading.queries.duties import duty_holds


def duties() -> State:
    """Return who holds each duty. That nobody does is a fault where somebody should: beside a companion, and for a web
    whose recorder is elsewhere."""
    holds = duty_holds()
    if not holds:
        return State(OFF, "", "No host has begun the desk's work by period.")
    is_wanted = settings.VELOX_RECORDER_ELSEWHERE or summon.companion_pid() is not None
    unheld = [hold for hold in holds if hold.silent_seconds > faults.UNHELD_SECONDS]
    if unheld and is_wanted:
        names = " and ".join(f"`{hold.name}` for {hold.silent_seconds:,.0f} s" for hold in unheld)
        return faults.DUTY_UNHELD.state(f"Nobody held {names}.")
    held = [hold for hold in holds if hold not in unheld and hold.holder]
    texts = [f"`{hold.name}` in term {hold.term}: {hold.holder}, {hold.silent_seconds:.0f} s ago." for hold in held]
    return State(OK, "", " ".join(texts)) if texts else State(OFF, "", "No host does the desk's work by period now.")
