"""What became of the breaks that reconciling has named: seen, changed, approved, gone."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Index, Q

from trading.domain.breaks import ID_LENGTH
from trading.models.reference import Account


class BreakEvent(models.Model):
    """One event of a break, with the break as it stood then: a fact, never changed. The newest one is how it stands.

    ``opened_at`` is when the break was first seen; each later event repeats it. The sides are null where they have
    nothing. Approved and accepted have an author and a reason; of a break that is gone the reason says how.
    """

    class Event(models.TextChoices):
        OPENED = "opened", "Opened"
        CHANGED = "changed", "Changed"
        APPROVED = "approved", "Approved and booked"
        ACCEPTED = "accepted", "Accepted as it is"
        CLOSED = "closed", "Gone by itself"

    OPEN = (Event.OPENED, Event.CHANGED)

    account = models.ForeignKey(Account, models.PROTECT, related_name="break_events", db_index=False)
    break_id = models.CharField(max_length=ID_LENGTH)
    event = models.CharField(max_length=8, choices=Event.choices)
    kind = models.CharField(max_length=32)
    key = models.JSONField()
    day = models.DateField()
    ledger = models.JSONField(null=True)
    broker = models.JSONField(null=True)
    hot = models.JSONField(null=True)
    proposal = models.JSONField()
    opened_at = models.DateTimeField()
    author = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [
            CheckConstraint(
                name="break_event_kind", condition=Q(event__in=("opened", "changed", "approved", "accepted", "closed"))
            ),
            CheckConstraint(
                name="break_approved_by_somebody",
                condition=~Q(event__in=("approved", "accepted")) | (~Q(author="") & ~Q(reason="")),
            ),
        ]
        indexes = [Index(name="break_event_by_break", fields=("account", "break_id"))]

    def __str__(self) -> str:
        return f"{self.kind} {self.break_id} {self.event}"
