"""The healing of the store: a damaged file's rows are written again from kept segments, then the file is forgotten.

Until then the file stays in its table, so that a reading that needs it is refused and never short. Killed anywhere, the
next healing finds what is written already and goes on. What no kept segment holds is given up only when somebody says
so, and counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog

from timeseries.errors import VeloxError
from timeseries.shipping import clearing
from timeseries.shipping.kept import settled_points
from timeseries.shipping.shipper import gate
from timeseries.spool.backoff import pause_seconds
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.spool.lease import LeaseHeld
from timeseries.stores.base import Damage, Store

SLACK = 3600 * 10**9  # ns by which a recorder's clock and that of the file system may stand apart
PATIENCE_SECONDS = 5.0  # for a lane that is just being shipped


HEAL_EVERY_SECONDS = 15.0
READ_SECONDS = 0.2  # in each pass: so files are read all the time, and nobody waits for the disk
RETRY_SECONDS = (60.0, 3600.0)  # the first wait after a healing that was not whole, and the longest

log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class Mending:
    """The outcome of healing one damaged file.

    ``rows`` are the file's, ``missing`` those of them that no kept segment has, ``mended`` tells whether the file is
    forgotten (with rows missing: given up).
    """

    file: str
    rows: int
    missing: int
    mended: bool


def heal(
    spool: Spool, store: Store, damages: Sequence[Damage], *, owner: str, give_up: bool = False
) -> tuple[Mending, ...]:
    """Fill the store with what damaged files held and forget those of which nothing is missing.

    With ``give_up`` the others are forgotten, too.

    Raises:
        LeaseHeld: a lane is being shipped for long; try again.
        StoreUnavailable: some was not written; repeat it.
    """
    if not damages:
        return ()
    mendings = []
    for log_of_table in (damage for damage in damages if damage.day is None):
        with gate(spool.root, alone=True):  # of two logs a writer must not meet the one that goes
            store.drop(log_of_table)
        mendings.append(Mending(log_of_table.name, 0, 0, mended=True))
    files = [damage for damage in damages if damage.day is not None]
    clearing.resume(spool, store)
    with clearing.shipping_allowed(spool.root):
        mendings += [_heal(spool, store, damage, owner=owner, give_up=give_up) for damage in files]
    return tuple(mendings)


def _heal(spool: Spool, store: Store, damage: Damage, *, owner: str, give_up: bool) -> Mending:
    kept, is_whole = 0, True
    for lane in spool.lanes():
        if lane.measurement == damage.measurement and damage.tags["source"].admits(lane.source):
            # What is shipped may be newer than what is written here: nobody else ships the lane meanwhile.
            with _lease(lane, owner):
                is_whole &= _keeps_all(lane, damage)
                kept += _fill(lane, store, damage)
    missing = max(0, damage.rows - kept)
    if not missing and not is_whole:
        missing = damage.rows  # as many points as there were rows, but perhaps not the same ones
    if not missing or give_up:
        store.drop(damage, lost=missing)
    return Mending(damage.name, damage.rows, missing, mended=not missing or give_up)


def _fill(lane: Lane, store: Store, damage: Damage) -> int:
    """Write the lane's points that can have been in the file, those that are not stored; return how many can have."""
    count = begin = 0
    received = damage.times["received_time"]
    if received.least is not None:
        # Segments that were last written long before the file are not read.
        for span in lane.spans(lane.issued()):
            if not span.file.sealed or span.last is None or span.file.identity[1] >= received.least - SLACK:
                break
            begin = span.last
    for settled in settled_points(lane, store.slice_rows, after=begin):
        batch = settled.take(damage.admits(settled))
        if len(batch):
            count += len(batch)
            store.restore(batch)
        latest = None if received.greatest is None else received.greatest + SLACK
        if latest is not None and len(settled) and int(settled.received_time.min()) > latest:
            break
    return count


def _keeps_all(lane: Lane, damage: Damage) -> bool:
    """Tell whether no segment was removed that can have held points of the file."""
    spans = lane.spans(lane.issued())
    first = spans[0].first if spans else lane.issued() + 1
    if first <= 1:
        return True
    earliest = damage.times["exchange_time"].least
    if earliest is not None and 0 < lane.removed_until() < earliest:
        return True
    received, least = lane.oldest_pending_ns(0), damage.times["received_time"].least
    return received is not None and least is not None and received <= least


@contextmanager
def _lease(lane: Lane, owner: str) -> Iterator[None]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lane.lease(owner=owner))
                break
            except LeaseHeld:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield


class Healer:
    """The companion's care for damaged files of the store, in a thread of its own: nothing waits for it.

    A file of which rows are missing is left to somebody who gives them up, and tried again after a while.
    """

    def __init__(self, spool: Spool, store: Store, *, owner: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.spool, self.store, self.owner, self.clock = spool, store, owner, clock
        self.thread: threading.Thread | None = None
        self._due_at = 0.0
        self._tries: dict[str, tuple[int, float]] = {}  # of files that could not be healed: how often, and when again

    def start_if_due(self) -> None:
        """Begin a pass over the store's files where it is time for one and none runs."""
        if self.clock() < self._due_at or (self.thread is not None and self.thread.is_alive()):
            return
        self._due_at = self.clock() + HEAL_EVERY_SECONDS
        self.thread = threading.Thread(target=self.run_once, name="healing", daemon=True)
        self.thread.start()

    def run_once(self) -> None:
        """Look for damaged files and heal them; a fault is logged and leaves the rest for a later pass."""
        try:
            damages = self.store.damages(seconds=READ_SECONDS)
            for damage in damages:
                if damage.name not in self._tries:
                    log.error("a file of the store is damaged", file=damage.name, rows=damage.rows)
                tries, due_at = self._tries.get(damage.name, (0, 0.0))
                if self.clock() < due_at:
                    continue
                wait = pause_seconds(tries, first=RETRY_SECONDS[0], longest=RETRY_SECONDS[1])
                self._tries[damage.name] = (
                    tries + 1,
                    self.clock() + wait,
                )  # before: what fails is no sooner tried again
                [mending] = heal(self.spool, self.store, [damage], owner=self.owner)
                if mending.mended:
                    log.warning("a damaged file of the store is healed", file=mending.file, rows=mending.rows)
                else:
                    log.error("a damaged file cannot be healed whole", file=mending.file, missing=mending.missing)
            self._catch_up()
            self._tries = {damage.name: self._tries[damage.name] for damage in damages if damage.name in self._tries}
        except Exception as error:
            log.error("the store was not healed", error=str(error), exc_info=not isinstance(error, VeloxError))

    def _catch_up(self) -> None:
        """Send again what was settled after the store's last commit of a lane: an entry of its log was lost."""
        for lane in self.spool.lanes():
            last = self.store.last_written(lane.source, lane.measurement)
            if last is None or last >= lane.outcome().through:
                continue
            with _lease(lane, self.owner), clearing.shipping_allowed(self.spool.root):
                last = self.store.last_written(lane.source, lane.measurement) or 0
                sent = 0
                for batch in settled_points(lane, self.store.slice_rows, after=last):
                    self.store.write(batch)
                    sent += len(batch)
            if sent:
                log.warning("points of a lost commit are sent again", source=lane.source, points=sent)
