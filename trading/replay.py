"""The replay of market files: recorded as ticks, traded on by a strategy, read back from the store (decision 0006)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import ParamSpec, TypedDict, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import IntArray, Mask
from timeseries.recording.tick import MayBeNegative, never_negative
from trading.data_manager import DataManager
from trading.domain.values import Trade
from trading.errors import VeloxError
from trading.feeds import stamps, volume
from trading.feeds.csv_file import read_csv
from trading.feeds.merge import merged
from trading.feeds.names import FileSymbols
from trading.feeds.points import FeedPoints, instants, known_among, points_of, wanting
from trading.feeds.stamps import CalendarOf, StampReading, with_ends
from trading.feeds.ticks import REASONS, FeedFile, Reject, Ticks, concatenated
from trading.feeds.volume import VolumeReading, days_of, with_volumes
from trading.simulator import SimulatedSymbol
from trading.strategies.base import Strategy, Tick, instant

CHUNK = 20_000  # ticks that are recorded at a time
ORDINALS_MAX = 10**6  # points of one instant lie within a millisecond of it
FLUSH_SECONDS_MIN = 60.0
FLUSHED_PER_SECOND = 5_000  # the least that a store takes, for how long to wait for it
MICROSECOND = timedelta(microseconds=1)

P = ParamSpec("P")
Advance = Callable[[int], None]
SymbolReading = TypeVar("SymbolReading", VolumeReading, StampReading)


class RejectCounts(TypedDict):
    """How many rows of the files were rejected, in all and by reason; reasons without any are left out."""

    total: int
    by_reason: dict[str, int]


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


@dataclass(frozen=True, slots=True)
class Feed:
    """The ticks of all files as one input, by time, with what was rejected and how they were read."""

    ticks: Ticks
    points: FeedPoints
    rows_read: int
    rejects: tuple[Reject, ...]
    notes: tuple[str, ...] = ()
    volumes: tuple[VolumeReading, ...] = ()
    stamps: tuple[StampReading, ...] = ()

    def rejected(self) -> RejectCounts:
        """Return how many rows were rejected, in all and by reason."""
        counts = Counter(reject.reason for reject in self.rejects)
        by_reason = {reason: counts[reason] for reason in REASONS if counts[reason]}
        return {"total": len(self.rejects), "by_reason": by_reason}


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


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of files: which symbol a file has, what its volumes and its bars' stamps mean.

    ``calendar_of`` gives a symbol's sessions, ``may_be_negative`` tells whether its prices may be 0 and below.
    """

    names: FileSymbols
    zone: ZoneInfo
    calendar_of: CalendarOf
    volume: str = volume.AUTO
    stamp: str = stamps.AUTO
    may_be_negative: MayBeNegative = never_negative


def read_feed(paths: Sequence[Path], reading: Reading, *, now_ns: int) -> Feed:
    """Read all files into one feed, before anything is written.

    Raises: UnusableFile; InvalidValue, when two of them hold the same symbol over the same time, and where nothing
        tells what a file's volumes or stamps mean.
    """
    files = [
        read_csv(path, zone=reading.zone, now_ns=now_ns, names=reading.names, may_be_negative=reading.may_be_negative)
        for path in paths
    ]
    files, stamped = _understood(
        files,
        lambda file: with_ends(
            file.ticks,
            file.is_date,
            mode=reading.stamp,
            zone=reading.zone,
            calendar_of=reading.calendar_of,
            name=file.path.name,
        ),
    )
    files, counted = _understood(
        files,
        lambda file: with_volumes(file.ticks, mode=reading.volume, zone=reading.zone, name=file.path.name),
    )
    ticks = merged(files)
    unused = [f"--symbol {stem}=…: no file is called so" for stem in reading.names.unused(paths)]
    assumed = [
        f"{volumes.symbol}: volume is read as each tick's own ({volumes.evidence}); --volume cumulative says otherwise"
        for volumes in counted
        if volumes.is_assumed
    ]
    return Feed(
        ticks,
        points_of(ticks),
        sum(file.rows_read for file in files),
        tuple(reject for file in files for reject in file.rejects),
        (*unused, *(note for file in files for note in file.notes), *dict.fromkeys(assumed)),
        tuple(counted),
        tuple(stamped),
    )


def _understood(
    files: Sequence[FeedFile], read: Callable[[FeedFile], tuple[Ticks, Sequence[SymbolReading]]]
) -> tuple[list[FeedFile], list[SymbolReading]]:
    """Return the files with the ticks that ``read`` makes of theirs, and how each symbol was read."""
    answers = [read(file) for file in files]
    changed = [replace(file, ticks=ticks) for file, (ticks, _) in zip(files, answers, strict=True)]
    return changed, [reading for _, readings in answers for reading in readings]


def feed_of(symbols: Sequence[SimulatedSymbol]) -> Feed:
    """Return simulated ticks as a feed, by time."""
    parts = []
    for symbol in symbols:
        size = len(symbol.time)
        code, absent = np.zeros(size, dtype=np.int64), np.full(size, np.nan)
        prices = (symbol.price, absent, absent, absent)
        parts.append(Ticks((symbol.name,), code, symbol.time, *prices, absent, symbol.day_volume))
    return joined(parts)


def joined(parts: Sequence[Ticks]) -> Feed:
    """Return ticks that need no further look, whoever made them, as one feed, by time."""
    ticks = concatenated(parts)
    ticks = ticks.take(np.argsort(ticks.time, kind="stable"))
    return Feed(ticks, points_of(ticks), len(ticks), ())


def missing(dm: DataManager, feed: Feed, *, source: str) -> Mask:
    """Return which ticks of the feed are still to be recorded.

    Raises: OtherInput, when the source holds other ticks of one of the symbols over the same time.
    """
    recorded = np.zeros(len(feed.ticks), dtype=bool)
    for symbol, rows in _by_symbol(feed):
        keys, ticks = feed.points.time[rows], feed.ticks.take(rows)
        recorded[rows] = known_among(symbol, ticks, keys, _stored(dm, symbol, ticks.time, source=source), source=source)
    return wanting(feed.points, recorded)


def run(
    dm: DataManager, feed: Feed, strategy: Strategy | None, *, todo: Mask, pace: Pace, advance: Advance = lambda _: None
) -> None:
    """Record the feed in its order; with a strategy each tick is recorded, then handed to it.

    Raises: ReplayFailed, SourceBusy, and what the strategy's calls raise.
    """
    if strategy is None:
        for piece in _pieces(feed.ticks, pace):
            for rows in feed.ticks.take(piece).take(todo[piece]).batches():
                batch = dm.process_ticks(rows)
                if batch.rejected:  # each of them was looked at before: it is the spool that refuses
                    codes = ", ".join(sorted({code for _, code, _ in batch.rejected}))
                    raise ReplayFailed(
                        f"{len(batch.rejected)} ticks were refused ({codes}).",
                        hint="See `manage.py health`; then run this again.",
                    )
            advance(piece.stop - piece.start)
        return
    _guarded(strategy, "at the start", strategy.on_start, dm)
    for piece in _pieces(feed.ticks, pace):
        for tick, is_new in zip(ticks_of(feed.ticks.take(piece)), todo[piece].tolist(), strict=True):
            if is_new and not dm.process_tick(tick.symbol, as_payload(tick), at=tick.time):
                raise ReplayFailed("The spool refused a tick.", hint="See `manage.py health`; then run this again.")
            _guarded(strategy, f"on {tick.symbol} at {tick.at}", strategy.on_tick, tick)
        advance(piece.stop - piece.start)
    _guarded(strategy, "at the end", strategy.on_end)


def flush(dm: DataManager, feed: Feed) -> None:
    """Wait until the store has every tick of the feed.

    Raises: FlushTimeout, StoreUnavailable.
    """
    dm.flush(timeout=FLUSH_SECONDS_MIN + len(feed.ticks) / FLUSHED_PER_SECOND)


def outcome(dm: DataManager, feed: Feed, strategy: Strategy | None, *, source: str, zone: ZoneInfo) -> ReplayOutcome:
    """Return what store and ledger hold of the feed now."""
    symbols = {
        symbol: _symbol_outcome(
            feed, symbol, len(rows), _stored(dm, symbol, feed.ticks.time[rows], source=source), zone
        )
        for symbol, rows in sorted(_by_symbol(feed))
    }
    trades: list[Trade] = []
    if strategy is not None and len(feed.ticks):
        first, last = instant(int(feed.ticks.time.min())), instant(int(feed.ticks.time.max())) + MICROSECOND
        held = dm.get_trades(strategy_id=strategy.strategy_id, start=first, stop=last)
        trades = [trade for trade in held if trade.symbol in feed.ticks.symbols]
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
    return [
        (symbol, date.fromordinal(int(day)))
        for symbol, rows in _by_symbol(feed)
        for day in np.unique(days_of(feed.ticks.time[rows], zone_of(symbol)))
    ]


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


def _by_symbol(feed: Feed) -> Iterator[tuple[str, IntArray]]:
    for place, symbol in enumerate(feed.ticks.symbols):
        rows = np.flatnonzero(feed.ticks.symbol == place)
        if len(rows):
            yield symbol, rows


def _pieces(ticks: Ticks, pace: Pace) -> Iterator[slice]:
    """Yield stretches of the feed, each when it is due: at a pace, what came at one time together."""
    size = len(ticks)
    if pace.speed is None:
        yield from (slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))
        return
    due = np.maximum.accumulate(ticks.time) if size else ticks.time
    starts = [0, *(np.flatnonzero(due[1:] != due[:-1]) + 1).tolist(), size] if size else [0]
    for start, stop in pairwise(starts):
        pace.wait_for(int(due[start]))
        yield slice(start, stop)


def _guarded(strategy: Strategy, where: str, call: Callable[P, None], *arguments: P.args, **keywords: P.kwargs) -> None:
    """Make a call of the strategy. Raises: ReplayFailed for any error of its own."""
    try:
        call(*arguments, **keywords)
    except VeloxError:
        raise
    except Exception as error:
        name = strategy.strategy_id
        raise ReplayFailed(f"Strategy {name} failed {where}: {type(error).__name__}: {error}") from error


def _stored(dm: DataManager, symbol: str, times: IntArray, *, source: str) -> pa.Table:
    """Return the stored points of a symbol from the first instant to the last."""
    first, last = int(times.min()), int(times.max())
    table = dm.get_ticks(symbol, first, last + ORDINALS_MAX, source=source)
    return table.filter(pa.array(instants(table, "exchange_time") <= last))


def _symbol_outcome(feed: Feed, symbol: str, rows: int, stored: pa.Table, zone: ZoneInfo) -> SymbolOutcome:
    """Return what is stored of one symbol, and how it was read; None where there is nothing."""
    counted = {reading.mode: reading.evidence for reading in feed.volumes if reading.symbol == symbol}
    stamped = {reading.stamp: reading.evidence for reading in feed.stamps if reading.symbol == symbol}
    times, close = instants(stored, "exchange_time"), stored.column("close")
    low, high = (pc.coalesce(stored.column(name), close) for name in ("low", "high"))
    return {
        "rows": rows,
        "stored": len(stored),
        "low": Decimal(repr(pc.min(low).as_py())) if len(stored) else None,
        "high": Decimal(repr(pc.max(high).as_py())) if len(stored) else None,
        "last_day_volume": _last_day_volume(stored, times, zone) if len(stored) else None,
        "first_at": instant(int(times.min())) if len(stored) else None,
        "last_at": instant(int(times.max())) if len(stored) else None,
        "volume": ", ".join(sorted(counted)) or None,
        "volume_evidence": "; ".join(counted[mode] for mode in sorted(counted)) or None,
        "stamp": ", ".join(sorted(stamped)) or None,
        "stamp_evidence": "; ".join(stamped[stamp] for stamp in sorted(stamped)) or None,
    }


def _last_day_volume(stored: pa.Table, times: IntArray, zone: ZoneInfo) -> int | float | None:
    """Return the highest volume so far of the last day; within one second rows come out of order."""
    days = days_of(times, zone)
    volume = pc.max(stored.column("day_volume").filter(pa.array(days == days.max()))).as_py()
    return int(volume) if volume is not None and volume == int(volume) else volume
