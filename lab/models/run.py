"""Answers of the lab, as they were told: what the pages show."""

from __future__ import annotations

from django.db import models
from django.db.models import Index, UniqueConstraint

from lab.models.trial import NAME_BYTES


class KeptRun(models.Model):
    """One answer of a command of the lab, with the odds of its time: a fact, never changed or removed.

    ``run`` names it among those of its ``kind`` (`backtest`, `optimize`, `stop_lab`, ...); made again it may answer
    otherwise, since every look counts, and then has another row. ``digest`` is that of kind, account and ``body``.
    """

    kind = models.CharField(max_length=16)
    run = models.CharField(max_length=NAME_BYTES)
    account = models.CharField(max_length=NAME_BYTES)
    strategy = models.CharField(max_length=NAME_BYTES)
    first_day = models.DateField()
    last_day = models.DateField()
    body = models.TextField()
    digest = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)
        constraints = [UniqueConstraint(name="lab_run_once", fields=("digest",))]
        indexes = [Index(name="lab_run_by_account", fields=("account", "kind", "run"))]

    def __str__(self) -> str:
        return f"{self.kind} {self.run}"
