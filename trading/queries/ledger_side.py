"""What the ledger has of some days, as it is compared with brokers' statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from django.db.models import Q, prefetch_related_objects

from timeseries.values import instant_text
from trading.domain import trade_building
from trading.domain.charge_breaks import LedgerCharge
from trading.domain.charge_heads import Head
from trading.domain.charge_sections import HEADS
from trading.domain.fill_breaks import ComparedFill, merged_rows
from trading.domain.money import from_units
from trading.domain.position_breaks import ZERO, ComparedPosition
from trading.domain.replaced_orders import without_replaced_orders
from trading.domain.sessions import trading_day
from trading.models import Account, BrokerFill, Correction, DayTotal, Fill, Instrument, Strategy, Trade
from trading.queries import facts
from trading.queries.charge_estimates import charged_fills, estimate_of
from trading.queries.imported_trades import FillGroup, booked_trades, kept_fills, splits_of
from trading.queries.instruments import shown_symbol
from trading.queries.positions_then import open_at_end_of
from trading.queries.stated_charges import ESTIMATE, charged_days

AT_A_TIME = 500
_DAY = timedelta(days=1)
OF_ACTIONS = f"{trade_building.ACTION_KEY}-"  # settlements that a person confirmed: no broker's file has them
MADE_UP = (f"{trade_building.ROW_KEY}-", f"{trade_building.ORDER_KEY}-")  # what no broker's id begins with


def broker_id(fill_id: str | None) -> str | None:
    """Return a fill's id where it is a broker's, None for one that was made up of a row."""
    return None if fill_id is None or fill_id.startswith(MADE_UP) else fill_id


def compared_fills(
    account: Account, first: date | None, last: date, *, by_recorded_day: bool = False
) -> list[ComparedFill]:
    """Return an account's fills of some days, both inclusive, as corrections have left them, in order of time; from
    the beginning where ``first`` is None. A corporate action is none, and void trades have none.

    ``by_recorded_day``: those too that a correction moved from one of these days to another.
    """
    # A zone lies at most a day away, and a correction may have moved a fill.
    until = datetime.combine(last, time.min, UTC) + 2 * _DAY
    rows = Fill.objects.filter(trade__account=account, at__lt=until)
    if first is not None:
        rows = rows.filter(at__gte=datetime.combine(first, time.min, UTC) - _DAY)
    amended = Correction.objects.filter(account=account, kind=facts.AMEND).order_by().values("trade_id")
    trades = Trade.objects.filter(Q(pk__in=rows.order_by().values("trade_id")) | Q(pk__in=amended), account=account)
    fills = [
        (at, fill)
        for trade in _whole(trades.exclude(state=Trade.State.VOID).order_by("pk"))
        for at, fill in _fills_of(trade)
        if any(
            (first is None or first <= day) and day <= last
            for day in (fill.day, *((fill.recorded_day,) if by_recorded_day and fill.recorded_day else ()))
        )
    ]
    return [fill for _, fill in sorted(fills, key=lambda each: (each[0], each[1].trade_id, each[1].sequence))]


def _whole(trades: Iterable[Trade]) -> Iterator[Trade]:
    rows = iter(trades)
    while some := list(islice(rows, AT_A_TIME)):
        prefetch_related_objects(some, "fills", "corrections", "instrument__exchange", "strategy")
        yield from some


def _fills_of(trade: Trade) -> Iterator[tuple[datetime, ComparedFill]]:
    exchange = trade.instrument.exchange
    zone = ZoneInfo(exchange.zone)
    recorded = sorted(trade.fills.all(), key=lambda fill: fill.sequence)
    days = {fill.pk: trading_day(fill.at, zone) for fill in recorded}
    for fill in facts.corrected(recorded, sorted(trade.corrections.all(), key=lambda correction: correction.pk)):
        if fill.role == Fill.Role.SPLIT or (fill.fill_id or "").startswith(OF_ACTIONS):
            continue
        day = trading_day(fill.at, zone)
        compared = ComparedFill(
            exchange=exchange.code,
            day=day,
            symbol=shown_symbol(exchange.code, trade.instrument.symbol),
            side=str(fill.side),
            quantity=fill.quantity,
            price=fill.price,
            fill_id=fill.fill_id,
            order_id=fill.order_id,
            at="" if fill.is_day_only else instant_text(fill.at, "microseconds"),
            trade_id=trade.trade_id,
            strategy_id=trade.strategy.code,
            sequence=fill.sequence,
            recorded_day=days[fill.pk] if days[fill.pk] != day else None,
        )
        yield fill.at, compared


def opening_sales(account: Account, first: date, last: date) -> list[ComparedFill]:
    """Return what imported fills sold, on these days, of holdings that were bought before: they are in no trade."""
    sales = BrokerFill.objects.filter(account=account, is_cash=True, side=Fill.Side.SELL, day__range=(first, last))
    pairs = sorted(set(sales.order_by().values_list("instrument_id", "strategy_id")))
    instruments = Instrument.objects.select_related("exchange").in_bulk({instrument for instrument, _ in pairs})
    strategies = Strategy.objects.in_bulk({strategy for _, strategy in pairs})
    rows = []
    for instrument, strategy in pairs:
        group = FillGroup(account, instruments[instrument], strategies[strategy])
        fills, _ = without_replaced_orders(kept_fills(group, date.min))
        built = trade_building.build([*fills, *splits_of(group, booked_trades(group, date.min))])
        rows += [(group, leg) for leg in built.opening_sales if first <= leg.fill.day <= last]
    return [
        ComparedFill(
            exchange=leg.fill.exchange,
            day=leg.fill.day,
            symbol=shown_symbol(leg.fill.exchange, group.instrument.symbol),
            side=leg.fill.side,
            quantity=from_units(leg.quantity),
            price=from_units(leg.fill.price),
            fill_id=leg.fill.key,
            order_id=leg.fill.order_id,
            strategy_id=group.strategy.code,
        )
        for group, leg in rows
    ]


def fills_to_compare(account: Account, first: date, last: date) -> list[ComparedFill]:
    """Return the fills of some days that a broker may have, each once: rows of one made-up id are one fill.

    Those that a correction moved to a day before or after are among them.
    """
    rows = [*compared_fills(account, first, last, by_recorded_day=True), *opening_sales(account, first, last)]
    made_up = [row for row in rows if row.fill_id is not None and broker_id(row.fill_id) is None]
    named = [row for row in rows if row.fill_id is None or broker_id(row.fill_id) is not None]
    return [*named, *(replace(fill, fill_id=None, is_of_row=True) for fill in merged_rows(made_up))]


def positions_at(account: Account, days: Collection[date]) -> list[ComparedPosition]:
    """Return what is held at the end of some days by symbol, all strategies together; long and short are set off."""
    rows = []
    for day in sorted(days):
        held: defaultdict[str, list[tuple[Decimal, Decimal | None]]] = defaultdict(list)
        for _, position in open_at_end_of(account, day):
            sign = 1 if position.side == Trade.Side.LONG else -1
            held[position.symbol].append((sign * position.open_quantity, position.avg_price))
        rows += [ComparedPosition(symbol, day, *_pooled(lots)) for symbol, lots in held.items()]
    return rows


def _pooled(lots: list[tuple[Decimal, Decimal | None]]) -> tuple[Decimal, Decimal | None]:
    """Return the quantity and the average price of lots; None where some are long and others short."""
    quantity = sum((units for units, _ in lots), ZERO)
    prices = [(units, price) for units, price in lots if price is not None]
    if not quantity or len(prices) < len(lots) or len({units > 0 for units, _ in lots}) > 1:
        return quantity, None
    return quantity, sum((units * price for units, price in prices), ZERO) / quantity


def realised_by_day(account: Account, first: date, last: date) -> dict[tuple[str, date], Decimal]:
    """Return what was realised by symbol and day, gross of charges, all strategies together."""
    sums: defaultdict[tuple[str, date], Decimal] = defaultdict(Decimal)
    totals = DayTotal.objects.filter(account=account, day__range=(first, last)).order_by()
    for code, symbol, day, pnl in totals.values_list(
        "instrument__exchange__code", "instrument__symbol", "day", "gross_pnl"
    ):
        sums[shown_symbol(code, symbol), day] += pnl
    return dict(sums)


def multipliers_of(account: Account) -> dict[str, Decimal]:
    """Return the multiplier of each instrument that was traded and never split, by symbol."""
    traded = Instrument.objects.filter(trades__account=account)
    split = Fill.objects.filter(trade__account=account, role=Fill.Role.SPLIT).values("trade__instrument_id")
    rows = traded.exclude(pk__in=split).distinct().values_list("exchange__code", "symbol", "multiplier")
    return {shown_symbol(code, symbol): multiplier for code, symbol, multiplier in rows.order_by()}


def charges_between(account: Account, first: date, last: date, *, plan: str | None) -> list[LedgerCharge]:
    """Return the charges of some days by segment, market and head: what is stated, and what the schedule estimates."""
    fills = list(charged_fills(account, first, last))
    estimates = {(day.day, day.segment or "", day.exchange): day for day in estimate_of(account, fills, plan=plan).days}
    days, _ = charged_days(account, first, last, plan=plan)
    rows = []
    for day in days:
        estimate = estimates.get((day.day, day.segment or "", day.exchange))
        for head in (*HEADS, Head.OTHER):
            source = day.sources.get(head, ESTIMATE)
            rows.append(
                LedgerCharge(
                    day.day,
                    day.segment or "",
                    head,
                    stated=day.heads.get(head) if source != ESTIMATE else None,
                    source=source if source != ESTIMATE else "",
                    estimate=estimate.heads.get(head) if estimate is not None else None,
                    sure=str(estimate.sure.get(head, "")) if estimate is not None else "",
                )
            )
    return rows
