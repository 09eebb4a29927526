"""What trades cost in charges by the schedule: estimates, shown beside the charges that somebody stated, never in them.

The product of a share and its average price are of a whole day, so every fill of the account on the days asked for is
read, as corrections have left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet, prefetch_related_objects

from trading.domain.charge_heads import FillKind, Head, Segment
from trading.domain.charge_products import ChargedFill
from trading.domain.charge_schedule import ChargeSchedule, parse_schedule
from trading.domain.charges import EMPTY, ChargeEstimate, estimate
from trading.domain.contract_symbols import contract_of
from trading.domain.sessions import trading_day
from trading.domain.trade_building import SETTLEMENTS
from trading.models import Account, BrokeragePlan, Correction, Fill, Instrument, Trade
from trading.queries import facts
from trading.queries.instruments import shown_symbol

DATA_FILE = Path(__file__).resolve().parents[1] / "data" / "charge_schedule.json"
CURRENCY = "INR"
AT_A_TIME = 500
_DAY = timedelta(days=1)
_CASH, _DERIVATIVES, _CURRENCIES, _COMMODITIES = ("NSE", "BSE"), ("NFO", "BFO"), ("CDS", "BCD"), ("MCX",)
# How units went, by what is kept of it with a fill.
_SETTLEMENTS = {mark: FillKind(kind) for kind, mark in SETTLEMENTS.items()}
_SEGMENTS = {
    **{(code, Instrument.Kind.EQUITY): Segment.EQUITY for code in _CASH},
    **{(code, Instrument.Kind.FUTURE): Segment.FUTURES for code in _DERIVATIVES},
    **{(code, Instrument.Kind.OPTION): Segment.OPTIONS for code in _DERIVATIVES},
    **{(code, Instrument.Kind.FUTURE): Segment.CURRENCY_FUTURES for code in _CURRENCIES},
    **{(code, Instrument.Kind.OPTION): Segment.CURRENCY_OPTIONS for code in _CURRENCIES},
    **{(code, Instrument.Kind.FUTURE): Segment.COMMODITY_FUTURES for code in _COMMODITIES},
    **{(code, Instrument.Kind.OPTION): Segment.COMMODITY_OPTIONS for code in _COMMODITIES},
}


@cache
def shipped_schedule() -> ChargeSchedule:
    """Return the schedule of charges that ships with VELOX."""
    return parse_schedule(DATA_FILE.read_text(encoding="utf-8"))


def segment_of(instrument: Instrument) -> Segment | None:
    """Return the segment that an instrument is charged by, None where the schedule has none for it."""
    if instrument.currency != CURRENCY:
        return None
    return _SEGMENTS.get((instrument.exchange.code, Instrument.Kind(instrument.kind)))


def group_of(instrument: Instrument) -> str | None:
    """Return what decides beside the segment: a share's group, a contract's underlying; None where it is not known."""
    if segment_of(instrument) == Segment.EQUITY:
        return instrument.share_group or None
    contract = contract_of(instrument.symbol)
    return instrument.underlying or (contract.underlying if contract is not None else None)


def estimate_of(account: Account, fills: Iterable[ChargedFill], *, plan: str | None = None) -> ChargeEstimate:
    """Return the estimated charges of whole days of fills, by a plan, or by the account's own on each day."""
    if plan is not None:
        return estimate(fills, shipped_schedule(), plan=plan)
    plans = list(BrokeragePlan.objects.filter(account=account).order_by("day").values_list("day", "plan"))
    by_plan: dict[str | None, list[ChargedFill]] = {}
    for fill in fills:
        name = next((name for day, name in reversed(plans) if day <= fill.day), None)
        by_plan.setdefault(name, []).append(fill)
    answer = EMPTY
    for name, of_plan in by_plan.items():
        answer = answer.with_days_of(estimate(of_plan, shipped_schedule(), plan=name))
    return answer


def estimates_of(trades: QuerySet[Trade]) -> dict[int, Decimal | None]:
    """Return the estimated charges of trades by their key: the sum of their fills' shares, None where one is unknown.

    They are of accounts with a brokerage plan; trades of others are left out. The fills of other trades on the same
    days are read as well.
    """
    sums: dict[int, Decimal | None] = {}
    picked = Trade.objects.filter(pk__in=trades.order_by().values("pk")).order_by("pk")
    for account in Account.objects.filter(brokerage_plans__isnull=False).distinct():
        keys: dict[int, list[str]] = {}
        days = set()
        for trade in _whole(picked.filter(account=account).iterator(chunk_size=AT_A_TIME)):
            fills = list(charged_of(trade))
            keys[trade.pk] = [fill.key for fill in fills]
            days |= {fill.day for fill in fills}
        if days:
            of_days = (fill for fill in charged_fills(account, min(days), max(days)) if fill.day in days)
            shares = estimate_of(account, of_days).shares
            sums |= {pk: _sum(shares[key] for key in of_trade) for pk, of_trade in keys.items()}
    return sums


def _sum(shares: Iterable[Mapping[Head, Decimal | None]]) -> Decimal | None:
    """Return the sum of all heads of some fills, None where one is not known, or there is no fill."""
    amounts = [amount for heads in shares for amount in heads.values()]
    certain = [amount for amount in amounts if amount is not None]
    return sum(certain, Decimal(0)) if amounts and len(certain) == len(amounts) else None


def key_of(fill: Fill) -> str:
    """Return the key by which charges name a fill: texts in the order of the primary keys."""
    return f"{fill.pk:020}"


def charged_fills(account: Account, first: date, last: date) -> Iterator[ChargedFill]:
    """Yield an account's fills of some days, both inclusive, as charges see them; void trades have none."""
    # A zone lies at most a day away, and a correction may have moved a fill.
    bounds = (datetime.combine(first, time.min, UTC) - _DAY, datetime.combine(last, time.min, UTC) + 2 * _DAY)
    on_days = Fill.objects.filter(trade__account=account, at__range=bounds).order_by().values("trade_id")
    amended = Correction.objects.filter(account=account, kind=facts.AMEND).order_by().values("trade_id")
    trades = Trade.objects.filter(Q(pk__in=on_days) | Q(pk__in=amended), account=account)
    for trade in _whole(trades.exclude(state=Trade.State.VOID).order_by("pk")):
        yield from (fill for fill in charged_of(trade) if first <= fill.day <= last)


def charged_of(trade: Trade) -> Iterator[ChargedFill]:
    """Yield a trade's fills as charges see them, as corrections have left them; a split is none."""
    if trade.state == Trade.State.VOID:
        return
    instrument = trade.instrument
    segment, zone = segment_of(instrument), ZoneInfo(instrument.exchange.zone)
    contract = contract_of(instrument.symbol)
    group = group_of(instrument)
    strike = instrument.strike or (contract.strike if contract is not None else None)
    fills = sorted(trade.fills.all(), key=lambda fill: fill.sequence)
    for fill in facts.corrected(fills, sorted(trade.corrections.all(), key=lambda correction: correction.pk)):
        if fill.role == Fill.Role.SPLIT:
            continue
        yield ChargedFill(
            key=key_of(fill),
            day=trading_day(fill.at, zone),
            segment=segment,
            exchange=instrument.exchange.code,
            scrip=shown_symbol(instrument.exchange.code, instrument.symbol),
            side=str(fill.side),
            quantity=fill.quantity,
            price=fill.price,
            multiplier=instrument.multiplier,
            order=fill.order_id,
            kind=_kind(fill, segment),
            group=group,
            delivered_at=strike or fill.price,
            rank=f"{fill.at.astimezone(UTC):%Y%m%d%H%M%S%f} {fill.fill_id or ''} {fill.role} {fill.sequence:06}",
        )


def _kind(fill: Fill, segment: Segment | None) -> FillKind:
    """Return how the units went, as the fill says it; an option that left at price 0 expired."""
    if fill.settlement in _SETTLEMENTS:
        return _SETTLEMENTS[fill.settlement]
    options = (Segment.OPTIONS, Segment.CURRENCY_OPTIONS, Segment.COMMODITY_OPTIONS)
    is_expiry = segment in options and fill.role == Fill.Role.EXIT and not fill.price
    return FillKind.EXPIRY if is_expiry else FillKind.TRADE


def _whole(trades: Iterable[Trade]) -> Iterator[Trade]:
    """Yield trades with what their fills as charges see them are read from, some at a time."""
    rows = iter(trades)
    while some := list(islice(rows, AT_A_TIME)):
        prefetch_related_objects(some, "fills", "corrections", "instrument__exchange")
        yield from some
