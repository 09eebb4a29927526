"""Rows of what was traded and why: trades, fills, stops, signals, reviews."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.db.models.lookups import GreaterThan

from trading.models.fields import DateUTC, IsNotWhole, MoneyField
from trading.models.reference import Account, Exchange, Instrument, Strategy

ID_BYTES = 128
ZERO = Decimal(0)
# Trades that were held over a midnight UTC: few on an intraday desk, so an index of them alone is small.
OVERNIGHT = Q(GreaterThan(DateUTC("closed_at"), DateUTC("opened_at")))
# Fills whose values may be rounded: those of a desk of shares and lots are whole.
OF_A_FRACTION = Q(IsNotWhole("quantity"))


class Trade(models.Model):
    """One trade, as its fills make it: every figure here follows from them and can be computed again."""

    class Side(models.TextChoices):
        LONG = "LONG", "Long"
        SHORT = "SHORT", "Short"

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        CLOSED = "CLOSED", "Closed"
        VOID = "VOID", "Void"

    account = models.ForeignKey(Account, models.PROTECT, related_name="trades", db_index=False)
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="trades")
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="trades", db_index=False)
    trade_id = models.CharField(max_length=ID_BYTES)
    trading_day = models.DateField()
    side = models.CharField(max_length=5, choices=Side.choices)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    open_quantity = MoneyField()
    open_cost = MoneyField()
    entry_quantity = MoneyField()
    entry_value = MoneyField()
    realised_pnl = MoneyField(default=ZERO)
    charges = MoneyField(null=True)
    stop_price = MoneyField(null=True)
    target_price = MoneyField(null=True)
    initial_stop_price = MoneyField(null=True)
    initial_risk = MoneyField(null=True)
    exit_reason = models.TextField(blank=True)
    close_price = MoneyField(null=True)  # as `close_position` was called with; None until then
    reported_pnl = MoneyField(null=True)
    reported_pnl_percent = MoneyField(null=True)
    flags = models.JSONField(default=list)

    class Meta:
        ordering = ("-opened_at", "-pk")
        constraints = [
            UniqueConstraint(name="trade_once_a_day", fields=("account", "strategy", "trade_id", "trading_day")),
            CheckConstraint(name="trade_side", condition=Q(side__in=("LONG", "SHORT"))),
            CheckConstraint(name="trade_state", condition=Q(state__in=("OPEN", "CLOSED", "VOID"))),
            CheckConstraint(
                name="trade_open_has_quantity",
                condition=Q(state="OPEN", open_quantity__gt=ZERO, closed_at=None)
                | Q(state="CLOSED", open_quantity=ZERO, open_cost=ZERO, closed_at__isnull=False)
                | Q(state="VOID"),
            ),
            CheckConstraint(name="trade_entry_positive", condition=Q(entry_quantity__gt=ZERO)),
            CheckConstraint(name="trade_quantity_within_entry", condition=Q(open_quantity__lte=F("entry_quantity"))),
            CheckConstraint(
                name="trade_closed_after_opened", condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at"))
            ),
            CheckConstraint(name="trade_risk_not_negative", condition=Q(initial_risk=None) | Q(initial_risk__gte=ZERO)),
        ]
        indexes = [
            Index(name="trade_by_id", fields=("account", "trade_id")),
            Index(name="trade_by_opening", fields=("account", "-opened_at")),
            Index(name="trade_by_day", fields=("account", "trading_day")),
            Index(name="trade_by_strategy", fields=("account", "strategy", "trading_day")),
            Index(name="trade_by_instrument", fields=("instrument", "trading_day", "account")),
            Index(name="trade_by_state", fields=("account", "state")),
            Index(name="trade_overnight", fields=("account", "closed_at"), condition=OVERNIGHT),
        ]

    def __str__(self) -> str:
        return self.trade_id


class Fill(models.Model):
    """One execution: a fact, never changed. Which prices an instrument can have is told by its kind
    (`operations.bounds`); charges below 0 are a rebate.

    A ``SPLIT`` is what a corporate action added to a position or took from it: units without a price.
    """

    class Side(models.TextChoices):
        BUY = "BUY", "Buy"
        SELL = "SELL", "Sell"

    class Role(models.TextChoices):
        ENTRY = "ENTRY", "Entry"
        EXIT = "EXIT", "Exit"
        SPLIT = "SPLIT", "Split"

    trade = models.ForeignKey(Trade, models.PROTECT, related_name="fills")
    sequence = models.PositiveIntegerField()
    fill_id = models.CharField(max_length=ID_BYTES, null=True)
    order_id = models.CharField(max_length=ID_BYTES, null=True)
    side = models.CharField(max_length=4, choices=Side.choices)
    role = models.CharField(max_length=5, choices=Role.choices)
    price = MoneyField()
    quantity = MoneyField()
    charges = MoneyField(null=True)
    at = models.DateTimeField()
    is_day_only = models.BooleanField(default=False)  # nobody told the time of day: `at` only keeps the order
    settlement = models.CharField(max_length=16, blank=True, default="")  # why it is no sale at a price
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("trade", "sequence")
        constraints = [
            UniqueConstraint(name="fill_sequence_once", fields=("trade", "sequence")),
            UniqueConstraint(name="split_once", fields=("trade", "fill_id"), condition=Q(role="SPLIT")),
            CheckConstraint(name="fill_side", condition=Q(side__in=("BUY", "SELL"))),
            CheckConstraint(name="fill_role", condition=Q(role__in=("ENTRY", "EXIT", "SPLIT"))),
            CheckConstraint(name="fill_quantity_positive", condition=Q(quantity__gt=ZERO)),
        ]
        indexes = [
            Index(name="fill_day_only", fields=("trade",), condition=Q(is_day_only=True)),
            Index(name="fill_of_a_fraction", fields=("trade",), condition=OF_A_FRACTION),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} at {self.price}"


class FillKey(models.Model):
    """What a broker's fill id stands for on a trading day: the key of a fill, kept by `bookkeeping.fill_keys`.

    Number 0 is the fill; 1 its second row, where it turned a position, or a fill of another day that was moved to this
    one. Higher ones are fills of ledgers that are older than these keys: `manage.py verify_ledger` lists them.
    """

    # Without an index of their own: the constraint begins with them.
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    exchange = models.ForeignKey(Exchange, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    broker_fill_id = models.CharField(max_length=ID_BYTES)
    number = models.PositiveIntegerField(default=0)
    fill = models.ForeignKey(Fill, models.PROTECT, related_name="keys")
    trade = models.ForeignKey(Trade, models.PROTECT, related_name="fill_keys")

    class Meta:
        ordering = ("account", "exchange", "day", "broker_fill_id", "number")
        constraints = [
            UniqueConstraint(name="fill_key_once", fields=("account", "exchange", "day", "broker_fill_id", "number")),
        ]

    def __str__(self) -> str:
        return f"{self.broker_fill_id} of {self.day}"


class StopChange(models.Model):
    """One step of a trailing stop; ``moved_back`` where it went away from the price."""

    trade = models.ForeignKey(Trade, models.PROTECT, related_name="stop_changes")
    at = models.DateTimeField()
    stop_price = MoneyField()
    extreme_price = MoneyField()
    method = models.CharField(max_length=64)
    moved_back = models.BooleanField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("trade", "at", "pk")
        constraints = [UniqueConstraint(name="stop_change_once", fields=("trade", "at", "stop_price"))]

    def __str__(self) -> str:
        return f"{self.stop_price} at {self.at:%H:%M:%S}"


class Signal(models.Model):
    """A signal: what a strategy saw and decided. Only the trade that it led to may be added later."""

    class Decision(models.TextChoices):
        TAKEN = "TAKEN", "Taken"
        SKIPPED = "SKIPPED", "Skipped"

    account = models.ForeignKey(Account, models.PROTECT, related_name="signals")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="signals")
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="signals")
    at = models.DateTimeField()
    decision = models.CharField(max_length=7, choices=Decision.choices)
    reason = models.TextField(blank=True)
    conditions = models.JSONField(default=dict)
    trade = models.ForeignKey(Trade, models.PROTECT, null=True, related_name="signals")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")
        constraints = [
            UniqueConstraint(name="signal_once", fields=("account", "strategy", "instrument", "at", "decision")),
            CheckConstraint(name="signal_decision", condition=Q(decision__in=("TAKEN", "SKIPPED"))),
        ]
        indexes = [
            Index(name="signal_by_strategy", fields=("account", "strategy", "at")),
            Index(name="signal_by_time", fields=("account", "at")),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} {self.decision} {self.at:%Y-%m-%d %H:%M:%S}"


class SignalCondition(models.Model):
    """One numeric (or boolean, as 0 and 1) condition of a signal, by its path: what reports group by."""

    signal = models.ForeignKey(Signal, models.PROTECT, related_name="numbers")
    name = models.CharField(max_length=255)
    value = models.FloatField()

    class Meta:
        ordering = ("signal", "name")
        constraints = [UniqueConstraint(name="signal_condition_once", fields=("signal", "name"))]
        indexes = [Index(name="signal_condition_by_name", fields=("name", "value"))]

    def __str__(self) -> str:
        return f"{self.name} = {self.value:g}"


class Review(models.Model):
    """A person's review of a trade: the only row of a trade that people edit."""

    class State(models.TextChoices):
        OPEN = "OPEN", "To review"
        DONE = "DONE", "Reviewed"

    trade = models.OneToOneField(Trade, models.PROTECT, related_name="review")
    state = models.CharField(max_length=4, choices=State.choices, default=State.OPEN)
    rating = models.PositiveSmallIntegerField(null=True, blank=True)
    tags = models.JSONField(default=list, blank=True)
    mistakes = models.TextField(blank=True)
    notes = models.TextField(blank=True)
    reviewed_by = models.ForeignKey("trading.User", models.PROTECT, null=True, blank=True, related_name="reviews")
    reviewed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            CheckConstraint(name="review_state", condition=Q(state__in=("OPEN", "DONE"))),
            CheckConstraint(name="review_rating_1_to_5", condition=Q(rating=None) | Q(rating__gte=1, rating__lte=5)),
        ]

    def __str__(self) -> str:
        return f"Review of {self.trade}"
