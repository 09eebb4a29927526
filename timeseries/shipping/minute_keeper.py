"""One-minute candles that outlast their ticks: counted anew for exactly the minutes that were written.

It follows each lane of ticks behind the shipper, by the sequences that were settled: a minute is read back from the
store and counted when it is over, and again whenever one of its ticks was shipped since (late, after an outage, sent
again). Its place moves on only when the minutes are kept, so a crash counts the same minutes once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import structlog

from timeseries.errors import VeloxError
from timeseries.measurements import MINUTES, TICKS, IntArray, PointBatch
from timeseries.shipping import clearing
from timeseries.spool import durable
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.spool.locks import FileLock
from timeseries.stores import candles
from timeseries.stores.base import PointQuery, Store
from timeseries.stores.candles import MARGIN, MINUTE
from timeseries.stores.tables import ColumnArray, uncleared

log = structlog.get_logger("system")

PLACE, LOCK = "minutes", "minutes.lock"
SLICE = 100_000  # sequences looked at in one step, and about as many ticks read back in one question
SETTLES_NS = 2 * 10**9  # a minute is over when its end lies so far back


@dataclass(frozen=True, slots=True)
class Touched:
    """The minutes of one account that a slice of ticks has written.

    Shapes: ``symbol``, ``minute`` and ``number`` have one entry per symbol and minute, ascending by minute; ``number``
    counts the slice's ticks in it.
    """

    account: str
    symbol: np.ndarray[tuple[int], np.dtype[np.object_]]
    minute: IntArray
    number: IntArray


class MinuteKeeper:
    """The keeper of one-minute candles of every lane of ticks, where the store has a place for them.

    ``clock`` gives ns UTC.
    """

    def __init__(self, spool: Spool, store: Store, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.spool, self.store, self.clock = spool, store, clock

    def run(self) -> None:
        """Count all minutes that are due; a fault is logged and leaves the rest for a later run."""
        try:
            while self.run_once():
                pass
        except Exception as error:
            log.error("candles are not kept now", error=str(error), exc_info=not isinstance(error, VeloxError))

    def run_once(self) -> int:
        """Count the minutes of a slice of each lane that are due; return how many were kept.

        Raises: StoreUnavailable; what was not counted comes with the next pass.
        """
        if not self.store.keeps_minutes():
            return 0
        return sum(self._follow(lane) for lane in self.spool.lanes() if lane.measurement == TICKS)

    def _follow(self, lane: Lane) -> int:
        """Count the minutes of the lane's next slice that are over, unless another process does; return how many."""
        with _alone(lane) as is_alone:
            outcome, place = lane.outcome(), place_of(lane)
            if not is_alone or place >= outcome.through:
                return 0
            settled = lane.pending(after=place, limit=min(SLICE, outcome.through - place))
            through, batch = min(settled.last_sequence, outcome.through), settled.batch
            waiting = batch.exchange_time >= (self.clock() - SETTLES_NS) // MINUTE * MINUTE
            if waiting.any():
                through = int(batch.sequences[waiting.argmax()]) - 1
            if through <= place:
                return 0
            batch = uncleared(batch.take(batch.sequences <= through), outcome.cleared_through)
            try:
                with clearing.shipping_allowed(self.spool.root):
                    kept = sum(self._keep(lane.source, touched) for touched in _touched(batch))
            except clearing.ClearingUnfinished:
                return 0
            # Only now: a crash before this counts the same minutes again.
            durable.replace_file(lane.folder / PLACE, b"%d" % through)
            return kept

    def _keep(self, source: str, touched: Touched) -> int:
        """Count these minutes from the store's ticks, keep them, and return how many they are."""
        # Of an older minute the store may have lost ticks: what is kept of it stands.
        whole = touched.minute >= self.store.ticks_from() + MINUTE
        kept = 0
        # Stretches of time of at most about `SLICE` ticks, without long gaps inside.
        minute, reached = touched.minute, np.cumsum(touched.number)
        cut = (np.diff(minute) > 5 * MINUTE) | (np.diff(reached // SLICE) > 0) & (np.diff(minute) > 0)
        for run in np.split(np.arange(len(minute)), np.flatnonzero(cut) + 1):
            places = run[whole[run]]
            if not len(places):
                continue
            start, stop = int(touched.minute[places[0]]), int(touched.minute[places[-1]]) + MINUTE
            tags = {"account": touched.account, "source": source}
            # A bar is stamped at its end, a point's time may stand a little behind its exchange time.
            ticks = self.store.read(PointQuery(TICKS, start, stop + MARGIN, tags, candles.FIELDS))
            if not len(ticks):
                continue
            minutes = candles.minutes_of(ticks)
            wanted = set(zip(touched.symbol[places].tolist(), touched.minute[places].tolist(), strict=True))
            keys = zip(minutes["symbol"].tolist(), minutes["time"].tolist(), strict=True)
            is_wanted = np.array([key in wanted for key in keys], dtype=bool)
            minutes = {name: column[is_wanted] for name, column in minutes.items()}
            if len(minutes["time"]):
                self.store.keep_minutes(_batch(source, touched.account, minutes, now=self.clock()))
            kept += len(minutes["time"])
        return kept


def place_of(lane: Lane) -> int:
    """Return the sequence up to which all minutes of a lane are kept."""
    try:
        return int((lane.folder / PLACE).read_bytes())
    except (FileNotFoundError, ValueError):
        return 0


def rewind(lane: Lane, through: int) -> None:
    """Let the lane's minutes of all sequences beyond ``through`` be counted again: their ticks were written anew."""
    if lane.measurement == TICKS:
        with _alone(lane, patient=True):  # a keeper at work would put its own place over this one
            if through < place_of(lane):
                durable.replace_file(lane.folder / PLACE, b"%d" % max(0, through))


@contextmanager
def _alone(lane: Lane, *, patient: bool = False) -> Iterator[bool]:
    """Hold the lane's lock of keepers, or tell that another has it; freed by the kernel when the holder dies."""
    lock = FileLock(lane.folder / LOCK)
    try:
        yield lock.take(patient=patient)
    finally:
        lock.free()


def _touched(batch: PointBatch) -> Iterator[Touched]:
    bar = batch.columns["kind"] == "bar"
    minute = (batch.exchange_time - bar) // MINUTE * MINUTE
    for account in sorted({entry["account"] for entry in batch.series_table}):
        of = np.array([entry["account"] == account for entry in batch.series_table])[batch.series]
        pairs, number = np.unique(np.stack([minute[of], batch.series[of]]), axis=1, return_counts=True)
        names = np.array([entry["symbol"] for entry in batch.series_table], dtype=object)
        if pairs.size:
            yield Touched(account, names[pairs[1]], pairs[0], number)


def _batch(source: str, account: str, minutes: dict[str, ColumnArray], *, now: int) -> PointBatch:
    symbols = minutes["symbol"].tolist()
    names = sorted(set(symbols))
    place = {name: number for number, name in enumerate(names)}
    return PointBatch(
        measurement=MINUTES,
        source=source,
        sequences=np.arange(1, len(symbols) + 1),
        time=minutes["time"],
        exchange_time=minutes["time"],
        received_time=np.full(len(symbols), now),
        series=np.array([place[name] for name in symbols], dtype=np.int64),
        series_table=tuple({"account": account, "source": source, "symbol": name} for name in names),
        columns={field.name: minutes[field.name] for field in MINUTES.fields},
    )
