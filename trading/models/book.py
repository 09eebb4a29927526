"""Rows that follow from the trades and that prove them: realisations, day totals, published summaries, the journal."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from trading.models.fields import MoneyField
from trading.models.reference import Account, Instrument, Strategy
from trading.models.sealing import Sealed
from trading.models.trade import Fill, Trade

ZERO = Decimal(0)


class Realisation(models.Model):
    """The outcome of one exit fill, on the trading day of that fill; P&L is gross of charges."""

    trade = models.ForeignKey(Trade, models.PROTECT, related_name="realisations")
    fill = models.OneToOneField(Fill, models.PROTECT, related_name="realisation")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="+", db_index=False)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    at = models.DateTimeField()
    quantity = MoneyField()
    cost = MoneyField()
    proceeds = MoneyField()
    charges = MoneyField(null=True)
    pnl = MoneyField()
    closes = models.BooleanField()

    class Meta:
        ordering = ("at", "pk")
        constraints = [CheckConstraint(name="realisation_quantity_positive", condition=Q(quantity__gt=ZERO))]
        indexes = [
            Index(name="realisation_by_day", fields=("account", "day", "strategy")),
            Index(name="realisation_by_strategy", fields=("strategy", "account", "day")),
            Index(name="realisation_by_instrument", fields=("instrument", "account", "day")),
        ]

    def __str__(self) -> str:
        return f"{self.trade} {self.pnl}"


class DayTotal(models.Model):
    """The sums of one account, strategy, instrument and trading day: derived, kept in the operation's own transaction.

    ``gross_pnl`` and ``charges`` (those known) are of the day's exit fills; the counts and ``gross_profit`` and
    ``gross_loss`` (at or below 0) are of the trades that closed on the day, by their P&L after known charges.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="day_totals")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="+")
    day = models.DateField()
    gross_pnl = MoneyField(default=ZERO)
    charges = MoneyField(default=ZERO)
    gross_profit = MoneyField(default=ZERO)
    gross_loss = MoneyField(default=ZERO)
    trades_closed = models.PositiveIntegerField(default=0)
    wins = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0)
    breakevens = models.PositiveIntegerField(default=0)
    trades_without_charges = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("day", "strategy", "instrument")
        constraints = [
            UniqueConstraint(name="daytotal_once", fields=("account", "strategy", "instrument", "day")),
            CheckConstraint(
                name="daytotal_counts_add_up",
                condition=Q(trades_closed=models.F("wins") + models.F("losses") + models.F("breakevens")),
            ),
        ]
        indexes = [Index(name="daytotal_by_day", fields=("account", "day"))]

    def __str__(self) -> str:
        return f"{self.day} {self.strategy} {self.gross_pnl}"


class DailySummary(models.Model):
    """The published report of a day; a rebuild that differs adds a version."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="daily_summaries")
    day = models.DateField()
    version = models.PositiveIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()
    journal_sequence = models.BigIntegerField()
    journal_head = models.CharField(max_length=64)

    class Meta:
        ordering = ("-day", "-version")
        verbose_name_plural = "daily summaries"
        constraints = [UniqueConstraint(name="summary_version_once", fields=("account", "day", "version"))]

    def __str__(self) -> str:
        return f"{self.day} version {self.version}"


class DayNote(models.Model):
    """What a person wrote about a trading day: a fact, never changed; whoever writes again adds a version.

    An empty text takes the note back. ``written_at`` is when it was recorded.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="day_notes")
    day = models.DateField()
    version = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    author = models.CharField(max_length=150)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ("-day", "-version")
        constraints = [
            UniqueConstraint(name="day_note_version_once", fields=("account", "day", "version")),
            CheckConstraint(name="day_note_has_an_author", condition=~Q(author="")),
            CheckConstraint(name="day_note_version_positive", condition=Q(version__gt=0)),
        ]

    def __str__(self) -> str:
        return f"Note of {self.day} version {self.version}"


class Correction(models.Model):
    """A correction of a wrong fact, in a row of its own: what, by whom, why. The fact itself stays as it was.

    ``body``: ``was`` and ``now`` (field to text) of what an amendment changed, or a correction of the contract in the
    terms of the trade's instrument; ``by_fill`` (sequence to amount) and ``source`` of charges; empty for a void.
    ``from_strategy`` and ``from_day`` are set where the trade moved: callers who name it as it was once called still
    find it.
    """

    class Kind(models.TextChoices):
        AMEND = "amend", "Amended"
        VOID = "void", "Voided"
        CHARGES = "charges", "Charges"
        CONTRACT = "contract", "Contract"

    account = models.ForeignKey(Account, models.PROTECT, related_name="corrections")
    trade = models.ForeignKey(Trade, models.PROTECT, related_name="corrections")
    fill = models.ForeignKey(Fill, models.PROTECT, null=True, related_name="corrections")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    body = models.JSONField(default=dict)
    reason = models.TextField()
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
    from_strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, related_name="+")
    from_day = models.DateField(null=True)

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints = [
            CheckConstraint(name="correction_has_a_reason", condition=~Q(reason="")),
            CheckConstraint(name="correction_has_an_author", condition=~Q(author="")),
            CheckConstraint(name="correction_kind", condition=Q(kind__in=("amend", "void", "charges", "contract"))),
            CheckConstraint(
                name="correction_moved_from",
                condition=Q(from_strategy=None, from_day=None) | Q(from_strategy__isnull=False, from_day__isnull=False),
            ),
        ]
        indexes = [Index(name="correction_moved", fields=("account", "from_strategy", "from_day"))]

    def __str__(self) -> str:
        return f"{self.kind} of {self.trade}"


class Journal(models.Model):
    """One row per operation: canonical JSON, chained by HMAC-SHA256 over the predecessor's code and the body."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="journal")
    sequence = models.BigIntegerField()
    operation = models.CharField(max_length=32)
    body = models.TextField()
    mac = models.CharField(max_length=64)
    previous_mac = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=150)

    class Meta:
        ordering = ("account", "sequence")
        verbose_name_plural = "journal"
        constraints = [
            UniqueConstraint(name="journal_sequence_once", fields=("account", "sequence")),
            UniqueConstraint(name="journal_one_successor", fields=("account", "previous_mac")),
            CheckConstraint(name="journal_sequence_positive", condition=Q(sequence__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.sequence} {self.operation}"


class JournalHead(Sealed):
    """The end of an account's chain, locked before it is read; a sequence number is never used again.

    ``ledger`` is the ledger's own identity, the same in every row: heads that were published name it.
    """

    account = models.OneToOneField(Account, models.PROTECT, related_name="journal_head")
    sequence = models.BigIntegerField(default=0)
    mac = models.CharField(max_length=64, default="")
    ledger = models.CharField(max_length=32, default="")

    def __str__(self) -> str:
        return f"{self.account} {self.sequence}"


class FollowerCursor(models.Model):
    """The sequence number up to which the follower has projected an account's journal into points."""

    account = models.OneToOneField(Account, models.PROTECT, related_name="follower_cursor")
    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.account} {self.sequence}"
