"""Rows of limits: what an account or a strategy in it may lose, trade or hold, as somebody said it."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from trading.domain.limits import LimitKind
from trading.models.fields import MoneyField
from trading.models.reference import Account, Strategy

_KINDS = tuple(sorted(str(kind) for kind in LimitKind))


class Limit(models.Model):
    """A limit as somebody set or ended it: a fact, never changed; whoever says otherwise adds a row.

    ``number`` counts the account's rows; of one kind and strategy (None: the whole account) the highest number whose
    ``first_day`` has come is in force. ``amount`` None ends the limit from that day on.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="limits")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=24)
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, related_name="limits")
    amount = MoneyField(null=True)
    first_day = models.DateField()
    reason = models.TextField()
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "-number")
        constraints = [
            UniqueConstraint(name="limit_number_once", fields=("account", "number")),
            CheckConstraint(name="limit_number_positive", condition=Q(number__gt=0)),
            CheckConstraint(name="limit_kind", condition=Q(kind__in=_KINDS)),
            CheckConstraint(name="limit_amount_not_negative", condition=Q(amount=None) | Q(amount__gte=Decimal(0))),
            CheckConstraint(name="limit_has_a_reason", condition=~Q(reason="")),
            CheckConstraint(name="limit_has_an_author", condition=~Q(author="")),
        ]
        indexes = [Index(name="limit_by_kind", fields=("account", "kind", "strategy"))]

    def __str__(self) -> str:
        return f"{self.account} {self.kind} {self.number}"
