"""Rows of alerts: what somebody should know, where it was sent, and the channels that an operator keeps for it."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from trading.models.fields import AddressField
from trading.models.reference import Account
from trading.models.sealing import Sealed

KEY_CHARACTERS_MAX = 200
# Not handed to the channels yet, itself or that it is over: what whoever sends asks for every second.
UNQUEUED = Q(queued_at=None) | Q(recovered_at__isnull=False, recovery_queued_at=None)


class Alert(Sealed):
    """One thing that somebody should know, told once however often it is seen.

    ``key`` is what tells it from others: while an alert with it has not recovered there is no second one, and what
    happens once (a trade that closed) never recovers. ``account`` is None for what is the whole desk's. ``count`` is
    how often it began, with the times that it came back before it counted as recovered. ``queued_at`` and
    ``recovery_queued_at`` are when it was handed to the channels, None until then.
    """

    class Kind(models.TextChoices):
        FAULT = "fault", "Fault"
        NOT_FLAT = "not_flat", "Not flat"
        LIMIT = "limit", "Limit crossed"
        NOTE = "note", "Note of the day"
        SUMMARY = "summary", "Daily summary"
        TRADE = "trade", "Closed trade"
        TEST = "test", "Test"

    uid = models.CharField(max_length=32, unique=True)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="alerts")
    component = models.CharField(max_length=32, blank=True)
    code = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    cure = models.TextField(blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    recovered_at = models.DateTimeField(null=True)
    count = models.PositiveIntegerField(default=1)
    queued_at = models.DateTimeField(null=True)
    recovery_queued_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-first_seen_at", "-pk")
        constraints = [
            UniqueConstraint(name="alert_once_while_it_lasts", fields=("key",), condition=Q(recovered_at=None)),
            CheckConstraint(name="alert_says_something", condition=~Q(text="") & ~Q(key="")),
            CheckConstraint(name="alert_recovers_after_it_began", condition=Q(recovered_at__gte=F("first_seen_at"))),
            CheckConstraint(name="alert_count_positive", condition=Q(count__gt=0)),
        ]
        indexes = [
            Index(name="alert_of_account", fields=("account", "first_seen_at")),
            Index(name="alert_unqueued", fields=("id",), condition=UNQUEUED),
            Index(name="alert_lasting", fields=("kind",), condition=Q(recovered_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class AlertDelivery(Sealed):
    """The message of one alert, or of its recovery, to one channel, and what became of it.

    ``channel`` names the channel without a secret, ``label`` is how people see it. One that is ``sending`` is
    somebody's until ``next_try_at``: whoever is killed meanwhile leaves it to the next, so a message may arrive twice,
    with the alert's one ``uid``. ``error`` is a word and a status, never an answer's text, which may hold the address.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        GIVEN_UP = "given_up", "Given up"

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="deliveries")
    is_recovery = models.BooleanField(default=False)
    channel = models.CharField(max_length=64)
    label = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("pk",)
        verbose_name_plural = "alert deliveries"
        constraints = [
            UniqueConstraint(name="alertdelivery_once", fields=("alert", "is_recovery", "channel")),
            CheckConstraint(
                name="alertdelivery_sent_has_its_time",
                condition=Q(state="sent", sent_at__isnull=False) | ~Q(state="sent") & Q(sent_at=None),
            ),
        ]
        indexes = [
            Index(name="alertdelivery_due", fields=("state", "next_try_at")),
            Index(name="alertdelivery_sent", fields=("channel", "sent_at"), condition=Q(state="sent")),
        ]

    def __str__(self) -> str:
        return f"{self.alert} to {self.label}"


class AlertChannel(Sealed):
    """A channel that an operator wrote. Nobody reads its ``url`` back, and its seal has the address's code only."""

    name = models.CharField(max_length=60, unique=True)
    url = AddressField()
    label = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    author = models.CharField(max_length=150)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        constraints = [
            CheckConstraint(name="alertchannel_has_a_name", condition=~Q(name="")),
            CheckConstraint(name="alertchannel_has_an_author", condition=~Q(author="")),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.label})"


class AlertCursor(models.Model):
    """The sequence number up to which an account's journal was looked through for trades that closed."""

    account = models.OneToOneField(Account, models.PROTECT, related_name="alert_cursor")
    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.account} {self.sequence}"
