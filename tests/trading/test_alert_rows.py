"""Alerts as rows: one while it lasts, exactly one recovery, and nothing of a channel's address to be read."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.trading.test_verify_ledger import found
from trading.errors import InvalidValue, UnknownAccount
from trading.models import Alert, Seal
from trading.operations.deliver_alerts import queue_deliveries, take_deliveries
from trading.operations.raise_alert import Notice, raise_alert, raise_alerts, recover_alert, see_alert_again
from trading.queries.alerts import due_deliveries

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.ledger]

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAULT = Notice(
    Alert.Kind.FAULT, "fault:hot", "Redis does not answer.", component="hot", code="hot_down", cure="Start it."
)


def test_an_alert_is_raised_once_while_it_lasts_and_recovers_once() -> None:
    assert raise_alert(FAULT, now=AT)
    assert not raise_alert(FAULT, now=AT + MINUTE)
    see_alert_again(FAULT.key, now=AT + 2 * MINUTE)
    assert recover_alert(FAULT.key, now=AT + 3 * MINUTE)
    assert not recover_alert(FAULT.key, now=AT + 4 * MINUTE)
    alert = Alert.objects.get()
    assert (alert.count, alert.first_seen_at, alert.recovered_at) == (2, AT, AT + 3 * MINUTE)
    # What comes back after it was over is another alert.
    assert raise_alert(FAULT, now=AT + 5 * MINUTE) and Alert.objects.count() == 2
    assert not found()


def test_of_two_senders_one_gets_a_delivery() -> None:
    raise_alert(FAULT, now=AT)
    queue_deliveries({"row:1": "phone"}, now=AT)
    keys = [row.pk for row in due_deliveries("row:1", now=AT, limit=9)]
    assert len(keys) == 1 and [take_deliveries(keys, now=AT) for _ in range(2)] == [True, False]
    assert take_deliveries(keys, now=AT + MINUTE)  # the one has died


def test_what_is_no_alert_is_refused_and_nothing_of_the_others_is_written() -> None:
    with pytest.raises(InvalidValue):
        raise_alerts([FAULT, Notice(Alert.Kind.NOTE, "note", "")], now=AT)
    with pytest.raises(UnknownAccount):
        raise_alerts([FAULT, Notice(Alert.Kind.NOTE, "note", "ready", account="nobody")], now=AT)
    assert not Alert.objects.exists() and not Seal.objects.filter(table="trading_alert").exists()
