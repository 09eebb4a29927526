"""Filters of lists that users keep for themselves: no fact of the desk, and no part of its proof."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from trading.models.reference import User

TRADES = "trades"


class SavedFilter(models.Model):
    """One filter by the name that its user gave it: ``query`` is what stands behind the list's question mark.

    ``page`` is the list: `trades`, or a model as its list in the admin (`trading.signal`).
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="saved_filters")
    page = models.CharField(max_length=60, default=TRADES)
    name = models.CharField(max_length=60)
    place = models.PositiveIntegerField()
    query = models.CharField(max_length=2000)

    class Meta:
        ordering = ("user", "place", "pk")
        constraints = [
            UniqueConstraint(name="saved_filter_name_once", fields=("user", "page", "name")),
            CheckConstraint(name="saved_filter_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
