"""Tokens with which programs outside Python use an account over HTTP. Only a token's SHA-256 is kept."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, Q

from trading.models.reference import Account


class TokenScope(models.TextChoices):
    """What a token may do. None of them corrects, voids or approves: that takes a person with a name."""

    READ = "read", "read: trades, figures, prices, signals"
    RECORD = "record", "record: trades, stops, signals, ticks"
    OPERATE = "operate", "operate: dead letters, flush, resend, health in full"


class ApiToken(models.Model):
    """One token of one account: a fact, never changed. ``sha256`` is of its secret, in hexadecimal digits.

    ``scopes`` and ``networks`` are words with one space between them; without a network any address may use it.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=60, unique=True)
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.CharField(max_length=40)
    networks = models.CharField(max_length=1000, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    author = models.CharField(max_length=150)
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = "API token"
        ordering = ("name",)
        constraints = [
            CheckConstraint(name="api_token_has_a_name", condition=~Q(name="")),
            CheckConstraint(name="api_token_has_a_scope", condition=~Q(scopes="")),
            CheckConstraint(name="api_token_has_an_author", condition=~Q(author="")),
        ]

    def __str__(self) -> str:
        return self.name


class TokenRevocation(models.Model):
    """The end of a token: from its row on nobody uses it."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    token = models.OneToOneField(ApiToken, models.PROTECT, related_name="revocation")
    author = models.CharField(max_length=150)
    revoked_at = models.DateTimeField()

    class Meta:
        constraints = [CheckConstraint(name="token_revocation_has_an_author", condition=~Q(author=""))]

    def __str__(self) -> str:
        return f"{self.token} revoked"
