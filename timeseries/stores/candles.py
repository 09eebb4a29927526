"""Candles from ticks: one pure function, so that every store and the unshipped tail agree.

A tick belongs to the candle that holds its exchange time; a bar, stamped at its end, to the one that ends there or
holds the nanosecond before. A bar that came twice, half-made and then whole, counts once: the fuller one. Candles are
counted from the session's anchor, backwards before it. The volume of a candle on a cumulative feed is the highest up to
its end minus the highest up to its start, within a run of the day's volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.stores.base import Session
from timeseries.stores.tables import ColumnArray

FIELDS = ("kind", "close", "open", "high", "low", "volume", "day_volume")
MINUTE = 60 * 10**9
DAY = 86_400 * 10**9
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume")),
        ("ticks", pa.int64()),
    ]
)
# A point's time is its exchange time + n ns, so the last of a day may stand a little behind the day's end.
MARGIN = 10**9


def candles_of(ticks: pa.Table, *, every: int, start: int, stop: int, sessions: Sequence[Session]) -> pa.Table:
    """Return the candles labelled ``start <= time < stop`` of one series of ticks.

    Args:
        ticks: whole days, and what of their sessions lies before (day volume needs it), ascending by time, with
            ``exchange_time`` (int64 ns) and `FIELDS`.
        every: ns; `DAY` or more makes one candle of each session's day, labelled by its anchor.
        sessions: the days; a tick outside all of them is in no candle.
    """
    columns = _columns(with_each_bar_once(ticks))
    days = [day for session in sessions if (day := _day(columns, every, session)) is not None] if len(ticks) else []
    if not days:
        return SCHEMA.empty_table()
    joined = {name: np.concatenate([day[name] for day in days]) for name in SCHEMA.names}
    order = np.argsort(joined["time"], kind="stable")
    order = order[(joined["time"][order] >= start) & (joined["time"][order] < stop)]
    arrays = [pa.array(joined[name][order], from_pandas=True).cast(SCHEMA.field(name).type) for name in SCHEMA.names]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def with_each_bar_once(ticks: pa.Table) -> pa.Table:
    """Return the ticks with one bar per symbol and stamp: that of the most volume, else of the widest range, else the
    last that came."""
    bars = np.flatnonzero(pc.equal(ticks.column("kind"), "bar").to_numpy())
    if len(bars) < 2 or "ticks" in ticks.column_names:
        return ticks
    table = ticks.take(pa.array(bars))
    stamp, place = table.column("exchange_time").to_numpy(), np.zeros(len(bars), dtype=np.int64)
    if "symbol" in table.column_names:
        place = table.column("symbol").combine_chunks().dictionary_encode().indices.to_numpy()
    traded = [np.nan_to_num(_floats(table, name), nan=-1.0) for name in ("volume", "day_volume")]
    order = np.lexsort((_floats(table, "high") - _floats(table, "low"), *traded[::-1], stamp, place))
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = (np.diff(stamp[order]) != 0) | (np.diff(place[order]) != 0)
    if is_last.all():
        return ticks
    keep = np.ones(len(ticks), dtype=bool)
    keep[bars[order[~is_last]]] = False
    return ticks.filter(pa.array(keep))


def _columns(ticks: pa.Table) -> dict[str, ColumnArray]:
    columns = {name: _floats(ticks, name) for name in FIELDS if name != "kind"}
    bar: ColumnArray = pc.equal(ticks.column("kind"), "bar").to_numpy()
    columns["instant"] = ticks.column("exchange_time").to_numpy() - bar
    if "ticks" in ticks.column_names:  # bars that were counted before: `ticks_of`
        columns["number"] = ticks.column("ticks").to_numpy()
    for name in ("open", "high", "low"):
        columns[name] = np.where(bar, columns[name], columns["close"]) if bar.any() else columns["close"]
    return columns


def _floats(ticks: pa.Table, name: str) -> ColumnArray:
    numbers: ColumnArray = ticks.column(name).to_numpy().astype(np.float64, copy=False)  # null becomes NaN
    return numbers


def _day(columns: dict[str, ColumnArray], every: int, session: Session) -> dict[str, ColumnArray] | None:
    inside = (columns["instant"] >= session.start) & (columns["instant"] < session.stop)
    if not inside.any():
        return None
    before = (columns["instant"] >= session.since) & (columns["instant"] < session.start)
    carried = float(np.fmax.reduce(columns["day_volume"][before], initial=0.0))
    day = columns if inside.all() else {name: column[inside] for name, column in columns.items()}
    instant = day["instant"]
    if (instant[1:] < instant[:-1]).any():  # what a bar tells came before a price of its stamp
        order = np.argsort(instant, kind="stable")
        day = {name: column[order] for name, column in day.items()}
    if every >= DAY:
        label = np.full(len(day["instant"]), session.anchor, dtype=np.int64)
    else:
        # The candle that the day's start cuts is labelled by that start: it is no part of the day before.
        start_of_candle = session.anchor + (day["instant"] - session.anchor) // every * every
        label = np.maximum(start_of_candle, session.start)
    first = np.flatnonzero(np.concatenate(([True], np.diff(label) != 0)))
    last = np.append(first[1:], len(label)) - 1
    return {
        "time": label[first],
        "open": day["open"][first],
        "high": np.fmax.reduceat(day["high"], first),
        "low": np.fmin.reduceat(day["low"], first),
        "close": day["close"][last],
        "volume": _volume(day, first, session, carried),
        "ticks": np.add.reduceat(day["number"], first) if "number" in day else last - first + 1,
    }


def _volume(day: dict[str, ColumnArray], first: ColumnArray, session: Session, carried: float) -> ColumnArray:
    """Return each candle's volume; ``carried`` is the highest day volume of the session before the day began."""
    if not np.isnan(day["day_volume"]).all():
        run = np.searchsorted(session.restarts[1:], day["instant"], side="right")
        cut = np.union1d(first, np.flatnonzero(np.diff(run, prepend=0)))  # a candle may hold the end of one and another
        highest, run = np.fmax.reduceat(day["day_volume"], cut), run[cut]
        steps = np.empty(len(cut))
        for number in np.unique(run):
            floor = 0.0 if number else carried
            reached = np.fmax.accumulate(np.fmax(highest[run == number], floor))
            steps[run == number] = np.diff(reached, prepend=floor)
        volumes: ColumnArray = np.add.reduceat(steps, np.searchsorted(cut, first))
        return volumes
    if not np.isnan(day["volume"]).all():
        # Minute by minute, then these: kept minutes come to the same, to the last digit.
        minute = day["instant"] // MINUTE
        cut = np.union1d(first, np.flatnonzero(np.diff(minute, prepend=minute[0] - 1)))
        sums: ColumnArray = np.add.reduceat(np.nan_to_num(day["volume"]), cut)
        return np.add.reduceat(sums, np.searchsorted(cut, first))
    return np.full(len(first), np.nan)


def days_within(sessions: Sequence[Session], start: int, stop: int) -> list[Session]:
    """Return the sessions that can have a candle labelled ``start <= time < stop``."""
    return [
        session
        for session in sessions
        if min(session.start, session.anchor) < stop and max(session.stop - 1, session.anchor) >= start
    ]


def minutes_of(ticks: pa.Table) -> dict[str, ColumnArray]:
    """Count the ticks minute by minute: ``symbol``, ``time`` (the minute's start, ns UTC), and `MINUTES`'s fields.

    Args:
        ticks: at least one, ascending by time, of one source and account, as `candles_of` takes them and with
            ``symbol`` and ``time``.
    """
    ticks = with_each_bar_once(ticks)
    columns = _columns(ticks)
    symbols = ticks.column("symbol").combine_chunks().dictionary_encode()
    code = symbols.indices.to_numpy()
    minute = columns["instant"] // MINUTE * MINUTE
    order = np.lexsort((columns["instant"], code))  # stable: those of one instant stay in order of time
    code, minute = code[order], minute[order]
    day = {name: column[order] for name, column in columns.items()}
    first = np.flatnonzero(np.concatenate(([True], (np.diff(code) != 0) | (np.diff(minute) != 0))))
    names: ColumnArray = symbols.dictionary.to_numpy(zero_copy_only=False)
    # Each tick is a candle of its own.
    day |= {"ticks": np.ones(len(code), np.int64), "first_time": ticks.column("time").to_numpy()[order]}
    return {"symbol": names[code[first]], "time": minute[first], **joined(day, first)}


def joined(minutes: Mapping[str, ColumnArray], first: ColumnArray) -> dict[str, ColumnArray]:
    """Join minutes, ascending, to the candles that begin at the places ``first``: each field of `MINUTES`."""
    traded = np.add.reduceat((~np.isnan(minutes["volume"])).astype(np.int64), first)
    last = np.append(first[1:], len(minutes["ticks"])) - 1
    return {
        "open": minutes["open"][first],
        "high": np.fmax.reduceat(minutes["high"], first),
        "low": np.fmin.reduceat(minutes["low"], first),
        "close": minutes["close"][last],
        "volume": np.where(traded > 0, np.add.reduceat(np.nan_to_num(minutes["volume"]), first), np.nan),
        "day_volume": np.fmax.reduceat(minutes["day_volume"], first),
        "ticks": np.add.reduceat(minutes["ticks"], first),
        "first_time": np.minimum.reduceat(minutes["first_time"], first),
    }


def ticks_of(minutes: pa.Table) -> pa.Table:
    """Turn whole minutes into the bars that `candles_of` takes, stamped at their end, each with its number of ticks.

    Candles of whole minutes made of them are those made of the ticks themselves.
    """
    ends = pa.array(minutes.column("time").to_numpy() + MINUTE)
    columns = {name: minutes.column(name) for name in FIELDS if name != "kind"}
    kind = pa.array(["bar"] * len(minutes), pa.string())
    return pa.table({"time": ends, "exchange_time": ends, "kind": kind, **columns, "ticks": minutes.column("ticks")})
