"""Candles from rows of minutes and of days, of many symbols at once.

Rows are a table of symbol, source, day (ns UTC, when the day of the desk begins whose points they are counted from),
time (the candle's start) and the fields of `MINUTES`: what `ClosedDays` has, and what is counted here from ticks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import MINUTES, Mask
from timeseries.stores import candles
from timeseries.stores.base import Session
from timeseries.stores.candles import MINUTE, SCHEMA
from timeseries.stores.tables import ColumnArray

FIELDS = ("time", *(field.name for field in MINUTES.fields))
COLUMNS = pa.schema(
    [("symbol", pa.string()), ("source", pa.string()), ("day", pa.int64()), ("time", pa.int64())]
    + [(name, pa.int64() if name in ("ticks", "first_time") else pa.float64()) for name in FIELDS[1:]]
)


def are_whole_minutes(every: int, sessions: Sequence[Session]) -> bool:
    """Tell whether candles of ``every`` ns in these sessions can be made of minutes."""
    instants = [every]
    for session in sessions:
        instants += (session.start, session.stop, session.anchor, *session.restarts)
    return not np.any(np.array(instants) % MINUTE)


def counted(ticks: pa.Table, day: int) -> pa.Table:
    """Count ticks of one account and one day, ascending by time, minute by minute and source by source."""
    tables = [COLUMNS.empty_table()]
    for source in pc.unique(ticks.column("source")).to_pylist():
        minutes = candles.minutes_of(ticks.filter(pc.equal(ticks.column("source"), source)))
        number = len(minutes["time"])
        columns = {"symbol": minutes["symbol"], "source": [source] * number, "day": np.full(number, day)}
        columns |= {name: minutes[name] for name in FIELDS}
        tables.append(pa.table({field.name: pa.array(columns[field.name], field.type) for field in COLUMNS}))
    return pa.concat_tables(tables)


def of_first_source(points: pa.Table, day: str | None = None, time: str = "time") -> pa.Table:
    """Return of each symbol (and day) the points of the source with the first one; of two at one time the first name.

    ``day`` and ``time`` name the columns; without ``day`` all points are of one.
    """
    if len(pc.unique(points.column("source"))) < 2:
        return points
    keys = ["symbol"] if day is None else ["symbol", day]
    firsts = points.group_by([*keys, "source"]).aggregate([(time, "min")])
    firsts = firsts.sort_by([(name, "ascending") for name in (*keys, f"{time}_min", "source")])
    is_first = np.zeros(len(firsts), dtype=bool)
    is_first[0] = True
    for name in keys:
        is_first[1:] |= pc.not_equal(firsts.column(name)[1:], firsts.column(name)[:-1]).to_numpy()
    answering = firsts.filter(pa.array(is_first)).select([*keys, "source"])
    place = points.select([*keys, "source"]).append_column("place", pa.array(np.arange(len(points))))
    places = place.join(answering, [*keys, "source"], join_type="left semi").column("place")
    return points.take(places.sort())


def days_of_several(rows: pa.Table, sources: Collection[str]) -> list[int]:
    """Return the days (ns UTC) of which rows of several of these sources are there."""
    if not sources:
        return []
    of_these = rows.filter(pc.is_in(rows.column("source"), pa.array(sorted(sources), pa.string())))
    counts = of_these.group_by("day").aggregate([("source", "count_distinct")])
    days: list[int] = counts.filter(pc.greater(counts.column("source_count_distinct"), 1)).column("day").to_pylist()
    return days


def by_symbol_and_time(rows: pa.Table) -> pa.Table:
    """Return the rows ascending by symbol, time, day."""
    keys = [(name, "ascending") for name in ("symbol", "time", "day")]
    return rows.take(pc.sort_indices(rows, keys))


def in_part(rows: pa.Table) -> list[str]:
    """Return the symbols of which a minute is in two days' rows, in part; rows as `by_symbol_and_time` has them."""
    if len(rows) < 2:
        return []
    symbol, time = rows.column("symbol"), rows.column("time")
    is_twice = pc.and_(pc.equal(symbol[1:], symbol[:-1]), pc.equal(time[1:], time[:-1]))
    names: list[str] = pc.unique(symbol[1:].filter(is_twice)).to_pylist()
    return names


def begin_before_their_day(rows: pa.Table) -> bool:
    """Tell whether a row begins before the day whose points it is counted from: a bar that was stamped at midnight."""
    return bool(pc.any(pc.less(rows.column("time"), rows.column("day"))).as_py())


def day_candles(rows: pa.Table, sessions: Sequence[Session], *, start: int, stop: int) -> pa.Table:
    """Return candles of whole days with `symbol`, ascending by it and by time; see `candles.candles_of`.

    Args:
        rows: as `by_symbol_and_time` has them, each counted from points of its own day.
        sessions: days of the desk, ascending, within which no volume starts anew.
    """
    sinces, begins, ends, anchors = (
        np.array([getattr(session, name) for session in sessions], dtype=np.int64)
        for name in ("since", "start", "stop", "anchor")
    )
    time, highest = rows.column("time").to_numpy(), rows.column("day_volume").to_numpy()
    symbols = rows.column("symbol").combine_chunks().dictionary_encode()
    code = symbols.indices.to_numpy()
    place = np.searchsorted(begins, time, side="right") - 1
    inside: Mask = (place >= 0) & (time < ends[place]) & (anchors[place] >= start) & (anchors[place] < stop)
    wanted = np.flatnonzero(inside)
    if not len(wanted):
        return WITH_SYMBOL.empty_table()
    cut = (np.diff(code[wanted]) != 0) | (np.diff(place[wanted]) != 0)
    first = np.flatnonzero(np.concatenate(([True], cut)))
    days = candles.joined({name: rows.column(name).to_numpy()[wanted] for name in FIELDS}, first)
    session, series = place[wanted][first], code[wanted][first]
    carried = np.zeros(len(first))  # the highest day volume of the session before the day began
    for number in np.flatnonzero(sinces[session] < begins[session]):
        of_series = slice(*np.searchsorted(code, [series[number], series[number] + 1]))
        before = (time[of_series] >= sinces[session[number]]) & (time[of_series] < begins[session[number]])
        carried[number] = np.fmax.reduce(highest[of_series][before], initial=0.0)
    volume = np.fmax(days["day_volume"], carried) - carried
    columns: dict[str, ColumnArray] = {
        **days,
        "time": anchors[session],
        "volume": np.where(np.isnan(days["day_volume"]), days["volume"], volume),
    }
    arrays = [pa.array(columns[name], from_pandas=True).cast(SCHEMA.field(name).type) for name in SCHEMA.names]
    names = symbols.dictionary.take(pa.array(series))
    return pa.Table.from_arrays([names, *arrays], schema=WITH_SYMBOL)


WITH_SYMBOL = pa.schema([("symbol", pa.string()), *SCHEMA])


def with_symbol(tables: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    """Return the candles of these symbols, in their order, as one table whose first column is the symbol."""
    named = [
        table.add_column(0, "symbol", pa.repeat(pa.scalar(symbol, pa.string()), len(table))) for symbol, table in tables
    ]
    return pa.concat_tables([WITH_SYMBOL.empty_table(), *named])
