"""The registry of trials: every look at the data, counted for good."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q

NAME_BYTES = 64


class Trial(models.Model):
    """One set of parameters tried on some days: a fact, never changed or removed, whatever becomes of its run.

    ``key`` is the digest of what makes it the trial that it is, so that the same again adds none; ``body`` says that in
    full, with what each day brought. The rows are a chain: ``mac`` covers the one before and the body.
    """

    class State(models.TextChoices):
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"
        PRUNED = "pruned", "Pruned"

    sequence = models.BigIntegerField(unique=True)
    key = models.CharField(max_length=64, unique=True)
    strategy = models.CharField(max_length=NAME_BYTES)
    first_day = models.DateField()
    last_day = models.DateField()
    state = models.CharField(max_length=8, choices=State.choices)
    body = models.TextField()
    mac = models.CharField(max_length=64)
    previous_mac = models.CharField(max_length=64, unique=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("sequence",)
        constraints = [
            CheckConstraint(name="trial_sequence_positive", condition=Q(sequence__gt=0)),
            CheckConstraint(name="trial_state", condition=Q(state__in=("failed", "finished", "pruned"))),
            CheckConstraint(name="trial_days_in_order", condition=Q(last_day__gte=F("first_day"))),
            CheckConstraint(name="trial_has_a_strategy", condition=~Q(strategy="")),
        ]
        indexes = [Index(name="trial_by_days", fields=("strategy", "first_day", "last_day"))]

    def __str__(self) -> str:
        return f"{self.sequence} {self.strategy}"
