"""The reader: points of the store and of the spool's unshipped tail, and the candles that they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeseries.measurements import MINUTES, TICKS
from timeseries.reading.joined_lines import as_first_of_line
from timeseries.reading.points import LAST, PointReader, clamp
from timeseries.spool.hand_overs import SourceLines
from timeseries.stores import candles, minute_rows
from timeseries.stores.base import PointQuery, Session
from timeseries.values import day_of, midnight

SYMBOLS_AT_ONCE = 50  # whose ticks of a day are held together


@dataclass(frozen=True)
class CandleQuestion:
    """What candles are wanted: of ``every`` ns, labelled ``start <= time < stop`` (ns UTC), in these sessions.

    ``source`` None: each day of the source with the day's first tick, and of those that took over from it. There is at
    least one session.
    """

    account: str
    source: str | None
    every: int
    start: int
    stop: int
    sessions: Sequence[Session]

    def bounds(self) -> tuple[int, int]:
        """Return the first instant whose ticks count, and the one after the last; of whole days."""
        first, stop = min(session.since for session in self.sessions), max(session.stop for session in self.sessions)
        return clamp(first), clamp(stop + candles.MARGIN)

    def enough(self) -> int:
        """Return the instant after the last whose ticks count, where those before it tell how volume is read."""
        # The last candle begins before `stop`, and a bar is stamped at its end.
        return clamp((self.stop + self.every if self.every < candles.DAY else LAST) + candles.MARGIN)


class Reader(PointReader):
    """The readings of points, and of candles: those of days that are over from what the store keeps of them."""

    def candles(
        self,
        symbol: str,
        *,
        every: int,
        start: int,
        stop: int,
        source: str | None = None,
        account: str,
        sessions: Sequence[Session],
    ) -> pa.Table:
        """Return candles labelled ``start <= time < stop``; ``every`` in ns, ``sessions`` one per calendar day.

        A tick on a day without a session is in no candle.
        """
        start, stop = clamp(start), clamp(stop)
        days = candles.days_within(sessions, start, stop)
        kept = self._kept_minutes(days, every, {"account": account, "symbol": symbol}, source)
        tables = [
            candles.candles_of(candles.ticks_of(minutes), every=every, start=start, stop=stop, sessions=[day])
            for day, minutes in kept
        ]
        kept_days = {day.start for day, _ in kept}
        days = [day for day in days if day.start not in kept_days]
        if days:
            asked = CandleQuestion(account, source, every, start, stop, days)
            together = self._together([symbol], asked)
            tables.append(self._from_ticks(symbol, asked) if together is None else together.drop_columns(["symbol"]))
        if not tables:
            return candles.SCHEMA.empty_table()
        return pa.concat_tables(tables).sort_by("time") if len(tables) > 1 else tables[0]

    def candles_by_symbol(
        self,
        sessions: Mapping[str, Sequence[Session]],
        *,
        every: int,
        start: int,
        stop: int,
        source: str | None = None,
        account: str,
    ) -> pa.Table:
        """Return the candles of many symbols in one table, ascending by symbol, then by time; see `candles`.

        Its first column is the symbol. ``sessions`` has each symbol's; those with one sequence are read together.
        """
        start, stop = clamp(start), clamp(stop)
        calendars: dict[int, list[str]] = {}
        for symbol in sorted(sessions):
            calendars.setdefault(id(sessions[symbol]), []).append(symbol)
        tables = []
        for symbols in calendars.values():
            days = candles.days_within(sessions[symbols[0]], start, stop)
            asked = CandleQuestion(account, source, every, start, stop, days)
            together = self._together(symbols, asked) if days else None
            if together is None:
                each = [
                    (
                        symbol,
                        self.candles(
                            symbol,
                            every=every,
                            start=start,
                            stop=stop,
                            source=source,
                            account=account,
                            sessions=sessions[symbol],
                        ),
                    )
                    for symbol in symbols
                ]
                together = minute_rows.with_symbol(each)
            tables.append(together)
        if len(tables) == 1:
            return tables[0]
        return pa.concat_tables([minute_rows.WITH_SYMBOL.empty_table(), *tables]).sort_by(
            [("symbol", "ascending"), ("time", "ascending")]
        )

    def _from_ticks(self, symbol: str, asked: CandleQuestion) -> pa.Table:
        tags = {"account": asked.account, "symbol": symbol}
        query, enough = PointQuery(TICKS, *asked.bounds(), tags, candles.FIELDS), asked.enough()
        ticks = self._one_source(replace(query, stop=min(query.stop, enough)), asked.source)
        of_last_day = ticks.filter(pc.greater_equal(ticks.column("exchange_time"), asked.sessions[-1].start))
        if enough < query.stop and 0 < len(of_last_day) == of_last_day.column("day_volume").null_count:
            # Whether volume is the day's so far is told by all of a day's ticks, not by those that were asked for.
            ticks = pa.concat_tables([ticks, self._one_source(replace(query, start=enough), asked.source)])
        return candles.candles_of(ticks, every=asked.every, start=asked.start, stop=asked.stop, sessions=asked.sessions)

    def _together(self, symbols: Sequence[str], asked: CandleQuestion, *, by_day: bool = True) -> pa.Table | None:
        """Return the symbols' candles in one table; None where ticks have to be read for most of the days.

        Days that are over come from what the store keeps of them; the others, and those of which points still wait in
        the spool, from their ticks.
        """
        days = self._desk_days(*asked.bounds())
        if days is None or not minute_rows.are_whole_minutes(asked.every, asked.sessions):
            return None
        by_day = by_day and asked.every >= candles.DAY and self._are_whole_days(asked.sessions)
        tags = {"account": asked.account} | ({} if asked.source is None else {"source": asked.source})
        first, last = midnight(days[0], self.zone), midnight(days[-1] + timedelta(days=1), self.zone)
        whole = PointQuery(TICKS, first, last, tags, candles.FIELDS, tuple(symbols))
        waiting = {first.day for first in self._first_points(self._tail(whole))}
        closed = self.store.closed_days(whole, by_day=by_day)  # after the tail: see the class
        if closed is None:
            return None
        lines = SourceLines.of_spool(self.spool) if asked.source is None else SourceLines({})
        shared = {day_of(day, self.zone) for day in minute_rows.days_of_several(closed.candles, lines.lines)}
        uncounted = sorted({*closed.uncounted, *waiting, *shared})
        are_most = len(symbols) == 1 and len(uncounted) > len(pc.unique(closed.candles.column("day")))
        if are_most or any(midnight(day, self.zone) < self.store.ticks_from() for day in shared):
            return None
        again = pa.array([midnight(day, self.zone) for day in uncounted], pa.int64())
        tables = [closed.candles.filter(pc.invert(pc.is_in(closed.candles.column("day"), again)))]
        for day in uncounted:
            tables += self._counted(whole, day, asked.bounds(), lines)
        rows = pa.concat_tables([table.cast(minute_rows.COLUMNS) for table in tables])
        rows = minute_rows.by_symbol_and_time(minute_rows.of_first_source(rows, "day", "first_time"))
        if by_day and minute_rows.begin_before_their_day(rows):
            return self._together(symbols, asked, by_day=False)
        if by_day:
            return minute_rows.day_candles(rows, asked.sessions, start=asked.start, stop=asked.stop)
        in_part, by_symbol = minute_rows.in_part(rows), []
        places = np.searchsorted(rows.column("symbol").to_numpy(zero_copy_only=False), symbols, side="left")
        for symbol, first, last in zip(symbols, places, (*places[1:], len(rows)), strict=True):
            if symbol in in_part:  # a minute that two days share is whole in the ticks alone
                by_symbol.append((symbol, self._from_ticks(symbol, asked)))
                continue
            ticks = candles.ticks_of(rows.slice(first, last - first))
            span = {"every": asked.every, "start": asked.start, "stop": asked.stop}
            by_symbol.append((symbol, candles.candles_of(ticks, **span, sessions=asked.sessions)))
        return minute_rows.with_symbol(by_symbol)

    def _counted(self, whole: PointQuery, day: date, bounds: tuple[int, int], lines: SourceLines) -> Iterator[pa.Table]:
        """Yield the minutes of a day's ticks within the bounds, of the source that has the day's first tick."""
        begin, end = midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone)
        inside = replace(whole, start=max(begin, bounds[0]), stop=min(end, bounds[1]))
        if inside.stop - inside.start <= candles.MARGIN and not len(self._points(replace(inside, fields=()))):
            return  # nearly always: of the day after the last one only what is stamped at its first midnight counts
        for first in range(0, len(whole.symbols or ()), SYMBOLS_AT_ONCE):
            symbols = (whole.symbols or ())[first : first + SYMBOLS_AT_ONCE]
            points = self._points(replace(whole, start=begin, stop=end, symbols=symbols))
            ticks = minute_rows.of_first_source(as_first_of_line(points, lines))
            time = ticks.column("time")
            is_inside = pc.and_(pc.greater_equal(time, inside.start), pc.less(time, inside.stop))
            yield minute_rows.counted(ticks.filter(is_inside), begin)

    def _are_whole_days(self, sessions: Sequence[Session]) -> bool:
        """Tell whether each session is a day of the desk, within which no volume starts anew."""
        for session in sessions:
            day, since = day_of(session.start, self.zone), day_of(session.since, self.zone)
            bounds = midnight(since, self.zone), midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone)
            if bounds != (session.since, session.start, session.stop) or len(session.restarts) > 1:
                return False
        return True

    def _desk_days(self, start: int, stop: int) -> list[date] | None:
        """Return the days of the desk in ``start <= time < stop``; None beyond the years of the calendar."""
        try:
            first, last = day_of(start, self.zone), day_of(max(start, stop - 1), self.zone)
            midnight(last + timedelta(days=1), self.zone)
        except (ValueError, OverflowError):
            return None
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def _kept_minutes(
        self, days: Sequence[Session], every: int, tags: dict[str, str], source: str | None
    ) -> list[tuple[Session, pa.Table]]:
        """Return the days whose ticks may be gone, each with its kept minutes of one source; none that has no minute.

        Only candles of whole minutes, counted from a whole minute, can be made of minutes.
        """
        oldest = self.store.ticks_from()
        aged = [day for day in days if day.since < oldest and day.anchor % candles.MINUTE == 0]
        if not aged or every % candles.MINUTE:
            return []
        tags = tags if source is None else {**tags, "source": source}
        first, last = min(day.since for day in aged), max(day.stop for day in aged)
        minutes = self.store.minutes(PointQuery(MINUTES, clamp(first), clamp(last), tags))
        kept, lines = [], SourceLines.of_spool(self.spool) if source is None else SourceLines({})
        for day in aged:
            time = minutes.column("time")
            traded = minutes.filter(pc.and_(pc.greater_equal(time, day.start), pc.less(time, day.stop)))
            if len(traded):
                first = traded.sort_by([("first_time", "ascending"), ("source", "ascending")]).column("source")[0]
                line = pa.array(lines.of(first.as_py()), pa.string())
                inside = pc.and_(pc.greater_equal(time, day.since), pc.less(time, day.stop))
                of_line = minutes.filter(pc.and_(inside, pc.is_in(minutes.column("source"), line)))
                kept.append((day, of_line.sort_by([("time", "ascending"), ("first_time", "ascending")])))
        return kept
