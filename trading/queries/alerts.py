"""Alerts, their deliveries and the channels as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from trading.models import Account, Alert, AlertChannel, AlertDelivery
from trading.rows import fetch

State = AlertDelivery.State


class DeliveryRow(TypedDict):
    """A delivery as reports have it."""

    channel: str
    recovery: bool
    state: str
    tries: int
    next_try_at: datetime
    sent_at: datetime | None
    error: str


class AlertRow(TypedDict):
    """An alert as reports have it; ``account`` is None for the whole desk's."""

    id: str
    kind: str
    account: str | None
    part: str
    code: str
    text: str
    cure: str
    first_seen_at: datetime
    last_seen_at: datetime
    recovered_at: datetime | None
    count: int
    deliveries: list[DeliveryRow]


GIVEN_UP_WITHIN = timedelta(days=1)
PAUSE_MAX_SECONDS = 600.0  # between two tries of a delivery
URGENT = (Alert.Kind.FAULT, Alert.Kind.NOT_FLAT)  # what goes first
PATIENT = (Alert.Kind.TRADE, Alert.Kind.SUMMARY)  # what can wait, as in quiet hours


def alerts_of(account: Account | None, *, kind: str = "", limit: int | None = None) -> QuerySet[Alert]:
    """Return an account's alerts and those of the whole desk (None: these alone), what lasts first, then the newest."""
    lasts = Q(recovered_at=None, kind=Alert.Kind.FAULT)  # of the others each is told, and that was it
    rows = Alert.objects.filter(Q(account=account) | Q(account=None)).alias(
        lasts=Exists(Alert.objects.filter(lasts, pk=OuterRef("pk")))
    )
    rows = rows.filter(kind=kind) if kind else rows
    return (
        rows.select_related("account")
        .prefetch_related("deliveries")
        .order_by("-lasts", "-first_seen_at", "-pk")[:limit]
    )


def alert_rows(account: Account, *, kind: str = "", limit: int | None = None) -> list[AlertRow]:
    """Return an account's alerts and the whole desk's as reports have them, what lasts first, then the newest."""
    return [
        {
            "id": alert.uid,
            "kind": alert.kind,
            "account": None if alert.account is None else alert.account.code,
            "part": alert.component,
            "code": alert.code,
            "text": alert.text,
            "cure": alert.cure,
            "first_seen_at": alert.first_seen_at,
            "last_seen_at": alert.last_seen_at,
            "recovered_at": alert.recovered_at,
            "count": alert.count,
            "deliveries": [
                {
                    "channel": row.label,
                    "recovery": row.is_recovery,
                    "state": row.state,
                    "tries": row.tries,
                    "next_try_at": row.next_try_at,
                    "sent_at": row.sent_at,
                    "error": row.error,
                }
                for row in alert.deliveries.all()
            ],
        }
        for alert in alerts_of(account, kind=kind, limit=limit)
    ]


def lasting_faults(prefix: str) -> list[str]:
    """Return the keys, with this prefix, of the alerts of faults that last."""
    faults = Alert.objects.filter(kind=Alert.Kind.FAULT, recovered_at=None).order_by()
    return list(faults.filter(key__startswith=prefix).values_list("key", flat=True))


def is_due(now: datetime) -> Q:
    """Return the condition of deliveries that are to be sent, or sent again, now.

    A clock that was set back must not hold them until it is as late as it was: what was never tried is due in any case,
    and so is what would wait for longer than the longest pause.
    """
    longest = now + timedelta(seconds=PAUSE_MAX_SECONDS)
    is_time = Q(tries=0) | Q(next_try_at__lte=now) | Q(next_try_at__gt=longest)
    return Q(state__in=(State.WAITING, State.SENDING)) & is_time


def due_deliveries(channel: str, *, now: datetime, limit: int) -> list[AlertDelivery]:
    """Return what is to be sent to a channel now: faults that begin, the rest, what can wait, of each the oldest first;
    a recovery waits until its alert has gone."""
    raised = AlertDelivery.objects.filter(
        alert=OuterRef("alert"), channel=channel, is_recovery=False, state__in=(State.WAITING, State.SENDING)
    )
    rows = AlertDelivery.objects.filter(is_due(now), channel=channel).exclude(Q(is_recovery=True) & Exists(raised))
    # However many limits are crossed, faults over, or trades held back in quiet hours, a fault is among the first.
    begins = Q(alert__kind__in=URGENT, is_recovery=False)
    rank = Case(When(begins, then=0), When(alert__kind__in=PATIENT, then=2), default=1)
    return list(rows.select_related("alert__account").order_by(rank, "pk")[:limit])


def messages_within(channel: str, period: timedelta, *, now: datetime) -> list[datetime]:
    """Return when a channel got each message of the last ``period``; alerts that were sent together are one.

    What a clock that was set back calls the future does not count: it would hold messages back until then.
    """
    rows = AlertDelivery.objects.filter(channel=channel, state=State.SENT, sent_at__gt=now - period, sent_at__lte=now)
    return [moment for moment in rows.order_by("sent_at").values_list("sent_at", flat=True).distinct() if moment]


def given_up(*, now: datetime) -> list[str]:
    """Return the labels of channels that a message of the last day did not reach, and no later one either."""
    connection = connections[DEFAULT_DB_ALIAS]
    since = connection.ops.adapt_datetimefield_value(now - GIVEN_UP_WITHIN)
    with connection.cursor() as cursor:  # with every look at the desk's health: the ORM would take ten times as long
        cursor.execute(
            "SELECT DISTINCT missed.label FROM trading_alertdelivery missed"
            " WHERE missed.state = %s AND missed.next_try_at > %s AND NOT EXISTS (SELECT 1 FROM trading_alertdelivery"
            " later WHERE later.channel = missed.channel AND later.state = %s AND later.sent_at > missed.next_try_at)",
            [State.GIVEN_UP, since, State.SENT],
        )
        return sorted(label for (label,) in cursor.fetchall())


def channel_rows() -> list[AlertChannel]:
    """Return the channels that operators keep, by name."""
    return fetch(AlertChannel, order_by="name")
