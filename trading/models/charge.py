"""Rows of charges: what was stated of them, and the brokerage plan of an account."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource
from trading.models.fields import MoneyField
from trading.models.reference import NAME_BYTES, Account
from trading.models.sealing import Sealed

_HEADS = tuple(sorted(str(head) for head in Head))
_SOURCES = tuple(sorted(str(source) for source in ChargeSource))


class StatedCharge(models.Model):
    """A charge that a note, a file or a person states: a fact, never changed; a rebate is below 0.

    ``segment`` and ``exchange`` are "" where it is not apart by them; ``document`` is the SHA-256 of the file and
    ``broker`` whose it is, both "" of what a person says; ``text`` is where it stands or why. Which of them stands:
    `trading.domain.stated_charges`.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="stated_charges")
    day = models.DateField()
    last_day = models.DateField()
    segment = models.CharField(max_length=32, blank=True)
    exchange = models.CharField(max_length=16, blank=True)
    head = models.CharField(max_length=16)
    amount = MoneyField()
    source = models.CharField(max_length=8)
    document = models.CharField(max_length=64, blank=True)
    broker = models.CharField(max_length=16, blank=True)
    text = models.TextField(blank=True)
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "day", "pk")
        constraints = [
            CheckConstraint(name="statedcharge_head", condition=Q(head__in=_HEADS)),
            CheckConstraint(name="statedcharge_source", condition=Q(source__in=_SOURCES)),
            CheckConstraint(name="statedcharge_days_in_order", condition=Q(last_day__gte=F("day"))),
            CheckConstraint(name="statedcharge_has_an_author", condition=~Q(author="")),
            UniqueConstraint(
                name="statedcharge_once",
                fields=(
                    *("account", "day", "last_day", "segment", "exchange", "head", "source", "document"),
                    "recorded_at",
                ),
            ),
        ]
        indexes = [Index(name="statedcharge_by_day", fields=("account", "day"))]

    def __str__(self) -> str:
        return f"{self.day} {self.head} {self.amount}"


class BrokeragePlan(Sealed):
    """The brokerage plan of an account from a day on, by its name in the schedule of charges."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="brokerage_plans")
    day = models.DateField()
    plan = models.CharField(max_length=NAME_BYTES)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "day")
        constraints = [
            UniqueConstraint(name="brokerageplan_once", fields=("account", "day")),
            CheckConstraint(name="brokerageplan_named", condition=~Q(plan="")),
        ]

    def __str__(self) -> str:
        return f"{self.plan} from {self.day}"
