"""Market files, replayed: recorded as ticks, traded on by a strategy, read back from the store (decision 0006)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import FloatArray, IntArray, Mask
from timeseries.recording.tick import MayBeNegative, never_negative
from trading.data_manager import DataManager
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

Advance = Callable[[int], None]
One = TypeVar("One", VolumeReading, StampReading)


class ReplayFailed(VeloxError):
    """The replay stopped midway. Run it again: it meets what it recorded and goes on from there."""

    code = "replay_failed"


@dataclass(frozen=True, slots=True)
class Feed:
    """All files as one input."""

    ticks: Ticks
    points: FeedPoints
    rows_read: int
    rejects: tuple[Reject, ...]
    notes: tuple[str, ...] = ()
    volumes: tuple[VolumeReading, ...] = ()
    stamps: tuple[StampReading, ...] = ()

    def rejected(self) -> dict[str, Any]:
        counts = Counter(reject.reason for reject in self.rejects)
        by_reason = {reason: counts[reason] for reason in REASONS if counts[reason]}
        return {"total": len(self.rejects), "by_reason": by_reason}


@dataclass(slots=True)
class Pace:
    """Waits so that ticks come ``speed`` times as fast as they did; None: as fast as it goes."""

    speed: float | None = None
    _began: tuple[int, float] | None = field(default=None, init=False)

    def wait_for(self, due: int) -> None:
        """Return when a tick of this time (ns) is due."""
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
    """How files are read: which symbol a file has, what its volumes and its bars' stamps mean.

    ``calendar_of`` gives a symbol's sessions, ``may_be_negative`` tells whether its prices may be 0 and below.
    """

    names: FileSymbols
    zone: ZoneInfo
    calendar_of: CalendarOf
    volume: str = volume.AUTO
    stamp: str = stamps.AUTO
    may_be_negative: MayBeNegative = never_negative


def read_feed(paths: Sequence[Path], reading: Reading, *, now_ns: int) -> Feed:
    """Read all files, before anything is written.

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
        f"{one.symbol}: volume is read as each tick's own ({one.evidence}); --volume cumulative says otherwise"
        for one in counted
        if one.is_assumed
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
    files: Sequence[FeedFile], read: Callable[[FeedFile], tuple[Ticks, Sequence[One]]]
) -> tuple[list[FeedFile], list[One]]:
    """Return the files with other ticks, and what was read of each symbol."""
    answers = [read(file) for file in files]
    changed = [replace(file, ticks=ticks) for file, (ticks, _) in zip(files, answers, strict=True)]
    return changed, [one for _, readings in answers for one in readings]


def feed_of(symbols: Sequence[SimulatedSymbol]) -> Feed:
    """Return simulated ticks as a feed, by time."""
    parts = []
    for symbol in symbols:
        size = len(symbol.time)
        code, absent = np.zeros(size, dtype=np.int64), np.full(size, np.nan)
        prices = (symbol.price, absent, absent, absent)
        parts.append(Ticks((symbol.name,), code, symbol.time, *prices, absent, symbol.day_volume))
    ticks = concatenated(parts)
    ticks = ticks.take(np.argsort(ticks.time, kind="stable"))
    return Feed(ticks, points_of(ticks), len(ticks), ())


def missing(dm: DataManager, feed: Feed, *, source: str) -> Mask:
    """Return which ticks of the feed are still to be recorded.

    Raises: OtherInput, when the source holds other ticks of one of the symbols over the same time.
    """
    known = np.zeros(len(feed.ticks), dtype=bool)
    for symbol, rows in _by_symbol(feed):
        keys = feed.points.time[rows]
        ticks = feed.ticks.take(rows)
        known[rows] = known_among(symbol, ticks, keys, _stored(dm, symbol, ticks.time, source=source), source=source)
    return wanting(feed.points, known)


def run(
    dm: DataManager, feed: Feed, strategy: Strategy | None, *, todo: Mask, pace: Pace, advance: Advance = lambda _: None
) -> None:
    """Record the feed in its order; with a strategy each tick is recorded, then handed to it.

    Raises: ReplayFailed, SourceBusy, and what the strategy's calls raise.
    """
    if strategy is None:
        for piece in _pieces(feed.ticks, pace):
            _record(dm, feed.ticks.take(piece).take(todo[piece]))
            advance(piece.stop - piece.start)
        return
    _guarded(strategy, "at the start", strategy.on_start, dm)
    for piece in _pieces(feed.ticks, pace):
        for tick, is_new in zip(ticks_of(feed.ticks.take(piece)), todo[piece].tolist(), strict=True):
            if is_new and not dm.process_tick(tick.symbol, told(tick), at=tick.time):
                raise ReplayFailed("The spool refused a tick.", hint="See `manage.py health`; then run this again.")
            _guarded(strategy, f"on {tick.symbol} at {tick.at}", strategy.on_tick, tick)
        advance(piece.stop - piece.start)
    _guarded(strategy, "at the end", strategy.on_end)


def flush(dm: DataManager, feed: Feed) -> None:
    """Return when the store has everything.

    Raises: FlushTimeout, StoreUnavailable.
    """
    dm.flush(timeout=FLUSH_SECONDS_MIN + len(feed.ticks) / FLUSHED_PER_SECOND)


def outcome(dm: DataManager, feed: Feed, strategy: Strategy | None, *, source: str, zone: ZoneInfo) -> dict[str, Any]:
    """Return what store and ledger hold of the feed now: `ticks_stored`, `symbols` and the trades of FACE §6."""
    symbols = {
        symbol: {
            "rows": len(rows),
            **_told_back(_stored(dm, symbol, feed.ticks.time[rows], source=source), zone),
            **_readings(feed, symbol),
        }
        for symbol, rows in sorted(_by_symbol(feed))
    }
    stored = sum(told["stored"] for told in symbols.values())
    return {"ticks_stored": stored, "symbols": symbols, **_trades(dm, feed, strategy)}


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
    volumes = [_given(ticks.volume), _given(ticks.day_volume), _given(ticks.open)]
    columns = (ticks.symbol, ticks.time, ticks.close, high, low)
    for place, *values in zip(*(column.tolist() for column in columns), *volumes, strict=True):
        yield Tick(ticks.symbols[place], *values)


def told(tick: Tick) -> dict[str, Any]:
    """Return a tick as `process_tick` takes it."""
    prices = {"ltp": tick.price}
    if tick.open is not None:
        prices = {"open": tick.open, "high": tick.high, "low": tick.low, "close": tick.price}
    volumes = {"volume": tick.volume, "day_volume": tick.day_volume}
    return prices | {name: volume for name, volume in volumes.items() if volume is not None}


def _given(column: FloatArray) -> list[float | None]:
    absent = np.isnan(column)
    given: list[float | None] = column.tolist()
    for place in np.flatnonzero(absent).tolist():
        given[place] = None
    return given


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


def _record(dm: DataManager, ticks: Ticks) -> None:
    for rows in ticks.batches():
        batch = dm.process_ticks(rows)
        if batch.rejected:  # each of them was looked at before: it is the spool that refuses
            codes = ", ".join(sorted({code for _, code, _ in batch.rejected}))
            raise ReplayFailed(
                f"{len(batch.rejected)} ticks were refused ({codes}).",
                hint="See `manage.py health`; then run this again.",
            )


def _guarded(strategy: Strategy, where: str, call: Callable[..., None], *arguments: Any) -> None:
    try:
        call(*arguments)
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


def _told_back(stored: pa.Table, zone: ZoneInfo) -> dict[str, Any]:
    if not len(stored):
        nothing = ("low", "high", "last_day_volume", "first_at", "last_at")
        return {"stored": 0, **dict.fromkeys(nothing)}
    times, close = instants(stored, "exchange_time"), stored.column("close")
    low, high = (pc.coalesce(stored.column(name), close) for name in ("low", "high"))
    return {
        "stored": len(stored),
        "low": _decimal(pc.min(low).as_py()),
        "high": _decimal(pc.max(high).as_py()),
        "last_day_volume": _last_day_volume(stored, times, zone),
        "first_at": instant(int(times.min())),
        "last_at": instant(int(times.max())),
    }


def _readings(feed: Feed, symbol: str) -> dict[str, str | None]:
    """Return what the symbol's volumes and its bars' stamps were read as, and why; None where it has none."""
    counted = {one.mode: one.evidence for one in feed.volumes if one.symbol == symbol}
    stamped = {one.stamp: one.evidence for one in feed.stamps if one.symbol == symbol}
    return {
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


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _trades(dm: DataManager, feed: Feed, strategy: Strategy | None) -> dict[str, Any]:
    """Count the strategy's trades that were opened within the feed, as the ledger has them."""
    trades: list[Any] = []
    if strategy is not None and len(feed.ticks):
        first, last = instant(int(feed.ticks.time.min())), instant(int(feed.ticks.time.max())) + MICROSECOND
        held = dm.get_trades(strategy_id=strategy.strategy_id, start=first, stop=last)
        trades = [trade for trade in held if trade.symbol in feed.ticks.symbols]
    states = Counter(trade.state for trade in trades)
    pnl = sum((trade.realised_pnl - (trade.charges or 0) for trade in trades), Decimal(0))
    return {
        "trades_opened": len(trades),
        "trades_closed": states["CLOSED"],
        "trades_open": states["OPEN"],
        "total_pnl": pnl,
    }
