"""The replay of market files: recorded as ticks, traded on by a strategy, read back from the store (decision 0006)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import isnan
from typing import ParamSpec, TypedDict
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import IntArray, Mask
from trading.data_manager import DataManager
from trading.domain.values import Trade
from trading.errors import VeloxError
from trading.feeds.feed import Feed, feed_of_ticks
from trading.feeds.points import instants, known_among, points_of, wanting
from trading.feeds.ticks import Ticks, concatenated
from trading.feeds.volume import days_of
from trading.simulator import SimulatedSymbol
from trading.strategies.base import Strategy, Tick, instant

CHUNK = 16_384  # ticks that are recorded at a time
ORDINALS_MAX = 10**6  # points of one instant lie within a millisecond of it
FLUSH_SECONDS_MIN = 60.0
FLUSHED_PER_SECOND = 5_000  # the least that a store takes, for how long to wait for it
ALL = np.ones(1, dtype=bool)  # of a mask: one entry stands for all, however many
MICROSECOND = timedelta(microseconds=1)

P = ParamSpec("P")
Advance = Callable[[int], None]


class SymbolOutcome(TypedDict):
    """What the store holds of one symbol of a feed, and what its volumes and its bars' stamps were read as."""

    rows: int
    stored: int
    low: Decimal | None
    high: Decimal | None
    last_day_volume: int | float | None
    first_at: datetime | None
    last_at: datetime | None
    volume: str | None
    volume_evidence: str | None
    stamp: str | None
    stamp_evidence: str | None


class ReplayOutcome(TypedDict):
    """What store and ledger hold of a feed: the points stored, by symbol, and the strategy's trades within it."""

    ticks_stored: int
    symbols: dict[str, SymbolOutcome]
    trades_opened: int
    trades_closed: int
    trades_open: int
    total_pnl: Decimal


class ReplayFailed(VeloxError):
    """The replay stopped midway. Run it again: it meets what it recorded and goes on from there."""

    code = "replay_failed"


@dataclass(slots=True)
class Pace:
    """The pace of a replay: ticks come ``speed`` times as fast as they did; None: as fast as it goes."""

    speed: float | None = None
    _began: tuple[int, float] | None = field(default=None, init=False)

    def wait_for(self, due: int) -> None:
        """Sleep until a tick of this time (ns UTC) is due."""
        if self.speed is None:
            return
        if self._began is None:
            self._began = due, time.monotonic()
        first, began = self._began
        left = began + (due - first) / self.speed / 1e9 - time.monotonic()
        if left > 0:
            time.sleep(left)


def feed_of(symbols: Sequence[SimulatedSymbol]) -> Feed:
    """Return simulated ticks as a feed, by time."""
    return joined(list(map(simulated_ticks, symbols)))


def simulated_ticks(symbol: SimulatedSymbol) -> Ticks:
    """Return simulated ticks as a feed takes them."""
    code, absent = np.zeros(len(symbol.time), dtype=np.int64), np.full(len(symbol.time), np.nan)
    prices = (symbol.price, absent, absent, absent)
    return Ticks((symbol.name,), code, symbol.time, *prices, absent, symbol.day_volume)


def joined(parts: Sequence[Ticks]) -> Feed:
    """Return ticks that need no further look, whoever made them, as one feed, by time."""
    ticks = concatenated(parts)
    return feed_of_ticks(ticks.take(np.argsort(ticks.time, kind="stable")))


def missing(dm: DataManager, feed: Feed, *, source: str) -> list[Mask]:
    """Return which ticks of each stretch of the feed are still to be recorded.

    Raises: OtherInput, when the source holds other ticks of one of the symbols over the same time.
    """
    if feed.size and not dm.telemetry.may_hold_ticks_of(source, feed.first, feed.last + ORDINALS_MAX):
        return [np.broadcast_to(ALL, size) for size in feed.sizes]
    masks = []
    for ticks, of_symbols in _beside_the_store(dm, feed, source=source):
        mask: Mask = np.broadcast_to(ALL, len(ticks))
        if any(len(stored) for _, _, stored in of_symbols):
            points, recorded = points_of(ticks), np.zeros(len(ticks), dtype=bool)
            for symbol, rows, stored in of_symbols:
                recorded[rows] = known_among(symbol, ticks.take(rows), points.time[rows], stored, source=source)
            mask = wanting(points, recorded)
            if mask.all() == mask.any():  # nearly always, again
                mask = np.broadcast_to(mask[0], mask.shape)
        masks.append(mask)
    return masks


def run(
    dm: DataManager,
    feed: Feed,
    strategy: Strategy | None,
    *,
    todo: Sequence[Mask],
    pace: Pace,
    advance: Advance = lambda _: None,
) -> None:
    """Record the feed in its order; with a strategy each tick is recorded, then handed to it.

    Raises: ReplayFailed, SourceBusy, and what the strategy's calls raise.
    """
    if strategy is None:
        for ticks, is_new in _pieces(feed, todo, pace):
            for rows in ticks.of_rows(is_new).batches():
                batch = dm.process_ticks(rows)
                if batch.rejected:  # each of them was looked at before: it is the spool that refuses
                    codes = ", ".join(sorted({code for _, code, _ in batch.rejected}))
                    raise ReplayFailed(
                        f"{len(batch.rejected)} ticks were refused ({codes}).",
                        hint="See `manage.py health`; then run this again.",
                    )
            advance(len(ticks))
        return
    _guarded(strategy, "at the start", strategy.on_start, dm)
    for ticks, new in _pieces(feed, todo, pace):
        for tick, is_new in zip(ticks_of(ticks), new.tolist(), strict=True):
            if is_new and not dm.process_tick(tick.symbol, as_payload(tick), at=tick.time):
                raise ReplayFailed("The spool refused a tick.", hint="See `manage.py health`; then run this again.")
            _guarded(strategy, f"on {tick.symbol} at {tick.at}", strategy.on_tick, tick)
        advance(len(ticks))
    _guarded(strategy, "at the end", strategy.on_end)


def flush(dm: DataManager, feed: Feed) -> None:
    """Wait until the store has every tick of the feed.

    Raises: FlushTimeout, StoreUnavailable.
    """
    dm.flush(timeout=FLUSH_SECONDS_MIN + feed.size / FLUSHED_PER_SECOND)


def outcome(dm: DataManager, feed: Feed, strategy: Strategy | None, *, source: str, zone: ZoneInfo) -> ReplayOutcome:
    """Return what store and ledger hold of the feed now."""
    sums = {symbol: StoredSymbol() for symbol in sorted(feed.spans)}
    for _, of_symbols in _beside_the_store(dm, feed, source=source):
        for symbol, rows, stored in of_symbols:
            sums[symbol].add(len(rows), stored, zone)
    symbols = {symbol: of_symbol.outcome(symbol, feed) for symbol, of_symbol in sums.items()}
    trades: list[Trade] = []
    if strategy is not None and feed.size:
        first, last = instant(feed.first), instant(feed.last) + MICROSECOND
        held = dm.get_trades(strategy_id=strategy.strategy_id, start=first, stop=last)
        trades = [trade for trade in held if trade.symbol in feed.spans]
    states = Counter(trade.state for trade in trades)
    return {
        "ticks_stored": sum(of_symbol["stored"] for of_symbol in symbols.values()),
        "symbols": symbols,
        "trades_opened": len(trades),
        "trades_closed": states["CLOSED"],
        "trades_open": states["OPEN"],
        "total_pnl": sum((trade.realised_pnl - (trade.charges or 0) for trade in trades), Decimal(0)),
    }


def days(feed: Feed, zone_of: Callable[[str], ZoneInfo]) -> list[tuple[str, date]]:
    """Return the symbols of the feed with each day that they tick on, by the symbol's own zone."""
    days: dict[tuple[str, date], None] = {}
    for ticks in feed.stretches():
        for place, rows in _groups(ticks.symbol, len(ticks.symbols)):
            symbol = ticks.symbols[place]
            for day in np.unique(days_of(ticks.time[rows], zone_of(symbol))).tolist():
                days[symbol, date.fromordinal(day)] = None
    return list(days)


def ticks_of(ticks: Ticks) -> Iterator[Tick]:
    """Yield the ticks one by one; a bar's price is its close."""
    high = np.where(np.isnan(ticks.high), ticks.close, ticks.high)
    low = np.where(np.isnan(ticks.low), ticks.close, ticks.low)
    sparse = (ticks.volume, ticks.day_volume, ticks.open)
    with_none = ([None if isnan(number) else number for number in column.tolist()] for column in sparse)
    columns = (ticks.symbol, ticks.time, ticks.close, high, low)
    for place, *fields in zip(*(column.tolist() for column in columns), *with_none, strict=True):
        yield Tick(ticks.symbols[place], *fields)


def as_payload(tick: Tick) -> dict[str, float]:
    """Return a tick as `process_tick` takes it."""
    prices = {"ltp": tick.price}
    if tick.open is not None:
        prices = {"open": tick.open, "high": tick.high, "low": tick.low, "close": tick.price}
    volumes = {"volume": tick.volume, "day_volume": tick.day_volume}
    return prices | {name: volume for name, volume in volumes.items() if volume is not None}


def _groups(symbol: IntArray, size: int) -> Iterator[tuple[int, IntArray]]:
    """Yield each place in a table of symbols that occurs, with its rows, in their order."""
    order = np.argsort(symbol, kind="stable")
    bounds = np.searchsorted(symbol[order], np.arange(size + 1)).tolist()
    for place, (start, stop) in enumerate(pairwise(bounds)):
        if start < stop:
            yield place, order[start:stop]


def _pieces(feed: Feed, todo: Sequence[Mask], pace: Pace) -> Iterator[tuple[Ticks, Mask]]:
    """Yield parts of the feed and which of their ticks are new, each when it is due: at a pace, what came at one time
    together."""
    for ticks, new in zip(feed.stretches(), todo, strict=True):
        size = len(ticks)
        starts = [*range(0, size, CHUNK), size]
        if pace.speed is not None and size:
            due = np.maximum.accumulate(ticks.time)
            starts = [0, *(np.flatnonzero(due[1:] != due[:-1]) + 1).tolist(), size]
        for start, stop in pairwise(starts):
            if pace.speed is not None:
                pace.wait_for(int(due[start]))
            yield ticks.take(slice(start, stop)), new[start:stop]


def _guarded(strategy: Strategy, where: str, call: Callable[P, None], *arguments: P.args, **keywords: P.kwargs) -> None:
    """Make a call of the strategy. Raises: ReplayFailed for any error of its own."""
    try:
        call(*arguments, **keywords)
    except VeloxError:
        raise
    except Exception as error:
        name = strategy.strategy_id
        raise ReplayFailed(f"Strategy {name} failed {where}: {type(error).__name__}: {error}") from error


def _beside_the_store(
    dm: DataManager, feed: Feed, *, source: str
) -> Iterator[tuple[Ticks, list[tuple[str, IntArray, pa.Table]]]]:
    """Yield each stretch of the feed, and of each of its symbols the rows and the points that the store has of it.

    The stored points are those after the stretch before, within the symbol's first and last instant.
    """
    begin = feed.first if feed.size else 0
    for ticks in feed.stretches():
        if not len(ticks):
            yield ticks, []
            continue
        end = int(ticks.time.max())
        stored = dm.telemetry.ticks_of(source, begin, end + ORDINALS_MAX)
        times = instants(stored, "exchange_time")
        is_within = (times >= begin) & (times <= end)
        places = pc.fill_null(pc.index_in(stored.column("symbol"), pa.array(ticks.symbols, pa.string())), -1)
        of_stored = dict(_groups(np.where(is_within, places.to_numpy(), -1), len(ticks.symbols)))
        of_feed = dict(_groups(ticks.symbol, len(ticks.symbols)))
        of_symbols = []
        for place in sorted(of_feed.keys() | of_stored.keys()):
            symbol, none = ticks.symbols[place], np.empty(0, np.int64)
            first, last = feed.spans.get(symbol, (end + 1, end))
            own = of_stored.get(place, none)
            own = own[(times[own] >= first) & (times[own] <= last)]
            rows_stored = stored.take(pa.array(own)) if len(own) else stored.slice(0, 0)
            of_symbols.append((symbol, of_feed.get(place, none), rows_stored))
        yield ticks, of_symbols
        begin = end + 1


@dataclass(slots=True)
class StoredSymbol:
    """What the store holds of one symbol of a feed, stretch by stretch; ``volume`` is the highest of its last day."""

    rows: int = 0
    stored: int = 0
    low: float | None = None
    high: float | None = None
    first: int | None = None
    last: int | None = None
    day: int | None = None
    volume: float | None = None

    def add(self, rows: int, stored: pa.Table, zone: ZoneInfo) -> None:
        """Take a stretch: how many rows the feed has, and what is stored of them."""
        self.rows += rows
        self.stored += len(stored)
        if not len(stored):
            return
        times, close = instants(stored, "exchange_time"), stored.column("close")
        low, high = (pc.coalesce(stored.column(name), close) for name in ("low", "high"))
        self.low = _chosen(min, self.low, pc.min(low).as_py())
        self.high = _chosen(max, self.high, pc.max(high).as_py())
        self.first = int(times.min()) if self.first is None else min(self.first, int(times.min()))
        self.last = int(times.max()) if self.last is None else max(self.last, int(times.max()))
        days = days_of(times, zone)
        day = int(days.max())  # within one second rows come out of order
        highest = pc.max(stored.column("day_volume").filter(pa.array(days == day))).as_py()
        self.volume = _chosen(max, self.volume if day == self.day else None, highest)
        self.day = day

    def outcome(self, symbol: str, feed: Feed) -> SymbolOutcome:
        """Return what is stored, and how it was read; None where there is nothing."""
        counted = {reading.mode: reading.evidence for reading in feed.volumes if reading.symbol == symbol}
        stamped = {reading.stamp: reading.evidence for reading in feed.stamps if reading.symbol == symbol}
        volume = self.volume
        return {
            "rows": self.rows,
            "stored": self.stored,
            "low": None if self.low is None else Decimal(repr(self.low)),
            "high": None if self.high is None else Decimal(repr(self.high)),
            "last_day_volume": int(volume) if volume is not None and volume == int(volume) else volume,
            "first_at": None if self.first is None else instant(self.first),
            "last_at": None if self.last is None else instant(self.last),
            "volume": ", ".join(sorted(counted)) or None,
            "volume_evidence": "; ".join(counted[mode] for mode in sorted(counted)) or None,
            "stamp": ", ".join(sorted(stamped)) or None,
            "stamp_evidence": "; ".join(stamped[stamp] for stamp in sorted(stamped)) or None,
        }


def _chosen(choose: Callable[[float, float], float], left: float | None, right: float | None) -> float | None:
    """Return the one of two that ``choose`` takes, where there are two."""
    return left if right is None else right if left is None else choose(left, right)
