"""Fills that another source may have brought already, under no id that both share: they are never booked twice.

A row without an id can only be told from others by its content, and a fill that a strategy said without an id by
nothing but its order. Where that leaves a doubt, the row is refused and named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from trading.bookkeeping.incoming_fills import IncomingFill, TriedFiles, on_trading_day
from trading.brokers.values import Remark
from trading.domain import trade_building
from trading.domain.flags import IMPORTED
from trading.domain.money import to_units
from trading.domain.trade_building import ReportedFill
from trading.models import Account, BrokerFill, Fill, Instrument
from trading.queries.instruments import find_instrument
from trading.queries.period import date_in

Content = tuple[str, int, int]  # side, quantity and price in units
LikeRow = tuple[datetime | None, str, int, int]  # instant and content of a row without an id


@dataclass(slots=True)
class DaySources:
    """What is known of one instrument's day: the keys of all files' fills (``rows`` and ``ids`` are of other files than
    the one looked at, ``like`` the keys of these rows with their orders), what strategies said, and what files brought
    of which a trade stands (``standing``: keys, and ``standing_orders``).

    Of what strategies said, ``orders`` and ``orders_by_ids`` are the units of an order without ids of its fills and
    with them, ``contents`` are fills without any id, ``contents_of_orders`` those with their order's alone,
    ``contents_with_ids`` those with their own, ``units`` the units of each side, and ``units_without_order`` those of
    fills that have an id of their own alone.
    """

    kept: set[str] = field(default_factory=set)
    rows: set[str] = field(default_factory=set)
    like: defaultdict[LikeRow, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)
    orders: Counter[str] = field(default_factory=Counter)
    orders_by_ids: Counter[str] = field(default_factory=Counter)
    contents: set[Content] = field(default_factory=set)
    contents_of_orders: set[Content] = field(default_factory=set)
    contents_with_ids: set[Content] = field(default_factory=set)
    units: Counter[str] = field(default_factory=Counter)
    units_without_order: Counter[str] = field(default_factory=Counter)
    standing: set[str | None] = field(default_factory=set)
    standing_orders: set[str | None] = field(default_factory=set)


@dataclass(slots=True)
class SourceCheck:
    """Fills that may go on, those that a strategy has said by their order, rows that are refused, and findings."""

    free: list[IncomingFill] = field(default_factory=list)
    known_by_order: list[IncomingFill] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def compare_sources(
    account: Account, sha256: str, incoming: Sequence[IncomingFill], tried: TriedFiles | None = None
) -> SourceCheck:
    """Return which fills of a file (of this hash) may be booked beside what other sources brought of the same days, the
    files that are ``tried`` before it among them."""
    check = SourceCheck()
    by_symbol: defaultdict[str, list[IncomingFill]] = defaultdict(list)
    for each in incoming:
        by_symbol[each.symbol].append(each)
    for symbol, of_symbol in by_symbol.items():
        instrument = find_instrument(symbol) if tried is None else tried.instrument(symbol)
        if instrument is None:
            check.free += of_symbol
            continue
        fills = [on_trading_day(each, instrument) for each in of_symbol]
        sources: defaultdict[date, DaySources] = defaultdict(DaySources)
        days = [each.fill.day for each in fills]
        if instrument.pk is not None:
            _take_ledger(sources, account, sha256, instrument, days)
        for other_sha256, other in () if tried is None else tried.fills.of_days(symbol, min(days), max(days)):
            like = (other.at, other.side, other.quantity, other.price)
            _take_key(sources[other.day], other.key, other.kind, like, other.order_id, is_own=other_sha256 == sha256)
        own: defaultdict[date, set[str]] = defaultdict(set)
        earlier = len(check.known_by_order)
        for each in fills:
            if each.fill.kind != trade_building.ORDER:
                own[each.fill.day].add(each.fill.key)
        for each in fills:
            _sort(each, sources[each.fill.day], own[each.fill.day], check)
        check.findings += _differing_days(symbol, own, sources)
        check.findings += _differing_orders(symbol, check.known_by_order[earlier:], sources)
    check.free.sort(key=lambda each: each.fill.position)
    return check


def _take_ledger(
    sources: defaultdict[date, DaySources], account: Account, sha256: str, instrument: Instrument, days: Sequence[date]
) -> None:
    """Add what the ledger has of an instrument on some days."""
    first, last = min(days), max(days)
    kept = BrokerFill.objects.filter(account=account, instrument=instrument, day__range=(first, last))
    # What a person confirmed of a corporate action, no file tells.
    kept = kept.exclude(broker_fill_id__startswith=f"{trade_building.ACTION_KEY}-")
    columns = ("day", "broker_fill_id", "kind", "file__sha256", "order_id", "at", "side", "quantity", "price")
    for day, key, kind, of_file, order_id, at, side, quantity, price in kept.values_list(*columns):
        like = (at, side, to_units(quantity), to_units(price))
        _take_key(sources[day], key, kind, like, order_id, is_own=of_file == sha256)
    zone = instrument.exchange.zone
    start, end = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last + timedelta(days=1)))
    booked = Fill.objects.filter(trade__account=account, trade__instrument=instrument, at__gte=start, at__lt=end)
    booked = booked.exclude(trade__state="VOID").exclude(role=Fill.Role.SPLIT)
    names = ("at", "fill_id", "order_id", "side", "quantity", "price", "trade__flags")
    for at, fill_id, order_id, side, quantity, price, marks in booked.values_list(*names).iterator():
        source = sources[date_in(at, zone)]
        if IMPORTED in marks:
            source.standing.add(fill_id)
            source.standing_orders.add(order_id)
        else:
            _take_booked(source, fill_id, order_id, (side, to_units(quantity), to_units(price)))


def _take_booked(source: DaySources, fill_id: str | None, order_id: str | None, content: Content) -> None:
    """Add a fill that a strategy said."""
    side, units, _ = content
    source.units[side] += units
    if fill_id is not None:
        source.ids.add(fill_id)
        source.contents_with_ids.add(content)
        if order_id is None:
            source.units_without_order[side] += units
        else:
            source.orders_by_ids[order_id] += units
    elif order_id is not None:
        source.orders[order_id] += units
        source.contents_of_orders.add(content)
    else:
        source.contents.add(content)


def _take_key(source: DaySources, key: str, kind: str, like: LikeRow, order_id: str | None, *, is_own: bool) -> None:
    """Add the key of a file's fill; ``is_own`` where it is the file that is looked at."""
    source.kept.add(key)
    if is_own or kind == trade_building.ORDER:
        return
    if key.startswith(f"{trade_building.ROW_KEY}-"):
        source.rows.add(key)
        source.like[like].append((key, order_id or ""))
    else:
        source.ids.add(key)


def _is_told_otherwise(fill: ReportedFill, source: DaySources, own: set[str]) -> bool:
    """Say whether a row is one that another file tells without its order's id, or with a part of it, as where a
    spreadsheet ruined the id or a download broke off; each such row stands for one."""
    order_id, rows = fill.order_id or "", source.like[fill.at, fill.side, fill.quantity, fill.price]
    for row in rows:
        key, other = row
        if key not in own and (order_id.startswith(other) or other.startswith(order_id)):
            rows.remove(row)
            return True
    return False


def _may_be_booked(fill: ReportedFill, source: DaySources) -> bool:
    """Say whether a strategy said what may be this fill, under no id that both have: a like fill, for an order any of
    its side, for a day's sum whatever is of its side."""
    is_of_order = not trade_building.is_sum(fill.order_id)
    if fill.kind == trade_building.ORDER:
        units = source.units_without_order if is_of_order else source.units
        if units[fill.side] >= (fill.quantity if is_of_order else 1):
            return True
    content = fill.side, fill.quantity, fill.price
    return content in source.contents or (not is_of_order and content in source.contents_of_orders)


def _sort(each: IncomingFill, source: DaySources, own: set[str], check: SourceCheck) -> None:
    fill = each.fill
    is_row = fill.key.startswith(f"{trade_building.ROW_KEY}-")
    is_order = fill.kind == trade_building.ORDER
    if fill.order_id in source.orders or (is_order and fill.order_id in source.orders_by_ids):
        check.known_by_order.append(each)
    elif fill.key in source.kept:
        check.free.append(each)
        is_like = is_row and (fill.side, fill.quantity, fill.price) in source.contents_with_ids
        if fill.key in source.standing and (is_like or _may_be_booked(fill, source)):
            text = "may stand twice: a strategy booked a like one without its id. Void one of the two if it does."
            check.findings.append(f"{each.symbol}: fill {fill.key} of {fill.day} {text}")
    elif fill.key in source.ids:
        check.free.append(each)
    elif _may_be_booked(fill, source):
        text = f"A strategy booked a like fill on {fill.day} without an id: give it one, or void it, and import again."
        if is_order:
            text = (
                f"A strategy booked fills of {fill.day} without this order's id: it may be theirs, and is not booked."
            )
        check.refused.append(Remark(each.line.place, "booked_without_id", text))
    elif is_order:
        check.free.append(each)
    elif is_row and source.ids:
        text = f"Fills of {fill.day} are known by their ids: this row without one may be one of them."
        check.refused.append(Remark(each.line.place, "ids_known", text))
    elif not is_row and source.rows:
        text = f"A file without ids brought fills of {fill.day}: this one may be one of them."
        check.refused.append(Remark(each.line.place, "rows_known", text))
    elif is_row and _is_told_otherwise(fill, source, own):
        text = f"Another file has this fill of {fill.day} under another id of its order: it is not booked twice."
        check.refused.append(Remark(each.line.place, "order_told_otherwise", text))
    else:
        check.free.append(each)


def _differing_days(symbol: str, own: dict[date, set[str]], sources: dict[date, DaySources]) -> Iterable[str]:
    """Yield a finding for each day of which two files without ids tell different fills, as where one was cut."""
    for day, keys in sorted(own.items()):
        rows = {key for key in keys if key.startswith(f"{trade_building.ROW_KEY}-")}
        if rows and sources[day].rows and rows != sources[day].rows:
            yield (
                f"{symbol}: another file tells other fills of {day} without ids. Equal ones were counted once: look "
                "whether one of the files was cut within that day."
            )


def _differing_orders(symbol: str, fills: Sequence[IncomingFill], sources: dict[date, DaySources]) -> Iterable[str]:
    units: defaultdict[tuple[date, str], int] = defaultdict(int)
    for each in fills:
        units[each.fill.day, each.fill.order_id or ""] += each.fill.quantity
    for (day, order_id), quantity in sorted(units.items()):
        booked = sources[day].orders[order_id] + sources[day].orders_by_ids[order_id]
        if booked != quantity:
            yield f"{symbol}: order {order_id} of {day} is booked with another quantity than the file has."
        if order_id in sources[day].standing_orders:
            yield f"{symbol}: order {order_id} of {day} stands twice, by a strategy and by a file: void one of the two."
