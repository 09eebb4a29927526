"""What brokers' files brought: the files that were imported, and every fill that they tell, as facts of their own.

Trades follow from these fills (`operations.import_fills`). A file's name is not kept, since some brokers write the
client's code into it; the client stands here as a keyed code alone.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from trading.models.fields import MoneyField
from trading.models.reference import NAME_BYTES, Account, Exchange, Instrument, Strategy
from trading.models.trade import ID_BYTES

BROKER_LENGTH, KIND_LENGTH, DIGEST_LENGTH = 16, 32, 64
_KINDS = ("trade", "order", "expiry", "exercise", "delivery")


class BrokerFile(models.Model):
    """One imported file: ``client`` is the keyed code of the client that it names, "" where it names none."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="broker_files")
    sha256 = models.CharField(max_length=DIGEST_LENGTH)
    broker = models.CharField(max_length=BROKER_LENGTH)
    kind = models.CharField(max_length=KIND_LENGTH)
    client = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    rows_read = models.PositiveIntegerField()
    fills = models.PositiveIntegerField()
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints = [UniqueConstraint(name="broker_file_once", fields=("account", "sha256", "kind"))]

    def __str__(self) -> str:
        return f"{self.broker} {self.kind} {self.sha256[:8]}"


class BrokerFill(models.Model):
    """One fill as a broker's file tells it: a fact, never changed, whatever is corrected in the trade that it is in.

    ``broker_fill_id`` is the broker's id, or one made of the row's content (`domain.trade_building`); it is unique by
    account, exchange and trading day. ``at`` is None where the file tells the day only; ``place`` is then the fill's
    place among those of its file, oldest first. ``charges`` are the sum of what the row itself states. A settlement
    that a person confirmed (`operations.confirm_action`) stands among them, under the file that it follows from.
    """

    class Kind(models.TextChoices):
        TRADE = "trade", "Trade"
        ORDER = "order", "Order"
        EXPIRY = "expiry", "Expiry"
        EXERCISE = "exercise", "Exercise"
        DELIVERY = "delivery", "Delivery"

    account = models.ForeignKey(Account, models.PROTECT, related_name="broker_fills", db_index=False)
    file = models.ForeignKey(BrokerFile, models.PROTECT, related_name="broker_fills")
    exchange = models.ForeignKey(Exchange, models.PROTECT, related_name="+", db_index=False)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="+", db_index=False)
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    broker_fill_id = models.CharField(max_length=ID_BYTES)
    order_id = models.CharField(max_length=ID_BYTES, null=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    side = models.CharField(max_length=4)
    quantity = MoneyField()
    price = MoneyField()
    charges = MoneyField(null=True)
    at = models.DateTimeField(null=True)
    place = models.PositiveIntegerField(default=0)
    is_cash = models.BooleanField(default=False)
    isin = models.CharField(max_length=12, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "day", "pk")
        constraints = [
            UniqueConstraint(name="broker_fill_once", fields=("account", "exchange", "day", "broker_fill_id")),
            CheckConstraint(name="broker_fill_side", condition=Q(side__in=("BUY", "SELL"))),
            CheckConstraint(name="broker_fill_kind", condition=Q(kind__in=_KINDS)),
            CheckConstraint(name="broker_fill_quantity_positive", condition=Q(quantity__gt=Decimal(0))),
        ]
        indexes = [Index(name="broker_fill_by_group", fields=("account", "instrument", "strategy", "day"))]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} at {self.price}"


class HoldingCost(models.Model):
    """What holdings cost of which a broker's files only show the sale, as a person says: price and day of the purchase.

    The sale is then a closed trade (`operations.give_cost`); until then it is in no trade and in no P&L.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="holding_costs")
    sale = models.OneToOneField(BrokerFill, models.PROTECT, related_name="holding_cost")
    day = models.DateField()
    price = MoneyField()
    reason = models.TextField()
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [
            CheckConstraint(name="holding_cost_not_negative", condition=Q(price__gte=Decimal(0))),
            CheckConstraint(name="holding_cost_has_a_reason", condition=~Q(reason="")),
            CheckConstraint(name="holding_cost_has_an_author", condition=~Q(author="")),
        ]

    def __str__(self) -> str:
        return f"{self.price} on {self.day}"


class CorporateAction(models.Model):
    """A split, bonus or settlement that a broker's file tells of: proposed, and booked once a person confirms it.

    ``key`` is made of what the file says, so that a file that overlaps proposes it once. ``symbol`` is VELOX's, ""
    where the file's name of it is not known; ``new`` units stand for ``old`` where the file tells them; ``quantity`` is
    signed as the file has it, None of a contract that expired without a line.
    """

    class Kind(models.TextChoices):
        SPLIT = "split", "Split"
        BONUS = "bonus", "Bonus"
        SETTLEMENT = "settlement", "Settlement"
        QUANTITY = "quantity", "Quantities that do not tie"
        OTHER = "other", "Other"

    account = models.ForeignKey(Account, models.PROTECT, related_name="corporate_actions")
    file = models.ForeignKey(BrokerFile, models.PROTECT, related_name="corporate_actions")
    key = models.CharField(max_length=DIGEST_LENGTH)
    day = models.DateField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    symbol = models.CharField(max_length=NAME_BYTES, blank=True)
    text = models.TextField()
    new = MoneyField(null=True)
    old = MoneyField(null=True)
    quantity = MoneyField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("account", "day", "pk")
        constraints = [UniqueConstraint(name="corporate_action_once", fields=("account", "key"))]

    def __str__(self) -> str:
        return f"{self.kind} of {self.symbol or 'an unknown instrument'} on {self.day}"


class ActionDecision(models.Model):
    """What a person decided of a proposed corporate action: ``terms`` is what was booked, "" where nothing was."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="action_decisions")
    action = models.OneToOneField(CorporateAction, models.PROTECT, related_name="decision")
    terms = models.TextField(blank=True)
    reason = models.TextField()
    author = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints = [
            CheckConstraint(name="action_decision_has_a_reason", condition=~Q(reason="")),
            CheckConstraint(name="action_decision_has_an_author", condition=~Q(author="")),
        ]

    def __str__(self) -> str:
        return self.terms or "dismissed"
