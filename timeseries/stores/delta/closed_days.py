"""Candles of days that are over, kept beside the ticks: a file of minutes per day, and one per month of a row per day.

A file tells of each day the state of the ticks that it was counted from (`Snapshot.day_states`). Where the table's
state is another, because late ticks were written since, the day's candles are read from ticks until it is counted
again: so a kill between ticks and candles, or a candle file put back from an old copy, makes no wrong candle. A day
counts the points of its own partition: the minute before a midnight may be in two days' files, in block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from timeseries.measurements import MINUTES, TICKS, IntArray
from timeseries.spool.locks import FileLock
from timeseries.stores import candles
from timeseries.stores.base import CandleFault, ClosedDays, PointQuery
from timeseries.stores.candles import MARGIN, MINUTE
from timeseries.stores.delta.candle_file import ROW, CandleRows, NotWhole, SeriesName, open_candles, write_candles
from timeseries.stores.delta.damage import Inspector
from timeseries.stores.delta.query import Engine, as_reading, rows_of, selection_of
from timeseries.stores.delta.table import MeasurementTable
from timeseries.values import day_of, midnight

FOLDER, LOCK = "candles", "lock"
COUNTED_MAX = 250_000  # about as many ticks are held at once
OF_MINUTES = "minutes of "  # before the state of a day that has no row of its own: a minute of the day before is in it

log = structlog.get_logger("system")


class SeriesRows(NamedTuple):
    """Rows of one series, and of each row when its day begins (ns UTC)."""

    series: SeriesName
    rows: CandleRows
    day: IntArray


class CandleKeeper:
    """The keeper of one store's candles of closed days. Several processes may read and count at once.

    Args:
        root: the folder of the store.
        table: the table of ticks, for reading.
        engine: what ticks are read back with.
        zone: the desk's zone, whose dates partition the table.
    """

    def __init__(
        self, root: Path, table: MeasurementTable, inspector: Inspector, engine: Engine, zone: ZoneInfo
    ) -> None:
        self.folder, self.table, self.inspector, self.engine, self.zone = root / FOLDER, table, inspector, engine, zone
        self._seen: Mapping[date, str] = {}  # the states of the last look: a day that moves is left for a later one

    def read(self, query: PointQuery, *, by_day: bool) -> ClosedDays:
        """Return what is kept of the days that the query's times touch; see `Store.closed_days`."""
        states = self._states()
        first, last = _day(query.start, self.zone), _day(query.stop - 1, self.zone)
        left = sorted(day for day in states if first <= day <= last)
        blocks: list[SeriesRows] = []
        if by_day:
            for path in dict.fromkeys(map(self._month_path, left)):
                blocks += self._read(path, query, left, states)
        for day in tuple(left):
            blocks += self._read(self._day_path(day), query, left, states)
        return ClosedDays(tuple(left), _table(blocks))

    def _read(self, path: Path, query: PointQuery, left: list[date], states: Mapping[date, str]) -> list[SeriesRows]:
        """Return what a file has of the days that are ``left``, and take those off; a file that is not whole goes."""
        file = open_candles(path)
        days = [day for day in left if states[day] and file.counted.get(day) == states[day]] if file else []
        if file is None or not days:
            return []
        begins = np.array([midnight(day, self.zone) for day in days])
        is_of_days = path.parent.name == "days"
        is_whole = {day for day, state in file.counted.items() if not state.startswith(OF_MINUTES)} == {*days}
        blocks = []
        try:
            for series, rows in file.read(query.tags["account"], query.symbols or (), query.tags.get("source")):
                if is_of_days:
                    ours = rows if is_whole else rows[np.isin(rows["time"], begins)]
                    blocks.append(SeriesRows(series, ours, ours["time"]))
                else:
                    blocks.append(SeriesRows(series, rows, np.full(len(rows), begins[0])))
        except (NotWhole, FileNotFoundError) as error:
            log.error("kept candles are damaged: they are counted again", file=path.name, error=str(error))
            path.unlink(missing_ok=True)
            return []
        left[:] = [day for day in left if day not in set(days)]
        return blocks

    def keep(self, *, now: int) -> int:
        """Count the days that are over at ``now`` (ns UTC) and have no candles of theirs; return how many they were.

        A day that was written to since the last look is left for the next one. Raises: StoreUnavailable, OSError.
        """
        states, today = self._states(), day_of(now, self.zone)
        closed = [day for day, state in sorted(states.items()) if state and day < today]
        quiet = [day for day in closed if self._seen.get(day, states[day]) == states[day]]
        self._seen = states
        counted = 0
        for day in quiet:
            if not self._is_current(self._day_path(day), day, states[day]):
                with self._alone():
                    state = self._states().get(day)
                    rows = self._count(day) if state else None
                    if rows is not None and state:
                        write_candles(self._day_path(day), {day: state}, rows)
                        counted += 1
        for path in dict.fromkeys(map(self._month_path, quiet)):
            days = [day for day in quiet if self._month_path(day) == path]
            if not all(self._is_current(path, day, states[day]) for day in days):
                with self._alone():
                    self._join_month(path, [day for day in closed if self._month_path(day) == path], states)
        for file in sorted(self.folder.glob("*/*.candles")):
            if file.parent.name == "minutes" and date.fromisoformat(file.stem) not in states:
                file.unlink(missing_ok=True)  # the retention has removed the day
        return counted

    def check(self) -> list[CandleFault]:
        """Count every kept day again and return those whose candles are others. Raises: StoreUnavailable."""
        faults = []
        for day, state in sorted(self._states().items()):
            path = self._day_path(day)
            file = open_candles(path)
            if file is None or not state or file.counted.get(day) != state:
                continue
            expected = self._count(day)
            if expected is None or self._states().get(day) != state:
                continue
            kept, by_day = _whole(path), _rows_of_days(expected, midnight(day, self.zone))
            differing = {s for s in {*kept, *expected} if not _same(kept.get(s), expected.get(s))}
            if by_day is not None and self._is_current(self._month_path(day), day, state):
                for series, rows in _whole(self._month_path(day)).items():
                    if not _same(rows[rows["time"] == midnight(day, self.zone)], by_day.get(series)):
                        differing.add(series)
            if differing:
                faults.append(CandleFault(day, tuple(sorted({series.symbol for series in differing}))))
        return faults

    @contextmanager
    def changing_ticks(self, *, account: str | None = None, day: date | None = None) -> Iterator[None]:
        """Forget the candles of an account, of a day, or (neither) all, while their ticks are taken away.

        Nothing is counted meanwhile; ticks that are taken away leave the state of their day as it was.
        """
        if not self.folder.parent.exists():  # there is no store yet, and this is no reason to make one
            yield
            return
        with self._alone():
            for file in sorted(self.folder.glob("*/*.candles")):
                index = open_candles(file)
                if index is None or (account is None and day is None):
                    is_stale = True
                elif account is not None:
                    is_stale = any(series.account == account for series in index.blocks)
                else:
                    is_stale = day in index.counted
                if is_stale:
                    file.unlink(missing_ok=True)
            yield

    def _count(self, day: date) -> dict[SeriesName, CandleRows] | None:
        """Count the minutes of a day's ticks; None where a file of them is damaged, or has no whole minutes."""
        snapshot = self.table.snapshot()
        begin, end = midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone)
        if snapshot is None or begin % MINUTE or end % MINUTE:
            return None
        files = snapshot.all_files.filter(pc.equal(snapshot.all_files.column("partition.day"), pa.scalar(day)))
        if len(self.inspector.damaged(files)):
            return None
        blocks: dict[SeriesName, list[CandleRows]] = {}
        for start, stop in _stretches(files, begin, end):
            query = PointQuery(TICKS, start, min(stop + MARGIN, end), {}, candles.FIELDS)
            files_inside = files.filter(
                pc.and_(
                    pc.less(files.column("min.time"), query.stop),
                    pc.greater_equal(files.column("max.time"), query.start),
                )
            )
            if not len(files_inside):
                continue
            question = rows_of(self.table, selection_of(self.table, files_inside), query)
            ticks = as_reading(self.engine.ask(f"{question.sql} ORDER BY time", question.parameters), question, query)
            instant = ticks.column("exchange_time").to_numpy() - pc.equal(ticks.column("kind"), "bar").to_numpy()
            # What a day's first stretch holds of the day before, and its last of the day after, is counted with it.
            inside = ((instant >= start) | (start == begin)) & ((instant < stop) | (stop == end))
            for series, rows in _minutes_of(ticks.filter(pa.array(inside))):
                blocks.setdefault(series, []).append(rows)
        return {series: np.concatenate(blocks[series]) for series in sorted(blocks)}

    def _join_month(self, path: Path, days: Iterable[date], states: Mapping[date, str]) -> None:
        """Replace the file of a month by the rows of those of its days whose minutes are kept."""
        counted: dict[date, str] = {}
        blocks: dict[SeriesName, list[CandleRows]] = {}
        for day in days:
            if not self._is_current(self._day_path(day), day, states[day]):
                continue
            by_day = _rows_of_days(_whole(self._day_path(day)), midnight(day, self.zone))
            counted[day] = states[day] if by_day is not None else OF_MINUTES + states[day]
            for series, row in (by_day or {}).items():
                blocks.setdefault(series, []).append(row)
        write_candles(path, counted, {series: np.concatenate(blocks[series]) for series in sorted(blocks)})

    def _is_current(self, path: Path, day: date, state: str) -> bool:
        file = open_candles(path)
        return file is not None and file.counted.get(day) in (state, OF_MINUTES + state)

    def _states(self) -> Mapping[date, str]:
        snapshot = self.table.snapshot()
        return {} if snapshot is None else snapshot.day_states

    def _day_path(self, day: date) -> Path:
        return self.folder / "minutes" / f"{day.isoformat()}.candles"

    def _month_path(self, day: date) -> Path:
        return self.folder / "days" / f"{day:%Y-%m}.candles"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of whoever counts, and of whoever takes ticks away."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / LOCK) as lock:
            lock.take(patient=True)
            yield


def _day(instant: int, zone: ZoneInfo) -> date:
    """Return the date of any instant; those beyond the calendar are its first and its last day."""
    try:
        return day_of(instant, zone)
    except (ValueError, OverflowError, OSError):
        return date.min if instant < 0 else date.max


def _whole(path: Path) -> dict[SeriesName, CandleRows]:
    """Read all rows of a file; empty where it is gone or not whole."""
    file = open_candles(path)
    if file is None:
        return {}
    try:
        return {
            series: rows
            for account in {series.account for series in file.blocks}
            for series, rows in file.read(account, [s.symbol for s in file.blocks if s.account == account], None)
        }
    except (NotWhole, FileNotFoundError):
        path.unlink(missing_ok=True)
        return {}


def _same(left: CandleRows | None, right: CandleRows | None) -> bool:
    """Tell whether two blocks of rows are the same to the last bit; none and no row are the same."""
    return (b"" if left is None else left.tobytes()) == (b"" if right is None else right.tobytes())


def _stretches(files: pa.Table, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield spans of whole minutes that make up the day, each with about `COUNTED_MAX` ticks."""
    rows, reached, start = files.sort_by("max.time").select(["num_records", "max.time"]).to_pylist(), 0, begin
    for row in rows:
        reached += row["num_records"]
        stop = row["max.time"] // MINUTE * MINUTE
        if reached >= COUNTED_MAX and start < stop < end:
            yield start, stop
            start, reached = stop, 0
    yield start, end


def _minutes_of(ticks: pa.Table) -> Iterator[tuple[SeriesName, CandleRows]]:
    """Count ticks, ascending by time, and yield each series' minutes, ascending."""
    for account in pc.unique(ticks.column("account")).to_pylist():
        of_account = ticks.filter(pc.equal(ticks.column("account"), account))
        for source in pc.unique(of_account.column("source")).to_pylist():
            minutes = candles.minutes_of(of_account.filter(pc.equal(of_account.column("source"), source)))
            rows = np.empty(len(minutes["time"]), ROW)
            for name in ROW.names or ():
                rows[name] = minutes[name]
            names = minutes["symbol"]
            cuts = np.flatnonzero(names[1:] != names[:-1]) + 1
            for first, of_symbol in zip((0, *cuts.tolist()), np.split(rows, cuts), strict=True):
                yield SeriesName(account, source, names[first]), of_symbol


def _rows_of_days(minutes: Mapping[SeriesName, CandleRows], begin: int) -> dict[SeriesName, CandleRows] | None:
    """Join each series' minutes to the row of its day; None where a minute of the day before is among them."""
    days: dict[SeriesName, CandleRows] = {}
    for series, rows in minutes.items():
        if rows["time"][0] < begin:
            return None
        day = np.empty(1, ROW)
        day["time"] = begin
        for name, joined in candles.joined(
            {name: rows[name] for name in ROW.names or ()}, np.zeros(1, np.int64)
        ).items():
            day[name] = joined
        days[series] = day
    return days


def _table(blocks: list[SeriesRows]) -> pa.Table:
    """Return the rows as one table, as `ClosedDays` describes it."""
    rows = np.frombuffer(b"".join(block.rows.tobytes() for block in blocks), ROW)  # concatenating compares their types
    lengths = [len(block.rows) for block in blocks]
    columns: dict[str, pa.Array] = {}
    for tag in ("symbol", "source"):
        names: dict[str, int] = {}
        codes = [names.setdefault(getattr(block.series, tag), len(names)) for block in blocks]
        indexes = pa.array(np.repeat(np.array(codes, np.int32), lengths))
        columns[tag] = pa.DictionaryArray.from_arrays(indexes, pa.array(list(names), pa.string()))
    columns["day"] = pa.array(np.concatenate([block.day for block in blocks]) if blocks else np.empty(0, np.int64))
    for name in ("time", *(field.name for field in MINUTES.fields)):
        columns[name] = pa.array(np.ascontiguousarray(rows[name]))
    return pa.table(columns)
