"""The telemetry of one DataManager: recording, the newest values, readings, flushing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from django.conf import settings
from django.db.utils import DatabaseError

from timeseries import wiring
from timeseries.measurements import INDICATORS, POSITION_SNAPSHOTS, STRATEGY_METRICS, TICKS, Measurement
from timeseries.reader import Reader
from timeseries.recording.elsewhere import RecorderElsewhere
from timeseries.recording.marked import Marker
from timeseries.recording.payloads import parse_indicators
from timeseries.recording.recorder import PROJECTING_SOURCE, Recorder
from timeseries.shipping import pump
from timeseries.stores.base import Parameter
from timeseries.values import Instant, Number, no_nat, parse_name, parse_time, parse_timeframe
from trading import summon
from trading.domain.periods import parse_period
from trading.domain.values import Indicators
from trading.errors import FlushTimeout, InvalidValue, LedgerBusy, LedgerNotReady, StoreUnavailable
from trading.hot import cache
from trading.ledger_thread import at_the_ledger
from trading.newest import KINDS, NewestPoints, Point, names_of, with_last_price
from trading.queries.accounts import get_account
from trading.queries.projection import journal_ends, unprojected
from trading.queries.sessions import candle_sessions_of
from trading.queries.valuation import price_of
from trading.signed_prices import SignedPrices
from trading.symbol_names import SymbolNames
from trading.transactions import ask

SECONDS_MAX = 1e6
_FIRST_NS, _LAST_NS = -(2**63) + 1, 2**63 - 1


class Telemetry:
    """The telemetry of one source and account; recording waits for no store, readings may raise StoreUnavailable."""

    def __init__(
        self,
        *,
        source: str,
        account: str,
        on_storage_fault: str,
        volume: str,
        ordinals: str,
        start_stamped_bars: str | None = None,
    ) -> None:
        """``start_stamped_bars`` is the period of bars that are stamped at their start. Raises: InvalidValue."""
        self.source, self.account = source, account
        self.zone = ZoneInfo(settings.TIME_ZONE)
        recorder = RecorderElsewhere if settings.VELOX_RECORDER_ELSEWHERE else Recorder
        self.recorder = recorder(
            settings.SPOOL_DIR,
            source=source,
            account=account,
            zone=self.zone,
            volume=volume,
            on_storage_fault=on_storage_fault,
            max_bytes=settings.VELOX_SPOOL_MAX_BYTES,
            history=self._next_ordinal,
            look_after=summon.summon,
            ordinals=ordinals,
            may_be_negative=SignedPrices(),
            bar_period=0 if start_stamped_bars is None else parse_period(start_stamped_bars, "start_stamped_bars"),
            parse_symbol=SymbolNames(),
        )
        self.newest = NewestPoints(account, source=source)
        self._indicators: dict[tuple[str, str], Point] = {}
        self._admitted = False

    @cached_property
    def reader(self) -> Reader:
        """The reader of spool and store, opened at its first use."""
        return wiring.open_reader()

    @cached_property
    def pump(self) -> pump.Pump:
        """The pump of this data folder, opened at its first use."""
        return wiring.open_pump()

    # -- free questions ----------------------------------------------------------------------------------------------

    def query_flux(self, text: str, parameters: Mapping[str, Parameter] | None, timeout: float) -> pa.Table:
        """Return the store's answer to a question in Flux, within this many seconds."""
        question, named = parse_question(text, parameters)
        return self.reader.store.query_flux(question, named, timeout=parse_seconds(timeout, "timeout"))

    def query_sql(self, text: str, parameters: Mapping[str, Parameter] | None, timeout: float) -> pa.Table:
        """Return the store's answer to one SELECT, within this many seconds."""
        question, named = parse_question(text, parameters)
        return self.reader.store.query_sql(question, named, timeout=parse_seconds(timeout, "timeout"))

    # -- recording ---------------------------------------------------------------------------------------------------

    def admit(self) -> None:
        """Check once, before the first record, that the account is there. Raises: UnknownAccount.

        A ledger that cannot answer keeps no tick from being recorded.
        """
        if self._admitted:
            return
        with contextlib.suppress(LedgerBusy, LedgerNotReady):
            at_the_ledger(ask, get_account, self.account)
        self._admitted = True

    def _next_ordinal(self, measurement: Measurement, tags: Mapping[str, str], instant: int) -> int:
        return self.reader.next_ordinal(measurement, tags, instant)  # which opens the reader, where it is needed

    def cache_indicators(
        self,
        symbol: str,
        values: Mapping[str, Number],
        *,
        at: Instant | None,
        timeframe: str,
        marker: Marker | None = None,
    ) -> bool:
        """Record indicators and remember them as this process's newest; ``marker`` marks them before."""
        self.admit()
        instant = time.time_ns() if at is None else at
        kept = self.recorder.indicators(symbol, values, at=instant, timeframe=timeframe, marker=marker)
        if kept:
            moment = parse_time(instant, self.zone, time.time_ns(), "at")
            series = (parse_name(symbol, "symbol"), parse_timeframe(timeframe))
            before = self._indicators.get(series)
            if before is None or before["exchange_time"] <= moment:
                self._indicators[series] = {"exchange_time": moment, "values": parse_indicators(values)}
        return kept

    # -- the newest values -------------------------------------------------------------------------------------------

    def latest_tick(self, symbol: str) -> Point | None:
        """Return the newest tick by exchange time that this process, the hot state, the spool or the store knows.

        Keys: symbol, source, account, kind, time, exchange_time, received_time (ns UTC), last_price, the fields it had,
        and ``origin``: process, hot, spool or store. None where no tick is known.
        """
        return self.latest_ticks([symbol]).get(parse_name(symbol, "symbol"))

    def latest_ticks(self, symbols: Iterable[str]) -> dict[str, Point]:
        """Return the newest tick (`latest_tick`) of each symbol that has one; hot state and store are asked once."""
        ticks, fault = self._newest_ticks(symbols)
        if fault is not None:
            raise fault
        return ticks

    def price_at_hand(self, symbol: str) -> tuple[Decimal, datetime] | None:
        """Return the newest price and its time, as this process or else the hot state has it; no store is asked."""
        tick = self.recorder.latest(symbol)
        if tick is None and cache.is_shared():
            tick = cache.newest(KINDS[TICKS.name], self.account, symbol)
        return None if tick is None else price_of(tick)

    def known_ticks(self, symbols: Iterable[str]) -> dict[str, Point]:
        """Return `latest_ticks`; while the store is away, without the symbols that only the store may know."""
        return self._newest_ticks(symbols)[0]

    def _newest_ticks(self, symbols: Iterable[str]) -> tuple[dict[str, Point], StoreUnavailable | None]:
        """Return the newest ticks as callers see them, and the store's error as `NewestPoints.of` does."""
        ticks, fault = self.newest.of(TICKS, {name: self.recorder.latest(name) for name in names_of(symbols)})
        return {symbol: with_last_price(tick) for symbol, tick in ticks.items()}, fault

    def latest_indicators(self, symbol: str, timeframe: str) -> Indicators | None:
        """Return the newest values by exchange time, name to number, None where nothing is known."""
        return self.latest_indicators_of([symbol], timeframe).get(parse_name(symbol, "symbol"))

    def latest_indicators_of(self, symbols: Iterable[str], timeframe: str) -> dict[str, Indicators]:
        """Return the newest values of each symbol that has some; hot state and store are asked once for all."""
        timeframe = parse_timeframe(timeframe)
        own = {name: self._indicators.get((name, timeframe)) for name in names_of(symbols)}
        newest, fault = self.newest.of(INDICATORS, own, timeframe=timeframe)
        if fault is not None:
            raise fault
        return {
            symbol: Indicators({name: float(number) for name, number in dict(point["values"]).items()}, point["origin"])
            for symbol, point in newest.items()
        }

    # -- readings ----------------------------------------------------------------------------------------------------

    def ticks(self, symbol: str, start: Instant, stop: Instant, source: str | None) -> pa.Table:
        """Return the ticks of ``start <= time < stop``, ascending; on the recording host every accepted one.

        Columns: time, exchange_time, received_time (ns UTC), source, kind (price or bar), close (of a last price the
        price itself), open, high, low, volume, day_volume, bid, ask, last_quantity, oi; null where the feed had none.
        Bounds are datetimes (naive: the desk's zone) or ns UTC.

        Raises: InvalidValue, UnknownAccount, StoreUnavailable.
        """
        first, last = self.bounds(start, stop)
        name = parse_name(symbol, "symbol")
        source = None if source is None else parse_name(source, "source")
        with _observed():
            at_the_ledger(ask, get_account, self.account)
            return self.reader.ticks(name, first, last, source=source, account=self.account)

    def candles(
        self, symbol: str | Iterable[str], every: str, start: Instant, stop: Instant, source: str | None
    ) -> pa.Table:
        """Return candles of ``every`` (`1s` to `1d`) with ``start <= time < stop``, ascending.

        Columns: time (the candle's start, ns UTC), open, high, low, close, volume (null where the feed has none),
        ticks. Of a list of symbols it is one table, ascending by symbol and time, whose first column is symbol.
        An empty candle is absent.

        Raises: InvalidValue, UnknownAccount, StoreUnavailable.
        """
        period = parse_period(every, "every")
        first, last = self.bounds(start, stop)
        if isinstance(symbol, str) or not isinstance(symbol, Iterable):
            names, is_list = [parse_name(symbol, "symbol")], False
        else:
            names, is_list = names_of(symbol), True
        source = None if source is None else parse_name(source, "source")
        with _observed():
            at_the_ledger(ask, get_account, self.account)
            sessions = at_the_ledger(ask, candle_sessions_of, names, first, last)
            span = {"every": period, "start": first, "stop": last}
            if is_list:
                return self.reader.candles_by_symbol(sessions, **span, source=source, account=self.account)
            [(name, days)] = sessions.items()
            return self.reader.candles(name, **span, source=source, account=self.account, sessions=days)

    def ticks_of(self, source: str, start: Instant, stop: Instant) -> pa.Table:
        """Return the ticks of all symbols that a source recorded, ascending: time, exchange_time (int64 ns UTC), the
        tags, and the numbers. Raises: as `ticks`.
        """
        first, last = self.bounds(start, stop)
        with _observed():
            at_the_ledger(ask, get_account, self.account)
            return self.reader.ticks_of(parse_name(source, "source"), first, last, account=self.account)

    def may_hold_ticks_of(self, source: str, start: Instant, stop: Instant) -> bool:
        """Return whether a source may have ticks then: False is certain, and no tick is read. Raises: as `ticks`."""
        first, last = self.bounds(start, stop)
        with _observed():
            at_the_ledger(ask, get_account, self.account)
            return self.reader.may_hold(parse_name(source, "source"), first, last, account=self.account)

    def indicator_history(self, symbol: str, start: Instant, stop: Instant) -> pa.Table:
        """Return the indicators recorded of a symbol, ascending. Raises: as `ticks`."""
        return self._history(INDICATORS, start, stop, symbol=parse_name(symbol, "symbol"))

    def position_history(self, strategy_id: str, symbol: str, start: Instant, stop: Instant) -> pa.Table:
        """Return the snapshots of a position, ascending; columns: docs/measurements.md. Raises: as `ticks`."""
        tags = {"strategy": parse_name(strategy_id, "strategy_id"), "symbol": parse_name(symbol, "symbol")}
        return self._history(POSITION_SNAPSHOTS, start, stop, **tags)

    def strategy_metrics(self, strategy_id: str, start: Instant, stop: Instant) -> pa.Table:
        """Return the strategy's day so far at each exit; columns: docs/measurements.md. Raises: as `ticks`."""
        return self._history(STRATEGY_METRICS, start, stop, strategy=parse_name(strategy_id, "strategy_id"))

    def _history(self, measurement: Measurement, start: Instant, stop: Instant, **tags: str) -> pa.Table:
        first, last = self.bounds(start, stop)
        with _observed():
            at_the_ledger(ask, get_account, self.account)
            return self.reader.history(measurement, first, last, account=self.account, **tags)

    def bounds(self, start: Instant, stop: Instant) -> tuple[int, int]:
        """Return two bounds of a reading as ns UTC: any datetime (naive: desk time) or integer ns.

        Raises: InvalidValue.
        """
        first, last = self._bound(start, "start"), self._bound(stop, "stop")
        if first > last:
            raise InvalidValue("start lies after stop.", field="start", hint="Give start <= stop.")
        return first, last

    def _bound(self, instant: Instant, field: str) -> int:
        """Return one bound as ns UTC within an int64. Raises: InvalidValue for another type."""
        if isinstance(instant, datetime):
            aware = instant if no_nat(instant, field).tzinfo is not None else instant.replace(tzinfo=self.zone)
            since = aware - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
            exact = (since // timedelta(microseconds=1)) * 1000 + int(getattr(instant, "nanosecond", 0))
        elif isinstance(instant, int | np.integer) and not isinstance(instant, bool):
            exact = int(instant)
        else:
            raise InvalidValue(f"{field} is {instant!r}.", field=field, hint="Give a datetime or integer nanoseconds.")
        return max(_FIRST_NS, min(exact, _LAST_NS))

    # -- the end -----------------------------------------------------------------------------------------------------

    def flush(self, timeout: float) -> None:
        """Wait until every earlier point is settled; with what time is left, until the journal is projected, too.

        Raises: FlushTimeout for a point that is not settled in time.
        """
        deadline = time.monotonic() + parse_seconds(timeout, "timeout")
        summon.summon()
        self.pump.wait_until_settled(self.pump.targets(source=self.source), timeout)
        # The companion's follower: what it does not do in time it does later, and no point waits for it.
        ends = at_the_ledger(journal_ends)
        with contextlib.suppress(DatabaseError):  # what came of a ledger that is gone is no point's fault
            while at_the_ledger(unprojected, ends) and summon.companion_pid() is not None:
                if time.monotonic() >= deadline:
                    return
                self.pump.bell.ring()
                time.sleep(0.01)
        with contextlib.suppress(FlushTimeout):
            left = max(0.0, deadline - time.monotonic())
            self.pump.wait_until_settled(self.pump.targets(source=PROJECTING_SOURCE), left)

    def close(self) -> None:
        """Seal what was recorded; a second call does nothing."""
        self.recorder.close()


@contextlib.contextmanager
def _observed() -> Iterator[None]:
    """Count how long the reading within takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        wiring.observe("points_read", time.perf_counter() - started)


def parse_question(text: str, parameters: Mapping[str, Parameter] | None) -> tuple[str, dict[str, Parameter]]:
    """Return a free question and its parameters by name. Raises: InvalidValue."""
    if not isinstance(text, str) or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidValue(f"text is {text!r:.60}.", field="text", hint="Give the question as text.")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidValue(f"params is {parameters!r:.60}.", field="params", hint="Give a dict of names and values.")
    return text, dict(parameters or {})


def parse_seconds(seconds: Number, field: str) -> float:
    """Return a number of seconds, 0 or more, and no more than a thread can wait. Raises: InvalidValue."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise InvalidValue(f"{field} is {seconds!r}.", field=field, hint="Give a number of seconds, 0 or more.")
    return min(float(seconds), SECONDS_MAX)
