"""Who does what the desk does by period, for all hosts of a ledger (`trading.duties`)."""

from __future__ import annotations

from django.db import models


class DutyRow(models.Model):
    """One duty: who holds it, by a ``word`` of chance that is new with each ``term``, and how often that one has beat.

    ``place`` is the holder's data folder, "" while nobody holds it; ``holder`` is how people see it. ``beaten_at`` is
    by the clock of the ledger's server, for people alone: no clock decides who holds it.
    """

    name = models.CharField(max_length=32, unique=True)
    term = models.BigIntegerField(default=0)
    beats = models.BigIntegerField(default=0)
    word = models.CharField(max_length=32, blank=True)
    place = models.CharField(max_length=100, blank=True)
    holder = models.CharField(max_length=200, blank=True)
    beaten_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} in term {self.term}"
