"""The write side in the strategy's process: validate, stamp, frame, and nothing that could make a strategy wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import orjson
from numpy import float64

from timeseries.bulk import Batch, Columns, TickBatch, read_columns, write_columns
from timeseries.counter import ISSUED
from timeseries.errors import InvalidValue, StoreUnavailable
from timeseries.frames import TickLayout, put_crc, record_body, with_crc
from timeseries.measurements import INDICATORS, POSITION_SNAPSHOTS, TICKS, Measurement
from timeseries.ordinals import History, Series
from timeseries.source_user import SourceUser
from timeseries.spool import Spool
from timeseries.telemetry import indicators_text, snapshot_text
from timeseries.tick import CAREFUL, INFINITY, INTEGER_MAX, Shape, read_tick, shape_of
from timeseries.values import (
    AHEAD_NS,
    EPOCH,
    EPOCH_UTC,
    FIRST_NS,
    ID_BYTES_MAX,
    MICROSECOND,
    WallDay,
    parse_name,
    parse_time,
    parse_word,
    wall_day,
)
from timeseries.writer import SEGMENT_BYTES_MIN, LaneWriter, StorageFault

__all__ = ["History", "Recorder", "TickBatch", "parse_name", "parse_time"]

PROJECTING_SOURCE = "ledger"
SHAPES_MAX = 1024

SeriesKey = tuple[str, ...]


class Recorder(SourceUser):
    """Records telemetry of one source and account; touches no disk until the first record.

    Several threads may share one; several recorders of one source in this process share its files. Bad input raises
    before anything is written. A storage fault returns False and is counted in ``faults`` by reason, or raises with
    ``on_storage_fault="raise"``.
    """

    def __init__(
        self,
        root: Path,
        *,
        source: str,
        account: str,
        zone: ZoneInfo,
        volume: str = "per_tick",
        on_storage_fault: str = "count",
        max_bytes: int | None = None,
        clock: Callable[[], int] = time.time_ns,
        history: History | None = None,
        on_first_record: Callable[[], None] | None = None,
        ordinals: str = "continue",
        projecting: bool = False,
        segment_bytes: int = SEGMENT_BYTES_MIN,
    ) -> None:
        """``history`` gives the next free n of a series at an instant whose segments are removed.

        ``ordinals="restart"`` counts n from the start of this recorder's input. ``projecting`` is the follower's: its
        source is ``ledger``, which nobody else may take.
        """
        if (source == PROJECTING_SOURCE) != projecting:
            raise InvalidValue(f"The source {source!r} is kept for what the ledger projects.", field="source")
        super().__init__(
            Path(root),
            parse_name(source, "source"),
            raises=parse_word(on_storage_fault, "on_storage_fault", ("count", "raise")) == "raise",
            max_bytes=max_bytes,
            segment_bytes=segment_bytes,
            clock=clock,
            on_first_record=on_first_record,
        )
        self.account, self.zone, self.history = parse_name(account, "account"), zone, history
        self.cumulative = parse_word(volume, "volume", ("per_tick", "cumulative")) == "cumulative"
        self.restarts = parse_word(ordinals, "ordinals", ("continue", "restart")) == "restart"
        self._wall = WallDay()
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self._known: dict[str, Series] = {}
        self._symbols: dict[str, Series] = {}  # those that the open segment of ticks defines
        self._ticks: LaneWriter | None = None
        self._runs: dict[str, int] = {}

    def tick(  # noqa: PLR0911, PLR0912, PLR0915
        self, symbol: str, tick: Mapping[str, Any], at: datetime | int | None = None
    ) -> bool:
        """Record a tick: True once it survives the death of this process, False on a storage fault.

        The tick's time is ``at``, else its ``timestamp``, else the clock. Keys that FACE does not name are ignored.

        Raises:
            InvalidValue, AmbiguousTick: nothing was written.
            SourceBusy: another process records under this source.
            RecorderClosed: after `close`.
        """
        # One long function on purpose: it runs for every tick of a feed, and each call in it would cost a tenth of it.
        # It takes only what is surely right; the unusual, the wrong and the first of its kind go to `_tick`, which
        # alone decides what to refuse.
        try:
            shape = self._shapes[tuple(tick)]
            values = shape.values(tick)
        except (KeyError, TypeError):
            values = None
        if values is None:
            return self._tick(symbol, tick, at)
        if shape.single:
            values = (values,)
        for value, least in zip(values, shape.least):  # noqa: B905  (its keyword costs as much as two of the checks)
            kind = type(value)
            if kind is float or kind is float64:
                if least <= value < INFINITY:
                    continue
            elif kind is int and least <= value <= INTEGER_MAX:
                continue
            return self._tick(symbol, tick, at)
        if shape.bar:
            close, first, high, low = values[:4]
            if not low <= first <= high or not low <= close <= high:
                return self._tick(symbol, tick, at)
        received = self._clock()
        instant: Any = tick["timestamp"] if at is None and shape.timed else at
        if instant is None:
            instant = received
        elif type(instant) is not int:
            if type(instant) is not datetime:
                return self._tick(symbol, tick, at)
            if instant.tzinfo is None:
                start, stop, offset = self._wall
                microseconds = (instant - EPOCH) // MICROSECOND
                if not start <= microseconds < stop:
                    return self._tick(symbol, tick, at)
                instant = (microseconds - offset) * 1000
            else:
                try:
                    instant = (instant - EPOCH_UTC) // MICROSECOND * 1000
                except TypeError:
                    instant = 0  # its zone does not know its offset
                if instant < FIRST_NS + AHEAD_NS:
                    return self._tick(symbol, tick, at)
        elif instant < FIRST_NS:
            return self._tick(symbol, tick, at)
        if instant > received + AHEAD_NS:
            return self._tick(symbol, tick, at)
        with self._guard:
            try:
                series = self._symbols.get(symbol)
            except TypeError:
                series = None
            if series is not None:
                lane: LaneWriter = self._ticks  # type: ignore[assignment]
                segment: Any = lane.segment
                start = segment.position
                end = start + shape.size
                if end <= segment.limit:
                    if instant > series.newest:
                        series.newest = instant
                        series.counts[instant] = 1
                        ordinal = 0
                        series.latest = (instant, 0, received, shape.layout, values)
                    else:
                        ordinal = self._late(lane, series, instant, received, shape.layout, values)
                    sequence = lane.sequence + 1
                    body = shape.pack(
                        shape.prefix, sequence, instant, received, series.number, shape.bitmap, ordinal, *values
                    )
                    crc = crc32(body, segment.seed)
                    segment.map[start : end - 4] = body
                    put_crc(segment.map, end - 4, crc)
                    # The frame, its CRC, then the counter; no signal comes between these, for nothing here is called.
                    lane.sequence = sequence
                    segment.position = end
                    lane.words[ISSUED] = sequence
                    return True
        return self._tick(symbol, tick, at)

    def ticks(self, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, symbol: str | None = None) -> TickBatch:
        """Record many ticks and keep the good rows.

        ``rows`` are dicts, or one dict of equal-length columns (sequences or numpy arrays). The symbol of a row is its
        ``symbol``, else the argument. Rows that a storage fault kept out are rejected with the fault's code.

        Raises:
            InvalidValue: the input as a whole makes no sense.
            SourceBusy, RecorderClosed: as in `tick`.
        """
        if isinstance(rows, Mapping):
            columns = Columns(rows, symbol)
            received = self._clock()
            batch = read_columns(columns, cumulative=self.cumulative, zone=self.zone, now=received)
            if batch is not None:
                return self._columns(batch, received)
            return self._rows(columns.rows(), symbol)
        if not isinstance(rows, Iterable):
            raise InvalidValue(
                f"Many ticks are dicts, or one dict of columns, not {type(rows).__name__}.", field="ticks"
            )
        return self._rows(rows, symbol)

    def indicators(
        self, symbol: str, values: Mapping[str, Any], *, at: datetime | int | None = None, timeframe: str = ""
    ) -> bool:
        """Record named numbers of a symbol at an instant (None: the clock). Answers and raises as `tick`."""
        name = parse_name(symbol, "symbol")
        frame = "" if timeframe == "" else parse_name(timeframe, "timeframe")
        text = indicators_text(values)
        return self._record(INDICATORS, (self.account, name, frame), text, at)

    def snapshot(
        self,
        strategy_id: str,
        symbol: str,
        price: Any,
        quantity: Any,
        pnl: Any,
        pnl_percent: Any,
        *,
        at: datetime | int | None = None,
    ) -> bool:
        """Record how a position stands. ``pnl`` and ``pnl_percent`` may be None. Answers and raises as `tick`."""
        strategy = parse_name(strategy_id, "strategy_id", ID_BYTES_MAX)
        key = (self.account, parse_name(symbol, "symbol"), strategy)
        return self._record(POSITION_SNAPSHOTS, key, snapshot_text(price, quantity, pnl, pnl_percent), at)

    def project(
        self, measurement: Measurement, tags: Mapping[str, str], fields: Mapping[str, Any], *, time_ns: int
    ) -> None:
        """Write one point at exactly this time; durable after `sync`. ``tags`` may name another account.

        Raises:
            SpoolFull, SpoolFailed: nothing was written.
        """
        key = (tags.get("account", self.account), *(tags[name] for name in measurement.tags))
        text = orjson.dumps({name: value for name, value in fields.items() if value is not None})
        try:
            with self._lane(measurement) as lane:
                self._put(lane, key, text, time_ns, self._clock(), 0)
        except StorageFault as fault:
            self._refused(measurement, fault, 1)
            raise fault.error from fault
        self._first_record()

    def latest(self, symbol: str) -> dict[str, Any] | None:
        """Return this recorder's newest tick by exchange time, or None.

        Keys: symbol, source, account, kind, time, exchange_time, received_time (ns UTC) and the fields it had.
        """
        series = self._known.get(parse_name(symbol, "symbol"))
        if series is None or series.latest is None:
            return None
        return {"symbol": series.key[1], "source": self.source, "account": self.account, **series.newest_tick()}

    def issued(self) -> dict[str, int]:
        """Return the last sequence issued of each of this source's measurements."""
        spool = Spool(self.root)
        return {lane.measurement.name: lane.issued() for lane in spool.lanes() if lane.source == self.source}

    def _tick(self, symbol: Any, tick: Any, at: Any) -> bool:
        """Record a tick with all care; learn its shape and symbol for the next."""
        name = parse_name(symbol, "symbol")
        layout, values = read_tick(tick, cumulative=self.cumulative)
        if at is None:
            at = tick.get("timestamp")
        received, instant = self._instant(at)
        self._learn(tick, at)
        try:
            self._put_tick(symbol, name, layout, values, instant, received)
        except StorageFault as fault:
            return self._refused(TICKS, fault, 1)
        self._first_record()
        return True

    def _put_tick(
        self, symbol: str, name: str, layout: TickLayout, values: tuple[float, ...], instant: int, received: int
    ) -> None:
        with self._lane(TICKS) as lane:
            self._ticks = lane
            series = lane.ordinals.series((self.account, name), run=self._run(lane))
            series.number = lane.place(series.key, layout.size, instant)
            ordinal = self._late(lane, series, instant, received, layout, values)
            body = layout.pack(
                layout.prefix,
                lane.sequence + 1,
                instant,
                received,
                series.number,
                layout.bitmap,
                ordinal,
                *values,
            )
            lane.put(with_crc(body, lane.seed))
            self._remember(lane, symbol, name, series)

    def _remember(self, lane: LaneWriter, symbol: str, name: str, series: Series) -> None:
        if not any(known is self._symbols for known in lane.hot):
            lane.hot.append(self._symbols)
        self._symbols[symbol] = self._symbols[name] = self._known[name] = series

    def _late(
        self, lane: LaneWriter, series: Series, instant: int, received: int, layout: TickLayout, values: Any
    ) -> int:
        try:
            ordinal = lane.late(series, instant, self.history)
        except StoreUnavailable as error:
            raise StorageFault(error) from error
        if series.latest is None or instant >= series.latest[0]:
            series.latest = (instant, ordinal, received, layout, values)
        return ordinal

    def _rows(self, rows: Iterable[Mapping[str, Any]], symbol: str | None) -> TickBatch:
        rejected: list[tuple[int, str, str]] = []
        accepted = 0
        for index, row in enumerate(rows):
            try:
                name = symbol if symbol is not None and "symbol" not in row else row["symbol"]
                if self.tick(name, row):
                    accepted += 1
                elif self._last_fault is not None:
                    rejected.append((index, self._last_fault.reason, self._last_fault.error.hint))
            except InvalidValue as error:
                rejected.append((index, error.code, error.hint))
            except (KeyError, TypeError):
                rejected.append((index, "no_symbol", "A row is a dict with a symbol."))
        return TickBatch(accepted, tuple(rejected))

    def _columns(self, batch: Batch, received: int) -> TickBatch:
        done, total = 0, len(batch.instants)
        rejected = batch.rejected
        try:
            while done < total:
                with self._lane(TICKS) as lane:
                    self._ticks = lane
                    run = self._run(lane)
                    series = [lane.ordinals.series((self.account, name), run=run) for name in batch.names]
                    done += write_columns(lane, series, batch, start=done, received=received, history=self.history)
                    for name, known in zip(batch.names, series, strict=True):
                        self._known[name] = known
        except (StorageFault, StoreUnavailable) as error:
            fault = error if isinstance(error, StorageFault) else StorageFault(error)
            self._refused(TICKS, fault, total - done)
            left = batch.indexes[done:].tolist()
            rejected = sorted([*rejected, *((index, fault.reason, fault.error.hint) for index in left)])
        if done:
            self._first_record()
        return TickBatch(done, tuple(rejected))

    def _record(self, measurement: Measurement, key: SeriesKey, text: bytes, at: Any) -> bool:
        received, instant = self._instant(at)
        try:
            with self._lane(measurement) as lane:
                series = lane.ordinals.series(key, run=self._run(lane))
                lane.room_for(key, text, instant)
                ordinal = lane.late(series, instant, self.history)
                self._put(lane, key, text, instant, received, ordinal)
        except StorageFault as fault:
            return self._refused(measurement, fault, 1)
        except StoreUnavailable as error:
            return self._refused(measurement, StorageFault(error), 1)
        self._first_record()
        return True

    def _put(self, lane: LaneWriter, key: SeriesKey, text: bytes, instant: int, received: int, ordinal: int) -> None:
        number = lane.room_for(key, text, instant)
        body = record_body(lane.sequence + 1, instant, received, number, ordinal, text)
        lane.put(with_crc(body, lane.seed))

    def _let_go(self) -> None:
        self._symbols.clear()
        if self._ticks is not None:
            self._ticks.hot = [known for known in self._ticks.hot if known is not self._symbols]

    def _run(self, lane: LaneWriter) -> int | None:
        """Return the sequence from which this replay counts; None when it goes on from what is there."""
        return self._runs.setdefault(lane.measurement.name, lane.sequence) if self.restarts else None

    def _instant(self, at: Any) -> tuple[int, int]:
        received = self._clock()
        return received, received if at is None else parse_time(at, self.zone, received, "timestamp")

    def _learn(self, tick: Mapping[str, Any], at: Any) -> None:
        keys = tuple(tick)
        if keys not in self._shapes:
            if len(self._shapes) >= SHAPES_MAX:
                self._shapes.clear()
            self._shapes[keys] = shape_of(keys, cumulative=self.cumulative) or CAREFUL
        if isinstance(at, datetime) and at.tzinfo is None:
            self._wall = wall_day(self.zone, (at - EPOCH) // MICROSECOND) or self._wall
