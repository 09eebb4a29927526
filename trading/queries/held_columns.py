"""When the trades of an account were in the market, as columns: what `exposure` tells of a period's trades, fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

import numpy as np
from django.conf import settings

from trading.domain.exit_columns import ExitColumns, Groups, joined, local_columns
from trading.domain.exit_runs import Integers
from trading.domain.sessions import Calendar, days_between
from trading.domain.shapes import Exposure
from trading.models import Instrument
from trading.queries.columns import coded
from trading.queries.exposure import Held, HeldRow, Market, held_by_day, held_over, touching
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.sessions import DEFAULT_GROUP, calendar_of
from trading.queries.statistics import Cut

UNTRADED = -1
BYTES_MAX = 128 * 2**20
CALENDARS_KEPT = 32
DAY_MICROS, EPOCH_ORDINAL = 24 * 3600 * 10**6, date(1970, 1, 1).toordinal()
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HeldColumns:
    """What of each trade lies in one day, an entry each: strategy, symbol and market by number, day as an ordinal, and
    its span in microseconds since 1970 UTC. Names may be there of which there is no entry."""

    strategies: Groups
    symbols: Groups
    markets: Sequence[Market]
    market: Integers
    day: Integers
    start: Integers
    stop: Integers

    @classmethod
    def of(cls, held: Iterable[Held]) -> HeldColumns:
        stretches = list(held)
        markets = sorted({stretch.market for stretch in stretches})
        numbers = {market: number for number, market in enumerate(markets)}
        return cls(
            Groups(*coded([stretch.strategy_id for stretch in stretches])),
            Groups(*coded([stretch.symbol for stretch in stretches])),
            markets,
            np.array([numbers[stretch.market] for stretch in stretches], dtype=np.int64),
            np.array([stretch.day.toordinal() for stretch in stretches], dtype=np.int64),
            _micros([stretch.span[0] for stretch in stretches]),
            _micros([stretch.span[1] for stretch in stretches]),
        )

    @property
    def nbytes(self) -> int:
        """The bytes of all columns; the names are few."""
        return sum(column.nbytes for column in (self.strategies.codes, self.symbols.codes, *self._numbers()))

    def take(self, places: Integers) -> HeldColumns:
        """Return those at some places."""
        strategies, symbols = (Groups(codes[places], names) for codes, names in (self.strategies, self.symbols))
        return HeldColumns(strategies, symbols, self.markets, *(column[places] for column in self._numbers()))

    def of_group(self, name: str, grouping: str) -> HeldColumns:
        """Return those of one strategy or symbol."""
        codes, names = self.strategies if grouping == "strategy" else self.symbols
        return self.take(np.flatnonzero(codes == names.index(name)) if name in names else np.zeros(0, dtype=np.int64))

    def joined(self, other: HeldColumns) -> HeldColumns:
        """Return these and others."""
        if not len(other.day):
            return self
        markets = [*self.markets, *(market for market in other.markets if market not in self.markets)]
        numbers = np.array([markets.index(market) for market in other.markets], dtype=np.int64)
        return HeldColumns(
            joined(self.strategies, other.strategies),
            joined(self.symbols, other.symbols),
            markets,
            np.concatenate((self.market, numbers[other.market])),
            np.concatenate((self.day, other.day)),
            np.concatenate((self.start, other.start)),
            np.concatenate((self.stop, other.stop)),
        )

    def _numbers(self) -> tuple[Integers, Integers, Integers, Integers]:
        return self.market, self.day, self.start, self.stop

    def exposure(self, first: date, last: date, *, now: datetime | None = None) -> Exposure:
        """Return how long at least one of these was open, and how much of the continuous trading of first..last (up to
        ``now``) on their exchanges that covers: None where there was no trading."""
        traded = [(number, self.markets[number]) for number in np.unique(self.market).tolist()]
        opens: list[Integers] = []
        closes: list[Integers] = []
        inside: list[tuple[Integers, Integers]] = []
        for number, market in traded or [(UNTRADED, (settings.VELOX_EXCHANGE, DEFAULT_GROUP))]:
            days, begins, ends = _open_spans(calendar_of(*market), first, last)
            ends = ends if now is None else np.maximum(begins, np.minimum(ends, _micros([now])[0]))
            opens, closes = [*opens, begins], [*closes, ends]
            here = np.flatnonzero(self.market == number)
            # A day has one span, or as many as it is interrupted; each stretch is looked at beside each of them.
            since, until = (np.searchsorted(days, self.day[here], side=side) for side in ("left", "right"))
            for place in range(int((until - since).max(initial=0))):
                has_one = since + place < until
                stretch, span = here[has_one], (since + place)[has_one]
                start = np.maximum(self.start[stretch], begins[span])
                inside.append((start, np.maximum(start, np.minimum(self.stop[stretch], ends[span]))))
        whole = union_micros(np.concatenate(opens), np.concatenate(closes))
        covered = union_micros(*(np.concatenate(side) for side in zip(*inside, strict=True))) if inside else 0
        return {
            "exposure_seconds": union_micros(self.start, self.stop) / 1_000_000,
            "exposure_pct": 100 * covered / whole if whole else None,
        }


def held_as_columns(
    cut: Cut, first: date, last: date, exits: Callable[[], ExitColumns], *, now: datetime | None = None
) -> HeldColumns:
    """Return what of each trade of the cut lies in each day of first..last (`exposure.held_over`). ``exits`` reads
    those of the days, and maybe of later ones: most trades are told by them."""
    if cut.known_at is not None:
        return HeldColumns.of(held_over(cut, first, last, now=now))
    question = cut.strategy_id, cut.instrument_id, first, last
    closed = _kept_columns.of(cut.account, question, lambda: _closed(cut, first, last, exits()))
    return closed.joined(HeldColumns.of(held_over(cut, first, last, now=now, is_open=True)))


def _closed(cut: Cut, first: date, last: date, exits: ExitColumns) -> HeldColumns:
    """Return what of each closed trade lies in the days: of one that ended on its first day, as most did, all of it.

    A trade that ended since the day before the last may have been carried out of the days, where it has no exit: those
    are read. One that ended earlier has an exit in the days, or ended before them.
    """
    # No zone is a day away from UTC: what ended before this instant had ended before the last day, in every zone.
    since = (datetime.combine(last - timedelta(days=1), time(), UTC) - _EPOCH) // _MICROSECOND
    ended = np.flatnonzero(~exits.is_open & (exits.closed < since))
    one_exit = np.full(1 + int(exits.trade.max(initial=-1)), UNTRADED, dtype=np.int64)
    one_exit[exits.trade[ended]] = ended
    ended = one_exit[one_exit != UNTRADED]
    start, stop = exits.opened[ended], exits.closed[ended]
    strategies, symbols = (
        Groups(codes[ended], names) for codes, names in (exits.groups[cut] for cut in ("strategy", "symbol"))
    )
    listed = Instrument.objects.values_list("exchange__code", "symbol", "session_group", "exchange__zone")
    of_symbol = {shown_symbol(code, symbol): ((code, group), zone) for code, symbol, group, zone in listed}
    markets = sorted({of_symbol[symbol][0] for symbol in symbols.names})
    market_of = np.array([markets.index(of_symbol[symbol][0]) for symbol in symbols.names], dtype=np.int64)
    zones = [of_symbol[symbol][1] for symbol in symbols.names]
    opened_on, closed_on = (
        on_the_wall // DAY_MICROS + EPOCH_ORDINAL for on_the_wall in local_columns(symbols.codes, zones, start, stop)
    )
    of_one_day = opened_on == closed_on
    whole = np.flatnonzero(of_one_day & (opened_on >= first.toordinal()) & (opened_on <= last.toordinal()))
    whole = whole[np.argsort(start[whole], kind="stable")]
    market = market_of[symbols.codes]
    columns = HeldColumns(strategies, symbols, markets, market, opened_on, start, stop).take(whole)
    carried = HeldColumns(strategies, symbols, markets, market, opened_on, start, stop).take(
        np.flatnonzero(~of_one_day)
    )
    longer = _carried(carried, closed_on[~of_one_day], first, last)
    touched = held_by_day(touching(cut, last, last, is_open=False), first, last)
    return columns.joined(longer).joined(HeldColumns.of(touched))


def _carried(trades: HeldColumns, closed_on: Integers, first: date, last: date) -> HeldColumns:
    """Return what of each of some trades, whose `day` is that of their opening, lies in each of the days: one carried
    into a day starts with its trading, one carried on ends with it (`exposure.held_by_day`)."""
    begins, ends = np.maximum(trades.day, first.toordinal()), np.minimum(closed_on, last.toordinal())
    sizes = np.maximum(ends - begins + 1, 0)
    trade = np.repeat(np.arange(len(sizes)), sizes)
    day = begins[trade] + np.arange(len(trade)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    opens, closes = np.zeros(len(trade), dtype=np.int64), np.zeros(len(trade), dtype=np.int64)
    is_interrupted = np.zeros(len(trade), dtype=bool)
    for number, market in enumerate(trades.markets):
        here, calendar = np.flatnonzero(trades.market[trade] == number), calendar_of(*market)
        days, *bounds = _open_spans(calendar, first, last)
        since, until = (np.searchsorted(days, day[here], side=side) for side in ("left", "right"))
        is_interrupted[here] = until - since > 1
        is_open = until > since
        opens[here[is_open]], closes[here[is_open]] = (bound[since[is_open]] for bound in bounds)
        shut, of_day = np.unique(day[here[~is_open]], return_inverse=True)
        midnights = _micros([calendar.bounds(date.fromordinal(ordinal))[0] for ordinal in shut.tolist()])
        opens[here[~is_open]] = closes[here[~is_open]] = midnights[of_day]
    opens_here = day == trades.day[trade]
    start = np.where(opens_here, trades.start[trade], opens)
    stop = np.where(day == closed_on[trade], trades.stop[trade], closes)
    one_by_one = np.unique(trade[is_interrupted])
    places = np.flatnonzero(~np.isin(trade, one_by_one) & (opens_here | (start < stop)))
    strategies, symbols = (Groups(codes[trade[places]], names) for codes, names in (trades.strategies, trades.symbols))
    market_of, stop = trades.market[trade[places]], np.maximum(start, stop)
    columns = HeldColumns(strategies, symbols, trades.markets, market_of, day[places], start[places], stop[places])
    rows: list[HeldRow] = []
    for place in one_by_one.tolist():
        strategy, symbol = (names[codes[place]] for codes, names in (trades.strategies, trades.symbols))
        opened_at, closed_at = (_EPOCH + int(column[place]) * _MICROSECOND for column in (trades.start, trades.stop))
        rows.append((strategy, symbol, trades.markets[trades.market[place]], opened_at, closed_at))
    return columns.joined(HeldColumns.of(held_by_day(rows, first, last)))


def union_micros(starts: Integers, stops: Integers) -> int:
    """Return the microseconds in which at least one of the spans runs: two trades at a time count once."""
    if not len(starts):
        return 0
    begins, ends = starts.copy(), stops
    if (starts[1:] < starts[:-1]).any():
        order = np.argsort(starts, kind="stable")
        begins, ends = starts[order], stops[order]
    reached = np.maximum.accumulate(ends)
    begins[1:] = np.maximum(begins[1:], reached[:-1])
    return int(np.maximum(ends - begins, 0).sum())


def union_micros_of_each(begins: Integers, ends: Integers, starts: Integers) -> list[int]:
    """Return `union_micros` of each stretch of spans that begins at one of ``starts``, in order of their beginnings."""
    if not len(starts):
        return []
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(begins))))
    # Each stretch is moved behind all before it, so that none reaches into the next.
    first = int(begins.min())
    apart = stretch * (int(ends.max()) - first + 1)
    since, until = begins - first + apart, ends - first + apart
    reached = np.maximum.accumulate(until)
    since[1:] = np.maximum(since[1:], reached[:-1])
    sums: list[int] = np.add.reduceat(np.maximum(until - since, 0), starts).tolist()
    return sums


@lru_cache(maxsize=CALENDARS_KEPT)
def _open_spans(calendar: Calendar, first: date, last: date) -> tuple[Integers, Integers, Integers]:
    """Return the days first..last as ordinals, once for each span of continuous trading, and when these begin and end:
    every strategy and symbol of a report asks for the same."""
    spans = [(day, span) for day in days_between(first, last) for span in calendar.open_spans(day)]
    days = np.array([day.toordinal() for day, _ in spans], dtype=np.int64)
    return days, _micros([begins for _, (begins, _) in spans]), _micros([ends for _, (_, ends) in spans])


def _micros(instants: Sequence[datetime]) -> Integers:
    return np.array([(at - _EPOCH) // _MICROSECOND for at in instants], dtype=np.int64)


_kept_columns: KeptAnswers[HeldColumns] = KeptAnswers(BYTES_MAX, lambda held: held.nbytes)
