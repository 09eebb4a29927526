"""Saying what holdings cost of which a broker's files only show the sale."""

from __future__ import annotations

from datetime import UTC, date, datetime

from timeseries.values import Number
from trading.bookkeeping import correcting, journal, settling
from trading.domain import money, values
from trading.domain.chain import JournalEntry
from trading.domain.money import to_units
from trading.domain.trade_building import GivenCost, purchase_of
from trading.errors import IdConflict, InvalidValue
from trading.models import BrokerFill, FillKey, HoldingCost, Trade
from trading.queries.imported_trades import REPLACED_MARK, FillGroup, reported
from trading.queries.opening_sales import sales_of
from trading.queries.trades import trade_value
from trading.transactions import together


def give_cost(sale_pk: int, price: Number, day: date, *, by: str, reason: str) -> values.Trade:
    """Keep what holdings cost that a sale (a `BrokerFill` of `queries.opening_sales`) was of, and return its trade.

    ``price`` is that of one unit in the account's currency, ``day`` the day of the purchase, whose time is not known.
    The sale becomes a closed trade: bought at that price on that day, sold as the broker's file tells it, with its part
    of what is stated of the day's charges. The same again changes nothing; a cost that was wrong is amended like any
    price.

    Raises: InvalidValue for a fill that is no such sale, and for a day that is not before it; IdConflict where another
        cost was given; LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    cost = money.parse_price(price, "price")
    if cost < 0:
        raise InvalidValue(f"price is {cost:f}.", field="price", hint="Give what one unit cost, 0 for a gift.")
    now = datetime.now(UTC)
    with together():
        related = BrokerFill.objects.select_related("account", "instrument__exchange", "strategy", "file")
        sale = related.filter(pk=sale_pk).first()
        if sale is None:
            raise InvalidValue(f"There is no fill {sale_pk} of a broker.", field="sale")
        group = FillGroup(sale.account, sale.instrument, sale.strategy)
        stated = HoldingCost.objects.filter(sale=sale).first()
        if stated is None:
            _check(group, sale, day)
            _keep(sale, HoldingCost(price=cost, day=day, reason=reason, author=by, recorded_at=now))
        elif (stated.price, stated.day) != (cost, day):
            raise IdConflict(
                f"The holdings of this sale are known to have cost {stated.price:f} on {stated.day}.",
                field="price",
                hint="Amend the purchase of its trade, with a reason.",
            )
        settling.settle(settling.plan_of(group, sale.day), by=by, reason=f"Cost given: {reason}")
        trade = trade_value(_trade_of(group, sale, GivenCost(day, to_units(cost))))
    return trade if stated is None else values.known_already(trade)


def _check(group: FillGroup, sale: BrokerFill, day: date) -> None:
    """Raise InvalidValue for a fill that is no sale of holdings, and for a purchase that was not before it."""
    if sale.pk not in {each.pk for each in sales_of(group, sale.day)}:
        raise InvalidValue(
            f"Fill {sale.broker_fill_id} of {sale.day} is no sale of holdings whose cost is unknown.",
            field="sale",
            hint="`manage.py opening_sales` lists those.",
        )
    if day >= sale.day:
        raise InvalidValue(f"{day} is not before the sale of {sale.day}.", field="day", hint="Give the purchase's day.")


def _trade_of(group: FillGroup, sale: BrokerFill, cost: GivenCost) -> Trade:
    """Return the trade that the sale is in. Raises: InvalidValue where it could not be booked."""
    purchase = purchase_of(reported(sale, group.instrument.exchange.code, sale.file.broker), 1, cost)
    # By the key of the purchase: a correction may have moved the trade to another day.
    keys = FillKey.objects.filter(account=group.account, exchange=group.instrument.exchange, day=cost.day)
    trades = Trade.objects.select_related("account", "strategy", "instrument__exchange")
    of_purchase = keys.filter(broker_fill_id=purchase.key, trade__instrument=group.instrument).values("trade")
    trade = trades.filter(pk__in=of_purchase).exclude(trade_id__contains=REPLACED_MARK).first()
    if trade is None:
        raise InvalidValue(
            f"Fill {sale.broker_fill_id} of {sale.day} goes on as a short sale, which was bought back on that day.",
            field="sale",
            hint="Book the holdings by hand: the fill has no room for another row.",
        )
    return trade


def _keep(sale: BrokerFill, cost: HoldingCost) -> None:
    """Write the row and tell the journal."""
    _, head = journal.lock_account(sale.account.code)
    cost.account, cost.sale = sale.account, sale
    cost.save()
    names = ("id", "sale_id", "day", "price", "reason")
    body: JournalEntry = {"cost": {name: getattr(cost, name) for name in names}}
    journal.append(sale.account, "give_cost", body, now=cost.recorded_at, by=cost.author, head=head)
