"""The points of the store and of the spool's unshipped tail, read as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import TICKS, TIMES, Kind, Measurement, PointBatch
from timeseries.reading.joined_lines import in_one_line
from timeseries.spool.folder import Spool
from timeseries.spool.hand_overs import SourceLines
from timeseries.spool.ordinals import first_free
from timeseries.stores.base import FirstPoint, PointQuery, Store
from timeseries.stores.tables import (
    merged,
    newest_rows,
    point_schema,
    spread_numbers,
    table_of,
    uncleared,
    with_instants,
)
from timeseries.values import day_of, midnight

SLICE = 100_000
SECOND = 10**9
# What a timestamp of 64-bit nanoseconds can hold; bounds of a reading may be any instant.
FIRST, LAST = -(2**63) + 1, 2**63 - 1

Stretch = tuple[int, int, tuple[str, ...]]  # start, stop, the source or those that took over from each other
NewestBySymbol = dict[str, dict[str, Any]]  # symbol to its newest point: tags, times (ns), fields, origin


class PointReader:
    """The readings of every accepted point of this host; instants in ns UTC, bounds half-open and any integer.

    Times in the answers are ``timestamp('ns', 'UTC')``, prices and quantities float64, absent values null. The tail is
    read before the store: what is shipped in between stands in both and is taken once.

    Raises `StoreUnavailable` from every method when the store cannot answer now.
    """

    def __init__(self, spool: Spool, store: Store, *, zone: ZoneInfo) -> None:
        self.spool, self.store, self.zone = spool, store, zone

    def ticks(
        self,
        symbol: str,
        start: int,
        stop: int,
        *,
        source: str | None = None,
        account: str,
        fields: tuple[str, ...] | None = None,
    ) -> pa.Table:
        """Return a symbol's ticks, ascending: of one source, or day by day of the source with the day's first tick.

        Where others took over from that source, theirs too: behind its own, each under its name.

        Columns: the times, the source, and the fields of `TICKS`; with ``fields`` those alone, without received_time.
        """
        query = PointQuery(TICKS, clamp(start), clamp(stop), {"account": account, "symbol": symbol}, fields)
        points = self._one_source(query, source)
        names = [*TIMES, "source", *(field.name for field in TICKS.fields)]
        return with_instants(points.select([name for name in names if name in points.column_names]))

    def ticks_of(self, source: str, start: int, stop: int, *, account: str) -> pa.Table:
        """Return the ticks of all symbols of a source, ascending: their tags, two times (int64), and their numbers."""
        numbers = tuple(field.name for field in TICKS.fields if field.kind is Kind.FLOAT)
        return self._points(
            PointQuery(TICKS, clamp(start), clamp(stop), {"account": account, "source": source}, numbers)
        )

    def may_hold(self, source: str, start: int, stop: int, *, account: str) -> bool:
        """Return whether a source may have ticks with ``start <= time < stop``: False is certain. None are read."""
        query = PointQuery(TICKS, clamp(start), clamp(stop), {"account": account, "source": source}, ())
        if next(self._waiting(query), None) is not None:  # before the store: see the class
            return True
        sources = self.store.sources(query)
        return sources is None or source in sources

    def symbols(self, start: int, stop: int, *, account: str) -> list[str]:
        """Return the symbols that have a tick with ``start <= time < stop``, of any source, by name."""
        query = PointQuery(TICKS, clamp(start), clamp(stop), {"account": account}, ())
        tail = self._tail(query)  # before the store: see the class
        readings = (tail, self.store.read(query))
        return sorted({name for points in readings for name in pc.unique(points.column("symbol")).to_pylist()})

    def tick_days(self, symbol: str, start: int, stop: int, *, account: str) -> set[date]:
        """Return the days (of the reader's zone) that have a tick of the symbol with ``start <= time < stop``, of any
        source."""
        query = PointQuery(TICKS, clamp(start), clamp(stop), {"account": account, "symbol": symbol}, ())
        tail = self._tail(query)  # before the store: see the class
        return {point.day for point in (*self.store.first_points(query), *self._first_points(tail))}

    def history(self, measurement: Measurement, start: int, stop: int, *, account: str, **tags: str) -> pa.Table:
        """Return the account's points whose other tags (symbol=, strategy=, ...) equal these: times, tags, fields.

        The column `values` of INDICATORS becomes one float column per name that occurs.
        """
        query = PointQuery(measurement, clamp(start), clamp(stop), {"account": account, **tags})
        points = self._points(query)
        names = [*TIMES, *measurement.series_tags, *(field.name for field in measurement.fields)]
        table = with_instants(points.select(names))
        for field in measurement.fields:
            if field.kind is Kind.NUMBERS:
                table = spread_numbers(table, field.name)
        return table

    def newest_waiting(
        self, measurement: Measurement, symbols: Iterable[str], tags: Mapping[str, str]
    ) -> NewestBySymbol:
        """Return each symbol's newest unshipped point by exchange time, ``origin`` spool; no store is asked."""
        return self._newest_of_tail(measurement, symbols, tags, after=None)

    def newest_recorded(
        self, measurement: Measurement, symbols: Iterable[str], tags: Mapping[str, str], *, after: Mapping[str, int]
    ) -> NewestBySymbol | None:
        """Return each symbol's newest point of what these sources recorded after these sequences, shipped or not.

        None where some of it is in the spool no more; no store is asked.
        """
        lanes = [self.spool.lane(source, measurement.name) for source in after]
        if not all(lane.holds_after(after[lane.source]) for lane in lanes):
            return None
        return self._newest_of_tail(measurement, symbols, tags, after=after)

    def _newest_of_tail(
        self,
        measurement: Measurement,
        symbols: Iterable[str],
        tags: Mapping[str, str],
        *,
        after: Mapping[str, int] | None,
    ) -> NewestBySymbol:
        query = PointQuery(measurement, FIRST, LAST, dict(tags), symbols=tuple(dict.fromkeys(symbols)))
        tables = [table_of(batch.newest(), query.fields) for batch in self._waiting(query, after=after)]
        return newest_rows(merged(None, tables, query), "spool")

    def newest_stored(
        self, measurement: Measurement, symbols: Iterable[str], tags: Mapping[str, str]
    ) -> NewestBySymbol:
        """Return each symbol's newest stored point by exchange time, ``origin`` store; one question for all."""
        query = PointQuery(measurement, FIRST, LAST, dict(tags), symbols=tuple(dict.fromkeys(symbols)))
        return newest_rows(self.store.newest(query), "store")

    def next_ordinal(self, measurement: Measurement, tags: Mapping[str, str], instant: int) -> int:
        """Return how many ns after ``instant`` the series' next point of that exchange time belongs (0: it is free).

        ``tags`` are all of the series' tags. A recorder asks this once its own segments are no longer there.
        """
        points = self._points(PointQuery(measurement, instant, clamp(instant + SECOND), dict(tags), ()))
        same = points.filter(pc.equal(points.column("exchange_time"), instant)).column("time")
        start = int(pc.max(same).as_py()) + 1 if len(same) else instant
        return first_free(np.unique(points.column("time").to_numpy()), start) - instant

    def _points(self, query: PointQuery) -> pa.Table:
        tail = self._tail(query)
        return merged(self.store.read(query), [tail], query)

    def _one_source(self, query: PointQuery, source: str | None) -> pa.Table:
        """Return the query's points of one source; without a name, of the source with the first point, per day, and of
        those that took over from it."""
        if source is not None:
            return self._points(replace(query, tags={**query.tags, "source": source}))
        try:
            first, last = day_of(query.start, self.zone), day_of(max(query.start, query.stop - 1), self.zone)
            start, stop = midnight(first, self.zone), midnight(last + timedelta(days=1), self.zone)
        except (ValueError, OverflowError):
            start, stop = FIRST, LAST
        whole_days = replace(query, start=clamp(start), stop=clamp(stop))
        tail = self._tail(whole_days)  # before the store: see the class
        sources, lines = self.store.sources(whole_days), SourceLines.of_spool(self.spool)
        if sources is not None:
            answering = {lines.of(name) for name in sources | {*pc.unique(tail.column("source")).to_pylist()}}
            if len(answering) == 1:  # nearly always: then no day has to be asked who came first
                return self._of_line(tail, query, answering.pop())
        firsts = [*self.store.first_points(whole_days), *self._first_points(tail)]
        readings = []
        for start, stop, line in self._spans(firsts, query, lines):
            readings.append(self._of_line(tail, replace(query, start=start, stop=stop), line))
        return pa.concat_tables(readings) if readings else point_schema(query.measurement, query.fields).empty_table()

    def _of_line(self, tail: pa.Table, query: PointQuery, line: tuple[str, ...]) -> pa.Table:
        """Return the query's points of sources that took over from each other."""
        readings = [self._joined(tail, replace(query, tags={**query.tags, "source": source})) for source in line]
        return readings[0] if len(line) == 1 else in_one_line(pa.concat_tables(readings), line)

    def _joined(self, tail: pa.Table, query: PointQuery) -> pa.Table:
        """Return the query's points, of one source, that the store has or a wider tail."""
        time = tail.column("time")
        inside = pc.and_(pc.greater_equal(time, query.start), pc.less(time, query.stop))
        waiting = tail.filter(pc.and_(inside, pc.equal(tail.column("source"), query.tags["source"])))
        return merged(self.store.read(query), [waiting], query)

    def _spans(self, firsts: list[FirstPoint], query: PointQuery, lines: SourceLines) -> Iterator[Stretch]:
        """Yield stretches of days that one source, or one line of sources, answers for, ascending."""
        earliest: dict[date, FirstPoint] = {}
        for point in firsts:
            rival = earliest.get(point.day)
            if rival is None or (point.time, point.source) < (rival.time, rival.source):
                earliest[point.day] = point
        days = sorted(earliest.values(), key=lambda point: point.day)
        for line, group in groupby(days, key=lambda point: lines.of(point.source)):
            stretch = list(group)
            start = max(query.start, midnight(stretch[0].day, self.zone))
            stop = min(query.stop, midnight(stretch[-1].day + timedelta(days=1), self.zone))
            if start < stop:
                yield start, stop, line

    def _first_points(self, tail: pa.Table) -> Iterator[FirstPoint]:
        """Yield the first point of each source on each day of the tail."""
        if not len(tail):
            return
        for source in pc.unique(tail.column("source")).to_pylist():
            times = tail.filter(pc.equal(tail.column("source"), source)).column("time").to_numpy()
            while len(times):
                day = day_of(int(times.min()), self.zone)
                yield FirstPoint(day, source, int(times.min()))
                times = times[times >= midnight(day + timedelta(days=1), self.zone)]

    def _tail(self, query: PointQuery) -> pa.Table:
        """Return the query's points that are not shipped yet, each once."""
        return merged(None, [table_of(batch, query.fields) for batch in self._waiting(query)], query)

    def _waiting(self, query: PointQuery, *, after: Mapping[str, int] | None = None) -> Iterator[PointBatch]:
        """Yield the query's points that are not shipped yet, or those ``after`` a sequence of a source, as recorded."""
        symbols = None if query.symbols is None else set(query.symbols)
        for lane in self.spool.lanes():
            if lane.measurement != query.measurement or query.tags.get("source", lane.source) != lane.source:
                continue
            if after is not None and lane.source not in after:
                continue
            outcome = lane.outcome()
            read = outcome.through if after is None else after[lane.source]
            while (waiting := lane.pending(after=read, limit=SLICE)).last_sequence > read:
                read = waiting.last_sequence
                batch = uncleared(waiting.batch, outcome.cleared_through)
                is_wanted = [
                    all(entry[tag] == name for tag, name in query.tags.items())
                    and (symbols is None or entry["symbol"] in symbols)
                    for entry in batch.series_table
                ]
                if any(is_wanted):
                    inside = (batch.time >= query.start) & (batch.time < query.stop)
                    yield batch.take(np.array(is_wanted)[batch.series] & inside)


def newest_of(*points: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the newest point by exchange time, then by time; of equal ones the first, None where there is none."""
    present = [point for point in points if point is not None]
    return max(present, key=lambda point: (point["exchange_time"], point["time"]), default=None)


def clamp(instant: int) -> int:
    return max(FIRST, min(instant, LAST))
