"""Imported fills and the trades that were built from them, as they stand: what a new import is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from trading.domain import trade_building
from trading.domain.flags import IMPORTED
from trading.domain.money import to_units
from trading.domain.replaced_orders import without_replaced_orders
from trading.domain.replaced_sums import ReplacedOrder
from trading.domain.trade_building import Built, Costs, GivenCost, ReportedFill
from trading.models import (
    Account,
    BrokerFile,
    BrokerFill,
    Correction,
    Fill,
    FillKey,
    HoldingCost,
    Instrument,
    Review,
    StopChange,
    Strategy,
    Trade,
)
from trading.queries import facts
from trading.queries.period import date_in

LegName = tuple[date, str, int]  # day, key, units
FillName = tuple[date, str]  # day and key
TradeName = tuple[str, date]  # id, and the day of the first fill as it was reported
IMPORTER = "broker import"  # who voids trades that give way, and shares charges anew
_DAYS_AT_ONCE = 31  # that are looked back, until no trade was held over a midnight
_FIRST_DAY = date(1, 1, 2)  # the calendar's first has no room for a zone
REPLACED_MARK = " replaced "  # in the id of a trade that gave way


@dataclass(frozen=True, slots=True)
class FillGroup:
    """The fills of an account that are traded against each other: those of one instrument and strategy."""

    account: Account
    instrument: Instrument
    strategy: Strategy


@dataclass(slots=True)
class Booked:
    """A trade that an import has booked, with the legs that its rows hold.

    ``is_touched``: a person or a strategy corrected it, reviewed it, moved its stop or booked a fill on it.
    """

    trade: Trade
    legs: list[LegName] = field(default_factory=list)
    is_touched: bool = False

    @property
    def name(self) -> TradeName:
        """Return what its fills call the trade: a correction may have moved the trade itself to another day."""
        return self.trade.trade_id, self.legs[0][0]


def to_be_booked(group: FillGroup) -> Trade:
    """Return a trade that an import would make of a group's fills, without anything of its own yet."""
    return Trade(account=group.account, instrument=group.instrument, strategy=group.strategy, flags=[IMPORTED])


def reported(row: BrokerFill, exchange: str, broker: str) -> ReportedFill:
    """Return a kept fill as the trades are built from it."""
    return ReportedFill(
        key=row.broker_fill_id,
        broker=broker,
        exchange=exchange,
        day=row.day,
        at=row.at,
        side=row.side,
        quantity=to_units(row.quantity),
        price=to_units(row.price),
        kind=row.kind,
        order_id=row.order_id,
        position=row.place,
        is_cash=row.is_cash,
        charges=None if row.charges is None else to_units(row.charges),
    )


@dataclass(slots=True)
class Ahead:
    """What files that are tried together would leave of a group: the new fills of all of them; the trades as they would
    stand after those before the one looked at, and the names of the ledger's trades in whose place these are."""

    fills: list[ReportedFill] = field(default_factory=list)
    standing: list[Booked] = field(default_factory=list)
    names: set[TradeName] = field(default_factory=set)

    @property
    def first_unbooked(self) -> date | None:
        """Return the day of the first fill that would be in no trade."""
        booked = {(day, key) for each in self.standing for day, key, _ in each.legs}
        return min((fill.day for fill in self.fills if (fill.day, fill.key) not in booked), default=None)


NOTHING_AHEAD = Ahead()  # read only


def _imported(group: FillGroup) -> QuerySet[Trade]:
    """Return the instrument's trades but for those that gave way; some may not be of an import."""
    if group.instrument.pk is None:  # one that is only tried
        return Trade.objects.none()
    trades = Trade.objects.filter(account=group.account, instrument=group.instrument)
    return trades.exclude(trade_id__contains=REPLACED_MARK)


def start_of(group: FillGroup, day: date, ahead: Ahead = NOTHING_AHEAD) -> date:
    """Return the latest day, not after this one, over whose midnight no imported trade was held.

    What counts are the days that were reported: of a trade whose fills were moved by a correction, those as well as its
    own.
    """
    ahead_of = [(each.name[1], _last_day(each)) for each in ahead.standing]
    looked_back = 0  # days: mostly nothing is held over the first midnight, and no other one needs to be looked at
    while True:
        asked = day
        window = date.fromordinal(max(day.toordinal() - looked_back, _FIRST_DAY.toordinal()))
        spans = [*ahead_of, *_spans(group, window, day, ahead)]
        for opened, closed in sorted(spans, reverse=True):
            if opened < day <= closed:
                day = opened
        if day in (asked, date.min) or day > window:
            return day
        looked_back = _DAYS_AT_ONCE


def _spans(group: FillGroup, since: date, before: date, ahead: Ahead) -> Iterator[tuple[date, date]]:
    """Yield the first and the last day of each imported trade that began before one day and was not over before
    another: an account has others by the hundred thousand. Of an open one the last is that of the calendar."""
    zone = group.instrument.exchange.zone
    midnight, end = (datetime.combine(max(day, _FIRST_DAY), time.min, ZoneInfo(zone)) for day in (since, before))
    later = Q(state=Trade.State.OPEN) | Q(closed_at=None) | Q(closed_at__gte=midnight)
    pks = _imported(group).filter(later | Exists(Fill.objects.filter(trade=OuterRef("pk"), at__gte=midnight)))
    pks = pks.filter(Exists(Fill.objects.filter(trade=OuterRef("pk"), at__lt=end)))
    trades = Trade.objects.filter(pk__in=pks.values("pk")).annotate(first_at=Min("fills__at"), last_at=Max("fills__at"))
    names = ("trade_id", "first_at", "last_at", "closed_at", "state", "flags")
    for trade_id, first_at, last_at, closed_at, state, marks in trades.order_by().values_list(*names).iterator():
        opened = date_in(first_at, zone)
        if IMPORTED in marks and (trade_id, opened) not in ahead.names:
            is_held = state == Trade.State.OPEN or closed_at is None
            yield opened, date.max if is_held else date_in(max(closed_at, last_at), zone)


def _last_day(each: Booked) -> date:
    return max(leg[0] for leg in each.legs) if each.trade.state == Trade.State.CLOSED else date.max


def booked_trades(group: FillGroup, start: date, ahead: Ahead = NOTHING_AHEAD) -> list[Booked]:
    """Return the instrument's imported trades whose first fill was reported of a day or later, with their rows as they
    were recorded; ``ahead`` has those that would stand by then."""
    zone = group.instrument.exchange.zone
    midnight = datetime.combine(max(start, _FIRST_DAY), time.min, ZoneInfo(zone))
    trades = _imported(group).filter(fills__sequence=1, fills__at__gte=midnight)
    ordered = trades.order_by("opened_at", "pk")
    by_pk = {trade.pk: Booked(trade) for trade in ordered if IMPORTED in trade.flags}
    rows = Fill.objects.filter(trade__in=trades)
    names = ("trade_id", "at", "fill_id", "quantity")
    for pk, at, fill_id, quantity in rows.order_by("trade_id", "sequence").values_list(*names):
        if pk in by_pk:
            day = date_in(at, zone)
            by_pk[pk].legs.append((day, fill_id or "", to_units(quantity)))
    # Stated charges are shared anew among whatever trades there are: they hold none of them.
    corrections = Correction.objects.filter(trade__in=trades)
    corrections = corrections.exclude(kind=Correction.Kind.CONTRACT)  # which is the instrument's
    touched = {row.trade_id for row in corrections if not facts.is_of_stated_charges(row)}
    touched |= set(StopChange.objects.filter(trade__in=trades).values_list("trade_id", flat=True))
    reviews = Review.objects.filter(trade__in=trades).exclude(state=Review.State.OPEN, rating=None, tags=[], notes="")
    touched |= set(reviews.values_list("trade_id", flat=True))
    for pk, each in by_pk.items():
        each.is_touched = pk in touched or trade_building.SPLIT in each.trade.flags
    trades_ahead = [each for each in ahead.standing if each.name[1] >= start]
    return [*(each for each in by_pk.values() if each.name not in ahead.names), *trades_ahead]


def first_unbooked(group: FillGroup) -> date | None:
    """Return the day of the first kept fill that is in no trade, as a sale of holdings is, or what a kill left."""
    keys = FillKey.objects.filter(
        account=OuterRef("account"),
        exchange=OuterRef("exchange"),
        day=OuterRef("day"),
        broker_fill_id=OuterRef("broker_fill_id"),
    ).exclude(trade__trade_id__contains=REPLACED_MARK)
    rows = _rows(group).filter(~Exists(keys)).order_by("day").values_list("day", flat=True)
    return rows.first()


def _rows(group: FillGroup) -> QuerySet[BrokerFill]:
    if group.instrument.pk is None or group.strategy.pk is None:  # what is only tried
        return BrokerFill.objects.none()
    return BrokerFill.objects.filter(account=group.account, instrument=group.instrument, strategy=group.strategy)


def kept_fills(group: FillGroup, start: date) -> list[ReportedFill]:
    """Return the fills of a group that files told of a day or later."""
    rows = _rows(group).filter(day__gte=start).order_by("day", "pk").iterator()
    brokers = dict(BrokerFile.objects.filter(account=group.account).values_list("pk", "broker"))
    return [reported(row, group.instrument.exchange.code, brokers[row.file_id]) for row in rows]


def costs_of(group: FillGroup) -> dict[tuple[date, str], GivenCost]:
    """Return what persons said that sold holdings cost, by day and key of the sale."""
    rows = HoldingCost.objects.filter(sale__in=_rows(group)).select_related("sale")
    return {(row.sale.day, row.sale.broker_fill_id): GivenCost(row.day, to_units(row.price)) for row in rows}


def splits_of(group: FillGroup, window: Iterable[Booked]) -> list[ReportedFill]:
    """Return what corporate actions gave to trades or took from them, as they stand."""
    zone = group.instrument.exchange.zone
    pks = [each.trade.pk for each in window if trade_building.SPLIT in each.trade.flags]
    return [
        ReportedFill(
            key=row.fill_id or "",
            broker="",
            exchange=group.instrument.exchange.code,
            day=date_in(row.at, zone),
            at=row.at,
            side=row.side,
            quantity=to_units(row.quantity),
            price=0,
            kind=trade_building.SPLIT,
        )
        for row in Fill.objects.filter(trade__in=pks, role=Fill.Role.SPLIT)
    ]


def booked_otherwise(group: FillGroup, start: date) -> set[tuple[date, str]]:
    """Return the fills from a day on that are in a trade which no import has booked: a strategy said them first."""
    if group.instrument.pk is None:
        return set()
    keys = FillKey.objects.filter(account=group.account, exchange=group.instrument.exchange, day__gte=start)
    keys = keys.filter(trade__instrument=group.instrument).exclude(trade__trade_id__contains=REPLACED_MARK)
    rows = keys.values_list("day", "broker_fill_id", "trade__flags")
    return {(day, fill_id) for day, fill_id, marks in rows if IMPORTED not in marks}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a group's fills make, the orders whose place fills have taken, and the trades that stand of these fills.

    ``own`` are the days and keys of the fills, ``costs`` what persons said that sold holdings cost.
    """

    built: Built
    orders: list[ReplacedOrder]
    window: list[Booked]
    own: set[FillName]
    costs: Costs


def rebuilt(group: FillGroup, since: date, ahead: Ahead = NOTHING_AHEAD, *, before: date = date.max) -> Rebuilt:
    """Return what the kept fills ``before`` a day make, from the trade on that was held over the midnight before
    ``since``, and with those ``ahead`` that are not kept yet."""
    start = start_of(group, since, ahead)
    kept = (fill for fill in kept_fills(group, start) if fill.day < before)
    fills = [*kept, *(fill for fill in ahead.fills if fill.day >= start)]
    own = {(fill.day, fill.key) for fill in fills}
    booked = booked_trades(group, start, ahead)
    window = [each for each in booked if any((day, key) in own for day, key, _ in each.legs)]
    by_others = booked_otherwise(group, start) & own
    standing, orders = without_replaced_orders(fill for fill in fills if (fill.day, fill.key) not in by_others)
    costs = costs_of(group)
    built = trade_building.build([*standing, *splits_of(group, window)], costs=costs)
    return Rebuilt(built, orders, window, own, costs)
