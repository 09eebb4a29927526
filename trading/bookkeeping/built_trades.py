"""Booking trades that were built from a broker's fills, many in one go: each row as `booking.book` would write it.

For use inside an import's transaction. A trade with all its fills is one row of the journal (`book_trade`), and rows
of one table are written by one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from trading import rows
from trading.bookkeeping import booking, built_keys, journal, references, slips
from trading.bookkeeping.booking import Seen
from trading.domain import flags, position
from trading.domain.chain import JournalEntry
from trading.domain.money import MAX_UNITS, from_units, to_units
from trading.domain.position import Execution, Holding, Realised
from trading.domain.sessions import Calendar
from trading.domain.trade_building import HOLDING, SETTLEMENTS, BuiltTrade, Leg, ReportedFill
from trading.errors import InvalidValue
from trading.models import Account, DayTotal, Fill, Instrument, JournalHead, Realisation, Strategy, Trade
from trading.queries import facts
from trading.queries.sessions import calendar_of
from trading.transactions import busy

OPERATION = "book_trade"
# A fill whose time nobody told comes last on its day.
UNTOLD = time(23, 59, 59)
FIGURES = ("quantity", "cost", "proceeds", "charges", "pnl", "closes", "day")


@dataclass(frozen=True, slots=True)
class Book:
    """Where trades are booked: account, strategy and instrument (with its exchange loaded), and the account's chain."""

    account: Account
    strategy: Strategy
    instrument: Instrument
    head: JournalHead
    now: datetime
    by: str = ""


@dataclass(slots=True)
class Entry:
    """A trade on its way into the tables: its rows, in the order of its fills."""

    built: BuiltTrade
    trade: Trade
    holding: Holding  # before the legs that are to be booked
    booked: int = 0  # legs that are booked already
    first_sequence: int = 1
    fills: list[Fill] = field(default_factory=list)
    realised: list[Realised | None] = field(default_factory=list)
    realisations: dict[int, Realisation] = field(default_factory=dict)  # by sequence

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs that are to be booked."""
        return self.built.legs[self.booked :]


def instant_of(fill: ReportedFill, instrument: Instrument) -> datetime:
    """Return the instant that a fill is booked at: its time, or the end of its day on the exchange."""
    return fill.at or datetime.combine(fill.day, UNTOLD, ZoneInfo(instrument.exchange.zone))


def book_trades(book: Book, trades: Sequence[tuple[BuiltTrade, Trade | None]]) -> None:
    """Write new trades with all that follows from them; of a trade that stands already, what its legs go on with.

    Raises: InvalidValue beyond the bound of money; LedgerBusy where a trade or a fill's key changed meanwhile.
    """
    entries = [_new(book, built) if trade is None else _standing(book, built, trade) for built, trade in trades]
    entries = [entry for entry in entries if entry.legs]  # a kill may have left a run of a long trade done
    if not entries:
        return
    seen = {entry.trade.pk: Seen.of(entry.trade) for entry in entries if entry.trade.pk is not None}
    calendar = calendar_of(book.instrument.exchange.code, book.instrument.session_group)
    for entry in entries:
        _fold(book, entry, calendar)
    rows.insert_many([entry.trade for entry in entries if entry.trade.pk is None])
    for entry in entries:
        if entry.trade.pk in seen:
            booking.keep(entry.trade, seen[entry.trade.pk])
    for entry in entries:
        for fill in entry.fills:
            fill.trade_id = entry.trade.pk
    rows.insert_many([fill for entry in entries for fill in entry.fills])
    keys = _keep_keys(book, entries)
    totals = _realise(book, entries)
    journal.append_many(
        book.account,
        OPERATION,
        [_body(book, entry, keys, totals) for entry in entries],
        now=book.now,
        by=book.by,
        head=book.head,
    )


def _new(book: Book, built: BuiltTrade) -> Entry:
    """Return a trade that none of its fills is booked of."""
    opened_at = instant_of(built.legs[0].fill, book.instrument)
    trade = Trade(
        account=book.account,
        strategy=book.strategy,
        instrument=book.instrument,
        trade_id=built.trade_id,
        trading_day=references.day_of(opened_at, book.instrument),
        side=built.side,
        opened_at=opened_at,
        recorded_at=book.now,
        flags=[*([flags.COST_GIVEN] if built.legs[0].fill.kind == HOLDING else ()), flags.IMPORTED],
    )
    return Entry(built, trade, Holding(built.side, to_units(book.instrument.multiplier)))


def _standing(book: Book, built: BuiltTrade, trade: Trade) -> Entry:
    """Return an open trade, as its fills and their corrections have left it, that more legs follow.

    Raises: LedgerBusy where it is open no more, or a strategy booked a fill on it, since the legs were built.
    """
    last = trade.fills.order_by("-sequence")[0]
    booked = last.sequence
    is_as_built = booked <= len(built.legs) and built.legs[booked - 1].fill.key == (last.fill_id or "")
    if trade.state != Trade.State.OPEN or not is_as_built:
        raise busy(f"trade {trade.trade_id} changed at the same time")
    trade.account, trade.strategy, trade.instrument = book.account, book.strategy, book.instrument
    if facts.CORRECTED not in trade.flags:
        holding, sequence = facts.standing(trade)
    else:
        holding, _ = facts.folded(trade, facts.fills_of(trade))
        sequence = booked + 1
    return Entry(built, trade, holding, first_sequence=sequence, booked=booked)


def _fold(book: Book, entry: Entry, calendar: Calendar) -> None:
    """Make the fills of the legs that are not booked yet, and fold them into the trade; nothing is written."""
    trade, holding, odd = entry.trade, entry.holding, set(entry.trade.flags)
    for sequence, leg in enumerate(entry.legs, entry.first_sequence):
        fill = _fill(book, trade, leg, sequence)  # its trade may have no key yet
        holding, realised = position.apply(holding, Execution(fill.side, leg.fill.price, leg.quantity, leg.charges))
        entry.fills.append(fill)
        entry.realised.append(realised)
        at = (fill.at, book.instrument, book.now)
        odd |= slips.fill_flags(fill.price, fill.quantity, *at, is_day_only=fill.is_day_only, calendar=calendar)
        if realised is not None and not fill.price and not fill.settlement:
            odd.add(flags.UNEXPLAINED)
    money = (holding.entry_value, holding.realised_pnl, holding.open_cost, holding.charges or 0)
    if max(holding.entry_quantity, *map(abs, money)) > MAX_UNITS:
        raise InvalidValue(f"Trade {trade.trade_id} would be worth more than 92,233,720,368.", field="quantity")
    booking.stand(trade, holding, entry.fills[-1].at)
    trade.exit_reason = entry.built.reason
    trade.flags = sorted(odd)


def _fill(book: Book, trade: Trade, leg: Leg, sequence: int) -> Fill:
    fill = leg.fill
    return Fill(
        trade_id=trade.pk,
        sequence=sequence,
        fill_id=fill.key,
        order_id=fill.order_id,
        side=fill.side,
        role=Fill.Role.ENTRY if fill.side == position.ENTRY_SIDE[trade.side] else Fill.Role.EXIT,
        price=from_units(fill.price),
        quantity=from_units(leg.quantity),
        charges=None if leg.charges is None else from_units(leg.charges),
        at=instant_of(fill, book.instrument),
        is_day_only=fill.at is None,
        settlement=SETTLEMENTS.get(fill.kind, ""),
        recorded_at=book.now,
    )


def _keep_keys(book: Book, entries: list[Entry]) -> dict[int, JournalEntry]:
    """Write the keys of all fills; return what the journal says of each, by the fill's primary key."""
    keys = [
        built_keys.key_of(entry.trade, fill, leg.fill.day, number=int(leg.is_rest))
        for entry in entries
        for leg, fill in zip(entry.legs, entry.fills, strict=True)
    ]
    earlier = built_keys.keys_of(book.account, book.instrument, {key.broker_fill_id for key in keys})
    return built_keys.write(keys, earlier)


def _realise(book: Book, entries: list[Entry]) -> dict[date, DayTotal]:
    """Write what the exits realised and add it to the totals of their days; return the totals."""
    totals: dict[date, DayTotal] = {}
    realisations = []
    for entry in entries:
        for fill, realised in zip(entry.fills, entry.realised, strict=True):
            if realised is None:
                continue
            row = Realisation(
                trade_id=entry.trade.pk,
                fill_id=fill.pk,
                account_id=book.account.pk,
                strategy_id=book.strategy.pk,
                instrument_id=book.instrument.pk,
                day=references.day_of(fill.at, book.instrument),
                at=fill.at,
                quantity=from_units(realised.quantity),
                cost=from_units(realised.cost),
                proceeds=from_units(realised.proceeds),
                charges=None if realised.charges is None else from_units(realised.charges),
                pnl=from_units(realised.pnl),
                closes=realised.closes,
            )
            entry.realisations[fill.sequence] = row
            realisations.append(row)
            if row.day not in totals:
                totals[row.day] = _total(book, row.day)
            booking.add_to_total(totals[row.day], entry.trade, row)
    rows.insert_many(realisations)
    for total in totals.values():
        rows.insert(total) if total.pk is None else rows.update(total, booking.SUMS)
    return totals


def _total(book: Book, day: date) -> DayTotal:
    """Return the total of a day, locked, or a new one."""
    account, strategy, instrument = book.account.pk, book.strategy.pk, book.instrument.pk
    totals = rows.fetch(
        DayTotal, lock=True, account_id=account, strategy_id=strategy, instrument_id=instrument, day=day
    )
    return next(iter(totals), DayTotal(account_id=account, strategy_id=strategy, instrument_id=instrument, day=day))


def _body(book: Book, entry: Entry, keys: dict[int, JournalEntry], totals: dict[date, DayTotal]) -> JournalEntry:
    """Return how the journal tells a trade that was booked whole."""
    fills: list[JournalEntry] = []
    for fill in entry.fills:
        body: JournalEntry = {"fill": booking.fill_body(fill), "fill_pk": fill.pk, **keys[fill.pk]}
        row = entry.realisations.get(fill.sequence)
        if row is not None:
            body |= {"realised": {name: getattr(row, name) for name in FIGURES}, "realisation_pk": row.pk}
        fills.append(body)
    days = sorted({row.day for row in entry.realisations.values()})
    second = [number for number, leg in enumerate(entry.legs, entry.first_sequence) if number > 1 and leg.is_rest]
    return {
        "trade": booking.trade_body(entry.trade),
        "fills": fills,
        "day_totals": [{"strategy_pk": book.strategy.pk, "day": day, "pk": totals[day].pk} for day in days],
        "multiplier": book.instrument.multiplier,
        "stop_price": None,
        "target_price": None,
        "exit_reason": entry.built.reason,
        **({"flip": {"from": entry.built.turned}} if entry.legs[0].is_rest else {}),
        **({"second_rows": second} if second else {}),
    }
