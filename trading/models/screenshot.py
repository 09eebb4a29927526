"""Rows of screenshots that people keep with their review of a trade, and of those that were taken back."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from trading.models.reference import Account
from trading.models.trade import Trade


class Screenshot(models.Model):
    """One picture of a trade: a fact, never changed. Its file lies under its ``name`` in the data folder.

    ``sha256`` is of the file, ``size`` its bytes.
    """

    class Format(models.TextChoices):
        PNG = "PNG", "PNG"
        JPEG = "JPEG", "JPEG"
        WEBP = "WEBP", "WebP"

    account = models.ForeignKey(Account, models.PROTECT, related_name="screenshots")
    trade = models.ForeignKey(Trade, models.PROTECT, related_name="screenshots")
    name = models.CharField(max_length=64, unique=True)
    format = models.CharField(max_length=4, choices=Format.choices)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("trade", "pk")
        constraints = [
            UniqueConstraint(name="screenshot_once", fields=("trade", "sha256")),
            CheckConstraint(name="screenshot_format", condition=Q(format__in=("PNG", "JPEG", "WEBP"))),
            CheckConstraint(name="screenshot_has_an_author", condition=~Q(author="")),
        ]

    def __str__(self) -> str:
        return self.name


class ScreenshotWithdrawal(models.Model):
    """The end of a screenshot: its row stays with its hash, its file does not."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    screenshot = models.OneToOneField(Screenshot, models.PROTECT, related_name="withdrawal")
    author = models.CharField(max_length=150)
    reason = models.CharField(max_length=200)
    withdrawn_at = models.DateTimeField()

    class Meta:
        constraints = [
            CheckConstraint(name="screenshot_withdrawal_has_an_author", condition=~Q(author="")),
            CheckConstraint(name="screenshot_withdrawal_has_a_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.screenshot} withdrawn"
