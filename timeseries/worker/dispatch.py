"""The dispatch of shipping to a worker, which is rung while points wait, and done here where none follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from timeseries.measurements import INDICATORS, TICKS
from timeseries.shipping.pump import PASS_SECONDS, Pump
from timeseries.worker.broker import FLUSH_SNAPSHOTS, FLUSH_TICKS

if TYPE_CHECKING:
    from timeseries.worker.broker_client import BrokerBell

RING_EVERY_SECONDS = 1.0
WORKER_SECONDS = 5.0  # the longest a worker may take until some of the points that wait are settled

log = structlog.get_logger("system")


class Dispatcher:
    """The companion's shipping where a broker is set, in place of ``pump.run_once``.

    Args:
        is_worker_there: tells whether a worker has shown itself lately.
    """

    def __init__(
        self,
        pump: Pump,
        bell: BrokerBell,
        *,
        is_worker_there: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pump, self.bell, self.is_worker_there, self.clock = pump, bell, is_worker_there, clock
        self._hears: bool | None = None
        self._through: dict[tuple[str, str], int] = {}
        self._moved_at = self._ring_at = 0.0

    def run_once(self) -> None:
        """Ring a worker where points wait; ship them here where none is there or it settles nothing for long."""
        now, tasks = self.clock(), set[str]()
        for lane in self.pump.spool.lanes():
            key, through = (lane.source, lane.measurement.name), lane.outcome().through
            if self._through.get(key, 0) != through:
                self._through[key], self._moved_at = through, self.clock()
            if lane.issued() > through:
                tasks.add(task_of(lane.measurement.name))
        if not tasks:
            self._moved_at = now
            return
        if now >= self._ring_at:
            self._ring_at = now + RING_EVERY_SECONDS
            hears = self.is_worker_there() and all(self.bell.ring(task) for task in sorted(tasks))
            if hears != self._hears:
                self._hears = hears
                log.info("a worker ships") if hears else log.warning("no worker hears the bell: the companion ships")
        if not self._hears or now - self._moved_at >= WORKER_SECONDS:
            self._moved_at = now
            self.pump.run_once(seconds=PASS_SECONDS)


def task_of(measurement: str) -> str:
    """Return the task that ships this measurement."""
    return FLUSH_TICKS if measurement in (TICKS.name, INDICATORS.name) else FLUSH_SNAPSHOTS
