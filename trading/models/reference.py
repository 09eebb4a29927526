"""Reference rows: users, accounts and their capital, exchanges and their sessions, instruments, strategies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from trading.models.fields import MoneyField
from trading.models.sealing import Sealed, SealedQuerySet, seal_relations

NAME_BYTES = 64


class _Users(UserManager.from_queryset(SealedQuerySet)):  # type: ignore[misc]
    use_in_migrations = False


class User(Sealed, AbstractUser):
    """A person who reviews, leads or operates; groups say what each may do."""

    objects: ClassVar[Any] = _Users()

    class Meta(AbstractUser.Meta):
        abstract = False


seal_relations(User)


class Account(Sealed):
    """An account, which every trade, signal, stop, summary and point belongs to; no figure adds two accounts."""

    class Book(models.TextChoices):
        LIVE = "live", "Live"
        PAPER = "paper", "Paper"
        REPLAY = "replay", "Replay"
        DEMO = "demo", "Demo"

    code = models.CharField(max_length=NAME_BYTES, unique=True)
    book = models.CharField(max_length=8, choices=Book.choices)
    currency = models.CharField(max_length=3)
    zone = models.CharField(max_length=64)

    class Meta:
        ordering = ("code",)
        constraints = [
            CheckConstraint(name="account_book", condition=Q(book__in=("live", "paper", "replay", "demo"))),
            CheckConstraint(name="account_code_given", condition=~Q(code="")),
        ]

    def __str__(self) -> str:
        return self.code


class CapitalFlow(Sealed):
    """Capital that came in (or, negative, went out) on a day: dated, so that a setting never rewrites the past."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="capital_flows")
    day = models.DateField()
    amount = MoneyField()
    note = models.CharField(max_length=200, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("day", "pk")
        constraints = [CheckConstraint(name="capitalflow_amount_not_zero", condition=~Q(amount=Decimal(0)))]

    def __str__(self) -> str:
        return f"{self.day} {self.amount}"


class Exchange(Sealed):
    """An exchange: its code, its zone, and the hours of its instruments."""

    code = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=80, blank=True)
    zone = models.CharField(max_length=64)
    session_group = models.CharField(max_length=32, blank=True)  # of an instrument that names none

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class ExchangeSession(Sealed):
    """One dated row of an exchange's hours (see ``trading.domain.sessions``); wall time of the exchange."""

    exchange = models.ForeignKey(Exchange, models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=16)
    group = models.CharField(max_length=32, blank=True)
    first_date = models.DateField()
    last_date = models.DateField(null=True, blank=True)
    weekdays = models.CharField(max_length=7)
    phase = models.CharField(max_length=16, blank=True)
    opens = models.TimeField(null=True, blank=True)
    closes = models.TimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    opens_day_before = models.TimeField(null=True, blank=True)  # in place of `opens`

    class Meta:
        ordering = ("exchange", "first_date", "opens")
        constraints = [
            CheckConstraint(
                name="session_dates_in_order", condition=Q(last_date=None) | Q(last_date__gte=models.F("first_date"))
            ),
            CheckConstraint(name="session_times_in_order", condition=Q(opens=None) | Q(closes__gt=models.F("opens"))),
        ]

    def __str__(self) -> str:
        return f"{self.exchange} {self.kind} {self.first_date} {self.phase}"


class Instrument(Sealed):
    """An instrument: exchange and symbol, with the terms that the desk must know to trade it."""

    class Kind(models.TextChoices):
        EQUITY = "EQUITY", "Equity"
        INDEX = "INDEX", "Index"
        FUTURE = "FUTURE", "Future"
        OPTION = "OPTION", "Option"
        CURRENCY = "CURRENCY", "Currency"
        CRYPTO = "CRYPTO", "Crypto"
        SPREAD = "SPREAD", "Spread"

    exchange = models.ForeignKey(Exchange, models.PROTECT, related_name="instruments")
    symbol = models.CharField(max_length=NAME_BYTES)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.EQUITY)
    currency = models.CharField(max_length=3)
    multiplier = MoneyField(default=Decimal(1))
    lot = MoneyField(default=Decimal(1))
    quantity_step = MoneyField(default=Decimal("0.00000001"))
    price_tick = MoneyField(default=Decimal("0.01"))
    session_group = models.CharField(max_length=32, blank=True, help_text="Empty: its exchange's own.")
    underlying = models.CharField(max_length=NAME_BYTES, blank=True)
    share_group = models.CharField(max_length=8, blank=True, help_text="Of a share at BSE: A, B, X, ...")
    expiry = models.DateField(null=True, blank=True)
    strike = MoneyField(null=True, blank=True)
    reviewed = models.BooleanField(default=False)

    class Meta:
        ordering = ("exchange", "symbol")
        constraints = [
            UniqueConstraint(name="instrument_once", fields=("exchange", "symbol")),
            CheckConstraint(name="instrument_multiplier_positive", condition=Q(multiplier__gt=Decimal(0))),
            CheckConstraint(name="instrument_lot_positive", condition=Q(lot__gt=Decimal(0))),
            CheckConstraint(name="instrument_quantity_step_positive", condition=Q(quantity_step__gt=Decimal(0))),
            CheckConstraint(name="instrument_price_tick_positive", condition=Q(price_tick__gt=Decimal(0))),
        ]

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"


class Strategy(Sealed):
    """A strategy, made at its first use, and unreviewed until somebody has looked at it."""

    code = models.CharField(max_length=NAME_BYTES, unique=True)
    name = models.CharField(max_length=120, blank=True)
    notes = models.TextField(blank=True)
    reviewed = models.BooleanField(default=False)

    class Meta:
        ordering = ("code",)
        verbose_name_plural = "strategies"

    def __str__(self) -> str:
        return self.code
