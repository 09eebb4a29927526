"""Shares of one ISIN that were bought under one symbol and sold under another, as on the NSE and the BSE.

The ledger keeps an instrument per exchange, and a position per strategy. Whether what was sold is what was bought
elsewhere before, only a person knows: both sides are named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import permutations

from trading.bookkeeping.import_outcome import symbol_of
from trading.bookkeeping.settling import SettlingPlan
from trading.bookkeeping.tried_fills import GroupName
from trading.domain.flags import IMPORTED
from trading.domain.money import from_units
from trading.domain.position import LONG
from trading.models import Account, BrokerFill, Instrument, Strategy, Trade
from trading.queries.imported_trades import FillGroup, first_unbooked
from trading.queries.instruments import shown_symbol
from trading.queries.opening_sales import sales_of


@dataclass(slots=True)
class Shares:
    """What one symbol and strategy has of a share: open purchases and sales without one, each with its day.

    ``instrument`` is the primary key of its instrument, None of one that is only tried.
    """

    name: GroupName
    instrument: int | None
    purchases: list[tuple[date, str]] = field(default_factory=list)
    sales: list[tuple[date, str]] = field(default_factory=list)


def shares_of(plan: SettlingPlan) -> Shares:
    """Return what a plan leaves of its instrument and strategy."""
    shares = Shares((symbol_of(plan), plan.group.strategy.code), plan.group.instrument.pk)
    for each in plan.standing:
        trade = each.trade
        if trade.state == Trade.State.OPEN and trade.side == LONG:
            words = f"trade {trade.trade_id} of {each.name[1]} ({trade.open_quantity:f} open)"
            shares.purchases.append((each.name[1], words))
    for leg in plan.built.opening_sales:
        shares.sales.append((leg.fill.day, f"the sale of {from_units(leg.quantity):f} on {leg.fill.day}"))
    return shares


def bought_elsewhere(
    account: Account,
    touched: Sequence[Shares],
    *,
    before: Iterable[Shares] = (),
    isins: Mapping[str, str] | None = None,
) -> list[str]:
    """Return a finding for each sale without a purchase beside an open purchase of the same share under another symbol
    or strategy.

    One of the two is among those that an import has ``touched``; those ``before`` are of files that are tried before,
    and ``isins`` what these tell, by symbol.
    """
    changed = {each.name for each in touched}
    shares = {each.name: each for each in (*before, *touched)}
    if not any(each.purchases or each.sales for each in touched):
        return []
    isin_of = {symbol: isin for symbol, isin in (isins or {}).items() if isin}
    instruments = {each.instrument: name[0] for name, each in shares.items() if each.instrument is not None}
    told = BrokerFill.objects.filter(account=account).exclude(isin="").order_by()
    for pk, isin in told.filter(instrument__in=list(instruments)).values_list("instrument", "isin").distinct():
        isin_of[instruments[pk]] = isin
    rows = list(told.filter(isin__in=set(isin_of.values())).values_list("instrument", "strategy", "isin").distinct())
    instruments_of_rows = Instrument.objects.select_related("exchange").in_bulk({row[0] for row in rows})
    strategies = Strategy.objects.in_bulk({row[1] for row in rows})
    for instrument, strategy, isin in rows:
        group = FillGroup(account, instruments_of_rows[instrument], strategies[strategy])
        symbol = shown_symbol(group.instrument.exchange.code, group.instrument.symbol)
        isin_of[symbol] = isin
        if (symbol, group.strategy.code) not in shares:
            shares[symbol, group.strategy.code] = _standing(group, symbol)
    by_isin: defaultdict[str, list[Shares]] = defaultdict(list)
    for name, each in sorted(shares.items()):
        if name[0] in isin_of:
            by_isin[isin_of[name[0]]].append(each)
    return [text for isin, of_share in by_isin.items() for text in _pairs(isin, of_share, changed)]


def _standing(group: FillGroup, symbol: str) -> Shares:
    """Return what the ledger has of an instrument and strategy that an import did not touch."""
    shares = Shares((symbol, group.strategy.code), group.instrument.pk)
    trades = Trade.objects.filter(account=group.account, instrument=group.instrument, strategy=group.strategy)
    for trade in trades.filter(state=Trade.State.OPEN, side=LONG).order_by("opened_at", "pk"):
        if IMPORTED in trade.flags:
            words = f"trade {trade.trade_id} of {trade.trading_day} ({trade.open_quantity:f} open)"
            shares.purchases.append((trade.trading_day, words))
    first = first_unbooked(group)
    for sale in sales_of(group, first) if first is not None else ():
        shares.sales.append((sale.day, f"the sale of {sale.quantity:f} on {sale.day}"))
    return shares


def _pairs(isin: str, of_share: Sequence[Shares], changed: set[GroupName]) -> Iterator[str]:
    for seller, buyer in permutations(of_share, 2):
        if buyer.name not in changed and seller.name not in changed:
            continue
        sold, bought = (f"{name[0]} (strategy {name[1]})" for name in (seller.name, buyer.name))
        for sold_on, sale in seller.sales:
            for bought_on, trade in buyer.purchases:
                if bought_on <= sold_on:
                    yield (
                        f"{bought} and {sold} are one share, {isin}: {trade} under the one was never sold, and {sale} "
                        "under the other has no purchase. If the sale was of these shares, give it what they cost "
                        "(`manage.py opening_sales --give`), and void that trade or amend its quantity to what is left."
                    )
