"""Sales of holdings that were bought before a broker's files begin: their cost is unknown, so they are in no trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Exists, OuterRef, QuerySet

from trading.domain.money import from_units
from trading.models import Account, BrokerFill, Exchange, FillKey, Instrument, Strategy, Trade
from trading.queries.imported_trades import FillGroup, rebuilt
from trading.queries.instruments import shown_symbol
from trading.queries.kept_statements import Slot


@dataclass(frozen=True, slots=True)
class OpeningSale:
    """One such sale: ``pk`` of its `BrokerFill`, and how many units of that were holdings."""

    pk: int
    day: date
    symbol: str
    strategy_id: str
    quantity: Decimal
    price: Decimal


def opening_sales(account: Account, *, day: date | None = None) -> list[OpeningSale]:
    """Return the account's sales whose cost nobody has given, the oldest first; of one day where that is given."""
    rows = candidates(account, day)
    first_days: dict[tuple[int, int], date] = {}
    for instrument, strategy, sold_on in rows.values_list("instrument", "strategy", "day"):
        group = (instrument, strategy)
        first_days[group] = min(sold_on, first_days.get(group, sold_on))
    instruments = Instrument.objects.select_related("exchange").in_bulk({instrument for instrument, _ in first_days})
    strategies = Strategy.objects.in_bulk({strategy for _, strategy in first_days})
    sales: list[OpeningSale] = []
    for (instrument, strategy), first in first_days.items():
        sales += sales_of(FillGroup(account, instruments[instrument], strategies[strategy]), first)
    ordered = sorted(sales, key=lambda sale: (sale.day, sale.pk))
    return [sale for sale in ordered if day in (None, sale.day)]


def candidates(account: Account | Slot, day: date | Slot | None = None) -> QuerySet[BrokerFill]:
    """Return the fills of which some may be such sales: few, and quick to tell."""
    # A sale that one row holds whole is none; of the others the fills decide.
    whole = FillKey.objects.filter(
        account=OuterRef("account"),
        exchange=OuterRef("exchange"),
        day=OuterRef("day"),
        broker_fill_id=OuterRef("broker_fill_id"),
        fill__quantity=OuterRef("quantity"),
    ).exclude(trade__state=Trade.State.VOID)
    rows = BrokerFill.objects.filter(account=account, side="SELL", is_cash=True).filter(~Exists(whole))
    if day is not None:  # by exchange as well, as the index of fills has it
        rows = rows.filter(exchange__in=Exchange.objects.values("pk"), day=day)
    return rows


def sales_of(group: FillGroup, since: date) -> list[OpeningSale]:
    """Return the sales of one instrument and strategy, from a day on, whose cost nobody has given."""
    rows = BrokerFill.objects.filter(account=group.account, instrument=group.instrument, day__gte=since)
    keys: dict[tuple[date, str], int] = {}
    for pk, day, key in rows.filter(strategy=group.strategy).values_list("pk", "day", "broker_fill_id"):
        keys[day, key] = pk
    symbol = shown_symbol(group.instrument.exchange.code, group.instrument.symbol)
    legs = [leg for leg in rebuilt(group, since).built.opening_sales if (leg.fill.day, leg.fill.key) in keys]
    return [
        OpeningSale(
            pk=keys[leg.fill.day, leg.fill.key],
            day=leg.fill.day,
            symbol=symbol,
            strategy_id=group.strategy.code,
            quantity=from_units(leg.quantity),
            price=from_units(leg.fill.price),
        )
        for leg in legs
    ]
