"""The way of alerts to the channels: queued for each, taken by whoever sends, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import F

from timeseries.spool.backoff import pause_seconds
from trading.models import Alert, AlertDelivery
from trading.models.alert import UNQUEUED
from trading.queries.alerts import PAUSE_MAX_SECONDS, is_due
from trading.transactions import reading, writing

TRIES_MAX = 10  # over about half an hour
RETRY_SECONDS = (5.0, PAUSE_MAX_SECONDS)
TAKEN_SECONDS = 45.0  # whoever sends has ended or was killed by then
ALERTS_MAX = 500  # in one pass
State = AlertDelivery.State


def queue_deliveries(
    channels: Mapping[str, str], *, now: datetime, sent: Mapping[str, Collection[str]] | None = None
) -> int:
    """Hand new alerts and recoveries to every channel (key to label); return how many deliveries wait from now on.

    ``sent`` names the channels that have an alert already, by its uid: it was told before the ledger could take it.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    with reading():
        if not Alert.objects.filter(UNQUEUED).order_by().exists():
            return 0
    with writing():
        alerts = list(Alert.objects.filter(UNQUEUED).prefetch_related("deliveries").order_by("pk")[:ALERTS_MAX])
        rows = []
        for alert in alerts:
            labels = {row.channel: row.label for row in alert.deliveries.all()}
            for channel, label in channels.items() if alert.queued_at is None else ():
                labels[channel] = label
                row = AlertDelivery(alert=alert, channel=channel, label=label, next_try_at=now)
                if channel in (sent or {}).get(alert.uid, ()):
                    row.state, row.sent_at, row.tries = State.SENT, alert.first_seen_at, 1
                rows.append(row)
            for channel, label in labels.items() if alert.recovered_at is not None else ():  # who heard of it, no other
                rows.append(AlertDelivery(alert=alert, is_recovery=True, channel=channel, label=label, next_try_at=now))
        AlertDelivery.objects.bulk_create(rows)
        keys = [alert.pk for alert in alerts]
        Alert.objects.filter(pk__in=keys, queued_at=None).update(queued_at=now)
        over = Alert.objects.filter(pk__in=keys, recovered_at__isnull=False, recovery_queued_at=None)
        over.update(recovery_queued_at=now)
    return sum(row.state == State.WAITING for row in rows)


def take_deliveries(keys: Sequence[int], *, now: datetime) -> bool:
    """Take these due deliveries for sending; tell whether they are all ours: of two who ask one gets them.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    with writing():
        rows = AlertDelivery.objects.filter(is_due(now), pk__in=keys)
        if len(rows.select_for_update().values_list("pk")) != len(keys):  # on a server another may be at it, too
            return False
        until = now + timedelta(seconds=TAKEN_SECONDS)
        rows.update(state=State.SENDING, tries=F("tries") + 1, next_try_at=until)
    return True


def settle_deliveries(keys: Sequence[int], *, error: str, now: datetime) -> None:
    """Write what became of deliveries that were taken: sent where ``error`` is "", else tried again later or given up.

    Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly; then they are taken anew after a while, and sent twice.
    """
    with writing():
        for row in AlertDelivery.objects.filter(pk__in=keys, state=State.SENDING):
            row.error = error
            if not error:
                row.state, row.sent_at = State.SENT, now
            elif row.tries >= TRIES_MAX:
                row.state = State.GIVEN_UP
            else:
                pause = pause_seconds(row.tries - 1, first=RETRY_SECONDS[0], longest=RETRY_SECONDS[1])
                row.state, row.next_try_at = State.WAITING, now + timedelta(seconds=pause)
            row.save()
