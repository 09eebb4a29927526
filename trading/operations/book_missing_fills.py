"""Booking fills that a broker has and the ledger lacks.

A fill that the ledger never had comes in as an import of that fill alone. One that was taken back stands under its key
still: its trade is built anew from the broker's fills where nothing else was done to it by hand, and it is one that
stands or all of it is to be booked; else the fill is booked anew behind those that stand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256

from trading.bookkeeping import settling
from trading.brokers.values import Broker, FillLine, InstrumentName, Place, Segment, Statement
from trading.domain.breaks import Figures
from trading.domain.charge_heads import FillKind
from trading.domain.fill_breaks import merged_rows
from trading.errors import InvalidValue
from trading.models import Account, BrokerFill, Correction, Fill, FillKey, StatedCharge, Trade
from trading.operations.book_anew import book_anew, has_a_hand_in_it
from trading.operations.import_fills import import_fills
from trading.operations.spread_charges import spread_charges
from trading.queries import facts
from trading.queries.imported_side import APPROVED
from trading.queries.imported_trades import Booked, FillGroup, FillName, booked_trades
from trading.queries.instruments import exchange_of, find_instrument
from trading.queries.ledger_side import fills_to_compare


@dataclass(frozen=True, slots=True)
class MissingFill:
    """A fill as a broker's file tells it; ``at`` is None where it tells the day only."""

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    day: date
    at: datetime | None
    fill_id: str | None
    order_id: str | None
    broker: str
    segment: str
    kind: str

    @classmethod
    def of(cls, arguments: Figures) -> MissingFill:
        """Return the fill that a proposal names."""
        at = arguments.get("at")
        return cls(
            symbol=arguments["symbol"] or "",
            side=arguments["side"] or "",
            quantity=Decimal(arguments["quantity"] or 0),
            price=Decimal(arguments["price"] or 0),
            day=date.fromisoformat(arguments["day"] or ""),
            at=None if at is None else datetime.fromisoformat(at),
            fill_id=arguments.get("fill_id"),
            order_id=arguments.get("order_id"),
            broker=arguments.get("broker") or Broker.OTHER.value,
            segment=arguments.get("segment") or "",
            kind=arguments.get("kind") or FillKind.TRADE.value,
        )

    @property
    def words(self) -> str:
        """The fill in a sentence."""
        return f"{self.side} {self.quantity:f} {self.symbol} at {self.price:f} of {self.day}"


TakenBack = tuple[MissingFill, Fill]  # what is to be booked, and the ledger's row of it


def book_missing_fills(account: Account, fills: Sequence[MissingFill], *, by: str, reason: str) -> None:
    """Book fills, the oldest first, inside the transaction of an approval, and see that the ledger has each then.

    Raises: InvalidValue for a fill that cannot be booked without more being known; what an import raises.
    """
    if not fills:
        return
    days = [fill.day for fill in fills]
    before = _counts(account, days)
    taken_back: list[TakenBack] = []
    used: set[int] = set()
    for fill in sorted(
        fills, key=lambda each: (each.day, each.at is None, each.at or datetime.min.replace(tzinfo=UTC))
    ):
        row = _voided(account, fill, used)
        if row is None:
            _import(account, fill, by=by)
        else:
            used.add(row.pk)
            taken_back.append((fill, row))
    _book_taken_back(account, taken_back, by=by, reason=reason)
    after = _counts(account, days)
    for fill in fills:
        if after[_content(fill)] != before[_content(fill)] + sum(_content(each) == _content(fill) for each in fills):
            raise InvalidValue(
                f"{fill.words} could not be booked by itself.",
                field="breaks",
                hint="Import its file with `manage.py broker_import`, or book it by hand.",
            )
    stated = StatedCharge.objects.filter(account=account, day__lte=max(days), last_day__gte=min(days))
    if stated.exists():
        spread_charges(account.code, min(days), max(days), by=by, reason=reason)


def _book_taken_back(account: Account, taken_back: Sequence[TakenBack], *, by: str, reason: str) -> None:
    """Book fills that were taken back: trades that may give way are built anew together, by instrument and strategy."""
    rows_by_trade: defaultdict[int, list[TakenBack]] = defaultdict(list)
    for each in taken_back:
        rows_by_trade[each[1].trade_id].append(each)
    names = {(fill.day, row.fill_id or "") for fill, row in taken_back}
    pks = {*rows_by_trade, *_of_second_rows(account, taken_back)}
    trades = Trade.objects.filter(pk__in=pks).select_related("account", "strategy", "instrument__exchange")
    giving_way: defaultdict[FillGroup, list[Booked]] = defaultdict(list)
    for trade in trades.order_by("pk"):
        of_trade = rows_by_trade[trade.pk]
        booked = _giving_way(trade, [row for _, row in of_trade], names)
        if booked is not None:
            giving_way[FillGroup(account, trade.instrument, trade.strategy)].append(booked)
            continue
        for fill, row in of_trade:
            book_anew(trade, row, fill.quantity, price=fill.price, at=fill.at, by=by)
    for group, gone in giving_way.items():
        settling.give_way(gone)
        settling.settle(settling.plan_of(group, min(each.name[1] for each in gone)), by=by, reason=reason)


def _of_second_rows(account: Account, taken_back: Sequence[TakenBack]) -> Iterator[int]:
    """Yield the trades that fills which turned a position opened."""
    for fill, row in taken_back:
        exchange = row.trade.instrument.exchange_id
        keys = FillKey.objects.filter(account=account, exchange=exchange, day=fill.day, broker_fill_id=row.fill_id)
        yield from keys.exclude(number=0).values_list("trade_id", flat=True)


FillTerms = tuple[date, str, str, Decimal, Decimal]


def _content(fill: MissingFill) -> FillTerms:
    return fill.day, fill.symbol, fill.side, fill.quantity.normalize(), fill.price.normalize()


def _counts(account: Account, days: Iterable[date]) -> defaultdict[FillTerms, int]:
    """Return how often the ledger has each fill of some days."""
    counts: defaultdict[FillTerms, int] = defaultdict(int)
    for day in set(days):
        for fill in merged_rows(fills_to_compare(account, day, day)):
            if fill.day == day:
                counts[day, fill.symbol, fill.side, fill.quantity.normalize(), fill.price.normalize()] += 1
    return counts


def _voided(account: Account, fill: MissingFill, used: set[int]) -> Fill | None:
    """Return the ledger's row of a fill that was taken back, None where it never had it."""
    instrument = find_instrument(fill.symbol)
    if instrument is None:
        return None
    keys = [fill.fill_id]
    if fill.fill_id is None:
        kept = BrokerFill.objects.filter(account=account, instrument=instrument, day=fill.day, side=fill.side)
        kept = kept.filter(quantity=fill.quantity, price=fill.price)
        keys = list(kept.order_by("pk").values_list("broker_fill_id", flat=True))
    rows = FillKey.objects.filter(account=account, exchange=instrument.exchange, day=fill.day, broker_fill_id__in=keys)
    for key in rows.filter(number=0, trade__instrument=instrument).select_related("fill__trade").order_by("pk"):
        is_void = key.fill.trade.state == Trade.State.VOID
        is_void = is_void or Correction.objects.filter(fill=key.fill, kind=facts.VOID).exists()
        if is_void and key.fill_id not in used:
            return key.fill
    return None


def _import(account: Account, fill: MissingFill, *, by: str) -> None:
    """Bring a fill in as a file of its own. Raises: InvalidValue where it is refused."""
    code, name = exchange_of(fill.symbol), fill.symbol.rpartition(":")[2]
    digest = sha256(repr((account.code, fill)).encode()).hexdigest()
    line = FillLine(
        place=Place(APPROVED, "", 1),
        instrument=InstrumentName(exchange=code, symbol=name),
        segment=Segment(fill.segment) if fill.segment else None,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        day=fill.day,
        at=fill.at,
        currency=account.currency,
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        kind=FillKind(fill.kind),
    )
    statement = Statement(
        file=APPROVED,
        sha256=digest,
        broker=Broker(fill.broker),
        kind=APPROVED,
        zone="UTC",
        rows_read=1,
        first_day=fill.day,
        last_day=fill.day,
        fills=(line,),
    )
    outcome = import_fills(account.code, statement, by=by)
    if outcome.refused or outcome.findings:
        texts = [*(remark.text for remark in outcome.refused), *outcome.findings]
        raise InvalidValue(f"{fill.words} cannot be booked: {' '.join(texts)}", field="breaks")


def _giving_way(trade: Trade, rows: Sequence[Fill], names: Set[FillName]) -> Booked | None:
    """Return an imported trade that may be built anew, None of another: nothing was done to it but that these rows
    were taken back, or all of it where the ``names`` of all its fills are of what is to be booked."""
    corrections = [row for row in trade.corrections.all() if not facts.is_of_stated_charges(row)]
    if has_a_hand_in_it(trade) or any(row.kind not in (facts.VOID, facts.CONTRACT) for row in corrections):
        return None
    group = FillGroup(trade.account, trade.instrument, trade.strategy)
    trades = booked_trades(group, trade.trading_day)
    booked = next((each for each in trades if each.trade.pk == trade.pk), None)
    if booked is None:  # it gave way before
        return None
    legs = {(day, key) for day, key, _ in booked.legs}
    voided = {row.fill_id for row in corrections if row.kind == facts.VOID}
    if not (legs <= names if trade.state == Trade.State.VOID else voided == {row.pk for row in rows}):
        return None
    keys = {key for _, key in legs}
    kept = BrokerFill.objects.filter(account=trade.account, instrument=trade.instrument, strategy=trade.strategy)
    # Else somebody booked one of them.
    return booked if kept.filter(broker_fill_id__in=keys).count() >= len(keys) else None
