"""InfluxDB 2 as a store.

Only 204 is stored. A time-out is never taken as success, a refused line is found by halving, and whatever else goes
wrong leaves the points in the spool.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from timeseries.errors import InvalidValue, QueryTimeout, StoreMisconfigured, StoreUnavailable, WrongLanguage
from timeseries.measurements import Measurement, PointBatch
from timeseries.stores.base import QUERY_SECONDS, CandleFault, Damage, FirstPoint, Parameter, PointQuery, Refusal
from timeseries.stores.influx import read as influx_read
from timeseries.stores.influx.lines import EncodedLines, encode
from timeseries.stores.influx.names import coded
from timeseries.stores.influx.replies import HeldBack, Refused, RefusedInPart, Stored, TooLarge, TryLater
from timeseries.stores.influx.server import InfluxServer, unavailable
from timeseries.stores.tables import point_schema
from timeseries.values import day_of

SECOND = 10**9
DAY = 86_400 * SECOND
NEAR = 5 * SECOND  # newest points so close are read by one question: not many others lie between them
LINES_MAX = 20_000  # in one body
PROBE = b"# Are lines taken here?\n"  # a comment of line protocol: 204 of a server that takes lines, and nothing stored
KNOWN_SECONDS = 60.0  # how long what was asked of the buckets is taken for granted
WORDS = {400: "unreadable", 413: "too_large", 422: "refused"}


class BucketFacts(NamedTuple):
    """What was asked of the buckets: the first instant whose ticks are kept (ns UTC), and whether minutes have a place.

    ``asked_at`` is in monotonic seconds.
    """

    asked_at: float
    ticks_from: int
    keeps_minutes: bool


class InfluxStore:
    """`Store` on a server's bucket. Any number of processes may read and write one bucket at once.

    Args:
        zone: the desk's zone, whose days `first_points` counts by.
        retention_days: what is known of the bucket's retention without asking; None: the server is asked.
    """

    name = "influx"
    slice_rows = LINES_MAX

    def __init__(
        self,
        server: InfluxServer,
        *,
        bucket: str,
        zone: ZoneInfo,
        retention_days: int | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.server, self.bucket, self.zone, self.retention_days = server, bucket, zone, retention_days
        self.label = f"InfluxDB at {urlsplit(server.url).netloc}"
        self.clock = clock
        self._lines_max = LINES_MAX
        self._facts: BucketFacts | None = None

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, batch: PointBatch) -> list[Refusal]:
        """Keep the points but those returned; durable on return."""
        if not len(batch):
            return []
        lines = encode(batch)
        return self._send(lines, 0, len(lines))

    def _send(self, lines: EncodedLines, first: int, stop: int) -> list[Refusal]:
        refusals: list[Refusal] = []
        while first < stop:
            end = min(first + self._lines_max, stop)
            refusals += self._post(lines, first, end)
            first = end
        return refusals

    def _post(self, lines: EncodedLines, first: int, stop: int, *, halved: bool = False) -> list[Refusal]:
        reply = self.server.post(self.bucket, lines.body(first, stop))
        if isinstance(reply, Stored):
            return []
        if isinstance(reply, HeldBack | TryLater):
            raise unavailable(reply)
        if not halved or stop - first == 1:
            self._check_that_lines_are_taken()
        # A line that is too old for both clocks is refused for its age; one of them alone may run ahead, and then what
        # is refused for another reason would be counted as old, and kept by nobody.
        before = None
        if isinstance(reply, RefusedInPart) and reply.at is not None:
            before = self._retained_from(min(self.clock(), reply.at))
        if stop - first == 1:
            return [_refusal(lines, first, reply, before)]
        if isinstance(reply, TooLarge):
            self._lines_max = max(1, min(self._lines_max, (stop - first + 1) // 2))
            return self._send(lines, first, stop)
        if before is not None and bool((lines.times[first:stop] < before).all()):
            return [_refusal(lines, number, reply, before) for number in range(first, stop)]
        # A line that is stored already changes nothing when it comes again; left before right keeps their order.
        middle = (first + stop) // 2
        return self._post(lines, first, middle, halved=True) + self._post(lines, middle, stop, halved=True)

    def _check_that_lines_are_taken(self) -> None:
        """Raise StoreUnavailable where not even a comment is taken: then no line is at fault, but who answers."""
        reply = self.server.post(self.bucket, PROBE)
        if isinstance(reply, HeldBack | TryLater):
            raise unavailable(reply)
        if not isinstance(reply, Stored):
            raise StoreMisconfigured(
                f"Whoever answers at {self.server.url} refuses every line (status {reply.status}: {reply.reason}).",
                hint="Look for a proxy before InfluxDB; nothing becomes a dead letter for it.",
            )

    def _retained_from(self, now: int) -> int | None:
        """Return the instant before which the bucket keeps nothing as of ``now`` (ns UTC); None when no retention is
        known."""
        seconds = self.server.retention_seconds(self.bucket)
        if seconds is None and self.retention_days is not None:
            seconds = self.retention_days * 86_400
        return None if seconds is None else now - seconds * SECOND

    def offer(self, lines: Sequence[bytes]) -> list[Refused | TooLarge | None]:
        """Send each line by itself; return its refusal, None where it is stored now."""
        answers: list[Refused | TooLarge | None] = []
        for line in lines:
            reply = self.server.post(self.bucket, line)
            if isinstance(reply, HeldBack | TryLater):
                raise unavailable(reply)
            answers.append(None if isinstance(reply, Stored) else reply)
        return answers

    # -- the minutes that are kept ----------------------------------------------------------------------------------

    def ticks_from(self) -> int:
        """Return the instant (ns UTC) before which the bucket may have forgotten ticks."""
        return self._bucket_facts().ticks_from

    def keeps_minutes(self) -> bool:
        """Tell whether the bucket of the candles is there, and may be seen."""
        return self._bucket_facts().keeps_minutes

    def keep_minutes(self, batch: PointBatch) -> None:
        """Keep points of MINUTES in their bucket. Raises: StoreUnavailable, also where one of them is refused."""
        refused = self._beside().write(batch)
        if refused:
            raise StoreMisconfigured(
                f"InfluxDB refuses candles in {minutes_bucket(self.bucket)}: {refused[0].reason}",
                hint="Nobody else may write measurements of VELOX's names into its buckets.",
            )

    def minutes(self, query: PointQuery) -> pa.Table:
        """Return the kept points of MINUTES as `read` does; no row where there is no bucket for them."""
        if not self.keeps_minutes():
            return point_schema(query.measurement, query.fields).empty_table()
        return self._beside().read(query)

    def _beside(self) -> InfluxStore:
        return InfluxStore(self.server, bucket=minutes_bucket(self.bucket), zone=self.zone, clock=self.clock)

    def _bucket_facts(self) -> BucketFacts:
        """Ask about the buckets, again each minute, for either may be made or changed."""
        now = time.monotonic()
        if self._facts is None or now - self._facts.asked_at > KNOWN_SECONDS:
            keeps_minutes = self.server.has_bucket(minutes_bucket(self.bucket))
            oldest = self._retained_from(self.clock())
            self._facts = BucketFacts(now, influx_read.FIRST if oldest is None else oldest, keeps_minutes)
        return self._facts

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, query: PointQuery) -> pa.Table:
        """Return the points of the query, each once."""
        if query.start >= query.stop or query.symbols == ():
            return point_schema(query.measurement, query.fields).empty_table()
        return influx_read.read_points(self.server.ask, self.bucket, query)

    def newest(self, query: PointQuery) -> pa.Table:
        """Return the query's newest point by exchange time; where it names symbols, of each of them."""
        empty = point_schema(query.measurement, query.fields).empty_table()
        if query.start >= query.stop or query.symbols == ():
            return empty
        newest_first = [("exchange_time", "descending"), ("time", "descending")]
        # A point's time is its exchange time + n ns, n below a second: the newest stands within the last one.
        if query.symbols is None:
            last = influx_read.newest_time(self.server.ask, self.bucket, query)
            if last is None:
                return empty
            near = PointQuery(query.measurement, max(query.start, last - SECOND), last + 1, query.tags, query.fields)
            return self.read(near).sort_by(newest_first).slice(0, 1)
        lasts, tables = influx_read.newest_times(self.server.ask, self.bucket, query), [empty]
        for symbols in _neighbours(lasts):  # one question for those that are near each other
            first, stop = lasts[symbols[0]] - SECOND, lasts[symbols[-1]] + 1
            near = replace(query, start=max(query.start, first), stop=stop, symbols=symbols)
            points = self.read(near).sort_by(newest_first)
            places = [pc.index(points["symbol"], symbol).as_py() for symbol in symbols]
            tables.append(points.take([place for place in places if place >= 0]))
        return pa.concat_tables(tables)

    def first_points(self, query: PointQuery) -> list[FirstPoint]:
        """Return the first point of each day and source in the query."""
        if query.start >= query.stop:
            return []
        # Midnight of every zone of today falls on a quarter of an hour, in summer and in winter.
        times = influx_read.first_times(self.server.ask, self.bucket, query, every="15m")
        first: dict[tuple[date, str], int] = {}
        for source, instant in times:
            day = day_of(instant, self.zone)
            first[day, source] = min(instant, first.get((day, source), instant))
        return [FirstPoint(day, source, instant) for (day, source), instant in first.items()]

    def query_flux(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Return the answer to a question in Flux; ``bucket`` is a parameter that is always there.

        Raises:
            InvalidValue: the server refuses the question, or its answer is several tables of differing columns.
            QueryTimeout: the whole answer was not there in time.
        """
        started = time.monotonic()
        with self.server.patient(timeout) as server:
            try:
                answer = server.ask(text, {"bucket": self.bucket, **parameters})
            except StoreUnavailable as error:
                if time.monotonic() - started < timeout:
                    raise
                raise QueryTimeout(timeout) from error
        return influx_read.free_table(answer)

    def query_sql(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Refuse: this store speaks Flux."""
        raise WrongLanguage("InfluxDB speaks Flux.", hint="Use query_flux; query_sql is for the embedded store.")

    # -- care --------------------------------------------------------------------------------------------------------

    def closed_days(self, query: PointQuery, *, by_day: bool) -> None:
        """Return None: kept minutes stand here only in the place of ticks that are gone (`minutes`)."""

    def keep_closed_days(self, *, now: int) -> int:
        """Do nothing: `keep_minutes` is how minutes come here."""
        return 0

    def recount_closed_days(self, *, now: int) -> int:
        """Do nothing: minutes outlast their ticks here, so none is ever forgotten."""
        return 0

    def check_closed_days(self) -> list[CandleFault]:
        """Return no fault: there is no closed day beside its ticks."""
        return []

    def sources(self, query: PointQuery) -> None:
        """Return None: the server has to be asked."""

    def delete_account(self, account: str) -> None:
        """Remove every point of the account, in all measurements."""
        tag = coded(account).replace('"', '\\"')
        self.server.delete(self.bucket, f'account="{tag}"')
        if self.keeps_minutes():
            self.server.delete(minutes_bucket(self.bucket), f'account="{tag}"')

    def damages(self, *, seconds: float = 0.0) -> list[Damage]:
        """Return none: the server looks after its own files."""
        return []

    def restore(self, batch: PointBatch) -> None:
        """Refuse: nobody asks this where nothing is damaged."""
        raise StoreMisconfigured("InfluxDB looks after its own files.", hint="Restore it from a backup of its own.")

    def read_intact(self, query: PointQuery) -> pa.Table:
        """Return the points of the query: no file here is ever damaged."""
        return self.read(query)

    def drop(self, damage: Damage, *, lost: int = 0) -> None:
        """Do nothing: no file here is ever damaged."""

    def last_written(self, source: str, measurement: Measurement) -> int | None:
        """Return None: a bucket does not tell."""

    def lost(self) -> int:
        """Return 0: no file here is ever dropped."""
        return 0

    def days_ahead(self, *, now: int) -> int:
        """Return 0: the server removes what is old, by its own clock."""
        return 0

    def care(self, *, now: int) -> None:
        """Do nothing: the server compacts by itself, and the bucket's retention is set by `setup_influx`."""

    def ping(self) -> float:
        """Return the milliseconds of a small real read."""
        started = time.perf_counter()
        try:
            self.server.ask("from(bucket: bucket) |> range(start: -1s) |> limit(n: 1)", {"bucket": self.bucket})
        except InvalidValue as error:  # nobody who asks is at fault: the question is ours
            raise StoreMisconfigured(str(error), hint="Look for a proxy before InfluxDB.") from error
        return (time.perf_counter() - started) * 1000


def _neighbours(last: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Yield the symbols whose last times lie within `NEAR` of each other, the earliest of a group first."""
    group: list[str] = []
    for symbol in sorted(last, key=lambda name: last[name]):
        if group and last[symbol] - last[group[0]] > NEAR:
            yield tuple(group)
            group = []
        group.append(symbol)
    if group:
        yield tuple(group)


def _refusal(lines: EncodedLines, number: int, reply: Refused | TooLarge, retained_from: int | None) -> Refusal:
    sequence = int(lines.sequences[number])
    expired = retained_from is not None and int(lines.times[number]) < retained_from
    word = WORDS[reply.status]
    return Refusal(sequence, lines.account(number), lines.line(number), reply.status, word, reply.reason, expired)


def minutes_bucket(bucket: str) -> str:
    """Return the bucket of the one-minute candles beside this one: it has no retention."""
    return f"{bucket}-candles"


def open_influx(
    url: str,
    org: str,
    token: str,
    *,
    bucket: str,
    zone: ZoneInfo,
    retention_days: int | None,
    ask_seconds: float | None = None,
) -> InfluxStore:
    """Return the store on a bucket; all of one process that name the same server share its connections.

    ``ask_seconds``: how long one question may take (None: as long as pieces of its answer come).
    """
    server = _shared(url, org, token, ask_seconds)
    return InfluxStore(server, bucket=bucket, zone=zone, retention_days=retention_days)


@cache
def _shared(url: str, org: str, token: str, ask_seconds: float | None) -> InfluxServer:
    if ask_seconds is None:
        return InfluxServer(url, org=org, token=token)
    return InfluxServer(url, org=org, token=token, timeout_seconds=(ask_seconds,) * 2, ask_seconds=ask_seconds)
