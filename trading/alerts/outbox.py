"""What is on its way to the channels: one message to each at a time, in processes that nobody waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings

from timeseries.spool.backoff import pause_seconds
from trading.alerts.channels import Recipient
from trading.alerts.messages import WITHIN, next_message, notice_request, request_of
from trading.alerts.messenger import FAILED, MessageOutcome, Messenger
from trading.domain.quiet_hours import QuietHours
from trading.models import Alert
from trading.operations.deliver_alerts import (
    RETRY_SECONDS,
    TRIES_MAX,
    queue_deliveries,
    settle_deliveries,
    take_deliveries,
)
from trading.queries.alerts import due_deliveries, messages_within
from trading.transactions import reading

DUE_MAX = 200

log = structlog.get_logger("system")


@dataclass(slots=True)
class _Way:
    """A message on its way: the deliveries that it carries, or the alert that no delivery stands for yet."""

    messenger: Messenger
    channel: Recipient
    keys: list[int]
    uid: str = ""


class Outbox:
    """Messages on their way. Call `look` often, from the one process that holds the lease."""

    def __init__(self) -> None:
        self._ways: dict[str, _Way] = {}
        self._settled: list[tuple[list[int], str]] = []  # what the ledger did not take yet
        self.sent_untold: dict[str, set[str]] = {}  # by uid of an alert: the channels that have it, ledger or none
        self._untold_tries: dict[tuple[str, str], tuple[int, float]] = {}  # how many, and when the next is due

    def look(self, channels: Sequence[Recipient], *, now: datetime, clock_seconds: float) -> None:
        """Settle what has ended, hand new alerts to the channels, and send what is due; it waits for no channel.

        Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly; what was not written is written at the next call.
        """
        self.settle(now=now, clock_seconds=clock_seconds)
        if not any(way.uid for way in self._ways.values()):  # which may be of an alert that the ledger has since
            queue_deliveries({channel.key: channel.label for channel in channels}, now=now, sent=self.sent_untold)
        quiet = QuietHours.parse(settings.VELOX_ALERT_QUIET, ZoneInfo(settings.TIME_ZONE))
        for channel in channels:
            if channel.key in self._ways:
                continue
            with reading():
                due = due_deliveries(channel.key, now=now, limit=DUE_MAX)
                sent = messages_within(channel.key, WITHIN, now=now) if due else []
            deliveries = next_message(due, sent=sent, quiet=quiet, now=now)
            keys = [row.pk for row in deliveries]
            if deliveries and take_deliveries(keys, now=now):
                self._send(channel, request_of(deliveries, channel.url), keys=keys, clock_seconds=clock_seconds)

    def settle(self, *, now: datetime, clock_seconds: float) -> None:
        """Write what became of messages that have ended. Raises: LedgerBusy, LedgerNotReady, LedgerReadOnly."""
        self.collect(clock_seconds=clock_seconds)
        while self._settled:
            keys, error = self._settled[0]
            settle_deliveries(keys, error=error, now=now)
            self._settled.pop(0)

    def tell(self, alert: Alert, channels: Sequence[Recipient], *, clock_seconds: float) -> None:
        """Send an alert that the ledger cannot take now, once to each channel.

        Call it again: what failed is tried as often as any other message, after pauses as long.
        """
        self.collect(clock_seconds=clock_seconds)
        for channel in channels:
            tries, due_seconds = self._untold_tries.get((alert.uid, channel.key), (0, clock_seconds))
            is_open = tries < TRIES_MAX and channel.key not in self.sent_untold.get(alert.uid, ())
            if is_open and channel.key not in self._ways and clock_seconds >= due_seconds:
                due_seconds = clock_seconds + pause_seconds(tries, first=RETRY_SECONDS[0], longest=RETRY_SECONDS[1])
                self._untold_tries[alert.uid, channel.key] = tries + 1, due_seconds
                self._send(channel, notice_request(alert, channel.url), uid=alert.uid, clock_seconds=clock_seconds)

    @property
    def is_busy(self) -> bool:
        """Tell whether a message is on its way, or what became of one not written yet."""
        return bool(self._ways or self._settled)

    def collect(self, *, clock_seconds: float) -> None:
        """Note what became of messages that have ended."""
        for key, way in list(self._ways.items()):
            outcome = way.messenger.poll(clock_seconds=clock_seconds)
            if outcome is None:
                continue
            del self._ways[key]
            if not outcome.is_sent:
                log.warning("an alert was not sent", channel=way.channel.label, error=str(outcome))
            if way.keys:
                self._settled.append((way.keys, "" if outcome.is_sent else str(outcome)))
            elif outcome.is_sent:
                self.sent_untold.setdefault(way.uid, set()).add(way.channel.key)

    def give_up(self) -> None:
        """Kill what is on its way of the ledger's alerts: another host sends them now."""
        for key, way in list(self._ways.items()):
            if way.keys:
                way.messenger.end()
                del self._ways[key]
        self._settled.clear()

    def end(self) -> None:
        """Kill what is on its way; whoever sends next sends it again."""
        for way in self._ways.values():
            way.messenger.end()
        self._ways.clear()

    def _send(
        self,
        channel: Recipient,
        request: Mapping[str, str],
        *,
        clock_seconds: float,
        keys: Sequence[int] = (),
        uid: str = "",
    ) -> None:
        try:
            messenger = Messenger(request, clock_seconds=clock_seconds)
        except OSError as error:  # no process can be started: as any other failure, tried again later
            log.error("no process sends alerts", error=error.strerror)
            self._settled += [(list(keys), str(MessageOutcome(FAILED)))] if keys else []
            return
        self._ways[channel.key] = _Way(messenger, channel, list(keys), uid)
