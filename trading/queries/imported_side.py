"""What was imported before, as it is compared with the ledger where no file is given: fills, realised sums, charges."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from timeseries.values import instant_text
from trading.domain.breaks import Figures, Remedy, plain
from trading.domain.charge_breaks import BrokerCharge
from trading.domain.charge_heads import Head, Segment
from trading.domain.compared import Comparison, Coverage, CoveredDays, UncomparedPart, group_of
from trading.domain.fill_breaks import ComparedFill
from trading.domain.position import BUY
from trading.domain.position_breaks import ZERO, StatedResult
from trading.domain.stated_charges import ChargeSource
from trading.models import Account, BreakEvent, BrokerFile, BrokerFill, StatedCharge
from trading.queries.broker_side import BrokerSide
from trading.queries.instruments import shown_symbol
from trading.queries.ledger_side import OF_ACTIONS, broker_id, multipliers_of

APPROVED = "approved"  # kind of what brings a fill that a person approved: it tells no day whole


def side_of_imports(account: Account, first: date | None, last: date | None) -> BrokerSide:
    """Return what was imported of some days, both inclusive, as the broker told it."""
    begins, ends = first or date.min, last or date.max
    rows = BrokerFill.objects.filter(account=account).select_related("exchange", "instrument", "file", "strategy")
    of_actions = rows.filter(broker_fill_id__startswith=OF_ACTIONS)
    settled = set(of_actions.values_list("instrument_id", flat=True))
    rows = rows.exclude(broker_fill_id__startswith=OF_ACTIONS)
    imported = list(_without_taken_back(account, [(row, _fill_of(row)) for row in rows.order_by("day", "pk")]))
    side = BrokerSide()
    groups: defaultdict[int, set[str]] = defaultdict(set)
    days: defaultdict[int, list[date]] = defaultdict(list)
    for row, fill in imported:
        if begins <= row.day <= ends:
            (side.orders if row.kind == BrokerFill.Kind.ORDER else side.fills).append(fill)
        if row.file.kind != APPROVED:
            groups[row.file_id].add(group_of(fill.exchange))
            days[row.file_id].append(row.day)
    for pk, file in BrokerFile.objects.in_bulk(groups).items():
        of_file = days[pk]
        begun, ended = min(file.first_day or of_file[0], *of_file), max(file.last_day or of_file[-1], *of_file)
        side.coverage.append(Coverage(begun, ended, frozenset(groups[pk])))
    traded = [(row, fill) for row, fill in imported if row.instrument_id not in settled]
    side.results = _results(traded, multipliers_of(account), CoveredDays(side.coverage))
    side.charges = _charges(account)
    untold = {fill.symbol for _, fill in imported} - {result.symbol for result in side.results}
    if untold:
        reason = "What was imported does not go from flat to flat there: a file that states the sums shows them."
        side.uncompared.append(UncomparedPart(Comparison.REALISED, f"{len(untold)} symbols: {reason}"))
    if imported:
        reason = "Imports keep no positions of a broker's: give the file."
        side.uncompared.append(UncomparedPart(Comparison.POSITIONS, reason))
    return side.within(first, last)


def _without_taken_back(
    account: Account, imported: Iterable[tuple[BrokerFill, ComparedFill]]
) -> Iterator[tuple[BrokerFill, ComparedFill]]:
    """Yield what was imported but for fills that an approval took back, as those of a file that came twice."""
    events = BreakEvent.objects.filter(account=account, event=BreakEvent.Event.APPROVED)
    taken_back: Counter[tuple[str | None, ...]] = Counter()
    for event in events.filter(proposal__action=Remedy.VOID_FILL.value):
        names = ("day", "symbol", "side", "quantity", "price", "fill_id")
        figures: Figures = event.ledger or {}
        taken_back[tuple(figures.get(name) for name in names)] += 1
    for row, fill in imported:
        numbers = (plain(fill.quantity), plain(fill.price))
        name = (fill.day.isoformat(), fill.symbol, fill.side, *numbers, fill.fill_id)
        if taken_back[name]:
            taken_back[name] -= 1
        else:
            yield row, fill


def _fill_of(row: BrokerFill) -> ComparedFill:
    return ComparedFill(
        exchange=row.exchange.code,
        day=row.day,
        symbol=shown_symbol(row.exchange.code, row.instrument.symbol),
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        fill_id=broker_id(row.broker_fill_id),
        order_id=row.order_id,
        at="" if row.at is None else instant_text(row.at, "microseconds"),
        broker=row.file.broker,
        segment=Segment.EQUITY.value if row.is_cash else "",
        kind=row.kind,
    )


def _results(
    imported: Sequence[tuple[BrokerFill, ComparedFill]], multipliers: Mapping[str, Decimal], covered: CoveredDays
) -> list[StatedResult]:
    """Return what the fills of a symbol realised between two ends of days at which no strategy held any of it.

    From flat to flat it is what came less what went, whatever closed what. Left out are symbols with settlements,
    orders or splits, periods that no file covers whole, and all that comes after a sale of holdings.
    """
    by_symbol: defaultdict[str, list[tuple[BrokerFill, ComparedFill]]] = defaultdict(list)
    for row, fill in imported:
        by_symbol[fill.symbol].append((row, fill))
    results = []
    for symbol, fills in by_symbol.items():
        if symbol in multipliers and all(row.kind == BrokerFill.Kind.TRADE for row, _ in fills):
            results += _flat_to_flat(symbol, fills, multipliers[symbol], covered)
    return results


def _flat_to_flat(
    symbol: str, fills: Iterable[tuple[BrokerFill, ComparedFill]], multiplier: Decimal, covered: CoveredDays
) -> list[StatedResult]:
    by_day: defaultdict[date, list[tuple[BrokerFill, ComparedFill]]] = defaultdict(list)
    for row, fill in fills:
        by_day[row.day].append((row, fill))
    held: defaultdict[int, Decimal] = defaultdict(Decimal)  # by strategy
    results: list[StatedResult] = []
    begun, came = None, ZERO
    for day, of_day in by_day.items():
        begun = begun or day
        for row, _ in of_day:
            sign = 1 if row.side == BUY else -1
            held[row.strategy_id] += sign * row.quantity
            came -= sign * row.quantity * row.price
        if any(row.is_cash and held[row.strategy_id] < 0 for row, _ in of_day):
            return results
        if not any(held.values()):
            if covered.has(of_day[0][1].exchange, begun, day):
                results.append(StatedResult(symbol, begun, day, came * multiplier, "imports"))
            begun, came = None, ZERO
    return results


def _charges(account: Account) -> list[BrokerCharge]:
    """Return the newest amount that notes and files state of each head, days and segment."""
    rows = StatedCharge.objects.filter(account=account).exclude(source=ChargeSource.PERSON.value).order_by("pk")
    newest = {(row.day, row.last_day, row.segment, row.exchange, row.head, row.source): row for row in rows}
    return [
        BrokerCharge(
            *(row.day, row.last_day, row.segment, Head(row.head), row.amount),
            is_note=row.source == ChargeSource.NOTE,
        )
        for row in newest.values()
    ]
