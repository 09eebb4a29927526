"""The newest ticks and indicators of an account: from the hot state, else from spool and store, each asked once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from timeseries import wiring
from timeseries.errors import StoreUnavailable
from timeseries.measurements import INDICATORS, TICKS, Measurement
from timeseries.reader import Reader, newest_of
from timeseries.values import parse_name
from trading.errors import InvalidValue
from trading.hot import cache
from trading.hot.breaker import Breaker

# A strategy's question for one newest value: so long may a server's answer take, and so long it is left alone after one
# that did not come.
ASK_SECONDS = 0.5
STORE_AWAY_SECONDS = 30.0
KINDS = {TICKS.name: "tick", INDICATORS.name: "indicators"}
Point = dict[str, Any]  # one point as store, spool and hot state have it: tags, times (ns UTC), fields
Marks = tuple[tuple[str, int, int], ...]


class NewestPoints:
    """The newest points of an account's symbols, by exchange time; ``source`` is what this process may record into."""

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
        """Return the newest of spool and store, where the hot state knows nothing.

        A symbol is read again only when somebody else has recorded since: our own newest is known anyway.
        """
        if not own:
            return {}, None
        spool = self._reader.spool
        ours = self.source if self.source is not None and spool.holder(self.source) == os.getpid() else None
        lanes = [lane for lane in spool.lanes() if lane.measurement == measurement]
        all_marks = tuple((lane.source, lane.issued(), lane.outcome().cleared) for lane in lanes)
        others = tuple(mark for mark in all_marks if mark[0] != ours)
        marks = {symbol: all_marks if mine is None else others for symbol, mine in own.items()}
        keys = {symbol: (measurement.name, symbol, *tags.values()) for symbol in own}
        kept = {symbol: self._elsewhere[key] for symbol, key in keys.items() if key in self._elsewhere}
        newest = {symbol: point for symbol, (seen, point) in kept.items() if seen == marks[symbol]}
        asked = [symbol for symbol in own if symbol not in newest]
        if not asked:
            return newest, None
        series = {"account": self.account, **tags}
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


def names_of(symbols: Iterable[str]) -> list[str]:
    """Return symbols as parsed names. Raises: InvalidValue for a text in place of a list, and for what is no name."""
    if isinstance(symbols, str):
        raise InvalidValue(f"symbols is {symbols!r}.", field="symbols", hint="Give a list of symbols.")
    return [parse_name(symbol, "symbol") for symbol in symbols]


def with_last_price(tick: Point) -> Point:
    """Return a tick's fields that have a value, and its price as ``last_price``."""
    fields = {name: field for name, field in tick.items() if field is not None}
    return {**fields, "last_price": fields["close"]}
