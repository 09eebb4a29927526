"""The interface of a time-series store: every store answers the same questions with the same results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from timeseries.errors import StoreDamaged
from timeseries.measurements import IntArray, Measurement, PointBatch

QUERY_SECONDS = 60.0  # the time limit of a free question to which nobody gives another
# What a free question may be given for a name in its text.
Parameter: TypeAlias = "str | int | float | Decimal | date | datetime | Sequence[Parameter] | None"


@dataclass(frozen=True, slots=True)
class Session:
    """One day as candles see it, in ns UTC: the day's bounds, the instant from which its candles are counted, and when
    the volume of the day starts anew: the last time at or before ``start``, then those within; () is ``(start,)``."""

    start: int
    stop: int
    anchor: int
    restarts: tuple[int, ...] = ()

    @property
    def since(self) -> int:
        """Return the first instant whose ticks tell the day's volume."""
        return self.restarts[0] if self.restarts else self.start


@dataclass(frozen=True, slots=True)
class PointQuery:
    """Points of one measurement with ``start <= time < stop`` (ns UTC) whose tags equal ``tags`` (absent = any).

    ``fields`` names the fields that are wanted, without `received_time` (None = everything): candles need seven.
    ``symbols`` are the only ones wanted (None = any).
    """

    measurement: Measurement
    start: int
    stop: int
    tags: dict[str, str] = field(default_factory=dict)  # account, source, symbol, strategy, timeframe
    fields: tuple[str, ...] | None = None
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FirstPoint:
    """The time (ns UTC) of a source's first point on a day of the desk's zone."""

    day: date
    source: str
    time: int


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """What a store keeps of days that are over in the place of their ticks.

    ``uncounted`` are the desk's days, of those asked for, that have ticks and no candles that are sure to be theirs.
    ``candles`` are those of the other days: symbol, source, day (ns UTC, when it begins), time and the fields of
    MINUTES. A candle's day is that of its ticks' points, also where it begins before that day.
    """

    uncounted: tuple[date, ...]
    candles: pa.Table


@dataclass(frozen=True, slots=True)
class CandleFault:
    """A day whose kept candles are not those of its ticks."""

    day: date
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A point that the store will never take, as it was sent; ``expired``: only because the retention is over it."""

    sequence: int
    account: str
    line: bytes
    status: int
    word: str  # the kind of refusal, under which it is counted
    reason: str  # the store's own words
    expired: bool = False


Ordered = TypeVar("Ordered", str, int)


@dataclass(frozen=True, slots=True)
class Bounds(Generic[Ordered]):
    """The least and the greatest entry of a column of a file; None where nobody wrote it down."""

    least: Ordered | None = None
    greatest: Ordered | None = None

    def admits(self, entry: Ordered) -> bool:
        """Tell whether this can be an entry of the column."""
        return (self.least is None or entry >= self.least) and (self.greatest is None or entry <= self.greatest)


@dataclass(frozen=True, slots=True)
class Damage:
    """A file of the store that is past reading.

    ``path`` is within its table, ``rows`` what it held; ``tags`` and ``times`` (ns UTC) are those columns' bounds.
    ``day`` is None for what tells of all files: the log of the table itself, which has no bounds.
    """

    measurement: Measurement
    path: str
    day: date | None
    rows: int
    tags: Mapping[str, Bounds[str]]
    times: Mapping[str, Bounds[int]]

    @property
    def name(self) -> str:
        """The file as people look for it, below the folder of the store."""
        return f"{self.measurement.name}/{self.path}"

    def admits(self, batch: PointBatch) -> npt.NDArray[np.bool_]:
        """Tell of each point of the file's measurement whether it can have been in the file."""
        series = [all(span.admits(entry[tag]) for tag, span in self.tags.items()) for entry in batch.series_table]
        admitted: npt.NDArray[np.bool_] = np.array(series, dtype=bool)[batch.series]
        for name, bounds in self.times.items():
            times: IntArray = getattr(batch, name)
            if bounds.least is not None:
                admitted &= times >= bounds.least
            if bounds.greatest is not None:
                admitted &= times <= bounds.greatest
        return admitted


def damage_error(damages: Sequence[Damage]) -> StoreDamaged:
    """Return the error of a reading that would have needed these files."""
    first, others = damages[0], len(damages) - 1
    files = f"{first.name} and {others} more" if others else first.name
    unreadable = first.measurement.name if first.day is None else first.day
    return StoreDamaged(
        f"{files} of the embedded store is gone or damaged: {unreadable} cannot be read whole.",
        hint="The companion fills it again from the kept segments; `manage.py resend --damaged` does so now, and says "
        "what they lack.",
    )


class Store(Protocol):
    """A place that keeps points durably and reads them back.

    Every method raises `StoreUnavailable` when the store cannot answer now. ``label`` names it to people;
    ``slice_rows`` points at a time are what it takes fastest.
    """

    name: str
    label: str
    slice_rows: int

    def write(self, batch: PointBatch) -> Sequence[Refusal]:
        """Keep the points but those returned; durable on return. Writing the same batch again changes nothing; of two
        points of one series and time the one written last stands."""

    def read(self, query: PointQuery) -> pa.Table:
        """Return the points as `tables.point_schema` orders the columns, ascending by time, then by their tags."""

    def newest(self, query: PointQuery) -> pa.Table:
        """Return the point of the query that is newest by exchange time, then by time, or no row; where the query names
        symbols, of each of them that has one, in any order."""

    def first_points(self, query: PointQuery) -> list[FirstPoint]:
        """Return the first point of each day and source in the query, in any order."""

    def query_flux(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Return the answer to a question in Flux. Raises: WrongLanguage, InvalidValue, QueryTimeout (seconds)."""

    def query_sql(self, text: str, parameters: Mapping[str, Parameter], *, timeout: float = QUERY_SECONDS) -> pa.Table:
        """Return the answer to one SELECT in SQL, measurements as views.

        Raises: WrongLanguage, InvalidValue, QueryTimeout (seconds).
        """

    def ticks_from(self) -> int:
        """Return the instant (ns UTC) before which ticks may be gone for their age; the first instant of all if none
        is."""

    def keeps_minutes(self) -> bool:
        """Tell whether there is a place for one-minute candles that outlast the ticks."""

    def keep_minutes(self, batch: PointBatch) -> None:
        """Keep points of MINUTES; durable on return. One that is there already is replaced."""

    def minutes(self, query: PointQuery) -> pa.Table:
        """Return the kept points of MINUTES as `read` does; no row where there is no place for them."""

    def closed_days(self, query: PointQuery, *, by_day: bool) -> ClosedDays | None:
        """Return the kept candles of the desk's days that the query's times touch; None: none are kept beside ticks.

        ``by_day``: one row per day instead of its minutes, where the day has it. The query names account and symbols.
        """

    def keep_closed_days(self, *, now: int) -> int:
        """Count the candles of days that are over (``now`` in ns UTC) and have none of theirs; return how many days."""

    def recount_closed_days(self, *, now: int) -> int:
        """Forget all kept candles of closed days and count them from ticks; return how many days."""

    def check_closed_days(self) -> list[CandleFault]:
        """Compare the kept candles of closed days with their ticks."""

    def sources(self, query: PointQuery) -> frozenset[str] | None:
        """Return the sources that may have a point of the query, as far as that needs no reading; None: it does."""

    def delete_account(self, account: str) -> None:
        """Remove every point of the account, in all measurements; repeating it changes nothing."""

    def damages(self, *, seconds: float = 0.0) -> list[Damage]:
        """Return the files that are past reading.

        Whether each file is there is looked at always; for ``seconds`` those that this process has not read yet are
        read, too.
        """

    def restore(self, batch: PointBatch) -> None:
        """Keep points again that were in a damaged file; none over one of its series and time that was received later,
        durable on return."""

    def read_intact(self, query: PointQuery) -> pa.Table:
        """Return the points of the query as `read` does, without those that only damaged files hold."""

    def drop(self, damage: Damage, *, lost: int = 0) -> None:
        """Forget a damaged file, whose rows are elsewhere but for ``lost``; make a damaged log anew from the files that
        are there. Repeating it changes nothing."""

    def last_written(self, source: str, measurement: Measurement) -> int | None:
        """Return the last sequence of a lane that the store knows of by its own word; None where it keeps none."""

    def lost(self) -> int:
        """Return how many rows were lost with files that were dropped."""

    def days_ahead(self, *, now: int) -> int:
        """Return by how many days ``now`` (ns UTC) is ahead of the newest that is stored here (`aging.days_ahead`);
        0 where a server removes what is old."""

    def care(self, *, now: int) -> None:
        """Do what keeps the store fast and small: compaction, vacuum, retention. ``now`` in ns UTC."""

    def ping(self) -> float:
        """Return the milliseconds of a small real read."""
