"""The state of alerts: whether faults are judged, and whether what was told arrives."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from timeseries import presence
from trading import summon
from trading.domain.alert_address import first_refusal
from trading.errors import VeloxError
from trading.health import faults
from trading.health.state import OFF, OK, State
from trading.queries.alerts import channel_rows, given_up
from trading.transactions import ask

JUDGED, ALL_CLEAR_REFUSED = "alerts", "all-clear-refused"  # where the data folder says when it last happened
REFUSED_SECONDS = 180.0


def alerts(now: datetime) -> State:
    """Return whether somebody judges the desk's faults, and which channels do not take what is told."""
    judged = presence.seconds_since(settings.DATA_DIR, JUDGED)
    is_judged = judged is not None and judged <= faults.UNJUDGED_SECONDS
    if not is_judged and judged is not None and summon.companion_pid():
        return faults.NOT_JUDGED.state(f"The last look at the desk's faults was {judged:.0f} s ago.")
    try:
        labels, rows = ask(given_up, now=now), ask(channel_rows)
    except VeloxError:  # which is the part `ledger`'s fault, and no second one
        labels, rows = [], []
    if labels:
        return faults.UNDELIVERED.state(f"Alerts were given up: {', '.join(labels)}.")
    if reason := first_refusal(settings.VELOX_ALERT_URLS, kinds=settings.VELOX_ALERT_KINDS):
        return faults.CHANNEL_UNUSABLE.state(f"Of VELOX_ALERT_URLS {reason}")
    refused = presence.seconds_since(settings.DATA_DIR, ALL_CLEAR_REFUSED)
    if refused is not None and refused <= REFUSED_SECONDS:
        return faults.ALL_CLEAR_REFUSED.state(f"The last all-clear was not taken {refused:.0f} s ago.")
    count = len(settings.VELOX_ALERT_URLS) + sum(row.is_active for row in rows)
    place = f"{count} channels hear of faults." if count else "No channel is set: nothing leaves this machine."
    return State(OK if is_judged else OFF, "", place if is_judged else f"Nobody judges faults now. {place}")
