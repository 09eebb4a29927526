"""Models of signals: what was trained, what its card says, and the digest of the file in which it is kept."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from lab.models.trial import NAME_BYTES


class SignalModel(models.Model):
    """One training and its card: a fact, never changed or removed.

    ``training`` is the digest of what was learned and how; ``file_digest`` that of the kept model, empty where
    there was no skill. ``mac`` covers the card under the journal's key, so that a row that was put in past the
    ledger is refused.
    """

    training = models.CharField(max_length=64)
    file_digest = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=NAME_BYTES)
    strategy = models.CharField(max_length=NAME_BYTES)
    first_day = models.DateField()
    last_day = models.DateField()
    body = models.TextField()
    mac = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [
            UniqueConstraint(name="signal_model_once", fields=("training", "file_digest")),
            CheckConstraint(name="signal_model_days_in_order", condition=Q(last_day__gte=F("first_day"))),
        ]
        indexes = [Index(name="signal_model_by_strategy", fields=("account", "strategy"))]

    def __str__(self) -> str:
        return f"{self.strategy} {self.training[:16]}"
