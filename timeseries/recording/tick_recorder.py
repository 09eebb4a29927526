"""The tick path: validate, stamp and frame a tick, and nothing that could make a strategy wait."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from timeseries.errors import InvalidValue, StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.recording.source import LOOK_BITS, SourceUser
from timeseries.recording.tick import (
    CAREFUL,
    SURE_MAX,
    SURE_MAX_FLOAT,
    TIMESTAMP,
    MayBeNegative,
    Shape,
    careful_shape,
    read_tick,
    shape_of,
    without_absent,
)
from timeseries.recording.writer import LaneWriter, StorageFault
from timeseries.spool.counter import DOUBT, ISSUED, UNREAD
from timeseries.spool.feed_keys import COUNTED, TIMES
from timeseries.spool.frames import TickLayout, with_crc
from timeseries.spool.ordinals import NextOrdinal, Series
from timeseries.values import (
    AHEAD_NS,
    DAYS_TO_2000,
    EPOCH_UTC,
    FIRST_NS,
    MICROSECOND,
    NO_DAY,
    Input,
    Instant,
    ParseSymbol,
    TickDict,
    day_end,
    ns_by_magnitude,
    parse_name,
    parse_time,
    utc,
    wall_day,
)

SHAPES_MAX = 1024
DAY_NS = 86_400 * 10**9
NOON = time(12)


class TickRecorder(SourceUser):
    """The recorder of single ticks of one source and account."""

    def __init__(
        self,
        root: Path,
        source: str,
        account: str,
        zone: ZoneInfo,
        *,
        cumulative: bool,
        restarts: bool,
        raises: bool,
        max_bytes: int | None,
        segment_bytes: int,
        clock: Callable[[], int],
        history: NextOrdinal | None,
        look_after: Callable[[], None] | None,
        may_be_negative: MayBeNegative,
        bar_period: int,
        parse_symbol: ParseSymbol,
    ) -> None:
        super().__init__(
            root,
            source,
            raises=raises,
            max_bytes=max_bytes,
            segment_bytes=segment_bytes,
            clock=clock,
            look_after=look_after,
        )
        self.account, self.zone, self.history = account, zone, history
        self.cumulative, self.restarts, self.may_be_negative = cumulative, restarts, may_be_negative
        self.bar_period = bar_period
        self.parse_symbol = parse_symbol
        self._day = NO_DAY
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._shape = CAREFUL  # that of the last tick
        self._series: dict[str, Series] = {}
        self._symbols: dict[str, Series] = {}  # those that the open segment of ticks defines
        self._ticks: LaneWriter | None = None
        self._runs: dict[str, int] = {}

    def tick(  # noqa: PLR0911, PLR0912, PLR0915
        self, symbol: str, tick: TickDict, at: Instant | None = None
    ) -> bool:
        """Record a tick: True once it survives the death of this process, False on a storage fault.

        The tick's time is ``at``, else its ``timestamp``, else what the feed calls it (`feed_keys.TIMES`), else the
        clock. A bar's is its end; a date stands for a bar's day. A bid or ask of 0, -1 or NaN and a last quantity of 0
        mean none. Keys that mean nothing here are ignored, those that may mean a time or a price are counted
        (`feed_keys.COUNTED`).

        Raises:
            InvalidValue, AmbiguousTick: nothing was written.
            SourceBusy: another process records under this source.
            RecorderClosed: after `close`.
        """
        # One long function on purpose: it runs for every tick of a feed, and each call in it would cost a tenth of it.
        # It takes only what is surely right; the unusual, the wrong and the first of its kind go to `_tick`, which
        # alone decides what to refuse.
        shape = self._shape
        try:
            if len(tick) != shape.count:
                raise KeyError
            values = shape.values(tick)
        except (KeyError, TypeError):
            values = None
        if values is None:
            shape = self._shape_of(tick)
            try:
                values = shape.values(tick)
            except (KeyError, TypeError):
                values = None
            if values is None:
                return self._tick(symbol, tick, at)
        if shape.single:
            values = (values,)
        for value in values:
            if type(value) is float:
                if 0.0 < value <= SURE_MAX_FLOAT:
                    continue
            elif type(value) is int and 0 < value <= SURE_MAX:
                continue
            if shape.allows(values):
                break
            return self._tick(symbol, tick, at)
        if shape.bar:
            close, first, high, low = values[:4]
            if not low <= first <= high or not low <= close <= high:
                return self._tick(symbol, tick, at)
        received = self._clock()
        if received >> LOOK_BITS != self._looked:  # once a second the careful way looks at files and companion
            return self._tick(symbol, tick, at)
        try:
            instant: Any = tick[shape.time] if shape.time else at
        except KeyError:  # as many keys, but another one in place of the time's: a volume, say
            return self._tick(symbol, tick, at)
        if at is not None:
            instant = at
        if instant is None:
            if shape.time:  # another key may have the time
                return self._tick(symbol, tick, at)
            instant = received
        elif type(instant) is not int:
            if type(instant) is not datetime:
                return self._tick(symbol, tick, at)
            if instant.tzinfo is None:
                midnight, start_ns = self._day
                since = instant - midnight
                if since.days:
                    return self._tick(symbol, tick, at)
                instant = start_ns + (since.seconds * 1_000_000 + since.microseconds) * 1000
            else:
                try:
                    since = instant - EPOCH_UTC
                except TypeError:  # its zone does not know its offset
                    since = MICROSECOND
                days = since.days
                if days < DAYS_TO_2000:
                    return self._tick(symbol, tick, at)
                instant = ((days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
        elif instant < FIRST_NS:
            return self._tick(symbol, tick, at)
        if instant > received + AHEAD_NS:
            return self._tick(symbol, tick, at)
        try:
            with self._guard:
                series = self._symbols.get(symbol)
                if series is not None:
                    lane: LaneWriter = self._ticks  # type: ignore[assignment]
                    segment: Any = lane.segment
                    start = segment.position
                    end = start + shape.size
                    if end <= segment.limit and not lane.words[DOUBT]:
                        if instant > series.newest:
                            series.newest = instant
                            series.counts[instant] = 1
                            ordinal = 0
                            series.latest = (instant, 0, received, shape.layout, values)
                        else:
                            ordinal = self._late(lane, series, instant, received, shape.layout, values)
                        sequence = lane.sequence + 1
                        head = (shape.prefix, sequence, instant, received, series.number, shape.bitmap, ordinal)
                        body = shape.pack(*(head + values))
                        segment.map[start:end] = body + crc32(body, segment.seed).to_bytes(4, "little")
                        # The frame, then the counter; no signal comes between these, for nothing here is called.
                        lane.sequence = sequence
                        segment.position = end
                        lane.words[ISSUED] = sequence
                        return True
        except StorageFault as fault:
            return self.refuse(TICKS, fault, 1)
        except TypeError:
            pass  # a symbol that cannot be looked up
        return self._tick(symbol, tick, at)

    def leading_ticks(self, ticks: Sequence[tuple[str, TickDict]]) -> int:
        """Record ticks, each with its symbol, up to the first that `tick` has to look at; return how many.

        They are what `tick` would record, received a nanosecond apart. It costs less, for the source is taken once.
        """
        # The second long function of the tick path, for the messages of a feed. It takes what is as the last tick was.
        shape, received, done = self._shape, self._clock(), 0
        if shape.single or shape.bar or received >> LOOK_BITS != self._looked:
            return 0
        count, values_of, time_key = shape.count, shape.values, shape.time
        layout, pack, size = shape.layout, shape.pack, shape.size
        try:
            with self._guard:
                lane, symbols = self._ticks, self._symbols
                if not symbols or lane is None or lane.segment is None or lane.words[DOUBT]:
                    return 0
                segment, words, start, sequence = lane.segment, lane.words, lane.segment.position, lane.sequence
                for symbol, tick in ticks:
                    values, series, end = values_of(tick), symbols.get(symbol), start + size
                    if len(tick) != count or series is None or end > segment.limit:
                        break
                    for number in values:
                        if type(number) is float:
                            if 0.0 < number <= SURE_MAX_FLOAT:
                                continue
                        elif type(number) is int and 0 < number <= SURE_MAX:
                            continue
                        return done
                    instant = tick[time_key] if time_key else received
                    if type(instant) is not int or not FIRST_NS <= instant <= received + AHEAD_NS:
                        break
                    if instant > series.newest:
                        series.newest = instant
                        series.counts[instant] = 1
                        ordinal = 0
                        series.latest = (instant, 0, received, layout, values)
                    else:
                        ordinal = self._late(lane, series, instant, received, layout, values)
                    sequence += 1
                    head = (shape.prefix, sequence, instant, received, series.number, shape.bitmap, ordinal)
                    body = pack(*(head + values))
                    segment.map[start:end] = body + crc32(body, segment.seed).to_bytes(4, "little")
                    # As in `tick`: no signal comes between these.
                    lane.sequence = sequence
                    segment.position = start = end
                    words[ISSUED] = sequence
                    done += 1
                    received += 1
        except (KeyError, TypeError, StorageFault):  # `tick` says what it is about
            pass
        return done

    def latest(self, symbol: str) -> dict[str, Any] | None:
        """Return this recorder's newest tick by exchange time, or None.

        Keys: symbol, source, account, kind, time, exchange_time, received_time (ns UTC) and the fields it had.
        """
        series = self._series.get(parse_name(symbol, "symbol"))
        if series is None or series.latest is None:
            return None
        return {"symbol": series.key[1], "source": self.source, "account": self.account, **series.newest_tick()}

    def symbols(self) -> list[str]:
        """Return the symbols of which this recorder has recorded ticks."""
        return list(self._series)

    def _tick(
        self, symbol: str, tick: TickDict, at: Instant | None, mark: Callable[[LaneWriter], None] | None = None
    ) -> bool:
        """Record a tick field by field, and remember its shape and symbol for the next; ``mark`` is called before."""
        name = self.parse_symbol(symbol)
        present = without_absent(tick)
        if present is not tick and mark is None:  # a shape of its own, which goes the quick way from the next on
            return self.tick(symbol, present, at)
        tick = present
        layout, values = read_tick(tick, cumulative=self.cumulative, symbol=name, may_be_negative=self.may_be_negative)
        moment, received, instant = self._when(tick, at, bar=layout.bar)
        unread = self._learn(tick, moment)
        try:
            with self.writing(TICKS) as lane:
                self._ticks = lane
                series = lane.ordinals.series((self.account, name), run=self.replay_start(lane))
                series.number = lane.place(series.key, layout.size, instant)
                ordinal = self._late(lane, series, instant, received, layout, values)
                head = (layout.prefix, lane.sequence + 1, instant, received, series.number, layout.bitmap, ordinal)
                if mark is not None:
                    mark(lane)
                lane.put(with_crc(layout.pack(*head, *values), lane.seed))
                if not any(symbols is self._symbols for symbols in lane.hot):
                    lane.hot.append(self._symbols)
                self._symbols[symbol] = self._symbols[name] = self._series[name] = series
        except StorageFault as fault:
            return self.refuse(TICKS, fault, 1)
        self.count_unread(unread)
        self.after_record()
        return True

    def _late(
        self,
        lane: LaneWriter,
        series: Series,
        instant: int,
        received: int,
        layout: TickLayout,
        values: tuple[float, ...],
    ) -> int:
        """Return n of a tick that may not be the series' newest, and remember it where it is."""
        try:
            ordinal = lane.late(series, instant, self.history)
        except StoreUnavailable as error:
            raise StorageFault(error) from error
        if series.latest is None or instant >= series.latest[0]:
            series.latest = (instant, ordinal, received, layout, values)
        return ordinal

    def forget_segments(self) -> None:
        self._symbols.clear()
        if self._ticks is not None:
            self._ticks.hot = [symbols for symbols in self._ticks.hot if symbols is not self._symbols]

    def replay_start(self, lane: LaneWriter) -> int | None:
        """Return the sequence from which this replay counts; None for a recorder that goes on from what is there."""
        return self._runs.setdefault(lane.measurement.name, lane.sequence) if self.restarts else None

    def _when(self, tick: TickDict, at: Input, *, bar: bool) -> tuple[Input, int, int]:
        """Return what gives the tick's time (None: the clock), the clock, and the instant (both in ns UTC).

        A bar's instant is its end: its stamp, unless bars are stamped at their start; a day's is the next midnight.
        """
        received = self._clock()
        field = "at"
        if at is None:
            at, field = tick.get(TIMESTAMP), TIMESTAMP
        if at is not None:
            if bar and type(at) is date:
                noon = datetime.combine(at, NOON, self.zone)
                parse_time(noon, self.zone, received, field)
                return at, received, day_end(at, self.zone)
            instant = parse_time(at, self.zone, received, field)
            if bar and self.bar_period >= DAY_NS:
                instant = day_end(utc(instant).astimezone(self.zone).date(), self.zone)
            elif bar:
                instant += self.bar_period
            return at, received, instant
        for key in TIMES:
            at = tick.get(key)
            with contextlib.suppress(InvalidValue):
                count = ns_by_magnitude(at) if type(at) is int else at
                return at, received, parse_time(count, self.zone, received, key)
        return None, received, received

    def _shape_of(self, tick: TickDict) -> Shape:
        """Return the remembered shape of such ticks, `CAREFUL` where there is none."""
        try:
            shape = self._shapes[tuple(tick)]
        except (KeyError, TypeError):
            return CAREFUL
        if shape.counted:
            self.count_unread(shape.counted)
        self._shape = shape
        return shape

    def _learn(self, tick: TickDict, at: Input) -> tuple[int, ...]:
        """Remember the tick's shape and day; return the places of its unread keys that no shape counts."""
        keys = tuple(tick)
        unread = [COUNTED.index(key) for key in TIMES if at is None and tick.get(key) is not None]
        if keys not in self._shapes:
            if len(self._shapes) >= SHAPES_MAX:
                self._shapes.clear()
            shape = shape_of(keys, cumulative=self.cumulative)
            is_careful = shape is None or (shape.bar and self.bar_period)
            self._shapes[keys] = careful_shape(keys) if shape is None or is_careful else shape
            unread.extend(self._shapes[keys].counted)
        self._shape = self._shapes[keys]
        if isinstance(at, datetime) and at.tzinfo is None:
            self._day = wall_day(self.zone, at.date()) or self._day
        return tuple(unread)

    def count_unread(self, places: Collection[int], count: int = 1) -> None:
        """Count, for other processes to see, ``count`` ticks with the unread keys at these places."""
        lane = self._ticks
        if lane is None:
            return
        with contextlib.suppress(ValueError):  # its file was closed meanwhile
            for place in places:
                lane.words[UNREAD + place] += count
