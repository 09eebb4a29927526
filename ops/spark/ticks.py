"""The archive's ticks as `timeseries.reader` has them: each point once, of the day's first source, session by session.

One shuffle brings all ticks of a symbol's session together; what counts them there are the desk's own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from timeseries.measurements import IntArray
from timeseries.reading.joined_lines import in_one_line
from timeseries.spool.hand_overs import SourceLines
from timeseries.stores.base import Session
from timeseries.stores.candles import FIELDS

COLUMNS = ("symbol", "source", "time", "exchange_time", "written", *FIELDS)
FIRST = "first_source"  # the source with the first tick of the symbol's day
SESSION = "session"  # when a session begins, ns UTC
Instants = Callable[[pa.RecordBatch], IntArray]  # by which ticks are put into sessions, ns UTC


@dataclass(frozen=True)
class Span:
    """One session, and from when to before when (ns UTC) its ticks are wanted."""

    session: Session
    begins: int
    ends: int


@dataclass(frozen=True)
class Spans:
    """The sessions of a calendar, ascending."""

    spans: Sequence[Span]

    @cached_property
    def _bounds(self) -> tuple[IntArray, IntArray, IntArray]:
        rows = [(span.begins, span.ends, span.session.start) for span in self.spans]
        begins, ends, starts = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        return begins, ends, starts

    def holding(self, instants: IntArray) -> tuple[IntArray, IntArray]:
        """Return which of the instants are in a session, and when that begins: once for each that one is in."""
        begins, ends, starts = self._bounds
        first = np.searchsorted(ends, instants, side="right")
        count = np.maximum(np.searchsorted(begins, instants, side="right") - first, 0)
        place = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        return np.repeat(np.arange(len(instants)), count), starts[place]

    def between(self, first: int, last: int) -> list[int]:
        """Return when the sessions begin that have an instant from the first to the last."""
        begins, ends, starts = self._bounds
        within: list[int] = starts[
            np.searchsorted(ends, first, side="right") : np.searchsorted(begins, last, side="right")
        ].tolist()
        return within

    def session(self, start: int) -> Session:
        """Return the session that begins at an instant."""
        return self.spans[int(np.searchsorted(self._bounds[2], start))].session


def archived_ticks(table: DataFrame, account: str, first: date, last: date) -> DataFrame:
    """Return an account's ticks of the days from first to last, with `FIRST`; repeats stand beside what they repeat."""
    ticks = table.where(sql.col("day").between(sql.lit(first), sql.lit(last)) & (sql.col("account") == account))
    earliest = sql.min(sql.struct("time", "source")).getField("source").alias(FIRST)
    return ticks.select("day", *COLUMNS).join(ticks.groupBy("symbol", "day").agg(earliest), ["symbol", "day"])


def in_sessions(ticks: DataFrame, spans: Mapping[str, Spans], lines: SourceLines, instants: Instants) -> DataFrame:
    """Return the ticks of these symbols that count, each with its session; in what sessions share, once for each."""
    names = [*COLUMNS, FIRST]

    def placed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            pairs = zip(batch.column("source").to_pylist(), batch.column(FIRST).to_pylist(), strict=True)
            counting = batch.filter(pa.array([source in lines.of(first) for source, first in pairs], pa.bool_()))
            at, symbols = instants(counting), counting.column("symbol").dictionary_encode()
            for number, symbol in enumerate(symbols.dictionary.to_pylist()):
                if symbol not in spans:
                    continue
                rows = np.flatnonzero(symbols.indices.to_numpy() == number)
                order, starts = spans[symbol].holding(at[rows])
                chosen = counting.take(pa.array(rows[order]))
                yield pa.RecordBatch.from_arrays([*chosen.columns, pa.array(starts)], names=[*names, SESSION])

    selected = ticks.select(*names)
    return selected.mapInArrow(placed, selected.withColumn(SESSION, sql.lit(0).cast("bigint")).schema)


def as_read(ticks: pa.Table, lines: SourceLines) -> pa.Table:
    """Return one symbol's ticks as a reading has them: of one source and time the one written last, ascending."""
    order = pc.sort_indices(ticks, [("source", "ascending"), ("time", "ascending"), ("written", "descending")])
    ticks = ticks.take(order)
    source, time = ticks.column("source").combine_chunks().dictionary_encode().indices, ticks.column("time")
    is_new = np.diff(source.to_numpy(), prepend=-1).astype(bool) | np.diff(time.to_numpy(), prepend=-1).astype(bool)
    ticks = ticks.filter(pa.array(is_new))
    of_lines = [
        in_one_line(ticks.filter(pc.equal(ticks.column(FIRST), first)), lines.of(first))
        for first in sorted(pc.unique(ticks.column(FIRST)).to_pylist())
    ]
    return pa.concat_tables([ticks.slice(0, 0), *of_lines]).sort_by("time")
