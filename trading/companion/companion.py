"""The companion: the one process per data folder that does the work no strategy should wait for.

It ships the spool, follows the journal, and copies the newest values into a shared hot state; the syncing of open
segments to the disk, which waits for none of that, is a process of its own (`timeseries.spool.syncer`) that it looks
after. Each job fails and recovers on its own. It ends when nobody has recorded for a while, or its folder is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from timeseries import presence, wiring
from timeseries.measurements import INDICATORS, TICKS
from timeseries.shipping import pump
from timeseries.spool.backoff import pause_seconds
from timeseries.spool.syncer import SyncProcess
from timeseries.stores.tables import uncleared
from timeseries.worker.dispatch import Dispatcher
from trading import intake, summon
from trading.companion.feed_review import FeedReview
from trading.companion.follower import Follower
from trading.companion.limit_watch import LimitWatch
from trading.companion.newest import ROWS_MAX, newest_of
from trading.errors import LedgerNotReady, VeloxError
from trading.hot import cache, comparisons, ledger_copy
from trading.operations.measure_excursions import measure_excursions
from trading.queries.excursions import accounts_unmeasured
from trading.transactions import ask

if TYPE_CHECKING:
    from timeseries.worker.broker_client import BrokerBell

IDLE_SECONDS = 60.0
PAUSE_SECONDS = 0.2
FOLLOW_EVERY_SECONDS = 0.5
COPY_EVERY_SECONDS = 0.5
COMPARE_EVERY_SECONDS = 60.0
MEASURE_EVERY_SECONDS = 30.0
SYNCER_EVERY_SECONDS = 1.0
PRESENT_EVERY_SECONDS = 1.0
ROOM_EVERY_SECONDS = 60.0
MEASURED_MAX = 500  # trades of one account in one pass: the other jobs wait for it
RETRY_SECONDS = (1.0, 30.0)

log = structlog.get_logger("system")


@dataclass
class Job:
    """A piece of work that the companion does again and again; after a fault it waits longer each time."""

    name: str
    work: Callable[[], int | pump.Sweep | None]
    every_seconds: float
    due_at: float = 0.0
    failures: int = 0
    longest_seconds: float = RETRY_SECONDS[1]  # between two tries
    waits: bool = False  # for its time, whoever rings

    def run(self, now: float, *, at_once: bool) -> None:
        """Do the work if it is due at ``now`` (seconds of the companion's clock), or if somebody rang (``at_once``)."""
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
    """The companion's jobs and their loop; call `run` while holding its lock (`summon.being_the_companion`)."""

    def __init__(
        self,
        *,
        stays: Callable[[], bool] = lambda: False,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the jobs. ``stays`` tells whether to live on without a recorder, as beside a running web server."""
        self.stays, self.idle_seconds, self.clock = stays, idle_seconds, clock
        self.pump = wiring.open_pump()
        self.spool = self.pump.spool
        self.follower = Follower()
        self.intake = intake.of_this_folder()
        self.feeds = FeedReview()
        self.limits = LimitWatch(self.intake)
        self.broker: BrokerBell | None = None
        self.stopped = False
        self._last_recorder = clock()
        self._copied: dict[tuple[str, str], int] = {}
        self._ledger_copies: dict[str, tuple[int, float]] = {}  # by account: the sequence copied, the comparison due
        self._lock = summon.lock_identity()
        self.syncer = SyncProcess(self.spool.root, window_seconds=settings.VELOX_SPOOL_SYNC_MS / 1000)
        on_duty = self.follower.duty.run  # what is done for all hosts of the ledger, by one of them
        self.jobs = [
            Job("the sync of the spool", self.syncer.look, SYNCER_EVERY_SECONDS, longest_seconds=SYNCER_EVERY_SECONDS),
            Job("the shipping", self._shipping(), 0.0),
            Job("the mark of presence", _be_present, PRESENT_EVERY_SECONDS, waits=True),
            Job("the look at the spool's room", self._look_at_room, ROOM_EVERY_SECONDS, waits=True),
            Job("the intake", self.intake.post, FOLLOW_EVERY_SECONDS),
            Job("the follower", partial(on_duty, self.follower.run_once), FOLLOW_EVERY_SECONDS),
            Job("the copy to the hot state", self._copy, COPY_EVERY_SECONDS),
            Job("the copy of the ledger to the hot state", self._copy_ledger, COPY_EVERY_SECONDS),
            *(
                Job(name, work, MEASURE_EVERY_SECONDS, clock() + MEASURE_EVERY_SECONDS, waits=True)
                for name, work in (
                    ("the measuring of trades", partial(on_duty, _measure)),
                    ("the review of feeds", partial(on_duty, lambda: self.feeds.run_once(datetime.now(UTC)))),
                )
            ),
        ]

    def run(self) -> None:
        """Work until there is nothing left to do for anybody, or `stop`."""
        self.pump.bell.listen()
        self.limits.begin()
        log.info("the companion works", data_folder=str(settings.DATA_DIR))
        rung = False
        while not self.stopped:
            if self.is_wanted():
                self._last_recorder = self.clock()
            if not self._has_folder() or self.clock() - self._last_recorder > self.idle_seconds:
                break
            for job in self.jobs:
                job.run(self.clock(), at_once=rung)
            rung = self.pump.wait(0.0 if self.pump.is_behind else PAUSE_SECONDS)
        for job in self.jobs:  # what came during the last pass
            if self._has_folder():
                job.run(self.clock(), at_once=True)
        self.limits.end()
        self.follower.close()
        self.syncer.end()
        if self.broker is not None:
            self.broker.close()
        self.pump.bell.close()
        log.info("the companion ends")

    def stop(self, *_: object) -> None:
        """Finish the pass at hand and end (a signal's handler)."""
        self.stopped = True

    def _shipping(self) -> Callable[[], int | pump.Sweep | None]:
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

    def is_wanted(self) -> bool:
        """Tell whether there is a folder to work on, and somebody who records into it or a fact that waits."""
        return self._has_folder() and (self.stays() or summon.is_recorded(self.spool) or bool(self.intake.waiting()))

    def _has_folder(self) -> bool:
        """Tell whether the data folder is there, and still the one whose lock is held: one made anew has its own."""
        return Path(settings.DATA_DIR).is_dir() and summon.lock_identity() == self._lock

    def _look_at_room(self) -> None:
        """Warn in the log that the spool fills up, long before it refuses anything."""
        space = wiring.spool_space()
        if space is not None and space.is_low:
            log.warning("the spool is low on room", left_bytes=space.left, used_bytes=space.used, free_bytes=space.free)

    def _copy(self) -> None:
        """Put the points since the last pass into the hot state, where other processes can see them."""
        for lane in self.spool.lanes() if cache.is_shared() else ():
            if lane.measurement not in (TICKS, INDICATORS):
                continue
            key, issued = (lane.source, lane.measurement.name), lane.issued()
            # From where the last pass stood: what was shipped meanwhile, or by a companion that was killed before it
            # copied, still lies in the segments. Not all of them: older than an entry's lifetime is no news.
            after = self._copied.setdefault(key, max(0, issued - ROWS_MAX))
            while after < issued:
                pending = lane.pending(after=after, limit=ROWS_MAX)
                batch = uncleared(pending.batch, lane.outcome().cleared_through)
                if pending.last_sequence <= after or not cache.put_newest(*newest_of(batch)):
                    break  # it comes again in the next pass: an older entry would stand for up to a minute
                after = self._copied[key] = pending.last_sequence

    def _copy_ledger(self) -> None:
        """Copy the ledger's newest state where it has changed; once a minute compare the copy and correct it."""
        for account, sequence in ledger_copy.sequences().items() if cache.is_shared() else ():
            copied, due_at = self._ledger_copies.get(account, (-1, 0.0))
            is_due = self.clock() >= due_at
            if sequence == copied and not is_due:
                continue
            now = datetime.now(UTC)
            counts = ledger_copy.rebuild(account, now)
            if is_due or counts["wrong"]:
                comparisons.note(account, counts, now)
                due_at = self.clock() + COMPARE_EVERY_SECONDS
            self._ledger_copies[account] = (sequence, due_at)


def _be_present() -> None:
    """Leave word that the companion works; a data folder that was removed is not made anew for it."""
    if Path(settings.DATA_DIR).is_dir():
        presence.mark(settings.DATA_DIR, summon.PRESENCE)


def _measure() -> int:
    """Measure closed trades from their ticks, those of a few symbols at a time; return how many."""
    codes = ask(accounts_unmeasured)
    return sum(measure_excursions(code, wiring.open_reader(), limit=MEASURED_MAX).trades for code in codes)
