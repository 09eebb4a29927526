"""The sweeper: ships every lane, adopts those whose writer is gone, cares for the store, and counts the points."""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import structlog

from timeseries.errors import FlushTimeout, StoreUnavailable, VeloxError
from timeseries.measurements import TICKS
from timeseries.shipping import balance, clearing, resending
from timeseries.shipping.archiver import Archiver
from timeseries.shipping.healing import Healer, Mending
from timeseries.shipping.kept import scarce_before
from timeseries.shipping.minute_keeper import MinuteKeeper, place_of
from timeseries.shipping.shipper import ship_slice
from timeseries.spool.aging import days_ahead
from timeseries.spool.backoff import pause_seconds
from timeseries.spool.bell import Bell
from timeseries.spool.disk_space import Room
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.spool.lease import LeaseHeld
from timeseries.stores.base import Store
from timeseries.stores.delta.archive import ArchivedDay

LaneKey = tuple[str, str]  # source, measurement's name

SECOND = 10**9
DAY = 86_400 * SECOND
LINGER_NS = 1 * SECOND  # a few new points wait this long for more: a commit each would litter the store
MANY = 20_000  # points that are worth a commit at once
CARE_EVERY_NS = 15 * SECOND
MINUTES_EVERY_NS = 2 * SECOND
DAYS_EVERY_NS = 30 * SECOND  # a day that is over and was quiet for so long has its candles counted
PASS_SECONDS = 0.2  # longest single shipping pass, so that the companion's other jobs get a turn
HOLD_SECONDS = (0.5, 60.0)  # the first wait after a fault of the store, and the longest
DISK_SECONDS = 3.0  # the longest wait after a fault of our own disk: once it is well nothing shall wait for long
PATIENCE_SECONDS = 0.5  # how long `flush` gives the companion to begin before it ships itself
WORKING_SECONDS = 5.0  # the same after each slice that the companion has settled
LOOK_SECONDS = 0.005  # between two looks at what is settled

log = structlog.get_logger("system")


@dataclass(frozen=True)
class Sweep:
    """The outcome of one pass: sequences settled, lanes that hold, and in how many seconds to look again."""

    settled: int = 0
    held: int = 0
    pause_seconds: float = 1.0


@dataclass
class _Care:
    """The pump's memory of a lane between passes; forgetting it costs nothing but a moment."""

    waiting_since: int | None = None
    failures: int = 0
    hold_until: int = 0


class Pump:
    """The sweeper of one spool, one per companion. Every method may be called while others record, ship and read.

    The companion's loop: ``pump.bell.listen()``, then again and again ``pump.wait(pump.run_once().pause_seconds)``.

    Args:
        keep_shipped_days: shipped segments are kept so long, so that an emptied store can be filled again.
            It counts back from the newest segment (`aging.days_ahead`), wherever the clock stands.
        max_bytes: the spool's limit (`Room`); of it kept segments have half, and less where the disk runs full.
        clock: ns UTC.
        observe: gets the seconds that each slice took.
        archive: a pass over the archive of days that are over; None: there is none.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store,
        *,
        keep_shipped_days: int = 7,
        max_bytes: int | None = None,
        clock: Callable[[], int] = time.time_ns,
        observe: Callable[[float], None] = lambda seconds: None,
        archive: Callable[[], Sequence[ArchivedDay]] | None = None,
    ) -> None:
        self.spool, self.store, self.keep_shipped_days, self.clock = spool, store, keep_shipped_days, clock
        self.max_bytes = max_bytes
        self.observe = observe
        self.bell = Bell(spool.root)
        self.owner = f"pump {os.getpid()}"
        self._lanes: dict[LaneKey, _Care] = {}
        self._adopted: set[str] = set()
        self._cared_at = self._minutes_at = self._days_at = 0
        self._keeper = MinuteKeeper(spool, store, clock=clock)
        self.healer = Healer(spool, store, owner=self.owner)
        self.archiver = Archiver(archive)
        self.keeping: threading.Thread | None = None
        self._draining: threading.Thread | None = None
        self._rung = False
        self.is_behind = False  # the last pass was cut short: look again at once

    # -- shipping ----------------------------------------------------------------------------------------------------

    def run_once(self, now: int | None = None, *, seconds: float = math.inf) -> Sweep:
        """Ship what is due of every lane, then do the periodic work that is due. ``now`` in ns UTC.

        After ``seconds`` no lane begins another slice, and the pump `is_behind`.
        """
        now = self.clock() if now is None else now
        at_once, self._rung, self.is_behind = self._rung, False, False
        self._adopt()
        until = time.monotonic() + seconds
        total = sum(self._visit(lane, now, at_once=at_once, until=until) for lane in self.spool.lanes())
        if now >= self._minutes_at and (self.keeping is None or not self.keeping.is_alive()):
            # In a thread of its own: ticks that are read back must not hold up shipping.
            self._minutes_at = now + MINUTES_EVERY_NS
            self.keeping = threading.Thread(target=self._keep_candles, args=(now,), name="minutes", daemon=True)
            self.keeping.start()
        self.healer.start_if_due()
        self.archiver.start_if_due()
        if now - self._cared_at >= CARE_EVERY_NS:
            self._cared_at = now
            self._care(now)
        held = sum(care.failures > 0 for care in self._lanes.values())
        return Sweep(total, held, 0.0 if self.is_behind else LINGER_NS / SECOND)

    def _keep_candles(self, now: int) -> None:
        """Count the minutes, and the days that are over, whose ticks were shipped; a fault is logged."""
        self._keeper.run()
        if now < self._days_at:
            return
        self._days_at = now + DAYS_EVERY_NS
        try:
            self.store.keep_closed_days(now=now)
        except Exception as error:
            log.error("days' candles are not kept now", error=str(error), exc_info=not isinstance(error, VeloxError))

    def look(self, lanes: Iterable[Lane]) -> int:
        """Ship at once what waits in these lanes, but for one that holds; return how many sequences were settled."""
        now = self.clock()
        return sum(self._visit(lane, now, at_once=True) for lane in lanes)

    def wait(self, seconds: float) -> bool:
        """Sleep until somebody rings, at most this long. After a ring the next pass ships at once what waits."""
        self._rung = self.bell.wait(seconds) or self._rung
        return self._rung

    def ship(self, lane: Lane, *, until: float = math.inf) -> int:
        """Ship all that waits in the lane now; return how many sequences were settled.

        What is recorded meanwhile waits for the next pass: a fast feed must not keep the pump from the other lanes. Nor
        must a long backlog: after a slice that ends beyond ``until`` (monotonic seconds) the rest waits, too.

        Raises:
            LeaseHeld: another process ships this lane now.
            StoreUnavailable: the rest stays in the spool.
        """
        total, goal = 0, lane.issued()
        while True:
            clearing.resume(self.spool, self.store)
            started = time.perf_counter()
            try:
                with clearing.shipping_allowed(self.spool.root):
                    shipment = ship_slice(lane, self.store, owner=self.owner)
            except clearing.ClearingUnfinished:
                continue
            if shipment.settled:
                self.observe(time.perf_counter() - started)
            total += shipment.settled
            if not shipment.settled or shipment.through >= goal:
                return total
            if time.monotonic() >= until:
                self.is_behind = True
                return total

    def _adopt(self) -> None:
        """Put the lanes of writers that are gone in order: repair their counters, seal their segments."""
        sources = {lane.source for lane in self.spool.lanes()}
        free = {source for source in sources if self.spool.holder(source) is None}
        for source in free - self._adopted:
            if self.spool.adopt(source):
                self._adopted.add(source)
        self._adopted &= free

    def _visit(self, lane: Lane, now: int, *, at_once: bool, until: float = math.inf) -> int:
        """Ship the lane if it is due; whatever goes wrong holds this lane and no other."""
        care = self._lanes.setdefault(_key(lane), _Care())
        if now < care.hold_until:
            return 0
        try:
            waiting = lane.issued() - lane.outcome().through
            if waiting <= 0:
                care.waiting_since = None
                return 0
            if care.waiting_since is None:
                care.waiting_since = now
            is_due = at_once or now - care.waiting_since >= LINGER_NS or waiting >= MANY
            if not is_due and self.spool.holder(lane.source) is not None:
                return 0
            care.waiting_since = None
            settled = self.ship(lane, until=until)
        except LeaseHeld:
            return 0
        except Exception as error:
            self._hold(lane, care, now, error)
            return 0
        care.failures, care.hold_until = 0, 0
        return settled

    def _hold(self, lane: Lane, care: _Care, now: int, error: Exception) -> None:
        longest = DISK_SECONDS if isinstance(error, OSError) else HOLD_SECONDS[1]
        seconds = pause_seconds(care.failures, first=HOLD_SECONDS[0], longest=longest)
        seconds *= random.uniform(0.5, 1.0)  # noqa: S311  (jitter)
        if isinstance(error, StoreUnavailable) and error.retry_after is not None:
            seconds = error.retry_after * random.uniform(1.0, 1.1)  # noqa: S311  (never before the store asked for it)
        care.failures, care.hold_until = care.failures + 1, now + int(seconds * SECOND)
        log.error(
            "a lane holds: its points stay in the spool",
            source=lane.source,
            measurement=lane.measurement.name,
            retry_seconds=round(seconds, 1),
            error=str(error),
            exc_info=not isinstance(error, VeloxError),
        )

    def _care(self, now: int) -> None:
        """Let the store care for itself, and remove kept segments that are old and needed no longer."""
        try:
            clearing.resume(self.spool, self.store)
            self.store.care(now=now)
            self.make_room(now)
        except Exception as error:
            log.error("the store's care failed", error=str(error), exc_info=not isinstance(error, VeloxError))

    def make_room(self, now: int) -> None:
        """Remove kept segments that are older than their days, and younger ones, too, where room is scarce."""
        settled: list[tuple[Lane, int]] = []
        for lane in self.spool.lanes():
            through = lane.outcome().through
            if lane.measurement == TICKS and self.store.keeps_minutes():
                through = min(through, place_of(lane))  # the keeper of minutes still reads what is beyond
            settled.append((lane, through))
        if not settled:
            return
        written = chain.from_iterable(lane.written_days() for lane, _ in settled)
        kept = self.keep_shipped_days + days_ahead(written, datetime.fromtimestamp(now / SECOND, UTC).date())
        scarce = scarce_before(Room(self.spool.root, max_bytes=self.max_bytes), settled)
        for lane, through in settled:
            with contextlib.suppress(LeaseHeld), lane.lease(owner=self.owner):
                lane.remove_kept(before_ns=max(now - kept * DAY, scarce), through=through)

    def drain(self, timeout: float) -> bool:
        """Ship until nothing waits, at most ``timeout`` seconds; tell whether all was shipped."""
        return not self.ship_through(self.everything(), until=time.monotonic() + timeout)

    # -- flush -------------------------------------------------------------------------------------------------------

    def targets(self, *, source: str | None = None) -> dict[LaneKey, int]:
        """Return the last sequence of each lane of ``source`` and of every source that nobody holds."""
        self._adopt()
        return {
            _key(lane): lane.issued()
            for lane in self.spool.lanes()
            if lane.source == source or self.spool.holder(lane.source) is None
        }

    def everything(self) -> dict[LaneKey, int]:
        """Return the last sequence of every lane."""
        self._adopt()
        return {_key(lane): lane.issued() for lane in self.spool.lanes()}

    def wait_until_settled(self, targets: Mapping[LaneKey, int], timeout: float) -> None:
        """Return when every sequence up to the targets is settled; ships itself when no companion does, or no longer.

        A slice that the store has in hand when the time is up is finished in a thread; nobody waits for it, but for the
        end of the process.

        Raises:
            FlushTimeout: some still wait after ``timeout`` seconds; they stay in the spool.
        """
        deadline, waiting = time.monotonic() + timeout, self.waiting(targets)
        alone_at = time.monotonic() + (PATIENCE_SECONDS if waiting and self.bell.ring() else 0.0)
        while waiting and (now := time.monotonic()) < deadline:
            if now >= alone_at and (self._draining is None or not self._draining.is_alive()):
                self._draining = threading.Thread(
                    target=self.ship_through, args=(targets,), kwargs={"until": deadline}, name="velox-flush"
                )
                self._draining.start()
            time.sleep(LOOK_SECONDS)
            before, waiting = waiting, self.waiting(targets)
            if waiting < before:
                # Two that ship in turns are no faster than one, and each holds what the store needs in memory.
                alone_at = now + min(WORKING_SECONDS, (deadline - now) / 2)
        if waiting:
            raise FlushTimeout(
                f"{waiting} points still wait after {timeout:g} s.",
                hint="They are safe in the spool, and shipped as soon as the store answers: see `manage.py spool`.",
            )

    def waiting(self, targets: Mapping[LaneKey, int]) -> int:
        """Return how many sequences up to the targets are not settled yet."""
        return sum(last - self._lane(key).outcome().through for key, last in self._unsettled(targets).items())

    def ship_through(self, targets: Mapping[LaneKey, int], *, until: float) -> dict[LaneKey, int]:
        """Ship until the targets are settled, and begin no slice after ``until`` (monotonic seconds); return those that
        are not."""
        waiting = self._unsettled(targets)
        for key in waiting:
            self._lanes[key].hold_until = 0  # somebody asks now
        while waiting:
            before = {key: self._lane(key).outcome().through for key in waiting}
            for key in waiting:
                self._visit(self._lane(key), self.clock(), at_once=True, until=until)
            waiting = self._unsettled(waiting)
            if time.monotonic() >= until:
                break
            if any(self._lane(key).outcome().through == before[key] for key in waiting):
                time.sleep(0.02)
        return waiting

    def _unsettled(self, targets: Mapping[LaneKey, int]) -> dict[LaneKey, int]:
        return {key: last for key, last in targets.items() if self._lane(key).outcome().through < last}

    def _lane(self, key: LaneKey) -> Lane:
        self._lanes.setdefault(key, _Care())
        return self.spool.lane(*key)

    # -- what there is -----------------------------------------------------------------------------------------------

    def points(self) -> balance.PointCounts:
        """Count every point of the spool; see `balance.points`."""
        return balance.points(self.spool, now=self.clock())

    def sources(self) -> list[balance.LaneCounts]:
        """Return the rows of ``manage.py spool --format json``."""
        return balance.sources(self.spool)

    def resend(self, since: int) -> resending.Resent:
        """Send again what was recorded since ``since`` (ns UTC) and is kept still; see `resending.resend`."""
        return resending.resend(self.spool, self.store, since, owner=self.owner)

    def heal(self, *, give_up: bool = False) -> tuple[Mending, ...]:
        """Heal what is damaged in the store from the kept segments; see `healing.heal`."""
        return resending.heal_all(self.spool, self.store, owner=self.owner, give_up=give_up)

    def retry_dead_letters(self) -> resending.Retried:
        """Offer every dead letter to the store once more; see `resending.retry`."""
        return resending.retry(self.spool, self.store, owner=self.owner)

    def clear_account(self, account: str) -> int:
        """Remove the account's points from store and spool, count them as cleared, return how many. Repeatable."""
        number = balance.of_account(self.spool, account)
        clearing.clear(self.spool, self.store, account)
        return number


def _key(lane: Lane) -> LaneKey:
    return lane.source, lane.measurement.name
