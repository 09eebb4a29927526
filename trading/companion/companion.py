"""The companion: the one process per data folder that does what no strategy should wait for.

It ships the spool, follows the journal, and copies the newest values into a shared hot state; the syncing of open
segments to the disk, which waits for none of that, is a process of its own (`timeseries.spool.syncer`) that it looks
after. Each part fails and recovers on its own. It ends when nobody has recorded for a while, or its folder is gone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from timeseries import presence, wiring
from timeseries.measurements import INDICATORS, TICKS, TIMES, PointBatch
from timeseries.recording.recorder import PROJECTING_SOURCE
from timeseries.shipping import pump
from timeseries.spool.backoff import pause_seconds
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.spool.syncer import SyncProcess
from timeseries.stores.tables import uncleared
from timeseries.worker.dispatch import Dispatcher
from trading import intake, summon
from trading.companion.feed_review import FeedReview
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady, VeloxError
from trading.hot import cache, comparisons, ledger_copy
from trading.operations.measure_excursions import measure_excursions
from trading.queries.excursions import accounts_unmeasured
from trading.transactions import reading

if TYPE_CHECKING:
    from timeseries.worker.broker_client import BrokerBell

IDLE_SECONDS = 60.0
PAUSE_SECONDS = 0.2
FOLLOW_EVERY_SECONDS = 0.5
COPY_EVERY_SECONDS = 0.5
COPY_ROWS_MAX = 50_000
COMPARE_EVERY_SECONDS = 60.0
MEASURE_EVERY_SECONDS = 30.0
SYNCER_EVERY_SECONDS = 1.0
ROOM_EVERY_SECONDS = 60.0
MEASURED_MAX = 500  # trades of one account in one pass: the other parts wait for it
RETRY_SECONDS = (1.0, 30.0)

log = structlog.get_logger("system")


@dataclass
class Job:
    """One thing the companion does again and again; after a fault it waits longer each time."""

    name: str
    work: Callable[[], Any]
    every_seconds: float
    due_at: float = 0.0
    failures: int = 0
    longest_seconds: float = RETRY_SECONDS[1]  # between two tries
    waits: bool = False  # for its time, whoever rings

    def run(self, now: float, *, at_once: bool) -> None:
        if now < self.due_at and (self.waits or self.failures or not at_once):
            return
        try:
            self.work()
        except LedgerNotReady:
            self.due_at = now + RETRY_SECONDS[0]  # a desk that only records ticks has no ledger yet
        except Exception as error:
            self.due_at = now + pause_seconds(self.failures, first=RETRY_SECONDS[0], longest=self.longest_seconds)
            self.failures += 1
            log.error(f"{self.name} failed", error=str(error), exc_info=not isinstance(error, VeloxError))
        else:
            self.failures, self.due_at = 0, now + self.every_seconds


class Companion:
    """Call `run` while holding the companion's lock (`summon.being_the_companion`)."""

    def __init__(
        self,
        *,
        stays: Callable[[], bool] = lambda: False,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``stays``: whether to live on without a recorder now, as the companion of a running web server does."""
        self.stays, self.idle_seconds, self.clock = stays, idle_seconds, clock
        self.pump = wiring.open_pump()
        self.spool = self.pump.spool
        self.follower = Follower()
        self.intake = intake.of_this_folder()
        self.feeds = FeedReview()
        self.broker: BrokerBell | None = None
        self.stopped = False
        self._last_recorder = clock()
        self._copied: dict[tuple[str, str], int] = {}
        self._books: dict[str, tuple[int, float]] = {}
        self._lock = _identity()
        self.syncer = SyncProcess(self.spool.root, window_seconds=settings.VELOX_SPOOL_SYNC_MS / 1000)
        self.parts = [
            Job("the sync of the spool", self.syncer.look, SYNCER_EVERY_SECONDS, longest_seconds=SYNCER_EVERY_SECONDS),
            Job("the shipping", self._shipping(), 0.0),
            Job("the look at the spool's room", self._look_at_room, ROOM_EVERY_SECONDS, waits=True),
            Job("the intake", self.intake.post, FOLLOW_EVERY_SECONDS),
            Job("the follower", self.follower.run_once, FOLLOW_EVERY_SECONDS),
            Job("the copy to the hot state", self._copy, COPY_EVERY_SECONDS),
            Job("the copy of the ledger to the hot state", self._copy_books, COPY_EVERY_SECONDS),
            *(
                Job(name, work, MEASURE_EVERY_SECONDS, clock() + MEASURE_EVERY_SECONDS, waits=True)
                for name, work in (("the measuring of trades", _measure), ("the review of feeds", self._review_feeds))
            ),
        ]

    def run(self) -> None:
        """Work until there is nothing left to do for anybody, or `stop`."""
        self.pump.bell.listen()
        log.info("the companion works", data_folder=str(settings.DATA_DIR))
        rung = False
        while not self.stopped and not self._is_over():
            for part in self.parts:
                part.run(self.clock(), at_once=rung)
            rung = self.pump.wait(0.0 if self.pump.is_behind else PAUSE_SECONDS)
        self._end()

    def stop(self, *_: object) -> None:
        """Finish the pass at hand and end; a signal's handler."""
        self.stopped = True

    def _shipping(self) -> Callable[[], Any]:
        if not settings.CELERY_BROKER_URL:
            # A long backlog, all of it at once, would keep the follower waiting.
            return partial(self.pump.run_once, seconds=pump.PASS_SECONDS)
        self.broker = bell = import_string("timeseries.worker.broker_client.BrokerBell")(settings.CELERY_BROKER_URL)
        return Dispatcher(
            self.pump,
            bell,
            is_worker_there=lambda: presence.is_there(settings.DATA_DIR, "worker"),
            clock=self.clock,
        ).run_once

    def _end(self) -> None:
        for part in self.parts:
            if self._has_folder():
                part.run(self.clock(), at_once=True)
        self.follower.close()
        self.syncer.end()
        if self.broker is not None:
            self.broker.close()
        self.pump.bell.close()
        log.info("the companion ends")

    def is_wanted(self) -> bool:
        """Tell whether there is a folder to work on, and somebody who records into it or a fact that waits."""
        return self._has_folder() and (self.stays() or is_recorded(self.spool) or bool(self.intake.waiting()))

    def _is_over(self) -> bool:
        if self.is_wanted():
            self._last_recorder = self.clock()
        return not self._has_folder() or self.clock() - self._last_recorder > self.idle_seconds

    def _has_folder(self) -> bool:
        """Tell whether the data folder is there, and still the one whose lock is held: one made anew has its own."""
        return Path(settings.DATA_DIR).is_dir() and _identity() == self._lock

    def _review_feeds(self) -> None:
        self.feeds.run_once(datetime.now(UTC))

    def _look_at_room(self) -> None:
        """Say in the log that the spool fills up, long before it refuses anything."""
        space = wiring.spool_space()
        if space is not None and space.is_low:
            log.warning("the spool is low on room", left_bytes=space.left, used_bytes=space.used, free_bytes=space.free)

    def _copy(self) -> None:
        """Put what came since the last pass into the hot state, where other processes can see it."""
        if cache.is_shared():
            for lane in self.spool.lanes():
                if lane.measurement in (TICKS, INDICATORS):
                    self._copy_lane(lane)

    def _copy_books(self) -> None:
        """Copy the ledger's newest state where it has changed; once a minute compare it, and mend what is not so."""
        for account, sequence in ledger_copy.sequences().items() if cache.is_shared() else ():
            copied, due_at = self._books.get(account, (-1, 0.0))
            is_due = self.clock() >= due_at
            if sequence == copied and not is_due:
                continue
            now = datetime.now(UTC)
            found = ledger_copy.rebuild(account, now)
            if is_due or found["wrong"]:
                comparisons.note(account, found, now)
                due_at = self.clock() + COMPARE_EVERY_SECONDS
            self._books[account] = (sequence, due_at)

    def _copy_lane(self, lane: Lane) -> None:
        key, issued = (lane.source, lane.measurement.name), lane.issued()
        # From where the last pass stood: what was shipped meanwhile still lies in the segments. Not all of a long tail:
        # what is older than an entry's lifetime is no news.
        after = self._copied.setdefault(key, max(lane.outcome().through, issued - COPY_ROWS_MAX))
        while after < issued:
            part = lane.pending(after=after, limit=COPY_ROWS_MAX)
            # Where the cache did not take it this must come again: an older entry would stand for up to a minute.
            batch = uncleared(part.batch, lane.outcome().cleared_through)
            if part.last_sequence <= after or not cache.put_newest(*_newest_of(batch)):
                return
            after = self._copied[key] = part.last_sequence


def _measure() -> None:
    """Measure closed trades from their ticks, those of a few symbols at a time."""
    with reading():
        codes = accounts_unmeasured()
    for code in codes:
        measure_excursions(code, wiring.open_reader(), limit=MEASURED_MAX)


def copy_newest(spool: Spool) -> dict[str, int]:
    """Put the newest values that the spool still has into the hot state; return how many entries of each measurement.

    Raises: ConnectionError where the cache did not take them.
    """
    copied = {TICKS.name: 0, INDICATORS.name: 0}
    for lane in spool.lanes():
        if lane.measurement in (TICKS, INDICATORS) and lane.issued():
            part = lane.pending(after=max(0, lane.issued() - COPY_ROWS_MAX), limit=COPY_ROWS_MAX)
            kind, entries = _newest_of(uncleared(part.batch, lane.outcome().cleared_through))
            if not cache.put_newest(kind, entries):
                raise ConnectionError("the cache took nothing")
            copied[lane.measurement.name] += len(entries)
    return copied


def _newest_of(batch: PointBatch) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the kind of the hot state's entries, and each series' newest point by the entry's key."""
    kind = "tick" if batch.measurement == TICKS else "indicators"
    newest: dict[str, dict[str, Any]] = {}
    for row in _newest_rows(batch):
        tags = batch.series_table[int(batch.series[row])]
        times = {field: int(getattr(batch, field)[row]) for field in TIMES}
        fields = {field: _plain(column[row]) for field, column in batch.columns.items()}
        name = cache.key(kind, *(tags[tag] for tag in ("account", *batch.measurement.tags)))
        newest[name] = {**tags, "source": batch.source, **times, **fields}
    return kind, newest


def _identity() -> tuple[int, int] | None:
    try:
        status = summon.lock_path().stat(follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_recorded(spool: Spool) -> bool:
    """Tell whether somebody records into this spool, the follower aside."""
    return any(spool.holder(source) is not None for source in spool.sources() if source != PROJECTING_SOURCE)


def _newest_rows(batch: PointBatch) -> list[int]:
    """Return the row of each series' newest point by exchange time; of equal ones the last to arrive."""
    order = np.lexsort((np.arange(len(batch)), batch.exchange_time, batch.series))
    series = batch.series[order]
    last = np.append(series[1:] != series[:-1], True) if len(series) else np.zeros(0, dtype=bool)
    return [int(row) for row in order[last]]


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
