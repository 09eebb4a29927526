"""Fills of a broker's statement on their way into the ledger: named, checked, and told from those that are known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise

from django.conf import settings

from timeseries.values import FIRST_YEAR, ID_BYTES_MAX
from trading.bookkeeping import bounds, references
from trading.bookkeeping.tried_fills import TriedFill, TriedFills
from trading.brokers.values import Broker, FillKind, FillLine, Remark, Segment, Statement
from trading.domain import position, trade_building
from trading.domain.money import MAX, to_units
from trading.domain.strategy_rules import StrategyRule, strategy_of
from trading.domain.trade_building import ReportedFill
from trading.errors import InvalidValue, VeloxError
from trading.models import Account, BrokerFill, Fill, FillKey, Instrument
from trading.queries.imported_trades import FillName
from trading.queries.instrument_names import ResolvedNames
from trading.queries.instruments import exchanges, find_instrument

CHUNK = 500
COMPARED_AT_ONCE = 5_000  # fills with the rest of their day: what an import has in memory of a file at a time
WITH_MULTIPLIER = ("MCX", "NCDEX", "CDS", "BCD", "NCO")  # where a quantity of 1 is a contract of many units
SETTLED = (FillKind.EXPIRY, FillKind.EXERCISE)


@dataclass(frozen=True, slots=True)
class IncomingFill:
    """A fill of a file with what VELOX calls it; ``strategy`` is what the rules give it."""

    line: FillLine
    symbol: str
    strategy: str
    fill: ReportedFill


@dataclass(slots=True)
class Sorted:
    """Fills of a file by what becomes of them; a known one with its row, or with the fill of a file that is tried
    beside it or of the same file; None where a strategy said it."""

    new: list[IncomingFill] = field(default_factory=list)
    known: list[tuple[IncomingFill, BrokerFill | NamedFill | None]] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)

    def charged_otherwise(self) -> list[str]:
        """Return a finding for each symbol of which the file states other charges for known fills than are kept, or
        leaves empty what was stated of them."""
        counts = Counter(
            each.symbol
            for each, row in self.known
            if row is not None
            and (each.fill.charges is not None or each.line.is_uncharged)
            and each.fill.charges != _charges_of(row)
        )
        return [
            f"{symbol}: the file has other charges for {count} fills that are known. What was told of them first "
            "counts: `manage.py amend --fill --charges` puts them right."
            for symbol, count in counts.items()
        ]


NamedFill = IncomingFill | TriedFill


@dataclass(slots=True)
class TriedFiles:
    """What files that are tried before another would leave: instruments that are not in the ledger, by symbol, and
    their new fills."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    fills: TriedFills = field(default_factory=TriedFills)

    def instrument(self, symbol: str) -> Instrument | None:
        """Return the instrument of a symbol: the ledger's, or one that these files would make."""
        return self.instruments.get(symbol) or find_instrument(symbol)


def exchange_and_name(symbol: str) -> tuple[str, str]:
    """Return exchange and name of a symbol that `ResolvedNames` gave: no exchange is looked up for it."""
    code, _, name = symbol.rpartition(":")
    return code or settings.VELOX_EXCHANGE, name


def house_of(broker: Broker) -> str:
    """Return the broker behind a file: Kite is Zerodha's interface, so that its fills are named as Zerodha's are."""
    return Broker.ZERODHA.value if broker is Broker.KITE else broker.value


def named(
    statement: Statement, names: ResolvedNames, rules: Sequence[StrategyRule], *, at_once: int | None = None
) -> Iterator[tuple[list[IncomingFill], list[Remark]]]:
    """Yield the fills of a statement under VELOX's symbols, oldest first, with the rows that are refused: all together,
    or ``at_once`` and what is left of the last one's day, where the days follow each other."""
    midnight = (datetime.combine(line.day, time(), UTC) for line in statement.fills)
    times = (line.at or at for line, at in zip(statement.fills, midnight, strict=True))
    is_reversed = trade_building.is_descending(times)
    days = (line.day for line in (reversed(statement.fills) if is_reversed else statement.fills))
    if at_once is None or any(later < earlier for earlier, later in pairwise(days)):
        at_once = len(statement.fills)
    lines = reversed(statement.fills) if is_reversed else iter(statement.fills)
    house, occurrences = house_of(statement.broker), Counter[tuple[str, ...]]()
    incoming: list[IncomingFill] = []
    refused: list[Remark] = []
    day = date.min
    for place, line in enumerate(lines):
        if len(incoming) + len(refused) >= at_once and line.day != day:
            yield incoming, refused
            incoming, refused, occurrences = [], [], Counter()  # equal fills are of one day
        day, symbol = line.day, names.resolve(line.instrument)
        if symbol is None:
            refused.append(Remark(line.place, "unknown_instrument", _unknown(line)))
        elif problem := _problem(line):
            refused.append(Remark(line.place, "unbookable", problem))
        else:
            content = _content(line, house, symbol)
            occurrences[content] += 1
            key = _key(line, content, occurrences[content])
            fill = _reported(line, house, symbol, key, place)
            incoming.append(IncomingFill(line, symbol, strategy_of(rules, symbol, line.tag, line.at), fill))
    yield incoming, refused


def _unknown(line: FillLine) -> str:
    name = line.instrument
    if name.exchange and name.symbol and name.exchange not in exchanges():
        return f"VELOX knows no exchange {name.exchange}: give its hours with `manage.py sessions --load FILE`."
    words = [word for word in (name.exchange, name.symbol, name.isin, name.company, name.code) if word]
    return f"No instrument of VELOX is known as {' '.join(words) or 'nothing'}: name it with --symbols."


def _problem(line: FillLine) -> str:
    """Return why the ledger could never take a fill, "" where it could."""
    if line.side not in (position.BUY, position.SELL):
        return f"Its side is {line.side!r}."
    if not FIRST_YEAR <= line.day.year < MAXYEAR:
        return f"Its day is {line.day}, and the ledger's begin with the year {FIRST_YEAR}."
    if not 0 < line.quantity <= MAX or abs(line.price) > MAX or abs(line.price * line.quantity) > MAX:
        return f"{line.quantity:f} at {line.price:f} is beyond what the ledger takes."
    ids = [each for each in (line.fill_id, line.order_id, line.key) if each is not None]
    if any(len(each.encode()) > ID_BYTES_MAX or "\0" in each for each in ids):
        return "Its id, or its order's, is longer than 128 bytes or holds a null character."
    if line.price != round(line.price, 8) or line.quantity != round(line.quantity, 8):
        return "It has more than 8 decimals."
    return ""


def _content(line: FillLine, broker: str, symbol: str) -> tuple[str, ...]:
    at = line.day.isoformat() if line.at is None else line.at.astimezone(UTC).isoformat()
    numbers = (f"{line.quantity.normalize():f}", f"{line.price.normalize():f}")
    return broker, symbol, line.side, *numbers, at, line.order_id or "", line.kind.value


def _key(line: FillLine, content: tuple[str, ...], occurrence: int) -> str:
    if line.key is not None:
        return line.key
    if line.kind is FillKind.ORDER and line.order_id is not None:
        return trade_building.order_key(line.order_id, f"{line.quantity.normalize():f}")
    return line.fill_id or trade_building.row_key(content, occurrence)


def _reported(line: FillLine, broker: str, symbol: str, key: str, place: int) -> ReportedFill:
    charges = sum(line.charges.values(), Decimal(0)) if line.charges else None
    return ReportedFill(
        key=key,
        broker=broker,
        exchange=exchange_and_name(symbol)[0],
        day=line.day,
        at=line.at,
        side=line.side,
        quantity=to_units(line.quantity),
        price=to_units(line.price),
        kind=line.kind.value,
        order_id=line.order_id,
        position=place,
        is_cash=line.segment is Segment.EQUITY,
        charges=None if charges is None else to_units(round(charges, 8)),
    )


def checked(incoming: IncomingFill, instrument: Instrument, account: Account) -> IncomingFill:
    """Return a fill with what its instrument proves of it. Raises: VeloxError where the instrument cannot have it."""
    line, fill = incoming.line, incoming.fill
    references.must_be_tradable(instrument)
    references.must_be_in_currency(instrument, account)
    references.must_be_on_step(line.quantity, instrument)
    bounds.must_be_price(line.price, instrument, "price", can_be_zero=line.kind in SETTLED)
    stated = line.instrument.multiplier
    if stated is not None and stated != instrument.multiplier:
        raise InvalidValue(
            f"The file tells a multiplier of {stated:f}, {incoming.symbol} has {instrument.multiplier:f}.",
            field="multiplier",
            hint=f"`manage.py instruments --correct {incoming.symbol} --multiplier ...` puts it right.",
        )
    incoming = on_trading_day(incoming, instrument)
    is_cash = fill.is_cash or (line.segment is None and instrument.kind == Instrument.Kind.EQUITY)
    return incoming if fill.is_cash == is_cash else replace(incoming, fill=replace(incoming.fill, is_cash=is_cash))


def on_trading_day(incoming: IncomingFill, instrument: Instrument) -> IncomingFill:
    """Return a fill under the trading day of its time, where it has one: an evening may be of a file's next day."""
    fill = incoming.fill
    day = fill.day if fill.at is None else references.day_of(fill.at, instrument)
    return incoming if fill.day == day else replace(incoming, fill=replace(fill, day=day))


def _unproven(incoming: IncomingFill) -> IncomingFill:
    """Return a fill of an instrument that the ledger does not have. Raises: InvalidValue where its multiplier must be
    known before."""
    if incoming.fill.exchange in WITH_MULTIPLIER and incoming.line.instrument.multiplier is None:
        raise InvalidValue(
            f"{incoming.symbol} is new, and nobody told its multiplier.",
            field="multiplier",
            hint="`manage.py instruments --load FILE` takes it from a file with the column multiplier.",
        )
    return incoming


def sort_out(account: Account, incoming: Sequence[IncomingFill], tried: TriedFiles | None = None) -> Sorted:
    """Return which of some fills are new, and which the ledger has, from an earlier file or from a strategy; or a file
    that is ``tried`` before."""
    instruments: dict[str, Instrument | None] = {}
    by_exchange: defaultdict[str, list[IncomingFill]] = defaultdict(list)
    outcome = Sorted()
    for each in incoming:
        if each.symbol not in instruments:
            instruments[each.symbol] = find_instrument(each.symbol) if tried is None else tried.instrument(each.symbol)
        instrument = instruments[each.symbol]
        try:
            fill = _unproven(each) if instrument is None else checked(each, instrument, account)
        except VeloxError as error:
            outcome.refused.append(Remark(each.line.place, error.code, str(error)))
            continue
        by_exchange[fill.fill.exchange].append(fill)
    for exchange, fills in by_exchange.items():
        ahead: dict[FillName, NamedFill] = {}
        for start in range(0, len(fills), CHUNK):
            chunk = fills[start : start + CHUNK]
            if tried is not None:
                ahead |= tried.fills.named(exchange, (each.fill for each in chunk))
            _sort_chunk(account, exchange, chunk, ahead, outcome)
    return outcome


def _sort_chunk(
    account: Account,
    exchange: str,
    fills: Sequence[IncomingFill],
    ahead: dict[FillName, NamedFill],
    outcome: Sorted,
) -> None:
    """Add some fills of an exchange to the outcome; those that are new go among those ``ahead`` of the next ones."""
    keys = {each.fill.key for each in fills}
    days = {each.fill.day for each in fills}
    of = {"account": account, "exchange__code": exchange, "day__in": days}
    kept = {
        (row.day, row.broker_fill_id): row
        for row in BrokerFill.objects.filter(**of, broker_fill_id__in=keys).select_related(
            "instrument__exchange", "strategy"
        )
    }
    booked: defaultdict[tuple[date, str], list[Fill]] = defaultdict(list)
    for key in FillKey.objects.filter(**of, broker_fill_id__in=keys).select_related("fill__trade__instrument"):
        booked[key.day, key.broker_fill_id].append(key.fill)
    for each in fills:
        name = each.fill.day, each.fill.key
        if name in kept:
            is_same = _is_same(each, kept[name])
        elif name in booked:
            is_same = _is_booked(each, booked[name])
        elif name in ahead:
            is_same = _content_of(each) == _content_of(ahead[name])
        else:
            outcome.new.append(each)
            ahead[name] = each
            continue
        if is_same:
            outcome.known.append((each, kept.get(name) or ahead.get(name)))
        else:
            text = f"Id {each.fill.key} of {each.fill.day} is known with another side, price or quantity."
            outcome.refused.append(Remark(each.line.place, "id_conflict", text))


def _content_of(named_fill: NamedFill) -> tuple[str, str, int, int]:
    fill = named_fill.fill
    return exchange_and_name(named_fill.symbol)[1], fill.side, fill.quantity, fill.price


def _charges_of(row: BrokerFill | NamedFill) -> int | None:
    if not isinstance(row, BrokerFill):
        return row.fill.charges
    return None if row.charges is None else to_units(row.charges)


def _is_same(incoming: IncomingFill, row: BrokerFill) -> bool:
    kept = (row.instrument.symbol, row.side, to_units(row.quantity), to_units(row.price))
    return _content_of(incoming) == kept


def _is_booked(incoming: IncomingFill, fills: Iterable[Fill]) -> bool:
    """Tell whether a strategy said this fill; in two rows where it turned a position."""
    fill, rows = incoming.fill, list(fills)
    symbol = exchange_and_name(incoming.symbol)[1]
    same = all(
        (row.trade.instrument.symbol, row.side, to_units(row.price)) == (symbol, fill.side, fill.price) for row in rows
    )
    return same and sum(to_units(row.quantity) for row in rows) == fill.quantity
