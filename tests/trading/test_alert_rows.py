"""Alerts as rows: one while it lasts, exactly one recovery, and nothing of a channel's address to be read."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.trading.test_verify_ledger import found
from trading.errors import InvalidValue, UnknownAccount
from trading.models import Alert, Seal
from trading.operations.deliver_alerts import queue_deliveries, take_deliveries
from trading.operations.raise_alert import Notice, raise_alert, raise_alerts, recover_alert, see_alert_again
from trading.queries.alerts import due_deliveries, lasting_faults, messages_within

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.ledger]

EXPLAINED = {"sqlite": "QUERY PLAN", "postgresql": ""}
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


def test_what_is_asked_every_second_is_found_by_an_index_however_many_alerts_there_are() -> None:
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as asked:
        queue_deliveries({"row:1": "phone"}, now=AT)
        messages_within("row:1", MINUTE, now=AT)
        lasting_faults("fault:desk")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # an empty table is read whole otherwise
        plans = {}
        for query in list(asked.captured_queries):
            if "trading_alert" in query["sql"]:
                cursor.execute(f"EXPLAIN {EXPLAINED[connection.vendor]} {query['sql']}")
                plans[query["sql"]] = str(cursor.fetchall())
    indexes = ["alert_unqueued", "alertdelivery_sent", "alert_lasting"]
    assert len(plans) == 3 and all(index in plan for index, plan in zip(indexes, plans.values(), strict=True)), plans
