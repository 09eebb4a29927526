"""A test message: raised as any alert, and for whoever waits for it sent at once."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import UTC, datetime

from trading.alerts.channels import all_channels
from trading.alerts.messenger import LOADING_SECONDS, SENDING_SECONDS
from trading.alerts.outbox import Outbox
from trading.models import Alert, AlertDelivery
from trading.operations.raise_alert import Notice, raise_alert
from trading.transactions import reading

PAUSE_SECONDS = 0.1


def raise_test(*, by: str, now: datetime) -> str:
    """Raise an alert that is a test, for whoever watches the desk to send; return its key.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    key = f"test:{uuid.uuid4().hex}"
    raise_alert(Notice(Alert.Kind.TEST, key, f"A test message, asked for by {by}."), now=now)
    return key


def send_test(*, by: str) -> list[AlertDelivery]:
    """Raise a test and send it, with whatever else is due; return its deliveries once each was tried.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    key, outbox, pause = raise_test(by=by, now=datetime.now(UTC)), Outbox(), threading.Event()
    deadline = time.monotonic() + LOADING_SECONDS + SENDING_SECONDS
    try:
        while True:
            outbox.look(all_channels(), now=datetime.now(UTC), clock_seconds=time.monotonic())
            with reading():
                rows = list(AlertDelivery.objects.filter(alert__key=key).order_by("pk"))
            is_tried = all(row.tries and row.state != AlertDelivery.State.SENDING for row in rows)
            if (is_tried and not outbox.is_busy) or time.monotonic() >= deadline:
                return rows
            pause.wait(PAUSE_SECONDS)
    finally:
        outbox.end()
