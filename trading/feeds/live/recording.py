"""Decoded messages of a feed into the spool: each quote once, and counts of everything that was not recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

import structlog

from timeseries.values import instant_text
from trading.data_manager import DataManager
from trading.domain.chain import JSON
from trading.errors import InvalidValue
from trading.feeds.live.decoded import SECOND, Decoded, Quote
from trading.feeds.live.lines import REFUSED
from trading.newest import Point

TICKS_AT_ONCE = 256  # as many hold the source, which other threads may want
_LOG_EVERY_NS = 60 * SECOND
_log = structlog.get_logger("market_data")
OrderSink = Callable[[Mapping[str, JSON]], None]


class FeedCounts(TypedDict):
    """What became of a feed's messages. ``stamped_here`` are recorded quotes that came without a time; ``repeated``
    those that a new subscription told again; ``gaps`` are stretches without the feed, by their reason."""

    messages: int
    recorded: int
    stamped_here: int
    repeated: int
    orders: int
    damaged: dict[str, int]
    left_out: dict[str, int]
    refused: dict[str, int]
    unknown_fields: int
    gaps: list[FeedCut]


class FeedCut(TypedDict):
    """A stretch in which nothing came because of the connection, in ISO UTC; it ends with the first quote after it."""

    start: str
    stop: str
    reason: str


@dataclass(slots=True)
class FeedRecorder:
    """The recorder of one feed's decoded messages. It is told when the connection comes and goes, and the time.

    ``is_trading`` tells of an instant (ns UTC) whether quotes without a time may be of it: outside the session a feed
    repeats yesterday's.
    """

    dm: DataManager
    feed: str
    is_trading: Callable[[int], bool] = lambda _: True
    take_order: OrderSink | None = None
    stamps: bool = False  # a replay gives the instant of receipt to quotes that have no time
    recorded: int = 0
    stamped_here: int = 0
    repeated: int = 0
    messages: int = 0
    orders: int = 0
    unknown_fields: int = 0
    damaged: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    gaps: list[FeedCut] = field(default_factory=list)
    has_moved: bool = False  # a quote was another than the one before of its symbol, since who watches took it back
    heard_ns: int = 0  # when the last message came
    _former: dict[str, Quote] = field(default_factory=dict)  # the newest quotes that were recorded before
    _awaited: set[str] = field(default_factory=set)  # symbols of which a new subscription has told nothing yet
    _cut: tuple[int, str] | None = None
    _logged_ns: int = 0
    _remark: str = ""
    _remarked_ns: int = 0
    _unlogged: Counter[str] = field(default_factory=Counter)

    def know(self, symbols: list[str]) -> None:
        """Look up the newest quotes that this source has recorded, so that a restart records none of them again.

        A store that is away keeps no feed from being recorded.
        """
        points = self.dm.telemetry.newest.ticks_of_source(self.dm.source, symbols)
        self._former.update({symbol: _quote_of(point) for symbol, point in points.items()})

    def connected(self, now_ns: int) -> None:
        """Note a new subscription: the first quote of each symbol may be one that is recorded already."""
        self._awaited = {*self._former, *self.dm.telemetry.recorder.symbols()}
        self.heard_ns = now_ns

    def cut(self, reason: str, now_ns: int) -> None:
        """Note that nothing comes any more, for this reason; the gap begins with the last message.

        A gap that goes on since the broker takes the credentials no longer is told as `refused`, whatever began it.
        """
        if self._cut is None or (reason == REFUSED and self._cut[1] != reason):
            start_ns = self._cut[0] if self._cut else self.heard_ns or now_ns
            self._cut = (start_ns, reason)
            _log.warning("the feed is cut", feed=self.feed, reason=reason)

    def take(self, decoded: Decoded, received_ns: int) -> None:
        """Record what one message says, which came at this instant."""
        self.messages += 1
        self.heard_ns = received_ns
        if self._awaited or self._cut is not None or decoded.has_timeless:
            for symbol, quote in decoded.ticks:
                self._quote(symbol, quote, received_ns)
        else:
            self._record(decoded.ticks)
        for order in decoded.orders:
            self.orders += 1
            if self.take_order is not None:
                self.take_order(order)
        if decoded.remark:
            self._tell(decoded.remark, received_ns)
        self.unknown_fields += decoded.unknown_fields
        if decoded.left_out:
            self.left_out.update(decoded.left_out)
        if decoded.damaged:
            self.damaged.update(decoded.damaged)
            self._unlogged.update(decoded.damaged)
        if self._unlogged and not 0 <= received_ns - self._logged_ns < _LOG_EVERY_NS:  # a clock may be set back
            self._logged_ns = received_ns
            _log.warning("messages of a feed could not be taken", feed=self.feed, **self._unlogged)
            self._unlogged.clear()

    def _tell(self, remark: str, received_ns: int) -> None:
        """Log what the broker says, such as that it takes no more instruments; the same again once a minute."""
        if remark != self._remark or not 0 <= received_ns - self._remarked_ns < _LOG_EVERY_NS:
            self._remark, self._remarked_ns = remark, received_ns
            _log.warning("the broker says", feed=self.feed, remark=remark)

    def counts(self) -> FeedCounts:
        """Return what became of all messages so far."""
        return {
            "messages": self.messages,
            "recorded": self.recorded,
            "stamped_here": self.stamped_here,
            "repeated": self.repeated,
            "orders": self.orders,
            "damaged": dict(self.damaged),
            "left_out": dict(self.left_out),
            "refused": dict(self.refused),
            "unknown_fields": self.unknown_fields,
            "gaps": self.gaps,
        }

    def _quote(self, symbol: str, quote: Quote, received_ns: int) -> None:
        """Record a quote, unless a new subscription only repeats it."""
        has_time = "timestamp" in quote
        if symbol in self._awaited:
            self._awaited.discard(symbol)
            if self._repeats(symbol, quote):
                self.repeated += 1
                return
        if not has_time and not self.is_trading(received_ns):
            self.left_out["no_session"] += 1
            return
        recorded = self.recorded
        self._record([(symbol, quote)], received_ns if self.stamps and not has_time else None)
        if self.recorded > recorded:
            self.stamped_here += not has_time
            self._end_gap(received_ns)

    def _record(self, ticks: Sequence[tuple[str, Quote]], at: int | None = None) -> None:
        """Record quotes at an instant (None: their own, else the clock).

        A message moves the feed where a quote of it that is kept is another one than the newest of its symbol; once it
        has moved nobody asks for the next.
        """
        start, has_moved = 0, self.has_moved
        while start < len(ticks):
            together = ticks[start : start + TICKS_AT_ONCE]
            places = (place for place, tick in enumerate(together) if not self._repeats(*tick))
            moving = 0 if has_moved else next(places, None)
            leading = self.dm.telemetry.recorder.leading_ticks(together) if len(ticks) > 1 else 0
            count = leading or int(self._is_kept(*together[0], at))
            has_moved = has_moved or (moving is not None and moving < count)
            self.recorded += count
            start += leading or 1
        self.has_moved = has_moved

    def _repeats(self, symbol: str, quote: Quote) -> bool:
        """Tell whether a quote says what the newest of its symbol said, one without a time whenever that was."""
        point = self.dm.telemetry.recorder.latest(symbol)
        newest = self._former.get(symbol) if point is None else _quote_of(point)
        if newest is not None and "timestamp" not in quote:
            newest = {name: number for name, number in newest.items() if name != "timestamp"}
        return newest == quote

    def _is_kept(self, symbol: str, quote: Quote, at: int | None) -> bool:
        """Record one quote; count why, where it is not kept."""
        try:
            if self.dm.process_tick(symbol, quote, at=at):
                return True
            self._refuse("not_kept")
        except InvalidValue as error:
            self._refuse(error.code)
        return False

    def _refuse(self, reason: str) -> None:
        self.refused[reason] += 1
        self._unlogged[reason] += 1

    def _end_gap(self, now_ns: int) -> None:
        if self._cut is None:
            return
        (start_ns, reason), self._cut = self._cut, None
        start, stop = (
            instant_text(datetime.fromtimestamp(at / SECOND, UTC), "milliseconds")
            for at in (min(start_ns, now_ns), now_ns)  # no gap ends before it begins, whatever the clock did meanwhile
        )
        gap: FeedCut = {"start": start, "stop": stop, "reason": reason}
        self.gaps.append(gap)
        _log.warning("a gap of the feed is over", feed=self.feed, **gap)


def _quote_of(point: Point) -> Quote:
    """Return the quote that a point was recorded of, without a time where it had none of its own."""
    names = ("last_quantity", "day_volume", "oi", "bid", "ask")
    quote: Quote = {"ltp": point["close"], **{name: point[name] for name in names if name in point}}
    if point["exchange_time"] != point["received_time"]:
        quote["timestamp"] = point["exchange_time"]
    return quote
