"""The recorder in the strategy's process: validate, stamp and frame, and nothing that could make a strategy wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from timeseries.errors import InvalidValue, StoreUnavailable
from timeseries.measurements import INDICATORS, POSITION_SNAPSHOTS, TICKS, Measurement
from timeseries.recording.bulk import (
    NO_SYMBOL,
    ROWS_AT_ONCE,
    Batch,
    TickBatch,
    UnreadableRow,
    read_columns,
    write_columns,
)
from timeseries.recording.columns import ColumnInput, TickColumns, columns_of, given_columns
from timeseries.recording.marked import Marker, Rejected
from timeseries.recording.payloads import indicators_text, parse_indicators, snapshot_text
from timeseries.recording.tick import MayBeNegative, never_negative
from timeseries.recording.tick_recorder import TickRecorder
from timeseries.recording.writer import SEGMENT_BYTES_MIN, LaneWriter, StorageFault
from timeseries.spool.feed_keys import counted_places
from timeseries.spool.folder import Spool
from timeseries.spool.frames import record_body, with_crc
from timeseries.spool.ordinals import NextOrdinal, SeriesKey
from timeseries.values import (
    ID_BYTES_MAX,
    Input,
    Instant,
    Number,
    ParseSymbol,
    TickDict,
    any_symbol,
    parse_name,
    parse_time,
    parse_timeframe,
    parse_word,
)

__all__ = ["NextOrdinal", "Recorder", "TickBatch", "parse_name", "parse_time"]

PROJECTING_SOURCE = "ledger"


class Recorder(TickRecorder):
    """The recorder of one source and account; it touches no disk until the first record.

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
        history: NextOrdinal | None = None,
        look_after: Callable[[], None] | None = None,
        ordinals: str = "continue",
        projecting: bool = False,
        segment_bytes: int = SEGMENT_BYTES_MIN,
        may_be_negative: MayBeNegative = never_negative,
        bar_period: int = 0,
        parse_symbol: ParseSymbol = any_symbol,
    ) -> None:
        """``history`` gives the next free n of a series at an instant whose segments are removed. ``may_be_negative``
        tells of a symbol whether its prices may be 0 and below; it is asked only where one is. ``parse_symbol`` makes a
        name of a caller's symbol, or refuses it with InvalidValue; a tick's is asked at its first. ``look_after`` is
        called after the first record, and then about once a second while records come.

        ``ordinals="restart"`` counts n from the start of this recorder's input. ``projecting`` is the follower's: its
        source is ``ledger``, which nobody else may take.
        """
        if (source == PROJECTING_SOURCE) != projecting:
            raise InvalidValue(f"The source {source!r} is kept for what the ledger projects.", field="source")
        super().__init__(
            Path(root),
            parse_name(source, "source"),
            parse_name(account, "account"),
            zone,
            cumulative=parse_word(volume, "volume", ("per_tick", "cumulative")) == "cumulative",
            restarts=parse_word(ordinals, "ordinals", ("continue", "restart")) == "restart",
            raises=parse_word(on_storage_fault, "on_storage_fault", ("count", "raise")) == "raise",
            max_bytes=max_bytes,
            segment_bytes=segment_bytes,
            clock=clock,
            history=history,
            look_after=look_after,
            may_be_negative=may_be_negative,
            bar_period=bar_period,
            parse_symbol=parse_symbol,
        )

    def ticks(
        self,
        rows: Sequence[TickDict] | Mapping[str, ColumnInput],
        *,
        symbol: str | None = None,
        marker: Marker | None = None,
    ) -> TickBatch:
        """Record many ticks and keep the good rows.

        ``rows`` are dicts, or one dict of equal-length columns (sequences or numpy arrays). The symbol of a row is its
        ``symbol``, else the argument; an `UnreadableRow` is rejected. Rows that a storage fault kept out are rejected
        with the fault's code. A ``marker`` marks each row before it is written, so that it is known which were.

        Raises:
            InvalidValue: the input as a whole makes no sense.
            SourceBusy, RecorderClosed: as in `tick`.
        """
        is_list = isinstance(rows, Iterable) and not isinstance(rows, str | bytes) and not hasattr(rows, "columns")
        if not isinstance(rows, Mapping) and not is_list:
            raise InvalidValue(
                f"ticks are a list of dicts, or a dict of columns, not {type(rows).__name__}.",
                field="ticks",
                hint='Of a pandas frame give frame.to_dict("list"), of an Arrow table table.to_pydict().',
            )
        whole = given_columns(rows, symbol) if isinstance(rows, Mapping) else list(rows)
        accepted, rejected, received = 0, [], self._clock()
        for start in range(0, whole.length if isinstance(whole, TickColumns) else len(whole), ROWS_AT_ONCE):
            stop = start + ROWS_AT_ONCE
            rows_of_slice = whole.part(start, stop) if isinstance(whole, TickColumns) else whole[start:stop]
            own = marker and Marker(marker.stream, marker.batch, marker.position + start, marker.prefix)
            batch = self._batch(rows_of_slice, symbol, received, own)
            accepted += batch.accepted
            rejected += [row.moved(start) for row in batch.rejected]
        return TickBatch(accepted, tuple(rejected))

    def indicators(
        self,
        symbol: str,
        values: Mapping[str, Number],
        *,
        at: Instant | None = None,
        timeframe: str = "",
        marker: Marker | None = None,
    ) -> bool:
        """Record named numbers of a symbol at an instant (None: the clock). Answers and raises as `tick`."""
        name = self.parse_symbol(symbol)
        frame = parse_timeframe(timeframe)
        text = indicators_text(parse_indicators(values))
        return self._record(INDICATORS, (self.account, name, frame), text, at, marker)

    def snapshot(
        self,
        strategy_id: str,
        symbol: str,
        price: Number,
        quantity: Number,
        pnl: Number | None,
        pnl_percent: Number | None,
        *,
        at: Instant | None = None,
        marker: Marker | None = None,
    ) -> bool:
        """Record an open position's price, quantity and P&L at an instant (None: the clock); P&L may be None.

        Answers and raises as `tick`.
        """
        strategy = parse_name(strategy_id, "strategy_id", ID_BYTES_MAX)
        key = (self.account, self.parse_symbol(symbol), strategy)
        text = snapshot_text(price, quantity, pnl, pnl_percent, is_signed=lambda: self.may_be_negative(key[1]))
        return self._record(POSITION_SNAPSHOTS, key, text, at, marker)

    def project(
        self,
        measurement: Measurement,
        tags: Mapping[str, str],
        fields: Mapping[str, str | float | None],
        *,
        time_ns: int,
    ) -> None:
        """Write one point of the ledger's journal at exactly this time (ns UTC), durable after `sync`.

        ``tags`` may name another account.

        Raises:
            SpoolFull, SpoolFailed: nothing was written.
        """
        key = (tags.get("account", self.account), *(tags[name] for name in measurement.tags))
        text = orjson.dumps({name: figure for name, figure in fields.items() if figure is not None})
        try:
            with self.writing(measurement) as lane:
                self._put(lane, key, text, time_ns, self._clock(), 0)
        except StorageFault as fault:
            self.refuse(measurement, fault, 1)
            raise fault.error from fault
        self.after_record()

    def issued(self) -> dict[str, int]:
        """Return the last sequence issued of each of this source's measurements."""
        spool = Spool(self.root)
        return {lane.measurement.name: lane.issued() for lane in spool.lanes() if lane.source == self.source}

    def _rows(self, rows: Iterable[Mapping[str, Any]], symbol: str | None, marker: Marker | None) -> TickBatch:
        """Record ticks one by one."""
        rejected: list[Rejected] = []
        accepted, count = 0, 0
        for index, row in enumerate(rows):
            count = index + 1
            if isinstance(row, UnreadableRow):
                rejected.append(Rejected.of(index, row.error))
                continue
            name = row.get("symbol", symbol) if isinstance(row, Mapping) else None
            if name is None:
                rejected.append(Rejected.at(index, *NO_SYMBOL))
                continue
            mark = None if marker is None else partial(marker.mark, through=count, accepted=1, rejected=rejected)
            try:
                if self.tick(name, row) if mark is None else self._tick(name, row, None, mark):
                    accepted += 1
                elif self._last_fault is not None:
                    rejected.append(Rejected.of(index, self._last_fault.error))
            except InvalidValue as error:
                rejected.append(Rejected.of(index, error))
        self._mark_rest(marker, count, rejected)
        return TickBatch(accepted, tuple(rejected))

    def _name_of(self, symbol: Input) -> str:
        """Return the name of a caller's symbol, which is parsed once. Raises: InvalidValue."""
        return symbol if isinstance(symbol, str) and symbol in self._series else self.parse_symbol(symbol)

    def _mark_rest(self, marker: Marker | None, count: int, rejected: Sequence[Rejected]) -> None:
        """Mark the rejected rows behind the last accepted one."""
        if marker is None or marker.marked >= count:
            return
        try:
            with self.writing(TICKS) as lane:
                marker.mark(lane, count, 0, rejected)
        except StorageFault as fault:
            self.refuse(TICKS, fault, 0)

    def _batch(
        self,
        rows: TickColumns | Sequence[TickDict],
        symbol: str | None,
        received: int,
        marker: Marker | None,
    ) -> TickBatch:
        """Record ticks by columns where they can be read so, else one by one; ``received`` (ns UTC) is the time of
        rows that have none of their own."""
        columns = rows if isinstance(rows, TickColumns) else columns_of(rows, symbol)
        if columns is None:
            return self._rows(rows, symbol, marker)  # type: ignore[arg-type]
        batch = read_columns(
            columns,
            cumulative=self.cumulative,
            zone=self.zone,
            now=received,
            may_be_negative=self.may_be_negative,
            parse_symbol=self._name_of,
        )
        if batch is None or (batch.layout.bar and self.bar_period):
            return self._rows(columns.rows(), symbol, marker)
        recorded = self._write(batch, marker)
        self._mark_rest(marker, columns.length, batch.rejected)
        self.count_unread(counted_places(columns.columns), recorded.accepted)
        return recorded

    def _write(self, batch: Batch, marker: Marker | None) -> TickBatch:
        """Write the rows of a batch, lane by lane where files are replaced meanwhile."""
        done, total, received = 0, len(batch.instants), self._clock()

        def mark(lane: LaneWriter, count: int) -> None:
            if marker is not None:
                marker.mark(lane, int(batch.indexes[done + count - 1]) + 1, count, batch.rejected)

        rejected, series, last = batch.rejected, [], None
        try:
            while done < total:
                with self.writing(TICKS) as lane:
                    if lane is not last:
                        run, last = self.replay_start(lane), lane
                        self._ticks = lane
                        series = [lane.ordinals.series((self.account, name), run=run) for name in batch.names]
                        self._series.update(zip(batch.names, series, strict=True))
                    done += write_columns(
                        lane, series, batch, start=done, received=received + done, history=self.history,
                        mark=partial(mark, lane),
                    )  # fmt: skip
        except (StorageFault, StoreUnavailable) as error:
            fault = error if isinstance(error, StorageFault) else StorageFault(error)
            self.refuse(TICKS, fault, total - done)
            left = [Rejected.of(index, fault.error) for index in batch.indexes[done:].tolist()]
            rejected = sorted([*rejected, *left])
        if done:
            self.after_record()
        return TickBatch(done, tuple(rejected))

    def _record(
        self, measurement: Measurement, key: SeriesKey, text: bytes, at: Instant | None, marker: Marker | None
    ) -> bool:
        """Record one point of JSON fields at an instant (None: the clock)."""
        received = self._clock()
        instant = received if at is None else parse_time(at, self.zone, received, "at")
        try:
            with self.writing(measurement) as lane:
                series = lane.ordinals.series(key, run=self.replay_start(lane))
                lane.room_for(key, text, instant)
                ordinal = lane.late(series, instant, self.history)
                self._put(lane, key, text, instant, received, ordinal, marker)
        except StorageFault as fault:
            return self.refuse(measurement, fault, 1)
        except StoreUnavailable as error:
            return self.refuse(measurement, StorageFault(error), 1)
        self.after_record()
        return True

    def _put(
        self,
        lane: LaneWriter,
        key: SeriesKey,
        text: bytes,
        instant: int,
        received: int,
        ordinal: int,
        marker: Marker | None = None,
    ) -> None:
        number = lane.room_for(key, text, instant)
        frame = with_crc(record_body(lane.sequence + 1, instant, received, number, ordinal, text), lane.seed)
        if marker is not None:
            marker.mark(lane, 1, 1, ())
        lane.put(frame)
