"""Rows that were measured of trades and feeds from ticks: derived, and made anew at will."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from trading.models.fields import MoneyField
from trading.models.reference import NAME_BYTES, Account
from trading.models.sealing import Sealed
from trading.models.trade import Trade


class Excursion(Sealed):
    """Extremes of a closed trade against its holder and for him, before charges (`trading.domain.excursions`).

    ``quiet_seconds`` is the longest gap of its symbol's feed that it was open in, None without one.
    """

    trade = models.OneToOneField(Trade, models.PROTECT, related_name="excursion")
    mae = MoneyField()
    mae_price = MoneyField()
    mae_at = models.DateTimeField()
    mfe = MoneyField()
    mfe_price = MoneyField()
    mfe_at = models.DateTimeField()
    ticks = models.PositiveIntegerField()
    quiet_seconds = models.FloatField(null=True)
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            CheckConstraint(name="excursion_mae_not_above_zero", condition=Q(mae__lte=0)),
            CheckConstraint(name="excursion_mfe_not_below_zero", condition=Q(mfe__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.mae} to {self.mfe}"


class FeedGap(Sealed):
    """A stretch of a symbol's continuous session without a tick, where it normally ticks."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="feed_gaps")
    symbol = models.CharField(max_length=NAME_BYTES + 17)  # with its exchange before a colon
    day = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "symbol", "starts_at")
        constraints = [
            UniqueConstraint(name="feedgap_once", fields=("account", "symbol", "starts_at")),
            CheckConstraint(name="feedgap_ends_after_it_starts", condition=Q(ends_at__gt=F("starts_at"))),
        ]
        indexes = [models.Index(name="feedgap_by_day", fields=("account", "day"))]

    def __str__(self) -> str:
        return f"{self.symbol} {self.starts_at:%H:%M:%S}"
