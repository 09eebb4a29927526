"""What goes into one message to a channel: which of the due deliveries, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from django.conf import settings

from trading.domain import display
from trading.domain.quiet_hours import QuietHours
from trading.models import Alert, AlertDelivery
from trading.queries.alerts import PATIENT

MESSAGES_MAX, WITHIN = 20, timedelta(minutes=10)  # to one channel
FLOODED_EVERY = timedelta(minutes=1)  # beyond them one, so that a fault waits for no more than this behind a flood
PATIENT_MAX = 10  # of them: what can wait leaves room for what cannot
TOGETHER_MAX = 50  # alerts in one message
LINE_CHARACTERS_MAX = 120  # of the text of one of them
BODY_CHARACTERS_MAX = 3000  # Telegram takes 4,096
SEVERITIES = {
    Alert.Kind.FAULT: "failure",
    Alert.Kind.NOT_FLAT: "failure",
    Alert.Kind.LIMIT: "warning",
}


def next_message(
    due: Sequence[AlertDelivery], *, sent: Sequence[datetime], quiet: QuietHours, now: datetime
) -> list[AlertDelivery]:
    """Return the deliveries that the next message to their channel carries, none where all of them wait.

    Each has a message of its own, in the order of ``due``, while there is room among the messages of ten minutes
    (``sent`` is when they went); what does not fit goes together. Closed trades and summaries wait in quiet hours.
    """
    urgent = [row for row in due if row.alert.kind not in PATIENT]
    patient = [] if quiet.holds(now) else [row for row in due if row.alert.kind in PATIENT]
    for rows, messages_max in ((urgent, MESSAGES_MAX), (patient, PATIENT_MAX)):
        room = messages_max - len(sent)
        if rows and room > 0:
            return list(rows[:1] if len(rows) <= room else _together(rows))
    return list(_together(urgent)) if urgent and now - max(sent) >= FLOODED_EVERY else []


def _together(rows: Sequence[AlertDelivery]) -> Sequence[AlertDelivery]:
    """Return the first of these deliveries that fit into one message: what is cut off a message is never told."""
    ends = accumulate(len(_line(row)) + 1 for row in rows[:TOGETHER_MAX])
    return rows[: max(1, sum(end <= BODY_CHARACTERS_MAX for end in ends))]


def request_of(deliveries: Sequence[AlertDelivery], url: str) -> dict[str, str]:
    """Return what the sending process is asked for: the message of these deliveries to an address."""
    first = deliveries[0]
    title, body = _title(first), _body(first)
    if len(deliveries) > 1:
        title = f"VELOX: {len(deliveries)} alerts"
        body = "\n".join(map(_line, deliveries))
    severity = (
        "success"
        if all(row.is_recovery for row in deliveries)
        else SEVERITIES.get(Alert.Kind(first.alert.kind), "info")
    )
    return {
        "url": url,
        "title": title,
        "body": body,
        "severity": severity,
    }


def notice_request(alert: Alert, url: str) -> dict[str, str]:
    """Return the message of an alert that the ledger could not take yet, which no delivery stands for."""
    return request_of([AlertDelivery(alert=alert)], url)


def _title(delivery: AlertDelivery) -> str:
    alert = delivery.alert
    account = f" · {alert.account.code}" if alert.account is not None else ""
    word = "Recovered" if delivery.is_recovery else Alert.Kind(alert.kind).label
    about = f" {alert.component}" if alert.component else ""
    return f"VELOX: {word}{about}{account}"


def _body(delivery: AlertDelivery) -> str:
    alert, zone = delivery.alert, ZoneInfo(settings.TIME_ZONE)
    began = f"{alert.first_seen_at.astimezone(zone):%d %b %Y %H:%M:%S}"
    lines = [alert.text]
    if delivery.is_recovery and alert.recovered_at is not None:
        lines = [f"Over since {alert.recovered_at.astimezone(zone):%H:%M:%S}: {alert.text}"]
    elif alert.cure:
        lines.append(alert.cure)
    text, end = "\n".join(lines), f"\nSince {began}. {settings.VELOX_SITE_URL}/alerts/\n{_name(delivery)}"
    room = BODY_CHARACTERS_MAX - len(end)  # the name is what tells a message that came twice
    return display.shortened(text, room) + end


def _line(delivery: AlertDelivery) -> str:
    """Return what a message of several alerts tells of one of them."""
    first_line = display.shortened(delivery.alert.text.partition("\n")[0], LINE_CHARACTERS_MAX)
    return f"{_title(delivery).removeprefix('VELOX: ')} · {first_line} · {_name(delivery)}"


def _name(delivery: AlertDelivery) -> str:
    """Return what tells a message that came twice from another: the alert's id, and what became of it."""
    return f"id {delivery.alert.uid} {'recovered' if delivery.is_recovery else 'raised'}"
