"""The newest ticks and indicators of an account: from the hot state, else from spool and store, each asked once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple

from django.conf import settings

from timeseries import wiring
from timeseries.errors import StoreUnavailable
from timeseries.measurements import INDICATORS, TICKS, Measurement
from timeseries.reader import Reader
from timeseries.reading.points import newest_of
from timeseries.spool.lane import Outcome
from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.hot import cache
from trading.hot.breaker import Breaker
from trading.queries.instruments import plain_name
from trading.queries.valuation import price_of

# A strategy's question for one newest value: so long may a server's answer take, and so long it is left alone after one
# that did not come.
ASK_SECONDS = 0.5
STORE_AWAY_SECONDS = 30.0
KINDS = {TICKS.name: "tick", INDICATORS.name: "indicators"}
Point = dict[str, Any]  # one point as store, spool and hot state have it: tags, times (ns UTC), fields


class Mark(NamedTuple):
    """How far a source's lane was read, and what became of its records other than being stored."""

    issued: int
    fates: Outcome


Marks = dict[str, Mark]  # by source


class NewestPoints:
    """The newest points of an account's symbols, by exchange time; ``source`` is what this process may record into.

    One serves all threads of a process, and the longer it lives the less it reads.
    """

    def __init__(self, account: str, *, source: str | None = None) -> None:
        self.account, self.source = account, source
        self._elsewhere: dict[tuple[str, ...], tuple[Marks, Point | None]] = {}
        self._store_breaker = Breaker("the store", failures_max=1, away_seconds=STORE_AWAY_SECONDS)

    @cached_property
    def _reader(self) -> Reader:
        return wiring.open_reader(ask_seconds=ASK_SECONDS)

    def known_ticks(self, symbols: Iterable[str]) -> dict[str, Point]:
        """Return the newest tick of each symbol that has one, where the store is away without those that it alone may
        know."""
        ticks, _ = self.of(TICKS, dict.fromkeys(names_of(symbols)))
        return {symbol: with_last_price(tick) for symbol, tick in ticks.items()}

    def ticks_of_source(self, source: str, symbols: Iterable[str]) -> dict[str, Point]:
        """Return the newest tick that a source itself has recorded of each symbol, as spool and store have it now.

        Nobody else's ticks hide it, and no hot state that is behind. Where the store is away: what waits in the spool.
        """
        ticks, _ = self._read(TICKS, dict.fromkeys(names_of(symbols)), {"source": source})
        return {symbol: with_last_price(tick) for symbol, tick in ticks.items() if tick is not None}

    def of(
        self, measurement: Measurement, own: Mapping[str, Point | None], **tags: str
    ) -> tuple[dict[str, Point], StoreUnavailable | None]:
        """Return the newest by exchange time of each symbol; of equal ones what this process recorded itself (``own``).

        Where the store is away and a symbol is known nowhere else, its error comes second.
        """
        series = {symbol: (self.account, symbol, *tags.values()) for symbol in own}
        hot_points = cache.newest_many(KINDS[measurement.name], series.values() if cache.is_shared() else ())
        cold = {symbol: point for symbol, point in own.items() if series[symbol] not in hot_points}
        others, error = self._read(measurement, cold, tags)
        newest: dict[str, Point] = {}
        for symbol, ours in own.items():
            hot_point = hot_points.get(series[symbol])
            other = others.get(symbol) if hot_point is None else {**hot_point, "origin": "hot"}
            mine = None if ours is None else {**ours, "origin": "process"}
            points = [point for point in (mine, other) if point]
            if points:
                newest[symbol] = max(points, key=lambda point: int(point["exchange_time"]))
        return newest, error

    def _read(
        self, measurement: Measurement, own: Mapping[str, Point | None], tags: Mapping[str, str]
    ) -> tuple[dict[str, Point | None], StoreUnavailable | None]:
        """Return the newest of spool and store, where the hot state knows nothing."""
        if not own:
            return {}, None
        spool = self._reader.spool
        ours = self.source if self.source is not None and spool.holder(self.source) == os.getpid() else None
        lanes = [lane for lane in spool.lanes() if lane.measurement == measurement]
        all_marks = {lane.source: Mark(lane.issued(), replace(lane.outcome(), through=0, stored={})) for lane in lanes}
        others = {source: mark for source, mark in all_marks.items() if source != ours}
        # Our own newest is known anyway: only what somebody else has recorded since is looked for.
        marks = {symbol: all_marks if mine is None else others for symbol, mine in own.items()}
        series = {"account": self.account, **tags}
        keys = {symbol: (measurement.name, symbol, *tags.values()) for symbol in own}
        newest = self._read_on(measurement, keys, marks, series)
        asked = [symbol for symbol in own if symbol not in newest]
        if not asked:
            return newest, None
        waiting = self._reader.newest_waiting(measurement, asked, series)  # before the store: see `Reader`
        try:
            stored = self._stored(measurement, asked, series)
        except StoreUnavailable as error:
            # What is known without it is answer enough, but the store is asked again.
            is_unknown = any(own[symbol] is None and symbol not in waiting for symbol in asked)
            return newest | waiting, error if is_unknown else None
        for symbol in asked:
            newest[symbol] = newest_of(waiting.get(symbol), stored.get(symbol))
            self._elsewhere[keys[symbol]] = (marks[symbol], newest[symbol])
        return newest, None

    def _read_on(
        self,
        measurement: Measurement,
        keys: Mapping[str, tuple[str, ...]],
        marks: Mapping[str, Marks],
        series: Mapping[str, str],
    ) -> dict[str, Point | None]:
        """Return the newest of the symbols that were read before: the newest then, and what was recorded since."""
        earlier = {symbol: self._elsewhere[key] for symbol, key in keys.items() if key in self._elsewhere}
        newest = {symbol: point for symbol, (before, point) in earlier.items() if before == marks[symbol]}
        grown = {
            symbol: earlier[symbol]
            for symbol in earlier.keys() - newest.keys()
            if is_grown(earlier[symbol][0], marks[symbol])
        }
        after = {
            source: min(before[source].issued if source in before else 0 for before, _ in grown.values())
            for source in set(chain.from_iterable(marks[symbol] for symbol in grown))
        }
        since = self._reader.newest_recorded(measurement, grown, series, after=after) if grown else None
        if since is not None:
            for symbol, (_, point) in grown.items():
                newest[symbol] = newest_of(since.get(symbol), point)
                self._elsewhere[keys[symbol]] = (marks[symbol], newest[symbol])
        return newest

    def _stored(self, measurement: Measurement, symbols: Sequence[str], tags: Mapping[str, str]) -> dict[str, Point]:
        """Return the store's newest. Raises: StoreUnavailable, for a while at once where it did not answer in time."""
        if self._store_breaker.is_open():
            raise StoreUnavailable("The store did not answer lately.", hint="It is asked again in half a minute.")
        try:
            points = self._reader.newest_stored(measurement, symbols, tags)
        except StoreUnavailable as error:
            self._store_breaker.failed(error)
            raise
        self._store_breaker.succeeded()
        return points


def price_beside(account: str, symbol: str) -> Callable[[str], tuple[Decimal, datetime] | None]:
    """Return a look-up of a symbol's newest price and its time, asked for now; it knows of no other symbol."""
    try:
        name = plain_name(symbol)
        ticks = newest_points(account).known_ticks([name])
    except InvalidValue:
        ticks = {}
    prices = {name: price_of(tick) for name, tick in ticks.items()}

    def newest(asked: str) -> tuple[Decimal, datetime] | None:
        return prices.get(asked)

    return newest


def is_grown(before: Marks, now: Marks) -> bool:
    """Tell whether nothing has happened between two readings but that records were added and stored."""
    return all(
        source in now and now[source].issued >= mark.issued and now[source].fates == mark.fates
        for source, mark in before.items()
    )


def newest_points(account: str) -> NewestPoints:
    """Return this process's newest points of an account, the same ones each time, of the settings' data folder."""
    return _newest_points(account, settings.SPOOL_DIR, settings.DELTA_DIR, settings.INFLUXDB_V2_URL)


@lru_cache(maxsize=64)
def _newest_points(account: str, *_: object) -> NewestPoints:
    return NewestPoints(account)


def names_of(symbols: Iterable[str]) -> list[str]:
    """Return symbols as parsed names. Raises: InvalidValue for a text in place of a list, and for what is no name."""
    if isinstance(symbols, str) or not isinstance(symbols, Iterable):
        raise InvalidValue(f"symbols is {symbols!r}.", field="symbols", hint="Give a list of symbols.")
    return [parse_name(symbol, "symbol") for symbol in symbols]


def with_last_price(tick: Point) -> Point:
    """Return a tick's fields that have a value, and its price as ``last_price``."""
    fields = {name: field for name, field in tick.items() if field is not None}
    return {**fields, "last_price": fields["close"]}
